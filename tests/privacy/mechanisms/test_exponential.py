"""The exponential mechanism selects with its theoretical probabilities (chi-square, one in a million)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from sfumato.privacy.mechanisms.exponential import select

SCORES = np.array([3.0, 2.0, 0.0, -1.0, 2.5])
RUNS = 20_000


def p_value(epsilon: float, sensitivity: float, believed: float) -> float:
    weights = np.exp(believed * SCORES / 2)
    picked = np.bincount([select(SCORES, epsilon, sensitivity) for _ in range(RUNS)], minlength=SCORES.size)
    return float(chisquare(picked, weights / weights.sum() * RUNS).pvalue)


@pytest.mark.parametrize(("epsilon", "sensitivity"), [(1.0, 1.0), (1.0, 2.0), (0.1, 1.0)])
def test_probabilities_are_those_of_the_mechanism(epsilon: float, sensitivity: float) -> None:
    assert p_value(epsilon, sensitivity, epsilon / sensitivity) > 1e-6


def test_the_chi_square_catches_a_forgotten_factor_two() -> None:
    assert p_value(2.0, 1.0, believed=1.0) < 1e-6


def test_a_large_epsilon_takes_the_largest() -> None:
    assert {select(SCORES, 1e6) for _ in range(20)} == {0}
    assert select(np.array([5.0]), 0.1) == 0


@pytest.mark.parametrize("scores", [[], [np.nan, 1.0], [np.inf], [[1.0]]])
def test_scores_must_be_finite(scores: list) -> None:
    with pytest.raises(ValueError, match="non-empty vector of finite numbers"):
        select(np.array(scores), 1.0)


def test_parameters_must_be_positive() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        select(SCORES, 0.0)
