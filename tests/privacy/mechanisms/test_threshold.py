"""Keys of an open domain: one unit's keys show no more often than delta says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from sfumato.privacy.events import Threshold
from sfumato.privacy.mechanisms.discrete_gaussian import draw
from sfumato.privacy.mechanisms.threshold import leak, plan, release

RUNS = 400_000
ERROR_RATE = 1e-6


def shown(event: Threshold, rows_per_key: list[int], threshold: int | None = None) -> int:
    """In how many of RUNS some key that only the unit holds is shown: the worst neighbours there are."""
    noisy = draw(RUNS * len(rows_per_key), event.sigma).reshape(RUNS, -1) + np.array(rows_per_key)
    return int((noisy >= (threshold or event.threshold)).any(axis=1).sum())


@pytest.mark.parametrize(("sensitivity", "rows"), [(1, [1]), (3, [1, 1, 1]), (3, [3]), (3, [2, 1])])
@pytest.mark.parametrize("sigma", [0.8, 3.0])
def test_a_unit_alone_shows_at_most_delta(sigma: float, sensitivity: int, rows: list[int]) -> None:
    event = plan(sigma, 0.01, sensitivity)
    assert event.delta <= 0.01
    assert shown(event, rows) <= binom.isf(ERROR_RATE, RUNS, event.delta)


def test_delta_is_tight_and_its_test_catches_a_threshold_one_lower() -> None:
    event = plan(3.0, 0.01)
    assert shown(event, [1]) >= binom.ppf(ERROR_RATE, RUNS, event.delta)
    assert shown(event, [1], event.threshold - 1) > binom.isf(ERROR_RATE, RUNS, event.delta)


def test_the_test_catches_a_bound_that_forgets_the_unit_has_several_rows() -> None:
    assert shown(plan(3.0, 0.01, sensitivity=1), [3]) > binom.isf(ERROR_RATE, RUNS, 0.01)


@pytest.mark.parametrize("sigma", [0.5, 5.0, 60.0])
@pytest.mark.parametrize("delta", [1e-6, 1e-12])
def test_the_threshold_is_the_smallest(sigma: float, delta: float) -> None:
    event = plan(sigma, delta, 4)
    assert leak(sigma, event.threshold, 4) <= delta < leak(sigma, event.threshold - 1, 4)


def test_frequent_keys_show_and_absent_ones_never() -> None:
    event = plan(5.0, 1e-9)
    out = release({"b": 10_000, "a": 5_000, "ZEBRA": 1}, event)
    assert list(out) == ["a", "b"]
    assert abs(out["b"] - 10_000) < 60
    assert release({}, event) == {}


def test_no_count_below_the_threshold_is_shown() -> None:
    """Of 20,000 keys about the threshold, and noise of scale 5, hundreds come out one below it where that is shown."""
    event = plan(5.0, 1e-9)
    out = release({str(i): event.threshold for i in range(20_000)}, event)
    assert min(out.values()) == event.threshold
    assert abs(len(out) - 10_800) < 600


def test_a_threshold_that_claims_too_little_delta_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a larger delta"):
        release({"a": 1}, Threshold(5.0, 20, 1e-12))
