"""Gaussians from noisy counts, sums and second moments of groups: what noise drowns is taken from larger groups.

Covariances are shrunk entry by entry, each as far as its own noise asks for: from a group to its class, from a class to
all classes, from those to a diagonal matrix. The factor is that of a normal prior about the target whose standard
deviation is a public part of the geometric mean of the two variances (empirical Bayes; Efron and Morris 1973).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.models.images.layout import ImageLayout
from sfumato.models.images.projection import Projection, scaled
from sfumato.trust.questions import GroupedFeature, PublicArrays, Scatter, fitting
from sfumato.trust.setting import Setting

RADIUS = 2 / 7
"""Norm to which coordinates are clipped, as a share of that of a white image."""
CONSTANT = 0.1
"""Share of a record's squared norm that counts it, the rest being its coordinates."""
SPREAD = 0.5
"""Expected squared deviation of a covariance from that of the larger group, in units of the two variances."""
_OFF_DIAGONAL = 0.1
"""The same for covariances of all images about zero, as a part of ``SPREAD``: directions are nearly uncorrelated."""
_LEAST = 1e-6
"""Variance of a coordinate: smaller ones are rounding."""


@dataclass(frozen=True)
class Moments:
    """Noisy moments of groups of records.

    Attributes:
        counts: (g,) records of each, as they came out of the noise.
        means: (g, k).
        covariances: (g, k, k); not positive where noise is large.
        sigma_count, sigma: standard deviation of the noise of a count, and of a diagonal entry of a sum of outer
            products.
    """

    counts: np.ndarray
    means: np.ndarray
    covariances: np.ndarray
    sigma_count: float
    sigma: float

    @property
    def sizes(self) -> np.ndarray:
        """(g,) counts, at least one."""
        return np.maximum(self.counts, 1.0)

    def noise(self, sizes: np.ndarray) -> np.ndarray:
        """(g, k, k) variance of the noise of covariances over so many records."""
        k = self.means.shape[1]
        return (self.sigma / sizes[:, None, None]) ** 2 * np.where(np.eye(k, dtype=bool), 1.0, 0.5)


@dataclass(frozen=True)
class Clusters:
    """Places (classes, clusters, k) of clusters; a record belongs to the nearest one of its class."""

    places: np.ndarray

    @property
    def number(self) -> int:
        """Of all classes together."""
        return self.places.shape[0] * self.places.shape[1]

    def assign(self, points: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """The nearest cluster of its class for each of the points (n, k), (n,) in 0 .. number - 1.

        A point's depends on no other: squares are added row by row, and no product of matrices is made.
        """
        groups = np.empty(len(points), np.int64)
        each = self.places.shape[1]
        for c in np.unique(classes):
            own, places = classes == c, self.places[c]
            away = [((points[own] - place) ** 2).sum(axis=1) for place in places]
            groups[own] = c * each + np.stack(away, axis=1).argmin(axis=1)
        return groups


def coordinates_by_class(domain: Domain, arrays: PublicArrays) -> GroupedFeature:
    """The installed feature "coordinates by class", given a projection's ``centre`` (size,) and ``basis`` (k, size)."""
    layout = ImageLayout(domain)
    projection = Projection(*fitting(arrays, {"centre": (layout.size,), "basis": (None, layout.size)}))
    return _coordinates(layout, projection, None)


def coordinates_by_cluster(domain: Domain, arrays: PublicArrays) -> GroupedFeature:
    """The installed feature "coordinates by cluster": the same, and ``places`` (classes, clusters, k) of clusters."""
    layout = ImageLayout(domain)
    shapes = {"centre": (layout.size,), "basis": (None, layout.size), "places": (layout.classes, None, None)}
    centre, basis, places = fitting(arrays, shapes)
    if not places.shape[1] or places.shape[2] != len(basis):
        raise QuestionError("places of clusters are points of as many coordinates as there are directions")
    return _coordinates(layout, Projection(centre, basis), Clusters(places))


def _coordinates(layout: ImageLayout, projection: Projection, clusters: Clusters | None) -> GroupedFeature:
    """A constant and the clipped coordinates, together of norm at most one, in the group of their class or cluster."""
    radius, one, scale = _sizes(layout)

    def feature(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, classes = projection.coordinates(layout.images_of(codes)), layout.classes_of(codes)
        group = classes if clusters is None else clusters.assign(points, classes)
        return np.hstack([np.full((len(codes), 1), one), scaled(points, radius) * scale]), group

    return feature


def _sizes(layout: ImageLayout) -> tuple[float, float, float]:
    """Norm to which coordinates are clipped, the constant that counts a record, and the scale of its coordinates."""
    radius = RADIUS * math.sqrt(layout.size)
    return radius, math.sqrt(CONSTANT), math.sqrt(1 - CONSTANT) / radius


def moments(
    setting: Setting, layout: ImageLayout, projection: Projection, clusters: Clusters | None, mu: float
) -> Moments:
    """Ask for the moments of the coordinates of all clusters, or classes, at once, at cost ``mu``.

    *Formal guarantee.* A ``scatter`` of a constant and the clipped coordinates, together of norm at most one: counts,
    sums and second moments are one release.
    """
    radius, one, scale = _sizes(layout)
    given = {"centre": projection.centre, "basis": projection.basis}
    dimension = len(projection.basis) + 1
    if clusters is None:
        question = Scatter("coordinates by class", dimension, layout.classes, 1.0, given)
    else:
        given["places"] = clusters.places
        question = Scatter("coordinates by cluster", dimension, clusters.number, 1.0, given)
    answer = setting.scatter(question, mu)
    counts = answer[:, 0, 0] / CONSTANT
    sizes = np.maximum(counts, 1.0)[:, None]
    means = scaled(answer[:, 0, 1:] / (one * scale) / sizes, radius)
    second = answer[:, 1:, 1:] / scale**2 / sizes[:, None]
    covariances = second - means[:, :, None] * means[:, None, :]
    sigma = 0.0 if math.isinf(mu) else 1 / mu
    return Moments(counts, means, covariances, sigma / CONSTANT, sigma / scale**2)


def roots(found: Moments, classes: np.ndarray) -> np.ndarray:
    """(g, k, k) symmetric roots of the shrunk covariances of groups; ``classes`` (g,) says which class each is of."""
    sizes, variances = found.sizes, found.noise(found.sizes)
    pooled, noise = _pooled(found.covariances, variances, sizes)
    scales = np.maximum(np.diag(pooled), _LEAST)
    spread = np.outer(scales, scales)
    everyone = _positive(
        np.diag(scales) + _shrunk(pooled - np.diag(np.diag(pooled)), noise, _OFF_DIAGONAL * SPREAD * spread)
    )
    out = np.empty_like(found.covariances)
    for c in np.unique(classes):
        own = classes == c
        pooled, noise = _pooled(found.covariances[own], variances[own], sizes[own])
        middle = everyone + _shrunk(pooled - everyone, noise, SPREAD * spread)
        for g in np.flatnonzero(own):
            covariance = middle + _shrunk(found.covariances[g] - middle, variances[g], SPREAD * spread)
            values, vectors = np.linalg.eigh(covariance)
            out[g] = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return out


def _pooled(covariances: np.ndarray, variances: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean of covariances weighted by sizes, and the variance of its noise."""
    weights = sizes / sizes.sum()
    return np.einsum("g,gij->ij", weights, covariances), np.einsum("g,gij->ij", weights**2, variances)


def _shrunk(difference: np.ndarray, noise: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """What is believed of a noisy difference whose square is expected to be ``expected``."""
    return difference * expected / (expected + noise)


def _positive(matrix: np.ndarray) -> np.ndarray:
    """The nearest matrix whose eigenvalues are not negative."""
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T
