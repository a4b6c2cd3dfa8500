"""What a network of images knows before it asks for gradients, and what all fitted ones have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout, drawn_by_weight
from sfumato.models.images.mixture import FittedMixture
from sfumato.models.model import SavedArrays, SavedFacts, SavedState, total_of
from sfumato.models.networks.space import Frames, Space, space_of
from sfumato.models.networks.training import COUNT_SHARE, arrays_of
from sfumato.models.networks.warm_start import warm_start
from sfumato.progress import Progress
from sfumato.trust.setting import Query, Setting

_PREFIX = "mixture_"


@dataclass(frozen=True)
class Start:
    """What a model of images knows before it asks for gradients; all of it public.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        weights: (classes,) noisy counts of the classes, not negative, not all zero.
        mixture: the warm start; None where there is none.
    """

    layout: ImageLayout
    total: float
    weights: np.ndarray
    mixture: FittedMixture | None

    @classmethod
    def asked(cls, setting: Setting, gradients: float, target: int | None, progress: Progress) -> Start:
        """Spend all of the budget but the share ``gradients`` on a mixture; or, where that is all of it, on counts.

        *Formal guarantee.* All questions go to ``setting``, which charges each.
        """
        layout = ImageLayout(setting.domain)
        if gradients < 1:
            known = warm_start(setting, gradients, target, progress)
            assert isinstance(known, FittedMixture)
            weights = np.bincount(known.classes, known.weights, layout.classes)
            return cls(layout, known.total, weights, known)
        mu = setting.mu(COUNT_SHARE)
        if layout.labels:
            counts = setting.marginals([Query(layout.labels)], [mu])[0].values.ravel()
        else:
            counts = np.array([setting.count(mu)])
        weights = np.maximum(counts, 0.0) if counts.max() > 0 else np.ones(layout.classes)
        return cls(layout, max(1.0, float(counts.sum())), weights, None)

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        arrays = {} if self.mixture is None else self.mixture.state()[1]
        return {"total": self.total}, {"weights": self.weights, **{_PREFIX + n: a for n, a in arrays.items()}}

    @classmethod
    def restored(cls, layout: ImageLayout, facts: SavedFacts, arrays: SavedArrays) -> Start:
        """The inverse of :meth:`state`; ValueError on anything malformed."""
        weights = arrays.get("weights", np.empty(0))
        if weights.shape != (layout.classes,) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
            raise ValueError("the saved weights of classes do not fit the images")
        own = {n.removeprefix(_PREFIX): a for n, a in arrays.items() if n.startswith(_PREFIX)}
        mixture = FittedMixture.restored(layout.domain, facts, own) if own else None
        return cls(layout, total_of(facts), weights, mixture)

    @cached_property
    def space(self) -> Space:
        """Where networks work."""
        return space_of(self.layout, self.mixture)

    def draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points (n, width) of the warm start, or of noise, and classes (n,) among the ``allowed`` (classes,)."""
        space = self.space
        if self.mixture is None or isinstance(space, Frames):
            points = space.spread * rng.standard_normal((n, space.width), np.float32)
            return points, drawn_by_weight(self.weights, n, rng, allowed)
        coordinates, groups = self.mixture.coordinates(n, rng, allowed[self.mixture.classes])
        return (2 * coordinates / np.asarray(space.scale)).astype(np.float32), self.mixture.classes[groups]


@dataclass(frozen=True)
class FittedImages(ABC):
    """A trained network of images, and what it began with.

    Attributes:
        start: classes, and the mixture if there is one.
        network: weights.
    """

    start: Start
    network: eqx.Module

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.start.layout.domain

    @property
    def total(self) -> float:
        """Noisy number of records."""
        return self.start.total

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records; see ``ImageLayout.sample`` for conditions."""
        return self.start.layout.sample(self._draw, n, rng, given)

    @abstractmethod
    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (n, size) from 0 to 1 and classes (n,) among the ``allowed`` ones."""

    def images(self, points: np.ndarray) -> np.ndarray:
        """Pixels (n, size), not clipped, of points (n, width)."""
        return (np.asarray(self.start.space.frames(jnp.asarray(points))) + 1) / 2

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        facts, arrays = self.start.state()
        return facts, {**arrays, **arrays_of(self.network)}
