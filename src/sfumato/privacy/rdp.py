"""The second accountant: Renyi divergences, with dp-accounting's code for subsampling and conversion.

It shares nothing with the first but the events: bounds of its own, from other sources, and no module of the claim.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dp_accounting import dp_event
from dp_accounting.rdp import RdpAccountant

from sfumato.privacy.events import (
    DiscreteGaussian,
    Event,
    Exponential,
    Gaussian,
    PoissonSampledGaussian,
    Threshold,
    delta_of,
)

_ORDERS = (*(1 + x / 10 for x in range(1, 100)), *map(float, range(11, 64)), 80.0, 96.0, 128.0, 192.0, 256.0, 512.0)
_HIGH_ORDERS = tuple(512 * 2 ** (k / 8) for k in range(1, 97))
"""For small epsilon; costly and numerically unstable for sampled steps, which do without."""


def epsilon(events: Sequence[Event], delta: float) -> float:
    """The epsilon at which ``events`` are (epsilon, ``delta``)-DP by Renyi divergences; inf where none will do."""
    room = delta - sum(map(delta_of, events))
    if not events:
        return 0.0
    if room <= 0:
        return math.inf
    sampled = any(isinstance(e, PoissonSampledGaussian) and e.sampling_probability < 1 for e in events)
    accountant = RdpAccountant(_ORDERS if sampled else (*_ORDERS, *_HIGH_ORDERS))
    for event in events:
        accountant.compose(_as_dp_event(event), event.count)
    return float(accountant.get_epsilon(room))


def _as_dp_event(event: Event) -> dp_event.DpEvent:
    """What dp-accounting calls the event.

    Integer Gaussian noise of l1 sensitivity s is s**2 / (2 sigma**2)-zCDP (Canonne, Kamath, Steinke 2020). An
    epsilon-bounded-range selection is epsilon**2 / 8-zCDP (Cesar, Rogers 2021); an epsilon-DP mechanism is
    epsilon**2 / 2-zCDP (Bun, Steinke 2016, Proposition 1.4).
    """
    match event:
        case DiscreteGaussian() | Threshold():
            return dp_event.ZCDpEvent(rho=(event.sensitivity / event.sigma) ** 2 / 2)
        case Gaussian():
            return dp_event.GaussianDpEvent(event.noise_multiplier)
        case Exponential():
            return dp_event.ZCDpEvent(rho=event.epsilon**2 / 8)
        case PoissonSampledGaussian():
            return dp_event.PoissonSampledDpEvent(
                event.sampling_probability, dp_event.GaussianDpEvent(event.noise_multiplier)
            )
