"""Parts of noise that add up to integer Laplace noise: chi-square tests at an error rate of one in a million each."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from scipy.stats import chi2

from sfumato.errors import TooMuchNoise
from sfumato.privacy.mechanisms import noisy_max
from sfumato.privacy.mechanisms.noisy_max import WIDEST, furthest, part, scale, step

ERROR_RATE = 1e-6
DRAWS = 200_000


def whole(scale_: float, shares: int, n: int = DRAWS) -> np.ndarray:
    """What all honest parties add together."""
    return np.sum([part(n, scale_, 1, shares) for _ in range(shares)], axis=0)


def p_value(sample: np.ndarray, scale_: float) -> float:
    """Chi-square against exp(-|k| / scale), on cells of at least 20 expected draws, the others as one."""
    p = math.exp(-1 / scale_)
    reach = int(scale_ * 12) + 2
    width = max(1, int(scale_ / 3))
    edges = np.arange(-reach, reach + 1, width)

    def below(k: np.ndarray) -> np.ndarray:
        """P[X < k]."""
        return np.where(k <= 0, p ** (1.0 - np.minimum(k, 0)) / (1 + p), 1 - p ** np.maximum(k, 0) / (1 + p))

    edges = np.concatenate([[-np.inf], edges, [np.inf]])
    cumulative = np.concatenate([[0.0], below(edges[1:-1]), [1.0]])
    expected, (observed, _) = np.diff(cumulative) * sample.size, np.histogram(sample, np.clip(edges, -1e9, 1e9))
    small = expected < 20
    expected = np.append(expected[~small], expected[small].sum())
    observed = np.append(observed[~small], observed[small].sum())
    kept = expected > 1
    statistic = ((observed - expected)[kept] ** 2 / expected[kept]).sum()
    return float(chi2.sf(statistic, kept.sum() - 1))


@pytest.mark.parametrize("shares", [1, 2, 3, 9])
@pytest.mark.parametrize("scale_", [0.4, 3.0, 40.0])
def test_the_parts_of_the_honest_add_up_to_laplace_noise(scale_: float, shares: int) -> None:
    assert p_value(whole(scale_, shares), scale_) > ERROR_RATE


PLANTED: dict[str, Callable[[], np.ndarray]] = {
    "a part is whole Laplace noise": lambda: part(DRAWS, 3.0, 1, 1) + part(DRAWS, 3.0, 1, 1),
    "one of the honest leaves its part out": lambda: part(DRAWS, 3.0, 1, 2),
    "parts for one party more than add theirs": lambda: part(DRAWS, 3.0, 1, 3) + part(DRAWS, 3.0, 1, 3),
    "a scale 3 % too small": lambda: whole(2.91, 2),
    "a rounded real number": lambda: np.rint(np.random.default_rng(1).laplace(0, 3.0, DRAWS)).astype(int),
    "noise that only adds": lambda: np.abs(whole(3.0, 2)),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_the_chi_square_catches(bug: str) -> None:
    assert p_value(PLANTED[bug](), 3.0) < ERROR_RATE


@pytest.mark.parametrize(("scale_", "shares"), [(0.4, 2), (3.0, 2), (30.0, 7)])
def test_the_table_is_exact_to_the_last_of_128_bits(scale_: float, shares: int) -> None:
    """Against 60-digit arithmetic, by the closed form of a Polya law."""
    high, low = noisy_max._cumulative(scale_, shares)
    with mpmath.workdps(60):
        r, p = mpmath.mpf(1) / shares, mpmath.exp(-1 / mpmath.mpf(scale_))
        running, worst = mpmath.mpf(0), mpmath.mpf(0)
        for k, (h, lo) in enumerate(zip(high, low, strict=True)):
            running += mpmath.gamma(k + r) / mpmath.gamma(r) / mpmath.factorial(k) * p**k * (1 - p) ** r
            worst = max(worst, abs(running - mpmath.mpf((int(h) << 64) + int(lo)) / 2**128))
        assert worst < mpmath.mpf(2) ** -120
        assert 1 - running < mpmath.mpf(2) ** -120


@pytest.mark.parametrize("shares", [2, 5])
def test_the_law_of_the_whole_is_laplace_at_every_number(shares: int) -> None:
    """The table's own probabilities, convolved: no draw, no chance."""
    high, _ = noisy_max._cumulative(2.0, shares)
    one = np.diff(np.concatenate([[0.0], high.astype(float) / 2.0**64, [1.0]]))
    law = np.array([1.0])
    for _ in range(shares):
        law = np.convolve(np.convolve(law, one), one[::-1])
    k = np.arange(law.size) - law.size // 2
    p = math.exp(-0.5)
    assert np.abs(law - (1 - p) / (1 + p) * p ** np.abs(k)).max() < 1e-13


def test_a_step_is_twice_the_sensitivity_and_the_scale_never_below_one_over_epsilon() -> None:
    assert step(3) == 6
    assert scale(0.1) == pytest.approx(10)
    assert scale(0.3) > 1 / 0.3
    with pytest.raises(TooMuchNoise, match="parties select at 0"):
        scale(0.0001)
    for epsilon in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="must be positive"):
            scale(epsilon)
    with pytest.raises(ValueError, match="must be at least 1"):
        step(0)


@pytest.mark.parametrize("sensitivity", [1, 5])
def test_a_unit_changes_what_is_selected_by_no_more_than_epsilon(sensitivity: int) -> None:
    """The closed form, for two candidates: one unit moves one score up and the other down."""
    epsilon, wide = 0.4, step(sensitivity)
    p = math.exp(-1 / scale(epsilon))
    k = np.arange(-400, 401)
    law = (1 - p) / (1 + p) * p ** np.abs(k)
    both = np.subtract.outer(k, k) * wide  # of the second noise over the first
    for gap in range(-3 * wide, 3 * wide + 1):
        wins = [(law[:, None] * law[None, :])[both > gap + moved].sum() for moved in (0, 2 * sensitivity)]
        assert wins[0] <= wins[1] * math.exp(epsilon) * (1 + 1e-9)


def test_parts_lie_on_the_grid_and_within_their_bound() -> None:
    drawn = part(10_000, 5.0, 6, 2)
    assert (drawn % 6 == 0).all()
    assert np.abs(drawn).max() <= 6 * furthest(5.0, 2)


@pytest.mark.parametrize("scale_", [0.0, -1.0, math.nan, math.inf, WIDEST * 1.01])
def test_a_scale_without_a_table_is_refused(scale_: float) -> None:
    with pytest.raises(ValueError, match="the scale must be positive"):
        part(1, scale_, 1, 2)


def test_each_call_draws_anew() -> None:
    assert not np.array_equal(part(100, 50.0, 1, 2), part(100, 50.0, 1, 2))
