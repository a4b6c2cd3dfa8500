"""Closed forms of Gaussian differential privacy, against definitions computed another way."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
from scipy.special import log_ndtr

from sfumato.privacy import gdp


@pytest.mark.parametrize("mu", [0.01, 0.2, 1.0, 4.0])
@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0, 8.0])
def test_delta_agrees_with_fifty_digits(mu: float, epsilon: float) -> None:
    with mpmath.workdps(50):
        e, m = mpmath.mpf(epsilon), mpmath.mpf(mu)
        exact = mpmath.ncdf(-e / m + m / 2) - mpmath.exp(e) * mpmath.ncdf(-e / m - m / 2)
    assert gdp.delta(epsilon, mu) == pytest.approx(float(exact), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("delta", [1e-5, 1e-9, 1e-12])
@pytest.mark.parametrize("epsilon", [0.05, 1.0, 20.0, 300.0])
def test_mu_is_the_largest_that_keeps_the_promise(epsilon: float, delta: float) -> None:
    mu = gdp.mu(epsilon, delta)
    assert gdp.delta(epsilon, mu) <= delta < gdp.delta(epsilon, mu * (1 + 1e-6))
    assert gdp.epsilon(mu, delta) == pytest.approx(epsilon, rel=1e-8)


def test_edges_of_the_closed_forms() -> None:
    assert gdp.mu(math.inf, 1e-9) == math.inf
    assert gdp.epsilon(math.inf, 1e-9) == math.inf
    assert gdp.delta(math.inf, 5.0) == 0.0
    assert gdp.delta(1.0, math.inf) == 1.0
    assert gdp.delta(1.0, 0.0) == 0.0
    assert gdp.epsilon(1e-12, 1e-9) == 0.0
    assert 0 <= gdp.delta(800.0, 30.0) <= 1  # exp(800) overflows


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0, 5.0, 20.0])
def test_the_exponential_mechanism_is_within_its_gdp_bound(epsilon: float) -> None:
    """At every slope: delta of bounded range (Dong, Durfee, Rogers 2020, Lemma 3.2) against that of GDP."""
    mu = gdp.exponential_mu(epsilon)
    for slope in np.linspace(-epsilon, epsilon, 401):
        ranged = (1 - math.exp((slope - epsilon) / 2)) ** 2 / (1 - math.exp(-epsilon))
        gaussian = math.exp(log_ndtr(-slope / mu + mu / 2)) - math.exp(slope + log_ndtr(-slope / mu - mu / 2))
        assert ranged <= gaussian * (1 + 1e-9) + 1e-15
    touching = (1 - math.exp(-epsilon / 2)) ** 2 / (1 - math.exp(-epsilon))
    assert touching == pytest.approx(gdp.delta(0.0, mu), rel=1e-9)  # and no smaller mu would do
    assert gdp.exponential_epsilon(mu) == pytest.approx(epsilon, rel=1e-9)


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0, 5.0, 20.0])
def test_what_has_no_delta_is_within_its_gdp_bound(epsilon: float) -> None:
    """At every slope: the worst mechanism without delta tells a bit truly with chance e^epsilon / (1 + e^epsilon)."""
    mu, truly = gdp.pure_mu(epsilon), 1 / (1 + math.exp(-epsilon))
    for slope in np.linspace(-epsilon, epsilon, 401):
        pure = max(0.0, truly - math.exp(slope) * (1 - truly), 1 - math.exp(slope))
        gaussian = math.exp(log_ndtr(-slope / mu + mu / 2)) - math.exp(slope + log_ndtr(-slope / mu - mu / 2))
        assert pure <= gaussian * (1 + 1e-9) + 1e-12
    assert 2 * truly - 1 == pytest.approx(gdp.delta(0.0, mu), rel=1e-9)  # and no smaller mu would do
    assert gdp.pure_mu(epsilon) > gdp.exponential_mu(epsilon)
    assert gdp.pure_mu(1e6) == math.inf


def corners(sigma: float, shift: int) -> float:
    """The least mu whose trade-off function lies below that of the discrete Gaussian, corner by corner."""
    with mpmath.workdps(60):
        reach = int(12 * sigma) + 8
        weights = [mpmath.exp(-(mpmath.mpf(k) ** 2) / (2 * mpmath.mpf(sigma) ** 2)) for k in range(reach * 2 + 20)]
        total = weights[0] + 2 * sum(weights[1:])
        tail, tails = mpmath.mpf(0), {}
        for k in range(len(weights) - 1, 0, -1):
            tail += weights[k] / total
            tails[k] = float(mpmath.log(tail))

    def z(k: int) -> float:
        if k <= 0:
            return -z(1 - k)
        low, high = -1.0, 40.0
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if log_ndtr(-middle) > tails[k] else (low, middle)
        return low

    return max(z(k) - z(k - shift) for k in range(1, reach))


@pytest.mark.parametrize("sigma", [0.3, 0.7, 1.0, 1.7, 3.0, 10.0, 25.0])
def test_integer_noise_costs_what_its_trade_off_function_says(sigma: float) -> None:
    assert gdp.discrete_gaussian_mu(sigma) == pytest.approx(corners(sigma, 1), rel=1e-9)
    for shift in (2, 5):
        assert gdp.discrete_gaussian_mu(sigma, shift) >= corners(sigma, shift) * (1 - 1e-9)


@pytest.mark.parametrize("mu", [1e-3, 0.02, 0.5, 3.0])
@pytest.mark.parametrize("sensitivity", [1, 4])
def test_sigma_for_a_cost_is_the_smallest(mu: float, sensitivity: int) -> None:
    sigma = gdp.discrete_gaussian_sigma(mu, sensitivity)
    assert gdp.discrete_gaussian_mu(sigma, sensitivity) <= mu
    assert gdp.discrete_gaussian_mu(sigma * (1 - 1e-6), sensitivity) > mu


def test_sigma_needs_a_finite_cost() -> None:
    with pytest.raises(ValueError, match="mu must be a positive finite number"):
        gdp.discrete_gaussian_sigma(math.inf)
