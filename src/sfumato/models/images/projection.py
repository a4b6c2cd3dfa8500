"""A noisy mean image, and the directions in which images differ most from it: private principal components.

The second moments of all images together carry far less noise per image than those of one class, so many more
directions survive in them; and asked over low frequencies alone, of directions alone (every image scaled to one length,
the spatial sign covariance of Locantore et al. 1999), they need neither a radius nor the noise of fine detail.
Analyze Gauss (Dwork, Talwar, Thakurta, Zhang 2014) is the mechanism.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.fft import idct

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout
from sfumato.models.images.products import products
from sfumato.trust.questions import Feature, FeatureSum, GroupedFeature, PublicArrays, Scatter, fitting
from sfumato.trust.setting import Setting

RADIUS = 0.5
"""Norm to which images are clipped, as a share of that of a white image."""
FREQUENCIES = 16
"""Cosines per side that directions are sought among."""
_BLACK = 1e-12
"""Norm of an image, or of a vector, that has no direction."""
_NO_NORM = 1e-300
"""In place of the norm of a vector of zeros, to divide by."""
_NO_SPREAD = 1e-9
"""Eigenvalue below which images do not differ in a direction, without noise."""
EDGE = 0.7
"""Directions are kept down to this part of the largest eigenvalue that noise alone would have."""


_HALF = math.sqrt(0.5)
"""Of a record's norm, that of the constant that counts it, and that of its image: half of the square each."""


@dataclass(frozen=True)
class Projection:
    """An affine map of images to a few coordinates.

    Attributes:
        centre: (size,) an image in [0, 1].
        basis: (k, size) orthonormal rows.
    """

    centre: np.ndarray
    basis: np.ndarray

    def coordinates(self, images: np.ndarray) -> np.ndarray:
        """(n, size) in [0, 1] -> (n, k); those of an image depend on no other."""
        return products(images - self.centre, self.basis)

    def images(self, coordinates: np.ndarray) -> np.ndarray:
        """(n, k) -> (n, size), not yet clipped to [0, 1]."""
        return self.centre + coordinates @ self.basis


def image_vectors(domain: Domain, arrays: PublicArrays) -> Feature:
    """The installed feature "images": a constant and the clipped image, together of norm at most one."""
    fitting(arrays, {})
    layout = ImageLayout(domain)
    radius = _radius(layout)

    def feature(codes: np.ndarray) -> np.ndarray:
        images = scaled(layout.images_of(codes), radius)
        return np.hstack([np.full((len(codes), 1), _HALF), images * (_HALF / radius)])

    return feature


def mean_image(setting: Setting, layout: ImageLayout, mu: float) -> tuple[float, np.ndarray]:
    """(noisy number of images, noisy mean (size,)), in one release that costs ``mu``.

    *Formal guarantee.* A ``feature_sum`` of a constant and the clipped image, together of norm at most one.
    """
    summed = setting.feature_sum(FeatureSum("images", layout.size + 1, 1.0), mu)
    total = max(1.0, summed[0] / _HALF)
    return total, np.clip(summed[1:] * (_radius(layout) / _HALF) / total, 0.0, 1.0)


def _radius(layout: ImageLayout) -> float:
    return RADIUS * math.sqrt(layout.size)


def image_directions(domain: Domain, arrays: PublicArrays) -> GroupedFeature:
    """The installed feature "directions of images", given a ``centre`` (size,): slow waves, scaled to one length."""
    layout = ImageLayout(domain)
    (centre,) = fitting(arrays, {"centre": (layout.size,)})
    cosines = low_frequencies(*layout.pixels.shape)

    def feature(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values = products(layout.images_of(codes) - centre, cosines)
        return values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), _BLACK), np.zeros(len(codes))

    return feature


def principal(setting: Setting, layout: ImageLayout, centre: np.ndarray, most: int, mu: float) -> Projection:
    """The directions that stand out of the noise, at most ``most`` and at least two where there are two; costs ``mu``.

    *Formal guarantee.* A ``scatter`` of vectors of norm at most one.
    """
    cosines = low_frequencies(*layout.pixels.shape)
    dimension = len(cosines)
    question = Scatter("directions of images", dimension, 1, 1.0, {"centre": centre})
    moments = setting.scatter(question, mu)[0]
    values, vectors = np.linalg.eigh(moments)
    noise = 0.0 if math.isinf(mu) else math.sqrt(2 * dimension) / mu
    kept = int(np.clip((values > max(EDGE * noise, _NO_SPREAD)).sum(), min(2, dimension), most))
    return Projection(centre, vectors[:, ::-1][:, :kept].T @ cosines)


def low_frequencies(height: int, width: int, channels: int) -> np.ndarray:
    """(dimension, size) orthonormal images: the slowest cosines of each channel, at most ``FREQUENCIES`` a side."""
    rows, columns = (idct(np.eye(side), norm="ortho", axis=1)[:FREQUENCIES] for side in (height, width))
    return np.einsum("ai,bj,ck->abcijk", rows, columns, np.eye(channels)).reshape(-1, height * width * channels)


def scaled(vectors: np.ndarray, radius: float) -> np.ndarray:
    """Rows (n, d) scaled down to norm ``radius`` where they exceed it."""
    return vectors * np.minimum(1.0, radius / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _NO_NORM))
