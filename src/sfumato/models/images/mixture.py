"""A fitted mixture of Gaussians over a few coordinates of images, each component of one class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout, drawn_by_weight
from sfumato.models.images.moments import Moments, roots
from sfumato.models.images.projection import Projection
from sfumato.models.model import SavedArrays, SavedFacts, SavedState, total_of

_RIDGE = 1e-6  # added to the covariance: directions that noise has left flat have a density all the same
_UNLIKELY = -1e6
"""Log density of a group of another class: none, and finite."""
_ARRAYS = ("centre", "basis", "weights", "classes", "means", "roots")


@dataclass(frozen=True)
class FittedMixture:
    """Components, and how their coordinates become images.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        projection: coordinates to images.
        weights: (g,) of the components, not negative, not all zero.
        classes: (g,) class of each.
        means: (g, k).
        roots: (g, k, k); normal numbers times the root, plus the mean, are coordinates.
    """

    layout: ImageLayout
    total: float
    projection: Projection
    weights: np.ndarray
    classes: np.ndarray
    means: np.ndarray
    roots: np.ndarray

    @classmethod
    def of(
        cls, layout: ImageLayout, total: float, projection: Projection, found: Moments, classes: np.ndarray
    ) -> FittedMixture:
        """From noisy moments of groups that belong to ``classes`` (g,)."""
        weights = np.maximum(found.counts, 0.0) if found.counts.max() > 0 else np.ones(len(classes))
        arrays = (found.means.astype(np.float32), roots(found, classes).astype(np.float32))
        return cls(layout, total, projection, weights, classes, *arrays)

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.layout.domain

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records; see ``ImageLayout.sample`` for conditions."""
        return self.layout.sample(self._draw, n, rng, given)

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        coordinates, groups = self.coordinates(n, rng, allowed[self.classes])
        return self.projection.images(coordinates), self.classes[groups]

    def coordinates(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, k) of the ``allowed`` (g,) components, and the component of each (n,)."""
        groups = drawn_by_weight(self.weights, n, rng, allowed)
        points = rng.standard_normal((n, self.means.shape[1]), np.float32)
        for g in np.unique(groups):
            points[groups == g] = points[groups == g] @ self.roots[g]
        return points + self.means[groups], groups

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """-log density of class and coordinates of records (n, d), exact; see ``RecordLoss``.

        What of an image lies outside the model's directions has no density, and plays no part.
        """
        points = self.projection.coordinates(self.layout.images_of(codes))
        classes = self.layout.classes_of(codes)
        each = np.full((len(self.weights), len(codes)), _UNLIKELY)
        for g in np.flatnonzero(self.weights > 0):
            own = classes == self.classes[g]
            covariance = self.roots[g].T.astype(np.float64) @ self.roots[g] + _RIDGE * np.eye(points.shape[1])
            density = multivariate_normal(self.means[g], covariance).logpdf(points[own])
            each[g, own] = np.log(self.weights[g] / self.weights.sum()) + density
        return -logsumexp(each, axis=0)

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        found = (self.projection.centre, self.projection.basis, self.weights, self.classes, self.means, self.roots)
        return {"total": self.total}, dict(zip(_ARRAYS, found, strict=True))

    @classmethod
    def restored(cls, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedMixture:
        """From a saved state; ValueError on anything malformed."""
        layout = ImageLayout(domain)
        if set(arrays) != set(_ARRAYS) or not all(np.isfinite(a).all() for a in arrays.values()):
            raise ValueError("the saved mixture lacks numbers")
        centre, basis, weights, classes, means, roots = (arrays[name] for name in _ARRAYS)
        g, k = len(weights), len(basis)
        shapes = (centre.shape, basis.shape, weights.shape, classes.shape, means.shape, roots.shape)
        if shapes != ((layout.size,), (k, layout.size), (g,), (g,), (g, k), (g, k, k)):
            raise ValueError("the saved mixture does not fit the images")
        known = classes.dtype.kind in "iu" and np.isin(classes, np.arange(layout.classes)).all()
        if (weights < 0).any() or not weights.any() or not known:
            raise ValueError("the saved mixture has no such weights or classes")
        return cls(layout, total_of(facts), Projection(centre, basis), weights, classes, means, roots)
