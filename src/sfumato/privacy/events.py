"""What can be charged to a ledger: one frozen dataclass per kind of private release."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sfumato.results.plain import Json

MOST = 10**7
"""The largest count of an event: more is no plausible release, and would stall an accountant."""
MOST_SHARES = 1000
"""The largest number of parties whose noise is added up: ten times what a federation may have."""
LEAST_COUNT_SHARE = 2.0
"""Scale of the narrowest share of noise on counts: sums of these are discrete Gaussians to one part in 10^14."""
LEAST_VECTOR_SHARE = 2.0**8
"""Scale of the narrowest share on vectors: sums of these differ from discrete Gaussians by less than 2**-900000."""
OVERFLOWS = 2.0**-61
"""What a full batch adds to the delta of a step of DP-SGD, for any epsilon up to 20 and up to 1024 groups: records are
dropped where a group's draw passes its capacity, with a chance of 2^-100 (``sampling.most_chosen``)."""


def _positive(what: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise ValueError(f"{what} must be a positive finite number, got {value!r}")


def _chance(what: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{what} must be at least 0 and below 1, got {value!r}")


def _share(what: str, value: float, least: float) -> None:
    if not (value >= least and math.isfinite(value)):
        raise ValueError(f"{what} must be a finite number of at least {least:g}, got {value!r}")


def _whole(what: str, value: int, most: int = 2**53) -> None:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{what} must be a whole number from 1 to {most}, got {value!r}")


@dataclass(frozen=True)
class DiscreteGaussian:
    """Integer Gaussian noise of scale ``sigma`` on a vector of integers that one unit moves by at most ``sensitivity``.

    One event is one table in which a unit touches a single cell, or several cells with l1 norm <= ``sensitivity``
    (Canonne, Kamath, Steinke 2020).
    """

    sigma: float
    sensitivity: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        _positive("sigma", self.sigma)
        _whole("sensitivity", self.sensitivity)
        _whole("count", self.count, MOST)


@dataclass(frozen=True)
class Gaussian:
    """Gaussian noise whose standard deviation is ``noise_multiplier`` times the l2 sensitivity.

    ``delta`` bounds, for each repetition, what of the mechanism is not exactly that; it adds to the total delta.
    """

    noise_multiplier: float
    count: int = 1
    delta: float = 0.0

    def __post_init__(self) -> None:
        _positive("noise_multiplier", self.noise_multiplier)
        _chance("delta", self.delta)
        _whole("count", self.count, MOST)


@dataclass(frozen=True)
class Exponential:
    """One draw of the exponential mechanism, ``epsilon``-bounded-range (hence ``epsilon``-DP)."""

    epsilon: float
    count: int = 1

    def __post_init__(self) -> None:
        _positive("epsilon", self.epsilon)
        _whole("count", self.count, MOST)


@dataclass(frozen=True)
class NoisyMax:
    """Index of the largest of noised scores, shown alone: integer Laplace noise, of which ``shares`` parties add parts.

    It is ``epsilon``-DP, but not of bounded range as the exponential mechanism is (``mechanisms.noisy_max``).
    """

    epsilon: float
    shares: int
    count: int = 1

    def __post_init__(self) -> None:
        _positive("epsilon", self.epsilon)
        _whole("shares", self.shares, MOST_SHARES)
        _whole("count", self.count, MOST)


@dataclass(frozen=True)
class Threshold:
    """Release of keys from an open domain: integer Gaussian counts, only those at or above ``threshold`` shown.

    ``delta`` bounds the probability that a key held by one unit alone is shown; it adds to the total delta.
    """

    sigma: float
    threshold: int
    delta: float
    sensitivity: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        _positive("sigma", self.sigma)
        _positive("delta", self.delta)
        _whole("threshold", self.threshold)
        _whole("sensitivity", self.sensitivity)
        _whole("count", self.count, MOST)


@dataclass(frozen=True)
class PoissonSampledGaussian:
    """``count`` steps, each on a Poisson sample of rate ``sampling_probability``, add/remove one unit (DP-SGD).

    ``delta`` bounds, for each step, what of it is not exactly that; it adds to the total delta. ``tail`` is a delta for
    all steps together, taken so that their cost has a small mu (``sampled_gaussian.mu``); it changes nothing of what is
    done. Without it the steps cost as much as on all records.
    """

    sampling_probability: float
    noise_multiplier: float
    count: int = 1
    delta: float = 0.0
    tail: float = 0.0

    def __post_init__(self) -> None:
        _positive("noise_multiplier", self.noise_multiplier)
        _chance("delta", self.delta)
        _chance("tail", self.tail)
        _whole("count", self.count, MOST)
        if not 0 < self.sampling_probability <= 1:
            raise ValueError(f"sampling_probability must lie in (0, 1], got {self.sampling_probability!r}")


@dataclass(frozen=True)
class DistributedDiscreteGaussian:
    """Integer Gaussian noise on counts, of which each of ``shares`` honest parties adds a part (Dwork et al. 2006).

    Counts are multiplied by ``multiple``, a public power of two, before noise of ``scale`` is added to them by each.
    One unit moves the counts themselves by at most ``sensitivity`` in l1 norm. The sum of the parts is no discrete
    Gaussian; see ``privacy.distributed``.
    """

    scale: float
    shares: int
    sensitivity: int = 1
    multiple: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        _share("scale", self.scale, LEAST_COUNT_SHARE)
        _whole("shares", self.shares, MOST_SHARES)
        _whole("sensitivity", self.sensitivity)
        _whole("multiple", self.multiple, 2**32)
        _whole("count", self.count, MOST)
        if self.multiple & (self.multiple - 1):
            raise ValueError(f"multiple must be a power of two, got {self.multiple!r}")

    @property
    def sigma(self) -> float:
        """Root of the variance of the whole noise, in counts."""
        return math.sqrt(self.shares) * self.scale / self.multiple


@dataclass(frozen=True)
class DistributedGaussian:
    """Discrete Gaussian noise on a vector of whole numbers, of which each of ``shares`` honest parties adds a part.

    Each part has ``scale``, divided by the coordinate's weight; one unit moves the vector by at most ``sensitivity`` in
    the l2 norm of coordinates times their weights, the largest of which is ``weight``. Below a ``sampling_probability``
    of one it is ``count`` steps on Poisson samples (DP-SGD), with ``tail`` as in ``PoissonSampledGaussian``. ``delta``
    bounds, for each repetition, what of it is not exactly that; it adds to the total delta.
    """

    scale: float
    shares: int
    sensitivity: float
    weight: float = 1.0
    sampling_probability: float = 1.0
    count: int = 1
    delta: float = 0.0
    tail: float = 0.0

    def __post_init__(self) -> None:
        _positive("weight", self.weight)
        _share("scale over weight", self.scale / self.weight, LEAST_VECTOR_SHARE)
        _whole("shares", self.shares, MOST_SHARES)
        _positive("sensitivity", self.sensitivity)
        _chance("delta", self.delta)
        _chance("tail", self.tail)
        _whole("count", self.count, MOST)
        if not 0 < self.sampling_probability <= 1:
            raise ValueError(f"sampling_probability must lie in (0, 1], got {self.sampling_probability!r}")

    @property
    def noise_multiplier(self) -> float:
        """Root of the variance of the whole noise over the sensitivity."""
        return math.sqrt(self.shares) * self.scale / self.sensitivity


Event = (
    DiscreteGaussian
    | Gaussian
    | Exponential
    | NoisyMax
    | Threshold
    | PoissonSampledGaussian
    | DistributedDiscreteGaussian
    | DistributedGaussian
)
_KINDS = {c.__name__: c for c in Event.__args__}


def delta_of(event: Event) -> float:
    """What an event, all its repetitions together, adds to the total delta by itself."""
    inexact = isinstance(event, Threshold | Gaussian | PoissonSampledGaussian | DistributedGaussian)
    return event.count * event.delta if inexact else 0.0


def tail_of(event: Event) -> float:
    """The delta that an event takes for the tail of its loss, all its repetitions together."""
    return event.tail if isinstance(event, PoissonSampledGaussian | DistributedGaussian) else 0.0


def is_training(event: Event) -> bool:
    """Whether it pays for the steps of a DP-SGD: these alone take a delta for the tail of their loss."""
    return isinstance(event, PoissonSampledGaussian) or tail_of(event) > 0


def to_json(event: Event) -> dict[str, Json]:
    """A plain mapping with the event's ``mechanism`` and its numbers."""
    return {"mechanism": type(event).__name__, **asdict(event)}


def from_json(fields: Mapping[str, Json]) -> Event:
    """The inverse of :func:`to_json`; ValueError on an unknown mechanism or a number out of range."""
    name = fields.get("mechanism")
    if not isinstance(name, str) or name not in _KINDS:
        raise ValueError("unknown mechanism in the list of events")
    kind = _KINDS[name]
    try:
        return kind(**{field: value for field, value in fields.items() if field != "mechanism"})
    except TypeError as e:
        raise ValueError(f"event {kind.__name__}: wrong fields ({e})") from None
