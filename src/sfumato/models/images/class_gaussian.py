"""One Gaussian per class, from noisy counts, sums and second moments of its images: a single joint release.

The plain line that every model of images has to beat. Sampling: a class by its noisy count, then an image from the
Gaussian of that class, of whose covariance only the directions that stand out of the noise are kept.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout
from sfumato.progress import Progress
from sfumato.trust.setting import Setting


@dataclass(frozen=True)
class FittedClassGaussian:
    """Class weights, means and square roots of covariances.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        weights: (classes,) chances, summing to one.
        means: (classes, size) in units of full brightness.
        roots: (classes, rank, size); an image is its mean plus normal numbers (rank,) times the root.
    """

    layout: ImageLayout
    total: float
    weights: np.ndarray
    means: np.ndarray
    roots: np.ndarray

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.layout.domain

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records; see ``ImageLayout.sample`` for conditions."""
        return self.layout.sample(self._draw, n, rng, given)

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        weights = np.where(allowed, np.maximum(self.weights, 1e-12), 0.0)
        classes = rng.choice(len(weights), n, p=weights / weights.sum())
        images = self.means[classes]
        for c in np.unique(classes):
            chosen = classes == c
            images[chosen] += rng.normal(size=(int(chosen.sum()), self.roots.shape[1])) @ self.roots[c]
        return images, classes

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(facts, arrays) for saving."""
        return {"total": self.total}, {"weights": self.weights, "means": self.means, "roots": self.roots}


@dataclass(frozen=True)
class ClassGaussian:
    """The recipe: all of the budget for one release.

    Attributes:
        radius: l2 norm to which images are clipped, as a share of the norm of an all-white one.
        constant: share of a record's squared norm that counts it, the rest being its image.
        rank: most directions kept of a class.
    """

    radius: float = 0.5
    constant: float = 0.1
    rank: int = 64

    name = "class-gaussian"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedClassGaussian:
        """Ask for the moments of every class, jointly."""
        layout = ImageLayout(setting.domain)
        radius = self.radius * math.sqrt(layout.size)
        one, scale = math.sqrt(self.constant), math.sqrt(1 - self.constant) / radius

        def feature(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            images = layout.images_of(codes)
            norms = np.linalg.norm(images, axis=1, keepdims=True)
            images *= scale * np.minimum(1.0, radius / np.maximum(norms, 1e-300))
            return np.hstack([np.full((len(codes), 1), one), images]), layout.classes_of(codes)

        progress.stage("moments of each class")
        mu = setting.mu(setting.remaining)
        moments = setting.scatter(feature, layout.size + 1, layout.classes, 1.0, mu)
        sigma = 0.0 if math.isinf(mu) else 1 / mu
        counts = moments[:, 0, 0] / self.constant
        kept = np.maximum(counts, 1.0)
        means = moments[:, 0, 1:] / (one * scale * kept[:, None])
        roots = np.zeros((layout.classes, min(self.rank, layout.size), layout.size))
        for c in range(layout.classes):
            second = moments[c, 1:, 1:] / scale**2 / kept[c] - np.outer(means[c], means[c])
            noise = math.sqrt(2 * layout.size) * sigma / scale**2 / kept[c]
            root = _root(second, noise, self.rank)
            roots[c, : len(root)] = root
        weights = np.maximum(counts, 0.0) if counts.max() > 0 else np.ones(layout.classes)
        return FittedClassGaussian(layout, max(1.0, counts.sum()), weights / weights.sum(), means, roots)

    def restore(self, domain: Domain, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> FittedClassGaussian:
        """From a saved state."""
        layout = ImageLayout(domain)
        weights, means, roots = (np.asarray(arrays[name], np.float64) for name in ("weights", "means", "roots"))
        fits = weights.shape == (layout.classes,) and means.shape == (layout.classes, layout.size)
        if not fits or roots.ndim != 3 or roots.shape[::2] != means.shape:
            raise ValueError("the saved moments do not fit the images")
        if not all(np.isfinite(a).all() for a in (weights, means, roots)) or min(weights) < 0 or not sum(weights) > 0:
            raise ValueError("the saved moments are no moments")
        return FittedClassGaussian(layout, float(facts["total"]), weights, means, roots)


def _root(covariance: np.ndarray, noise: float, rank: int) -> np.ndarray:
    """(r, size) root of the part of a noisy covariance whose eigenvalues exceed ``noise``, at most ``rank`` of them."""
    values, vectors = np.linalg.eigh(covariance)
    kept = np.flatnonzero(values > max(noise, 1e-12))[::-1][:rank]
    return np.sqrt(values[kept])[:, None] * vectors[:, kept].T
