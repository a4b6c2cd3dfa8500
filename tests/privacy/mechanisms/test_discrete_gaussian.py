"""The integer sampler draws what it says: chi-square tests at an error rate of one in a million each."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
from scipy.stats import chi2, chisquare, norm

from sfumato.privacy.mechanisms import discrete_gaussian
from sfumato.privacy.mechanisms.discrete_gaussian import WIDEST, add_discrete_gaussian, draw
from sfumato.privacy.randomness import SeededEntropy

ERROR_RATE = 1e-6


def p_value(sample: np.ndarray, sigma: float) -> float:
    """Chi-square of integer draws against exp(-k^2 / 2 sigma^2), cells of at least 20 expected draws."""
    reach = int(12 * sigma) + 4
    support = np.arange(-reach, reach + 1)
    law = np.exp(-(support**2) / (2 * sigma**2))
    expected = law / law.sum() * sample.size
    observed = np.bincount(sample + reach, minlength=support.size).astype(float)
    width = max(1, int(sigma / 3))  # wide laws: neighbouring integers together, but never all residues alike
    starts = np.arange(0, support.size, width)
    expected, observed = np.add.reduceat(expected, starts), np.add.reduceat(observed, starts)
    inner = expected >= 20
    cells = np.append(expected[inner], expected[~inner].sum()), np.append(observed[inner], observed[~inner].sum())
    kept = cells[0] > 1
    statistic = ((cells[1] - cells[0]) ** 2 / np.maximum(cells[0], 1e-9))[kept].sum()
    return float(chi2.sf(statistic, kept.sum() - 1))


@pytest.mark.parametrize("sigma", [0.25, 0.5, 1.0, 2.5, 17.3, 400.0])
def test_draws_follow_the_law(sigma: float) -> None:
    assert p_value(draw(400_000, sigma), sigma) > ERROR_RATE


PLANTED: dict[str, Callable[[int], np.ndarray]] = {
    "a rounded normal number": lambda n: np.rint(np.random.default_rng(1).normal(0, 1.0, n)).astype(int),
    "a scale 3 % too small": lambda n: draw(n, 0.97),
    "never zero": lambda n: (d := draw(n, 1.0)) + (d == 0),
}


@pytest.mark.parametrize("bug", PLANTED)
def test_the_chi_square_catches(bug: str) -> None:
    assert p_value(PLANTED[bug](400_000), 1.0) < ERROR_RATE


@pytest.mark.parametrize("sigma", [0.4, 1.0, 30.0])
def test_the_table_is_exact_to_the_last_of_128_bits(sigma: float) -> None:
    """Against 60-digit arithmetic: the truncated tail and the rounding are below 2**-100."""

    def weight(k: int) -> mpmath.mpf:
        return mpmath.exp(-(mpmath.mpf(k) ** 2) / (2 * mpmath.mpf(sigma) ** 2))

    high, low = discrete_gaussian._cumulative(sigma)
    with mpmath.workdps(60):
        reach = len(high) // 2
        weights = [weight(k) for k in range(-reach, reach + 1)]
        beyond = 2 * sum(weight(k) for k in range(reach + 1, 99 + 9 * reach))
        total, running, worst = sum(weights) + beyond, beyond / 2, mpmath.mpf(0)
        for mass, h, lo in zip(weights, high, low, strict=False):
            running += mass
            worst = max(worst, abs(running / total - mpmath.mpf((int(h) << 64) + int(lo)) / 2**128))
        assert worst < mpmath.mpf(2) ** -120
        assert beyond / total < mpmath.mpf(2) ** -110


def test_ties_of_the_first_64_bits_are_resolved_by_the_next() -> None:
    """Uniform words that equal a table entry: the lower words decide."""
    high, low = discrete_gaussian._cumulative(1.0)
    k = len(high) // 2

    class Scripted:
        def __init__(self, *words: int) -> None:
            self.words = list(words)

        def take(self, size: int) -> bytes:
            return np.array([self.words.pop(0) for _ in range(size // 8)], dtype=np.uint64).tobytes()

    below, above = Scripted(int(high[k]), int(low[k]) - 1), Scripted(int(high[k]), int(low[k]))
    assert draw(1, 1.0, below)[0] == 0
    assert draw(1, 1.0, above)[0] == 1


def by_quantile(sample: np.ndarray, sigma: float) -> float:
    """Chi-square of wide draws over a hundred cells of equal probability: so wide a law is normal to 1e-8."""
    edges = norm.ppf(np.arange(1, 100) / 100) * sigma
    return float(chisquare(np.bincount(np.searchsorted(edges, sample), minlength=100)).pvalue)


@pytest.mark.parametrize("sigma", [1.01 * WIDEST, 2.0**21, 2.0**28, 2.0**40, 2.0**50])
def test_wide_draws_follow_the_law_and_use_the_entropy_given(sigma: float) -> None:
    wide = draw(200_000, sigma)
    assert wide.dtype == np.int64
    assert by_quantile(wide, sigma) > ERROR_RATE
    for divisor in (2, 3, 64, 2048):  # no residue is preferred: the low digits are as uniform as those of a wide law
        assert chisquare(np.bincount(wide % divisor, minlength=divisor)).pvalue > ERROR_RATE
    assert (draw(9, sigma, SeededEntropy(1)) == draw(9, sigma, SeededEntropy(1))).all()
    assert draw(0, sigma).size == 0


WIDE_BUGS: dict[str, Callable[[int, float], np.ndarray]] = {
    "a scale 1 % too small": lambda n, sigma: draw(n, 0.99 * sigma),
    "the coarse part alone": lambda n, sigma: 2048 * draw(n, sigma / 2048),
    "a step of 2047": lambda n, sigma: draw(n, 2.0**13) + 2047 * draw(n, (sigma**2 - 2.0**26) ** 0.5 / 2048 * 1.01),
}


@pytest.mark.parametrize("bug", WIDE_BUGS)
def test_wide_draws_that_are_wrong_are_caught(bug: str) -> None:
    wide = WIDE_BUGS[bug](1_000_000, 2.0**21)
    residues = chisquare(np.bincount(wide % 2048, minlength=2048)).pvalue
    assert min(by_quantile(wide, 2.0**21), residues) < ERROR_RATE


@pytest.mark.parametrize(("s1", "s2", "m"), [(1.5, 1.5, 1), (3.0, 1.7, 2), (4.0, 4.0, 3), (2.0, 5.0, 2)])
def test_a_convolution_is_as_close_as_its_bound_says(s1: float, s2: float, m: int) -> None:
    """Exact laws of x1 + m x2 in 80-digit arithmetic, at scales small enough for the factor to be seen."""
    with mpmath.workdps(80):
        scale = mpmath.sqrt(s1**2 + (m * s2) ** 2)
        t = s1 * s2 / scale
        allowed = 2 * mpmath.exp(-2 * mpmath.pi**2 * t**2)
        weights = []
        for x in range(-30, 31):
            found = mpmath.fsum(
                mpmath.exp(-((x - m * j) ** 2) / mpmath.mpf(2 * s1**2) - j * j / mpmath.mpf(2 * s2**2))
                for j in range(-80, 81)
            )
            weights.append(found / mpmath.exp(-(x * x) / (2 * scale**2)) / (t * mpmath.sqrt(2 * mpmath.pi)))
        worst = max(abs(w - 1) for w in weights)
        assert worst <= allowed * 1.001
        assert worst > allowed / 20, "the bound is far from what happens: it may bound something else"


def test_the_convolutions_in_use_are_exact_beyond_the_tables() -> None:
    fine, stride = discrete_gaussian._FINE, discrete_gaussian._STRIDE
    for sigma in (WIDEST, 2 * WIDEST, 1e9, 2.0**50):
        coarse = math.sqrt(sigma**2 - fine**2) / stride
        t = fine * coarse / sigma
        assert math.log2(2) - 2 * math.pi**2 * t**2 / math.log(2) < -320


def test_counts_keep_shape_and_are_not_touched() -> None:
    counts = np.arange(6, dtype=np.uint8).reshape(2, 3)
    noisy = add_discrete_gaussian(counts, 3.0)
    assert noisy.shape == (2, 3)
    assert noisy.dtype == np.int64
    assert (counts == np.arange(6).reshape(2, 3)).all()
    assert add_discrete_gaussian(np.int64(5), 1.0).shape == ()
    assert add_discrete_gaussian(np.empty((0, 4), int), 1.0).shape == (0, 4)


def test_chunks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discrete_gaussian, "_CHUNK", 1000)
    sample = draw(100_001, 2.0)
    assert sample.size == 100_001
    assert p_value(sample, 2.0) > ERROR_RATE


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.nan, math.inf, 2.0**51])
def test_a_scale_that_is_no_scale(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma must be a positive finite number"):
        draw(3, sigma)


def test_real_values_are_refused() -> None:
    with pytest.raises(ValueError, match="integer noise needs integer values"):
        add_discrete_gaussian(np.ones(3), 1.0)


def test_a_million_draws_take_less_than_a_second() -> None:
    draw(1, 30.0)
    began = time.process_time()
    draw(1_000_000, 30.0, SeededEntropy(1))
    assert time.process_time() - began < 1
