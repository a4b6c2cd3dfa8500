"""From events to epsilon and back: what a list of releases costs, and how much noise a promise needs.

Two accountants that share nothing but the events: :func:`epsilon` (privacy loss distributions) is the claim,
:func:`epsilon_rdp` (Renyi divergences) checks it and is never smaller but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sfumato.privacy import gdp
from sfumato.privacy.events import Event, PoissonSampledGaussian
from sfumato.privacy.gdp import (
    discrete_gaussian_mu,
    discrete_gaussian_sigma,
    exponential_epsilon,
    exponential_mu,
)
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.spending import Spending, mu_squared
from sfumato.privacy.wording import describe

__all__ = [
    "describe",
    "discrete_gaussian_mu",
    "discrete_gaussian_sigma",
    "epsilon",
    "epsilon_rdp",
    "exponential_epsilon",
    "exponential_mu",
    "mu_for",
    "mu_squared",
    "poisson_noise_multiplier",
]

_NO_ROOM = "the other releases leave too little of the guarantee: give them a smaller share"

ROUNDING = 2e-4
"""Share of epsilon that calibration leaves free, so that the pessimistic rounding of the final figure fits."""


def epsilon(events: Iterable[Event], delta: float) -> float:
    """The epsilon at which all ``events`` together are (epsilon, ``delta``)-DP, by privacy loss distributions.

    Integer Gaussian noise is composed by its own discrete distribution where it differs from Gaussian noise; the
    exponential mechanism enters through its GDP bound; deltas of thresholds are taken off ``delta`` first. Returns 0
    without events and inf where no epsilon will do. Rounding makes it larger, by less than 0.5 %.
    """
    from sfumato.privacy import pld

    return pld.epsilon(tuple(events), delta)


def epsilon_rdp(events: Iterable[Event], delta: float) -> float:
    """The second accountant: Renyi differential privacy over a grid of orders (Mironov 2017; Mironov et al. 2019)."""
    from sfumato.privacy import rdp

    return rdp.epsilon(tuple(events), delta)


def mu_for(guarantee: Guarantee, threshold_delta: float = 0.0) -> float:
    """The GDP budget of a guarantee: the largest mu that is (epsilon, delta)-DP, with ``ROUNDING`` of epsilon to spare.

    ``threshold_delta`` is the part of delta kept for thresholds on open domains. Infinite for epsilon = inf.
    """
    if not 0 <= threshold_delta < guarantee.delta:
        raise ValueError("thresholds must leave some of the guarantee's delta")
    return gdp.mu(guarantee.epsilon * (1 - ROUNDING), guarantee.delta - threshold_delta)


def poisson_noise_multiplier(
    guarantee: Guarantee, sampling_probability: float, steps: int, other_events: Sequence[Event] = ()
) -> float:
    """The smallest noise multiplier for ``steps`` of DP-SGD on Poisson batches next to ``other_events``.

    Args:
        guarantee: the whole promise.
        sampling_probability: chance of each record to be in a batch, in (0, 1].
        steps: number of batches.
        other_events: what the run charged already or will charge besides.

    Raises ValueError when ``other_events`` leave no room.

    >>> z = poisson_noise_multiplier(Guarantee(epsilon=1, delta=1e-6), 0.01, 1000)
    >>> 1.5 < z < 1.6
    True
    """
    if not guarantee.private:
        return 0.0
    rest = Spending.of(other_events)
    from scipy.optimize import brentq

    from sfumato.privacy import pld

    room = guarantee.delta - rest.delta

    def excess(log_z: float) -> float:
        step = PoissonSampledGaussian(sampling_probability, math.exp(log_z), steps)
        both = rest + Spending.of([step])
        return math.log(max(pld.delta(both.others, both.mu, guarantee.epsilon, room), room * 1e-9) / room)

    left = mu_for(guarantee, rest.delta) ** 2 - rest.mu_squared
    if left <= 0:
        raise ValueError(_NO_ROOM)
    start = -0.5 * math.log(math.log1p(left / (steps * sampling_probability**2)))  # many small steps: a Gaussian
    low, high = start - 0.1, start + 0.1
    while excess(low) <= 0:
        low -= 0.3
    while excess(high) > 0:
        low, high = high, high + 0.3
        if high > start + 20:
            raise ValueError(_NO_ROOM)
    root = float(brentq(excess, low, high, xtol=5e-4))  # pyright: ignore[reportArgumentType]
    while excess(root) > 0:
        root += 5e-4
    return math.exp(root)
