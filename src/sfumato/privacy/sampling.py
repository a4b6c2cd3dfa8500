"""Poisson sampling of batches: what is drawn and what is accounted are one object."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array

from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.gradients.noise import threefry

_BITS = 32
_OVERFLOW = 1e-20


@dataclass(frozen=True)
class PoissonSteps:
    """Steps of DP-SGD: each takes every record independently with one probability, then adds Gaussian noise.

    *Formal guarantee.* The inclusion of a record is decided by 32 random bits of its own, with a probability that is
    exactly :attr:`probability`, the one in :meth:`event`. Batches are no shuffled epoch (Chua et al. 2024, arXiv
    2403.17673: accounting those as Poisson understates epsilon).

    Attributes:
        rate: wanted chance of a record to be in a batch, in (0, 1]; rounded down to a multiple of 2^-32.
        noise_multiplier: standard deviation of the noise, in clip norms; 0 without a guarantee.
    """

    rate: float
    noise_multiplier: float

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
        return PoissonSampledGaussian(self.probability, self.noise_multiplier, steps)

    def capacity(self, records: int, multiple: int = 1) -> int:
        """Rows that hold any batch of ``records`` but with probability 1e-20 (Bernstein), rounded up; at most all."""
        if self.probability == 1:
            return -(-records // multiple) * multiple
        tail = math.log(1 / _OVERFLOW)
        mean = records * self.probability
        wanted = mean + math.sqrt(2 * mean * tail + tail**2 / 9) + tail / 3
        return -(-min(records, math.ceil(wanted)) // multiple) * multiple

    def draw(self, key: Array, records: int, capacity: int) -> tuple[Array, Array]:
        """One batch: positions (capacity,) and which of them are real, (capacity,) booleans; the rest is padding.

        ``key`` is two uint32 that are used for nothing else.
        """
        first, second = threefry(key, jnp.arange((records + 1) // 2, dtype=jnp.uint32))
        bits = jnp.concatenate([first, second])[:records]
        taken = bits < jnp.uint32(self._threshold) if self._threshold < 2**_BITS else jnp.ones(records, bool)
        (rows,) = jnp.nonzero(taken, size=capacity, fill_value=records)
        return jnp.minimum(rows, records - 1), rows < records
