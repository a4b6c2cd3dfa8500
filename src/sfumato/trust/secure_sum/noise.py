"""A site's share of the noise: so wide that the shares of k - c - d honest sites are together what is charged for.

k, c and d are those of the signed plan. A number that came in a message, or of sites that happen to be there, would let
the coordinator choose how much noise there is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy import distributed
from sfumato.privacy.events import (
    LEAST_COUNT_SHARE,
    LEAST_VECTOR_SHARE,
    DistributedDiscreteGaussian,
    DistributedGaussian,
)
from sfumato.privacy.gdp import discrete_gaussian_sigma
from sfumato.privacy.mechanisms import lattice
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian, planned
from sfumato.privacy.randomness import Entropy
from sfumato.trust.secure_sum.roster import Roster

_ROUNDED_UP = 1 + 2.0**-40
"""What a scale is widened by, so that rounding in double precision never makes it cost more than was asked for."""
MOST_MULTIPLE = 2**32
"""The largest multiple of counts: noise of less than 2**-31 counts is none."""


def multiple_for(mu: float, shares: int, sensitivity: int = 1) -> int:
    """The smallest power of two to multiply counts by, so that shares of noise that costs ``mu`` are wide enough.

    >>> multiple_for(1 / 40, 9), multiple_for(0.5, 9)
    (1, 4)
    """
    found = 1
    while discrete_gaussian_sigma(mu, sensitivity * found) < LEAST_COUNT_SHARE * math.sqrt(shares):
        found *= 2
        if found > MOST_MULTIPLE:
            raise FederationError(f"noise that costs mu {mu:.3g} is too little to be dealt out to {shares} sites")
    return found


@dataclass(frozen=True)
class CountNoise:
    """The noise of one table of counts.

    Attributes:
        scale: of each site's share, in units of a ``multiple``-th of a count.
        shares: k - c - d of the plan.
        sensitivity: rows that one unit may have.
        multiple: power of two by which counts are multiplied.
    """

    scale: float
    shares: int
    sensitivity: int = 1
    multiple: int = 1

    @classmethod
    def of_cost(cls, mu: float, roster: Roster, sensitivity: int = 1) -> CountNoise:
        """The least noise that costs ``mu`` in GDP; TooMuchNoise or FederationError where whole numbers have none."""
        shares = roster.honest_shares
        multiple = multiple_for(mu, shares, sensitivity)
        whole = planned(discrete_gaussian_sigma(mu, sensitivity * multiple))
        return cls(whole / math.sqrt(shares) * _ROUNDED_UP, shares, sensitivity, multiple)

    def event(self, tables: int = 1) -> DistributedDiscreteGaussian:
        """What each site charges before its part of ``tables`` tables leaves."""
        return DistributedDiscreteGaussian(self.scale, self.shares, self.sensitivity, self.multiple, tables)

    def add(self, counts: np.ndarray, entropy: Entropy) -> np.ndarray:
        """A site's own counts (any shape), in units, plus its share of the noise; int64 of the same shape.

        *Formal guarantee.* The sum over the sites is the event, for every unit whose rows lie at one honest site,
        toward whoever does not know the shares of k - c - d honest sites; ``counts`` must be whole numbers that one
        unit moves by at most ``sensitivity`` in l1 norm.
        """
        return add_discrete_gaussian(np.asarray(counts) * self.multiple, self.scale, entropy)

    def deviation(self, sites: int) -> float:
        """Standard deviation, in counts, of the noise of an opened sum over ``sites``."""
        return math.sqrt(sites) * self.scale / self.multiple


@dataclass(frozen=True)
class VectorNoise:
    """The noise of a vector of whole numbers, such as sums of clipped and rounded vectors.

    Attributes:
        scale: of each site's share, for a coordinate of weight 1.
        shares: k - c - d of the plan.
        sensitivity: how far one unit moves the vector, in the l2 norm of coordinates times their weights.
        weight: the largest weight.
    """

    scale: float
    shares: int
    sensitivity: float
    weight: float = 1.0

    @classmethod
    def of_multiplier(
        cls, noise_multiplier: float, roster: Roster, sensitivity: float, weight: float = 1.0
    ) -> VectorNoise:
        """Worth real Gaussian noise of ``noise_multiplier`` times the sensitivity: 1 / mu for an answer at cost mu.

        TooMuchNoise where whole numbers do not hold it, FederationError where a share would be narrower than
        ``events.LEAST_VECTOR_SHARE`` units: then take a finer step.
        """
        whole = lattice.scale(noise_multiplier, sensitivity, weight)
        scale = whole / math.sqrt(roster.honest_shares) * _ROUNDED_UP
        if scale / weight < LEAST_VECTOR_SHARE:
            raise FederationError(
                f"a site's share of the noise would be {scale / weight:.3g} steps wide, less than"
                f" {LEAST_VECTOR_SHARE:g}: take a finer step"
            )
        return cls(scale, roster.honest_shares, sensitivity, weight)

    def event(
        self, numbers: int, probability: float = 1.0, steps: int = 1, delta: float = 0.0, tail: float = 0.0
    ) -> DistributedGaussian:
        """What each site charges before its part of ``steps`` vectors of ``numbers`` leaves.

        Args:
            numbers: of each vector.
            probability: of each record to be in a vector (Poisson samples, drawn at each site in secret).
            steps: vectors.
            delta: what of each is not exactly that, beside its noise (``sampling.OVERFLOWS``).
            tail: delta taken for the tail of the loss of all; see ``spending.TAIL_SHARE``.
        """
        inexact = distributed.inexact(self.scale / self.weight, self.shares, numbers)
        return DistributedGaussian(
            self.scale, self.shares, self.sensitivity, self.weight, probability, steps, inexact + delta, tail
        )

    def add(self, vector: np.ndarray, entropy: Entropy, weight: float = 1.0) -> np.ndarray:
        """A site's own vector (any shape) plus its share of the noise, for coordinates of ``weight``; int64.

        *Formal guarantee.* As of :meth:`CountNoise.add`: the sum over the sites is the event. Coordinates of other
        weights need a call each.
        """
        if not 0 < weight <= self.weight:
            raise ValueError(f"a weight lies above 0 and is at most {self.weight:g}, got {weight!r}")
        return add_discrete_gaussian(np.asarray(vector), self.scale / weight, entropy)

    def deviation(self, sites: int) -> float:
        """Standard deviation, in steps, of the noise of an opened sum over ``sites``, for a coordinate of weight 1."""
        return math.sqrt(sites) * self.scale
