"""Records of images as models see them: pixels as numbers from 0 to 1, and a class for all other columns together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sfumato.encoding.domain import LEVELS, Domain, Pixels
from sfumato.errors import SchemaError
from sfumato.models.model import ImpossibleCondition

MOST_CLASSES = 1000
"""Combinations of labels: each is a class with moments of its own."""
_BLOCK = 4096
"""Records drawn at a time under a condition on pixels."""
_FRUITLESS = 200
"""Blocks in a row without a match after which a condition counts as impossible."""
_TRACE = 1e-9
"""Weight of a class in that of the heaviest: what noise left nothing of can still be asked for."""

Draw = Callable[[int, np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(n, generator, allowed classes (classes,)) -> pixels (n, size) and classes (n,)."""


@dataclass(frozen=True)
class ImageLayout:
    """Where the pixels and the class of an image lie among the columns.

    The class is the cell of all columns beside the image: the label, or no column at all, which is one class.

    Raises:
        SchemaError: there is no image, or its other columns have too many cells for a class each.
    """

    domain: Domain

    def __post_init__(self) -> None:
        if self.domain.content == "table":
            raise SchemaError("this model learns images, and the schema has no image column: take a model of tables")
        if self.classes > MOST_CLASSES:
            raise SchemaError(
                f"the columns beside the image have {self.classes} combinations, and models of images take each for a"
                f" class, at most {MOST_CLASSES}: keep a label, or one with fewer categories"
            )

    @property
    def pixels(self) -> Pixels:
        """Where the image is."""
        return self.domain.image

    @property
    def size(self) -> int:
        """Number of pixels, times channels."""
        return math.prod(self.pixels.shape)

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """Positions of the columns beside the image."""
        span = self.pixels.span
        return tuple(i for i in range(len(self.domain)) if not span.start <= i < span.stop)

    @property
    def classes(self) -> int:
        """Number of classes."""
        return self.domain.cells(self.labels)

    def images_of(self, codes: np.ndarray) -> np.ndarray:
        """Pixels of codes (n, d), (n, size) float64 in [0, 1]."""
        return codes[:, self.pixels.span] / (LEVELS - 1)

    def classes_of(self, codes: np.ndarray) -> np.ndarray:
        """Class of each record of codes (n, d), (n,)."""
        shape = self.domain.shape(self.labels)
        if not shape:
            return np.zeros(len(codes), np.int64)
        return np.ravel_multi_index(tuple(codes[:, i].astype(np.int64) for i in self.labels), shape)

    def codes(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Records (n, d) of pixels (n, size), clipped to [0, 1] and rounded to levels, and classes (n,)."""
        out = np.empty((len(images), len(self.domain)), self.domain.code_dtype())
        out[:, self.pixels.span] = np.rint(np.clip(images, 0.0, 1.0) * (LEVELS - 1))
        if self.labels:
            out[:, self.labels] = np.stack(np.unravel_index(classes, self.domain.shape(self.labels)), axis=1)
        return out

    def sample(
        self, draw: Draw, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None
    ) -> np.ndarray:
        """``n`` records (n, d) of those that ``draw`` makes which obey ``given``; see ``FittedModel.sample``.

        Conditions on the label are handed to ``draw`` as allowed classes; those on pixels are met by drawing again, so
        the law is exact, and ImpossibleCondition is raised after ``_FRUITLESS`` blocks in a row without a match.
        """
        conditions = dict(given or {})
        allowed = np.ones(self.domain.shape(self.labels), bool)
        for axis, i in enumerate(self.labels):
            mask = np.asarray(conditions.pop(i, np.ones(self.domain.sizes[i], bool)), bool)
            allowed &= mask.reshape([-1 if k == axis else 1 for k in range(len(self.labels))])
        if not allowed.any() or not all(np.any(mask) for mask in conditions.values()):
            raise ImpossibleCondition
        out, done, fruitless = np.empty((n, len(self.domain)), self.domain.code_dtype()), 0, 0
        while done < n:
            drawn = self.codes(*draw(_BLOCK if conditions else min(_BLOCK, n - done), rng, allowed.ravel()))
            for i, mask in conditions.items():
                drawn = drawn[np.asarray(mask, bool)[drawn[:, i]]]
            fruitless = 0 if len(drawn) else fruitless + 1
            if fruitless == _FRUITLESS:
                raise ImpossibleCondition
            drawn = drawn[: n - done]
            out[done : done + len(drawn)] = drawn
            done += len(drawn)
        return out


def traced(weights: np.ndarray) -> np.ndarray:
    """Weights (g,) none of which is zero."""
    return np.maximum(weights, _TRACE * weights.max())


def drawn_by_weight(weights: np.ndarray, n: int, rng: np.random.Generator, allowed: np.ndarray) -> np.ndarray:
    """(n,) positions drawn by ``weights`` (g,) among the ``allowed`` ones; those without weight get next to none."""
    kept = np.where(allowed, traced(weights), 0.0)
    return rng.choice(len(kept), n, p=kept / kept.sum())
