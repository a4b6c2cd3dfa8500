"""What a list of events has cost so far, kept as a running total that is cheap to check at every charge."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sfumato.privacy import gdp
from sfumato.privacy.events import (
    DiscreteGaussian,
    DiscreteLaplace,
    Event,
    Exponential,
    Gaussian,
    PoissonSampledGaussian,
    Threshold,
    delta_of,
)
from sfumato.privacy.guarantee import Guarantee

Distributed = DiscreteLaplace | PoissonSampledGaussian
"""Events whose GDP cost would be loose: they are composed by their privacy loss distributions."""


def mu_squared(event: Event) -> float:
    """The squared GDP cost of an event, all its repetitions together; ValueError for a ``Distributed`` one."""
    match event:
        case DiscreteGaussian() | Threshold():
            return event.count * gdp.discrete_gaussian_mu(event.sigma, event.sensitivity) ** 2
        case Gaussian():
            return event.count / event.noise_multiplier**2
        case Exponential():
            return event.count * gdp.exponential_mu(event.epsilon) ** 2
        case DiscreteLaplace() | PoissonSampledGaussian():
            raise ValueError(f"{type(event).__name__} has no tight cost in mu")


@dataclass(frozen=True)
class Spending:
    """A running total: the GDP part in closed form, threshold deltas, and what needs loss distributions.

    Attributes:
        mu_squared: sum of squared GDP costs.
        delta: sum of the deltas that events bring with them (thresholds, approximations).
        others: ``Distributed`` events, equal ones merged into one with their count, in a fixed order.
    """

    mu_squared: float = 0.0
    delta: float = 0.0
    others: tuple[Distributed, ...] = ()

    @classmethod
    def of(cls, events: Iterable[Event]) -> Spending:
        """The total of ``events``, in any order."""
        square, delta, others = 0.0, 0.0, Counter[Distributed]()
        for event in events:
            delta += delta_of(event)
            if isinstance(event, Distributed):
                others[replace(event, count=1)] += event.count
            else:
                square += mu_squared(event)
        merged = (replace(event, count=count) for event, count in others.items())
        return cls(square, delta, tuple(sorted(merged, key=repr)))

    @property
    def mu(self) -> float:
        """GDP cost of the closed-form part."""
        return math.sqrt(self.mu_squared)

    def __add__(self, other: Spending) -> Spending:
        others = Spending.of((*self.others, *other.others)).others if self.others and other.others else None
        return Spending(
            self.mu_squared + other.mu_squared,
            self.delta + other.delta,
            self.others + other.others if others is None else others,
        )

    def within(self, guarantee: Guarantee) -> bool:
        """Whether the total is (epsilon, delta)-DP for ``guarantee``.

        Microseconds in closed form; otherwise by loss distributions, which are cached per set of ``others``.
        """
        room = guarantee.delta - self.delta
        if not guarantee.private:
            return True
        if room <= 0:
            return False
        if not self.others:
            return gdp.delta(guarantee.epsilon, self.mu) <= room
        from sfumato.privacy import pld  # imports dp-accounting: a second

        return pld.delta(self.others, self.mu, guarantee.epsilon, room) <= room
