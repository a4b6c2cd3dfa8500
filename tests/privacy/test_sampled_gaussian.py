"""The GDP cost of a DP-SGD: above its delta at every epsilon, near to the least that is, and never without end."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from sfumato.privacy import gdp, pld, sampled_gaussian
from sfumato.privacy.events import PoissonSampledGaussian

EVENTS = [
    PoissonSampledGaussian(0.001, 0.9, 500, tail=1e-9),
    PoissonSampledGaussian(0.01, 0.6, 100, tail=1e-7),
    PoissonSampledGaussian(0.05, 4.0, 200, tail=1e-11),
    PoissonSampledGaussian(0.2, 1.5, 10, tail=1e-8),
    PoissonSampledGaussian(0.5, 3.0, 1, tail=1e-8),
]


def exceeds(event: PoissonSampledGaussian, mu: float) -> bool:
    """Whether the delta of the steps, on a grid of losses twice as fine, is anywhere above the bound."""
    loss = pld.steps(event, pld.interval(event) / 2)
    epsilons = np.linspace(0, 3 * gdp.epsilon(mu, event.tail), 1777)
    deltas = np.asarray(loss.get_delta_for_epsilon(epsilons))  # pyright: ignore[reportArgumentType]
    bound = [event.tail + (1 - event.tail) * gdp.delta(float(e), mu) for e in epsilons]
    return bool((deltas > np.array(bound) * (1 + 1e-9)).any())


@pytest.mark.parametrize("event", EVENTS)
def test_the_cost_covers_every_epsilon_and_little_less_does_not(event: PoissonSampledGaussian) -> None:
    mu = sampled_gaussian.mu(event)
    assert not exceeds(event, mu)
    assert exceeds(event, 0.985 * mu)


@pytest.mark.parametrize("event", EVENTS[:4])
def test_the_limit_of_many_steps_is_no_bound(event: PoissonSampledGaussian) -> None:
    """The planted bug: the central limit theorem of Bu et al. 2020 taken for a cost."""
    limit = event.sampling_probability * math.sqrt(event.count * math.expm1(event.noise_multiplier**-2))
    assert exceeds(event, limit)


def test_chords_and_tangents_see_what_the_points_of_a_grid_do_not() -> None:
    """A bound that holds at both ends and is below the chord between them is refused."""
    ends = np.array([0.0, 3.0])
    deltas = np.array([gdp.delta(float(e), 1.0) for e in ends])
    assert (deltas <= 1e-9 + np.array([gdp.delta(float(e), 1.0) for e in ends])).all()
    assert not sampled_gaussian._covers(1.0, 1e-9, ends, deltas)
    dense = np.linspace(0, 3, 2000)
    assert sampled_gaussian._covers(1.001, 1e-9, dense, np.array([gdp.delta(float(e), 1.0) for e in dense]))


def test_what_is_not_amplified_costs_what_all_records_do() -> None:
    assert sampled_gaussian.mu(PoissonSampledGaussian(1.0, 2.0, 4, tail=1e-8)) == 1.0
    assert sampled_gaussian.mu(PoissonSampledGaussian(0.5, 2.0, 4)) == 1.0
    assert sampled_gaussian.mu(PoissonSampledGaussian(0.5, 2.0, 4, tail=1e-17)) == 1.0, "lost in rounding"
    assert sampled_gaussian.mu(PoissonSampledGaussian(0.5, 2.0, 4, tail=1e-8)) < 0.75


@pytest.mark.parametrize("kind", [(1.0, 1), (2.0**-32, 10), (0.05, 100)])
@pytest.mark.parametrize("tail", [0.0, 1e-11])
def test_every_calibration_ends_and_fits(kind: tuple[float, int], tail: float) -> None:
    z = sampled_gaussian.noise_multiplier(*kind, 0.3, tail)
    assert sampled_gaussian.mu(PoissonSampledGaussian(kind[0], z, kind[1], tail=tail)) <= 0.3 * (1 + 1e-12)
    assert z <= math.sqrt(kind[1]) / 0.3


def test_a_cost_is_found_fast_and_kept() -> None:
    event = PoissonSampledGaussian(0.05, 4.25, 150, tail=1e-11)
    began = time.process_time()
    sampled_gaussian.mu(event)
    first = time.process_time() - began
    began = time.process_time()
    for _ in range(1000):
        sampled_gaussian.mu(event)
    assert first < 1, "0.1 s on an idle machine"
    assert time.process_time() - began < 0.1
