"""Composition by privacy loss distributions, with dp-accounting (Doroshenko et al. 2022, "Connect the dots").

Importing this module costs a second; import it where a figure is wanted. All estimates are pessimistic: rounding to the
grid of losses never makes epsilon smaller, and costs less than 0.5 % of it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache, reduce

import numpy as np
from dp_accounting.pld import pld_pmf
from dp_accounting.pld import privacy_loss_distribution as dp_pld

from sfumato.privacy import distributed
from sfumato.privacy.event_costs import closed_form
from sfumato.privacy.events import (
    DiscreteGaussian,
    DistributedDiscreteGaussian,
    DistributedGaussian,
    Event,
    PoissonSampledGaussian,
    delta_of,
)

_CUT = 1e-4
"""Part of a tail, or of the room for delta, that the grid may cut off."""
_POINTS = 500.0
"""Points of the grid in a standard deviation of the total loss, at least."""
_MOST_SPREAD, _MOST_TOTAL = 5.0, 10.0
"""Standard deviations of a loss that a grid is made for, of one event and of all: beyond, nothing is promised."""
_MOST_EXPONENT, _MOST_SQUARE = 700.0, 50.0
"""Exponents that double precision holds, alone and squared times a probability."""
_MOST_POINTS, _MOST_STEPS, _FINEST = 1 << 18, 1 << 20, 2.0**-36
"""What keeps an account below about ten seconds: each point of a grid takes microseconds, each step some too."""

EXACT_BELOW = 3.0
"""Integer noise narrower than this is composed by its own loss distribution; as Gaussian it costs 0.5 % more."""


def epsilon(events: Sequence[Event], delta_: float) -> float:
    """The smallest epsilon at which the composition of ``events`` is (epsilon, ``delta_``)-DP; inf if there is none."""
    own, mu = _split(events)
    room = delta_ - sum(map(delta_of, events))
    if not events:
        return 0.0
    if room <= 0:
        return math.inf
    return float(_compose(own, mu, room).get_epsilon_for_delta(room))


def delta(events: Sequence[Event], epsilon_: float, tail: float) -> float:
    """The delta of ``events`` together at ``epsilon_``, but for their own deltas; a 10,000th of ``tail`` is cut off."""
    return float(_compose(*_split(events), tail).get_delta_for_epsilon(epsilon_))


def interval(event: PoissonSampledGaussian) -> float:
    """The grid of losses on which ``event`` is accounted."""
    return _interval((event,), 0.0)


def steps(event: PoissonSampledGaussian, interval_: float) -> dp_pld.PrivacyLossDistribution:
    """The loss of all steps of ``event`` together, in both orders of neighbours; a 10,000th of its tail is cut off."""
    one = _single(replace(event, count=1, delta=0.0, tail=0.0), interval_)
    return one.self_compose(event.count, _CUT * event.tail) if event.count > 1 else one


def _split(events: Sequence[Event]) -> tuple[tuple[Event, ...], float]:
    """Events that need a distribution of their own, equal ones merged, and the GDP cost of all others."""
    own, square = Counter[Event](), 0.0
    for event in events:
        known = distributed.as_gaussian(event) if isinstance(event, DistributedGaussian) else event
        match known:
            case PoissonSampledGaussian():
                own[replace(known, count=1, delta=0.0, tail=0.0)] += known.count
            case DistributedDiscreteGaussian() if known.sensitivity * known.multiple == 1 and known.sigma < EXACT_BELOW:
                own[replace(known, count=1)] += known.count
            case DiscreteGaussian() if known.sensitivity == 1 and known.sigma < EXACT_BELOW:
                own[replace(known, count=1)] += known.count
            case _:
                square += closed_form(known)
    return tuple(sorted((replace(e, count=n) for e, n in own.items()), key=repr)), math.sqrt(square)


def _compose(events: tuple[Event, ...], mu: float, room: float) -> dp_pld.PrivacyLossDistribution:
    """Loss distribution of ``events`` and of one Gaussian mechanism of cost ``mu``."""
    interval, tail = _interval(events, mu), _CUT * room
    parts = [_repeated(events, interval, tail)] if events else []
    if mu > 0:
        parts.append(dp_pld.from_gaussian_mechanism(1 / mu, value_discretization_interval=interval))
    return reduce(lambda a, b: a.compose(b, tail), parts)


@lru_cache(maxsize=64)
def _repeated(events: tuple[Event, ...], interval: float, tail: float) -> dp_pld.PrivacyLossDistribution:
    """Composition of ``events``, each as often as it counts."""
    parts = [_single(replace(event, count=1), interval) for event in events]
    parts = [p.self_compose(e.count, tail) if e.count > 1 else p for p, e in zip(parts, events, strict=True)]
    return reduce(lambda a, b: a.compose(b, tail), parts)


@lru_cache(maxsize=64)
def _single(event: Event, interval: float) -> dp_pld.PrivacyLossDistribution:
    match event:
        case PoissonSampledGaussian():
            return dp_pld.from_gaussian_mechanism(
                event.noise_multiplier,
                sampling_prob=event.sampling_probability,
                value_discretization_interval=interval,
            )
        case DiscreteGaussian():
            return dp_pld.from_discrete_gaussian_mechanism(
                event.sigma, value_discretization_interval=interval, use_connect_dots=True
            )
        case DistributedDiscreteGaussian():
            return _convolved(event, interval)
    raise ValueError(f"no loss distribution for {type(event).__name__}")


def _convolved(event: DistributedDiscreteGaussian, interval: float) -> dp_pld.PrivacyLossDistribution:
    """Loss of one count with the exact sum of shares of noise, whose laws before and after are mirror images.

    The law is log-concave, so losses fall from left to right, and a delta is a difference of two sums from the left.
    """
    law = distributed.convolved(event.scale, event.shares)
    losses = np.concatenate([[np.inf], np.log(law[1:] / law[:-1]), [-np.inf]])
    before, after = np.cumsum(np.append(law, 0.0)), np.cumsum(np.append(0.0, law))
    most = math.ceil(losses[1] / interval)
    epsilons = interval * np.arange(-most, most + 1)
    last = np.searchsorted(-losses, -epsilons) - 1  # the last number whose loss is above epsilon
    deltas = np.clip(before[last] - np.exp(epsilons) * after[last], 0.0, 1.0)
    return dp_pld.PrivacyLossDistribution(
        pld_pmf.create_pmf_pessimistic_connect_dots_fixed_gap(interval, -most, most, deltas)
    )


def _interval(events: tuple[Event, ...], mu: float) -> float:
    """Grid of losses: a 500th of the total's spread, finer for many steps; a power of two, so that caches hit.

    The connect-the-dots estimate loses about ``steps * interval**2`` of variance. Events that nobody would choose
    (a rare loss far above the usual one) get a wider grid than that, which only makes their epsilon larger: an
    accountant must not be stalled by a forged list. ValueError for more steps than it can sum.
    """
    square, steps = mu * mu, 1
    for event in events:
        square += event.count * min(_spread(event) ** 2, _MOST_SPREAD**2)
        steps += event.count
    if steps > _MOST_STEPS:
        raise ValueError(f"{steps} steps are more than the {_MOST_STEPS} that can be accounted")
    wanted = min(math.sqrt(square), _MOST_TOTAL) / max(_POINTS, 6 * math.sqrt(steps))
    finest = max(_FINEST, sum(_largest(event) for event in events) / _MOST_POINTS)
    return 2.0 ** math.ceil(math.log2(finest)) if finest > wanted else 2.0 ** math.floor(math.log2(wanted))


def _largest(event: Event) -> float:
    """Roughly the largest loss of one repetition, ten standard deviations out."""
    match event:
        case PoissonSampledGaussian():
            z = event.noise_multiplier
            return math.log1p(event.sampling_probability * math.expm1(min(0.5 / z**2 + 10 / z, _MOST_EXPONENT)))
        case DiscreteGaussian() | DistributedDiscreteGaussian():
            return event.sensitivity * (event.sensitivity / 2 + 10 * event.sigma) / event.sigma**2
    return _spread(event)


def _spread(event: Event) -> float:
    """Rough standard deviation of one repetition's privacy loss."""
    match event:
        case PoissonSampledGaussian():
            exponent = min(event.noise_multiplier**-2, _MOST_SQUARE)
            return event.sampling_probability * math.sqrt(math.expm1(exponent))
        case DiscreteGaussian() | DistributedDiscreteGaussian():
            return event.sensitivity / event.sigma
    raise ValueError(f"no loss distribution for {type(event).__name__}")
