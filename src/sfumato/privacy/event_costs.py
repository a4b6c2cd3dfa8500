"""What one event costs in Gaussian differential privacy, where a formula says so: everything but sampled gradients."""

from __future__ import annotations

from sfumato.privacy import distributed, gdp
from sfumato.privacy.events import (
    DiscreteGaussian,
    DistributedDiscreteGaussian,
    DistributedGaussian,
    Event,
    Exponential,
    Gaussian,
    NoisyMax,
    Threshold,
)


def closed_form(event: Event) -> float:
    """The squared GDP cost of an event, all its repetitions together; ValueError for sampled gradients."""
    match event:
        case DiscreteGaussian() | Threshold():
            return event.count * gdp.discrete_gaussian_mu(event.sigma, event.sensitivity) ** 2
        case Gaussian():
            return event.count / event.noise_multiplier**2
        case Exponential():
            return event.count * gdp.exponential_mu(event.epsilon) ** 2
        case NoisyMax():
            return event.count * gdp.pure_mu(event.epsilon) ** 2
        case DistributedDiscreteGaussian():
            return event.count * distributed.counts_mu(event) ** 2
        case DistributedGaussian() if event.sampling_probability == 1:
            return closed_form(distributed.as_gaussian(event))
    raise ValueError(f"the cost of {type(event).__name__} has no closed form")
