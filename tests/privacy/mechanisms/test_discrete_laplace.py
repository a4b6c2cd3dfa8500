"""Integer Laplace noise follows its law (chi-square, one in a million)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare

from sfumato.privacy.mechanisms.discrete_laplace import add_discrete_laplace


def p_value(sample: np.ndarray, scale: float) -> float:
    reach = int(6 * scale)
    support = np.arange(-reach, reach + 1)
    law = np.exp(-abs(support) / scale) * np.tanh(1 / (2 * scale))
    cells = np.append(law, 1 - law.sum()) * sample.size
    inside = sample[abs(sample) <= reach]
    return float(
        chisquare(
            np.append(np.bincount(inside + reach, minlength=support.size), sample.size - inside.size), cells
        ).pvalue
    )


def test_draws_follow_the_law() -> None:
    noisy = add_discrete_laplace(np.full((100, 200), 7), 3.0)
    assert noisy.shape == (100, 200)
    assert noisy.dtype == np.int64
    assert p_value(noisy.ravel() - 7, 3.0) > 1e-6


def test_the_chi_square_catches_a_wrong_scale() -> None:
    assert p_value(add_discrete_laplace(np.zeros(20_000, int), 2.7), 3.0) < 1e-6


def test_real_values_are_refused() -> None:
    with pytest.raises(ValueError, match="integer noise needs integer values"):
        add_discrete_laplace(np.ones(3), 1.0)
