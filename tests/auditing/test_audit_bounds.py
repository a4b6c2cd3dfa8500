"""The bounds hold at their stated error rates, and find what is there."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm

from sfumato.auditing.attacks.audit_bounds import _error_rates, epsilon_lower_bound, exceeds_curve, mu_lower_bound
from sfumato.auditing.attacks.rates import difference
from sfumato.privacy import gdp, pld
from sfumato.privacy.events import PoissonSampledGaussian


def gaussian_game(mu: float, runs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(mu, 1, runs), rng.normal(0, 1, runs)


@pytest.mark.parametrize("mu", [0.0, 0.5, 2.0])
def test_false_alarms_are_no_more_than_stated(mu: float) -> None:
    """L17: 200 audits of a correct mechanism at 5 %: too many alarms would happen once in 10,000 such tests."""
    rng = np.random.default_rng(17)
    alarms = sum(mu_lower_bound(*gaussian_game(mu, 300, rng), rng) > mu for _ in range(200))
    assert alarms <= binom.isf(1e-4, 200, 0.05)


def test_false_alarms_of_the_epsilon_bound_are_no_more_than_stated() -> None:
    """Randomised response, which meets its epsilon exactly."""
    rng, epsilon = np.random.default_rng(18), 1.0
    truth = 1 / (1 + np.exp(-epsilon))
    alarms = sum(
        epsilon_lower_bound(rng.random(300) < truth, rng.random(300) > truth, 0.0, rng) > epsilon for _ in range(200)
    )
    assert alarms <= binom.isf(1e-4, 200, 0.05)


def unsound(inside: np.ndarray, outside: np.ndarray, rng: np.random.Generator) -> float:
    """Planted mistake: the threshold is chosen on the scores it is tested on, and the sign is dropped."""
    levels = np.quantile(np.concatenate([inside, outside]), np.linspace(0.01, 0.99, 99))
    fpr, fnr = _error_rates(inside, outside, levels, 0.05)
    return float(np.max(np.abs(norm.isf(fpr) - norm.ppf(fnr))))


def test_the_false_alarm_test_catches_an_unsound_bound() -> None:
    rng = np.random.default_rng(19)
    assert sum(unsound(*gaussian_game(0.0, 300, rng), rng) > 0 for _ in range(20)) == 20


@pytest.mark.parametrize("mu", [0.5, 1.0, 3.0])
def test_the_bound_comes_close_with_many_runs(mu: float) -> None:
    rng = np.random.default_rng(20)
    assert 0.9 * mu < mu_lower_bound(*gaussian_game(mu, 50_000, rng), rng) <= mu


def test_the_epsilon_bound_finds_copies_but_no_more_than_the_runs_can_show() -> None:
    rng = np.random.default_rng(21)
    copied = epsilon_lower_bound(np.ones(1000), np.zeros(1000), 1e-5, rng)
    assert 4 < copied < np.log(1000)
    assert epsilon_lower_bound(*gaussian_game(gdp.mu(4.0, 1e-5), 20_000, rng), 1e-5, rng) < 4


@pytest.mark.parametrize("scores", [np.zeros(7), np.array([np.nan] * 10)])
def test_too_few_or_broken_scores_are_refused(scores: np.ndarray) -> None:
    with pytest.raises(ValueError, match="at least 8 finite scores"):
        mu_lower_bound(scores, np.zeros(20), np.random.default_rng(0))


def subsampled_game(noise: float, runs: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One step at rate a half, which is no Gaussian mechanism."""
    return rng.normal(rng.random(runs) < 0.5, noise), rng.normal(0, noise, runs)


def test_a_curve_is_ruled_out_by_less_noise_and_not_by_the_noise_it_belongs_to() -> None:
    """100 right audits at 1 %: more than 6 alarms happen once in 10,000 such tests."""
    rng, step = np.random.default_rng(22), (PoissonSampledGaussian(0.5, 1.0),)

    def curve(epsilon: float) -> float:
        return pld.delta(step, epsilon, 1e-5)

    right = sum(exceeds_curve(*subsampled_game(1.0, 1000, rng), curve, rng, 0.01) for _ in range(100))
    assert right <= binom.isf(1e-4, 100, 0.01)
    assert sum(exceeds_curve(*subsampled_game(0.5, 2000, rng), curve, rng, 0.01) for _ in range(10)) == 10


def test_the_interval_of_a_difference_covers_it():
    """Newcombe 1998, table II, method 10: 56/70 against 48/80; and 95 % of 2,000 draws."""
    low, high = difference(56, 70, 48, 80)
    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)
    rng = np.random.default_rng(0)
    draws = zip(rng.binomial(2000, 0.08, 2000).tolist(), rng.binomial(2000, 0.06, 2000).tolist(), strict=True)
    inside = [low <= 0.02 <= high for low, high in (difference(a, 2000, b, 2000) for a, b in draws)]
    assert 0.935 < np.mean(inside) < 0.965
