"""Coarse codes for networks that take one-hots of all of them: wide columns of numbers in bins, by a public rule.

Bytes and time on secret shares grow with the codes of all columns. Nobody can look at the rows to choose bins there, so
each holds as many codes as the next, and a number is drawn evenly within its bin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.model import FittedModel, Latent, RecordLoss, SavedFacts, SavedState

BINS = 16
"""Of an ordered column, besides its missing code: a network of the survey's size learns no finer ones."""


@dataclass(frozen=True)
class CoarseCodes:
    """Maps between the codes of a domain and fewer of them; all of it is public.

    Attributes:
        fine: the domain of the records.
        bins: the most that an ordered column is left with, besides its missing code.
    """

    fine: Domain
    bins: int = BINS

    @cached_property
    def maps(self) -> tuple[np.ndarray, ...]:
        """Of each column, (size,) the coarse code of each code."""
        return tuple(self._map(i) for i in range(len(self.fine)))

    def _map(self, column: int) -> np.ndarray:
        axis = self.fine.axes[column]
        present = np.arange(axis.size) != (-1 if axis.missing is None else axis.missing)
        number = int(present.sum())
        if not axis.ordered or number <= self.bins:
            return np.arange(axis.size)
        found = np.full(axis.size, self.bins)
        found[present] = np.arange(number) * self.bins // number
        return found

    @cached_property
    def domain(self) -> Domain:
        """The columns with the codes that are left."""
        axes = zip(self.fine.axes, self.maps, strict=True)
        return Domain(
            tuple(
                replace(axis, size=int(m.max()) + 1, missing=None if axis.missing is None else int(m[axis.missing]))
                for axis, m in axes
            )
        )

    def through(self, codes: np.ndarray) -> np.ndarray:
        """Coarse codes (n, d) of codes (n, d)."""
        return np.stack([m[codes[:, i]] for i, m in enumerate(self.maps)], axis=1)

    def allowed(self, given: Mapping[int, np.ndarray] | None) -> dict[int, np.ndarray]:
        """A condition on codes as one on coarse codes: those any of whose codes it allows."""
        return {i: np.bincount(self.maps[i], weights=mask) > 0 for i, mask in (given or {}).items()}

    def finer(
        self, codes: np.ndarray, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None
    ) -> np.ndarray:
        """Codes (n, d) drawn evenly within coarse ones (n, d), among those that a condition allows."""
        found = np.empty(codes.shape, self.fine.code_dtype())
        for column, m in enumerate(self.maps):
            mask = np.ones(len(m), bool) if given is None or column not in given else np.asarray(given[column], bool)
            kept = np.flatnonzero(mask)[np.argsort(m[mask], kind="stable")]
            counts = np.bincount(m[mask], minlength=int(m.max()) + 1)
            starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
            own = codes[:, column]
            found[:, column] = kept[starts[own] + (rng.random(len(own)) * counts[own]).astype(int)]
        return found


def bins_of(facts: SavedFacts) -> int:
    """The bins of a saved model; ValueError where they are no number of bins."""
    found = facts.get("bins")
    if type(found) is not int or found < 1:
        raise ValueError("the saved number of bins is none")
    return found


class _Inner(FittedModel, Latent, RecordLoss, Protocol):
    """What was learnt of coarse codes."""


@dataclass(frozen=True)
class FittedCoarse:
    """A fitted network of coarse codes, which samples fine ones.

    Attributes:
        codes: the maps.
        inner: the network, over ``codes.domain``.
    """

    codes: CoarseCodes
    inner: _Inner

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.codes.fine

    @property
    def total(self) -> float:
        """Number of records, as the network has it."""
        return self.inner.total

    @property
    def latent(self) -> int:
        """Dimension of the latent space."""
        return self.inner.latent

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records; a condition is met exactly, but a bin that it allows in part is as likely as all of it."""
        return self.codes.finer(self.inner.sample(n, rng, self.codes.allowed(given)), rng, given)

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent points (n, latent) of records (n, d) that the caller owns."""
        return self.inner.encode(self.codes.through(codes))

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """One record per latent point, (n, latent) -> (n, d)."""
        return self.codes.finer(self.inner.decode(points, rng), rng)

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """Of the coarse codes of records (n, d); see ``RecordLoss``."""
        return self.inner.record_loss(self.codes.through(codes))

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        facts, arrays = self.inner.state()
        return {**facts, "bins": self.codes.bins}, arrays
