"""The exponential mechanism selects with its theoretical probabilities (chi-square, one in a million)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chisquare, kstest

from sfumato.privacy.mechanisms import exponential
from sfumato.privacy.mechanisms.exponential import gumbel, select
from sfumato.privacy.randomness import SYSTEM, Entropy, words

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


class Tail:
    """Fresh bytes, but ``U`` of each Gumbel number lies in one half, within 2**-65 of its end."""

    def __init__(self, upper: bool) -> None:
        self._first = [(b"\xff" if upper else b"\x00"), b"\x00"]

    def take(self, size: int) -> bytes:
        return self._first.pop(0) * size if self._first else SYSTEM.take(size)


def coarse_gumbel(n: int, entropy: Entropy = SYSTEM) -> np.ndarray:
    """Planted: from one uniform number of 52 bits, which ends at 36.7 and, below zero, at -3.6."""
    return -np.log(-np.log(((words(n, entropy) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52))


def test_the_whole_law_is_gumbel() -> None:
    assert kstest(gumbel(200_000), "gumbel_r").pvalue > 1e-6


@pytest.mark.parametrize("upper", [True, False])
def test_the_law_holds_in_both_tails(upper: bool) -> None:
    """Beyond probability 2**-65: within it the probability is uniform, above and below."""
    noise = gumbel(100_000, Tail(upper))
    probability = np.exp(-noise) if upper else np.exp(-np.exp(-noise))
    assert kstest(probability * 2.0**65, "uniform").pvalue > 1e-6
    assert (noise > 45).all() if upper else (noise < -3.8).all()


def wins_from_far_behind(gap: float) -> bool:
    """Whether the last of two scores can be chosen that lies ``gap`` behind, in scales of the noise."""

    class Lucky:
        taken = 0

        def take(self, size: int) -> bytes:
            """The best for the second: at the upper end, as close as four words of zeros."""
            self.taken += 1
            if self.taken == 1:
                return bytes(size // 2) + b"\xff" * (size // 2)
            return b"\xff" * (size // 2) + bytes(size // 2) if self.taken < 6 else b"\xff" * size

    return select(np.array([2 * gap, 0.0]), 1.0, entropy=Lucky()) == 1


def test_no_gap_of_scores_shuts_a_choice_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With noise that ends, one record more can make a choice impossible, which no epsilon allows."""
    assert wins_from_far_behind(30)
    assert wins_from_far_behind(100)
    monkeypatch.setattr(exponential, "gumbel", coarse_gumbel)
    assert not wins_from_far_behind(100)


def test_rounding_is_paid_for() -> None:
    """A selection cheaper than what rounding costs asks nothing of the scores."""
    chosen = [select(np.array([1e12, 0.0]), exponential.ROUNDING, 1e-30) for _ in range(60)]
    assert set(chosen) == {0, 1}
