"""From events to epsilon and back: what a list of releases costs, and how much noise a promise needs.

The claim is the filter's (``spending.Spending``), which holds for events chosen after seeing earlier answers. Two
accountants that share nothing but the events check it, as if all had been chosen beforehand: :func:`epsilon` (privacy
loss distributions) and :func:`epsilon_rdp` (Renyi divergences).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from sfumato.privacy import gdp
from sfumato.privacy.events import Event, Exponential, Gaussian, NoisyMax
from sfumato.privacy.gdp import (
    discrete_gaussian_mu,
    discrete_gaussian_sigma,
    exponential_epsilon,
    exponential_mu,
)
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.spending import DELTA_SHARE, mu_squared
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
    "renyi_floor",
    "toward_who_knows_the_others",
]

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
    """The second accountant: Renyi differential privacy over a grid of orders (Mironov 2017; Mironov et al. 2019).

    Larger than :func:`epsilon`, but where selections weigh most: its bound of these is the better one.
    """
    from sfumato.privacy import rdp

    return rdp.epsilon(tuple(events), delta)


def renyi_floor(events: Iterable[Event], delta: float) -> float:
    """What :func:`epsilon_rdp` of ``events`` cannot fall below, unless one of the two accountants is wrong.

    It is what the first accountant finds with Gaussian noise in place of each selection, of multiplier 2 / epsilon, or
    1 / epsilon where the noise is of several parties: that has the divergences which the second one gives to it.
    """
    return epsilon(map(_as_bounded_by_renyi, events), delta)


def _as_bounded_by_renyi(event: Event) -> Event:
    match event:
        case Exponential():
            return Gaussian(2 / event.epsilon, event.count)
        case NoisyMax():
            return Gaussian(1 / event.epsilon, event.count)
    return event


def mu_for(guarantee: Guarantee) -> float:
    """The GDP budget of a guarantee: the largest mu that its filter lets pass, with ``ROUNDING`` of epsilon to spare.

    ``spending.DELTA_SHARE`` of delta is kept for what adds to delta. Infinite for epsilon = inf.
    """
    return gdp.mu(guarantee.epsilon * (1 - ROUNDING), guarantee.delta * (1 - DELTA_SHARE))


def toward_who_knows_the_others(guarantee: Guarantee) -> Guarantee:
    """What tables that keep ``guarantee`` also keep toward somebody who knows which units there are.

    Hidden from such a one is what a unit's cells say: the neighbours are tables where one unit has other cells. It is
    then in two other cells of each table, each with noise of its own, so that what costs mu costs sqrt(2) mu.
    """
    if not guarantee.private:
        return guarantee
    delta = guarantee.delta * (1 - DELTA_SHARE)
    return replace(guarantee, epsilon=gdp.epsilon(math.sqrt(2) * mu_for(guarantee), delta) / (1 - ROUNDING))


def poisson_noise_multiplier(sampling_probability: float, steps: int, mu: float, tail: float) -> float:
    """The smallest noise multiplier at which ``steps`` of DP-SGD on Poisson batches cost ``mu`` and ``tail`` of delta.

    Args:
        sampling_probability: chance of each record to be in a batch, in (0, 1].
        steps: number of batches.
        mu: what all steps together may cost; inf for no guarantee.
        tail: a delta taken for the tail of their loss; see ``spending.TAIL_SHARE``.

    >>> z = poisson_noise_multiplier(0.01, 1000, mu_for(Guarantee(epsilon=1, delta=1e-6)), 1e-8)
    >>> 1.5 < z < 1.7
    True
    """
    if math.isinf(mu):
        return 0.0
    from sfumato.privacy import sampled_gaussian

    return sampled_gaussian.noise_multiplier(sampling_probability, steps, mu, tail)
