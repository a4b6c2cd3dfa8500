"""Events in words, for certificates and account statements."""

from __future__ import annotations

from collections.abc import Iterable

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
)


def describe(events: Iterable[Event]) -> list[str]:
    """One line per kind of mechanism: how many releases, and the range of their noise.

    >>> describe([DiscreteGaussian(40.0), DiscreteGaussian(60.0)])
    ['2 tables of counts with integer Gaussian noise, sigma 40 to 60']
    """
    groups: dict[type, list[Event]] = {}
    for event in events:
        groups.setdefault(type(event), []).append(event)
    return [_line(group) for group in groups.values()]


def _line(group: list[Event]) -> str:
    n = sum(event.count for event in group)
    match group[0]:
        case DiscreteGaussian():
            return f"{_many(n, 'table')} of counts with integer Gaussian noise, sigma {_range(group, 'sigma')}"
        case Gaussian():
            noise = _range(group, "noise_multiplier")
            return f"{_many(n, 'sum')} with Gaussian noise, {noise} times the sensitivity"
        case Exponential():
            return f"{_many(n, 'selection')} by the exponential mechanism, epsilon {_range(group, 'epsilon')}"
        case NoisyMax():
            noise = f"integer Laplace noise of {_range(group, 'shares')} honest parties"
            return f"{_many(n, 'selection')} of the largest score with {noise}, epsilon {_range(group, 'epsilon')}"
        case Threshold():
            least = _range(group, "threshold")
            return f"{_many(n, 'list')} of values found in the rows, shown from a noisy count of {least}"
        case PoissonSampledGaussian():
            q, z = _range(group, "sampling_probability"), _range(group, "noise_multiplier")
            return f"{_many(n, 'step')} of DP-SGD on Poisson samples of rate {q}, noise multiplier {z}"
        case DistributedDiscreteGaussian():
            noise = f"noise of {_range(group, 'shares')} honest parties, sigma {_range(group, 'sigma')} together"
            return f"{_many(n, 'table')} of counts with the integer Gaussian {noise}"
        case DistributedGaussian():
            noise = f"noise of {_range(group, 'shares')} honest parties, {_range(group, 'noise_multiplier')} times"
            return f"{_many(n, 'sum')} of vectors{_sampled(group)} with the {noise} the sensitivity together"


def _sampled(group: list[Event]) -> str:
    """On which samples, where not on all records."""
    rate = _range(group, "sampling_probability")
    return "" if rate == "1" else f" on Poisson samples of rate {rate}"


def _many(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _range(group: list[Event], name: str) -> str:
    values = [getattr(event, name) for event in group]
    low, high = f"{min(values):.4g}", f"{max(values):.4g}"
    return low if low == high else f"{low} to {high}"
