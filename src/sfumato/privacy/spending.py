"""What a list of events has cost so far: two sums that are cheap to check at every charge, and their limit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sfumato.privacy import distributed, gdp
from sfumato.privacy.event_costs import closed_form
from sfumato.privacy.events import DistributedGaussian, Event, PoissonSampledGaussian, delta_of, tail_of
from sfumato.privacy.guarantee import Guarantee

DELTA_SHARE = 0.2
"""Share of a guarantee's delta that is kept for what is bounded by a probability: thresholds, tails, approximations.

It is fixed beforehand, because delta and mu may not be traded after seeing answers; it costs 0.7 % more noise at
(1, 1e-9), and lets five runs that find categories and train networks share a cap of their own delta.
"""

TAIL_SHARE = 0.01
"""Share of a run's delta for the tails of its DP-SGD: four times as much would save 0 to 10 % of mu, few steps most."""

RESERVED_DELTA = 0.05
"""Share of its delta that a live run keeps free under the cap: its tails and thresholds, and as much for the rest."""


def mu_squared(event: Event) -> float:
    """The squared GDP cost of an event, all its repetitions together."""
    if isinstance(event, PoissonSampledGaussian):
        from sfumato.privacy import sampled_gaussian  # imports dp-accounting: a second

        return sampled_gaussian.mu(event) ** 2
    if isinstance(event, DistributedGaussian):
        return mu_squared(distributed.as_gaussian(event))
    return closed_form(event)


@dataclass(frozen=True)
class Spending:
    """A running total of the costs of events.

    Attributes:
        mu_squared: sum of squared GDP costs.
        delta: sum of what events add to delta (thresholds, tails, approximations).

    *Formal guarantee.* Events each of which is chosen after seeing the answers to the earlier ones, and charged only
    while the total is :meth:`within` a guarantee, are (epsilon, delta)-DP together: both sums have a limit that is
    fixed beforehand, so they are a valid privacy filter (the proof is in ``sampled_gaussian.mu``).
    """

    mu_squared: float = 0.0
    delta: float = 0.0

    @classmethod
    def of(cls, events: Iterable[Event]) -> Spending:
        """The total of ``events``, in any order."""
        listed = list(events)
        tails = map(tail_of, listed)
        return cls(math.fsum(map(mu_squared, listed)), math.fsum((*map(delta_of, listed), *tails)))

    @property
    def mu(self) -> float:
        """GDP cost, but for ``delta``."""
        return math.sqrt(self.mu_squared)

    def __add__(self, other: Spending) -> Spending:
        return Spending(self.mu_squared + other.mu_squared, self.delta + other.delta)

    def within(self, guarantee: Guarantee) -> bool:
        """Whether a filter for ``guarantee`` lets the total pass; microseconds."""
        most = limit(guarantee)
        return self.mu_squared <= most.mu_squared and self.delta <= most.delta

    def epsilon(self, delta: float) -> float:
        """The smallest epsilon whose filter, at ``delta``, lets the total pass; inf where there is none."""
        if self.delta > DELTA_SHARE * delta:
            return math.inf
        return gdp.epsilon(self.mu, (1 - DELTA_SHARE) * delta)


@lru_cache(maxsize=256)
def limit(guarantee: Guarantee) -> Spending:
    """The most that may be spent under ``guarantee``: fixed before the first event, whatever is asked."""
    if not guarantee.private:
        return Spending(math.inf, math.inf)
    mu = gdp.mu(guarantee.epsilon, (1 - DELTA_SHARE) * guarantee.delta)
    return Spending(mu * mu, DELTA_SHARE * guarantee.delta)


def reserved(guarantee: Guarantee) -> Spending:
    """What a live run under ``guarantee`` keeps free for itself under the cap."""
    if not guarantee.private:
        return Spending()
    return Spending(limit(guarantee).mu_squared, RESERVED_DELTA * guarantee.delta)
