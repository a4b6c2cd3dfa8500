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
    DistributedDiscreteGaussian,
    DistributedGaussian,
    Event,
    Exponential,
    Gaussian,
    NoisyMax,
    PoissonSampledGaussian,
    Threshold,
    delta_of,
)

_ORDERS = (*(1 + x / 10 for x in range(1, 100)), *map(float, range(11, 64)), 80.0, 96.0, 128.0, 192.0, 256.0, 512.0)
"""At which divergences are bounded, dense where the best order usually lies."""
_WHOLE_ORDERS = tuple(order for order in _ORDERS if order == int(order))
"""The moments of integer Gaussian noise under sampling are those of real noise at these orders alone."""
_HIGH_ORDERS = tuple(512 * 2 ** (k / 8) for k in range(1, 97))
"""For small epsilon; costly and numerically unstable for sampled steps, which do without."""


def epsilon(events: Sequence[Event], delta: float) -> float:
    """The epsilon at which ``events`` are (epsilon, ``delta``)-DP by Renyi divergences; inf where none will do."""
    room = delta - sum(map(delta_of, events))
    if not events:
        return 0.0
    if room <= 0:
        return math.inf
    accountant = RdpAccountant(_orders(events))
    for event in events:
        accountant.compose(_as_dp_event(event), event.count)
    return float(accountant.get_epsilon(room))


def _orders(events: Sequence[Event]) -> tuple[float, ...]:
    sampled = {
        type(e)
        for e in events
        if isinstance(e, PoissonSampledGaussian | DistributedGaussian) and e.sampling_probability < 1
    }
    if DistributedGaussian in sampled:
        return _WHOLE_ORDERS
    return _ORDERS if sampled else (*_ORDERS, *_HIGH_ORDERS)


def _tau(scale: float, shares: int) -> float:
    """The log of the law of a sum of discrete Gaussians is within this of one's (Kairouz, Liu, Steinke 2021)."""
    return 10 * math.fsum(math.exp(-2 * (math.pi * scale) ** 2 * k / (k + 1)) for k in range(1, shares))


def _as_dp_event(event: Event) -> dp_event.DpEvent:
    """What dp-accounting calls the event.

    Integer Gaussian noise of l1 sensitivity s is s**2 / (2 sigma**2)-zCDP (Canonne, Kamath, Steinke 2020). An
    epsilon-bounded-range selection is epsilon**2 / 8-zCDP (Cesar, Rogers 2021); an epsilon-DP mechanism is
    epsilon**2 / 2-zCDP (Bun, Steinke 2016, Proposition 1.4).

    A sum of n shares of scale s has a law within exp(+-tau) of integer Gaussian noise of variance n s**2 in each cell
    that a unit touches. That adds (2 alpha - 1) / (alpha - 1) tau for each to the divergence of order alpha, at most
    12 tau from order 1.1 on; for vectors tau is below 2**-900000 and lies in the event's delta. Under Poisson
    sampling the moments of integer noise at whole orders are those of real noise, for sums over x of exp(-(x - j
    v)**2 / (2 s**2)) do not depend on j v, and the two laws are mirror images as real ones are (Mironov, Talwar,
    Zhang 2019, Theorem 5).
    """
    match event:
        case DiscreteGaussian() | Threshold():
            return dp_event.ZCDpEvent(rho=(event.sensitivity / event.sigma) ** 2 / 2)
        case Gaussian():
            return dp_event.GaussianDpEvent(event.noise_multiplier)
        case Exponential():
            return dp_event.ZCDpEvent(rho=event.epsilon**2 / 8)
        case NoisyMax():
            return dp_event.ZCDpEvent(rho=event.epsilon**2 / 2)
        case PoissonSampledGaussian():
            return dp_event.PoissonSampledDpEvent(
                event.sampling_probability, dp_event.GaussianDpEvent(event.noise_multiplier)
            )
        case DistributedDiscreteGaussian():
            apart = 12 * event.sensitivity * _tau(event.scale, event.shares)
            return dp_event.ZCDpEvent(rho=(event.sensitivity / event.sigma) ** 2 / 2, xi=apart)
        case DistributedGaussian():
            gaussian = dp_event.GaussianDpEvent(event.noise_multiplier)
            if event.sampling_probability == 1:
                return gaussian
            return dp_event.PoissonSampledDpEvent(event.sampling_probability, gaussian)
