"""Poisson sampling of batches: what is drawn and what is accounted are one object."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from sfumato.privacy.events import OVERFLOWS, PoissonSampledGaussian

_BITS = 32
"""Of the random word that decides whether a record is in a batch."""
_OVERFLOW = 2.0**-100
"""Chance of a group's batch beyond its capacity; what that costs is ``events.OVERFLOWS``."""


def most_chosen(mean: float) -> int:
    """More than so many of independent choices with this ``mean`` number come with probability 2^-100 (Bernstein)."""
    tail = math.log(1 / _OVERFLOW)
    return math.ceil(mean + math.sqrt(2 * mean * tail + tail**2 / 9) + tail / 3)


@dataclass(frozen=True)
class PoissonSteps:
    """Steps of DP-SGD: each takes every record independently with one probability, then adds Gaussian noise.

    *Formal guarantee.* The inclusion of a record is decided by 32 random bits of its own, with a probability that is
    exactly :attr:`probability`, the one in :meth:`event`. Batches are no shuffled epoch (Chua et al. 2024, arXiv
    2403.17673: accounting those as Poisson understates epsilon).

    Attributes:
        rate: wanted chance of a record to be in a batch, in (0, 1]; rounded down to a multiple of 2^-32.
        noise_multiplier: what the noise is worth, in sensitivities (see ``GradientGrid``); 0 without a guarantee.
        inexact: what the noise of one step adds to delta.
    """

    rate: float
    noise_multiplier: float
    inexact: float = 0.0

    def __post_init__(self) -> None:
        if not 2.0**-_BITS <= self.rate <= 1:
            raise ValueError(f"a sampling rate lies between 2^-32 and 1, got {self.rate!r}")

    @property
    def _threshold(self) -> int:
        return math.floor(self.rate * 2**_BITS)

    @property
    def probability(self) -> float:
        """The chance itself."""
        return self._threshold / 2**_BITS

    def event(self, steps: int) -> PoissonSampledGaussian:
        """What ``steps`` of them are charged as."""
        return PoissonSampledGaussian(self.probability, self.noise_multiplier, steps, delta=self.inexact + OVERFLOWS)

    def draw(self, words: Array, records: Array | int, capacity: int) -> tuple[Array, Array]:
        """One batch: positions (capacity,) and which of them are real, (capacity,) booleans; the rest is padding.

        ``words`` (n,) are uniform uint32, used for nothing else, one for each of ``records`` and of the rows behind
        them, which are never drawn.
        """
        taken = words < jnp.uint32(self._threshold) if self._threshold < 2**_BITS else jnp.ones(words.shape, bool)
        taken = taken & (jnp.arange(words.size) < records)
        (rows,) = jnp.nonzero(taken, size=capacity, fill_value=words.size)
        return jnp.minimum(rows, words.size - 1), rows < words.size
