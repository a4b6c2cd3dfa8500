"""Grids depend on bounds alone, cover them without gaps, and keep the bounds apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.encoding.calendar import calendar_grid
from sfumato.encoding.grid import EXACT_LIMIT, Grid, grid

BOUND = st.integers(-(10**12), 10**12)


@settings(max_examples=150, deadline=None)
@given(ends=st.tuples(BOUND, BOUND), scale=st.sampled_from(["auto", "linear", "significant"]), seed=st.integers(0, 99))
def test_every_tick_has_a_code_that_draws_it_back_into_its_interval(
    ends: tuple[int, int], scale: str, seed: int
) -> None:
    low, high = sorted(ends)
    made = grid(low, high, scale)
    rng = np.random.default_rng(seed)
    ticks = np.concatenate([rng.integers(low, high, 50, endpoint=True), [low, high]])
    codes = made.codes(ticks)
    assert codes.min() >= 0
    assert codes.max() == made.size - 1
    drawn = made.draw(codes, rng)
    assert drawn.min() >= low
    assert drawn.max() <= high
    np.testing.assert_array_equal(made.codes(drawn), codes)
    assert (np.diff(made.edges) > 0).all()


def test_narrow_ranges_are_exact_and_wide_ones_round() -> None:
    assert grid(17, 90).exact
    assert grid(0, 511).size == 512
    wide = grid(0, 4500)
    assert wide.size < EXACT_LIMIT + 2
    assert set(np.diff(wide.edges[2:-1])) == {10}
    money = grid(0, 99_999)
    assert [int(e) for e in money.edges[[0, 1, 99, 100, 101, 190, 191]]] == [0, 1, 99, 100, 110, 1000, 1100]


@pytest.mark.parametrize("bounds", [(0, 99_999), (0, 1234), (-9000, 1_341_000)])
def test_both_bounds_have_a_code_of_their_own(bounds: tuple[int, int]) -> None:
    made = grid(*bounds)
    alone = made.codes(np.array(bounds))
    rng = np.random.default_rng(0)
    assert set(made.draw(np.repeat(alone, 100), rng)) == set(bounds)


def test_values_below_zero_mirror_those_above() -> None:
    made = grid(-99_999, 99_999)
    ticks = np.array([7, 150, 7654, 50_001])
    up, down = made.codes(ticks), made.codes(-ticks)
    zero = made.codes(np.array([0]))[0]
    np.testing.assert_array_equal(up - zero, zero - down)


def test_drawing_within_a_condition_stays_within() -> None:
    made = grid(0, 99_999)
    mask = made.overlapping(1234, 1256)
    codes = np.repeat(np.flatnonzero(mask), 200)
    drawn = made.draw(codes, np.random.default_rng(0), (1234, 1256))
    assert (drawn.min(), drawn.max()) == (1234, 1256)


@pytest.mark.parametrize(
    ("days", "width"), [(500, 1), (3000, 7), (12_000, {28, 29, 30, 31}), (40_000, {90, 91, 92}), (150_000, {365, 366})]
)
def test_calendar_intervals_begin_where_peoples_do(days: int, width: int | set[int]) -> None:
    made = calendar_grid(-200, days - 200, 86400)
    inner = np.diff(made.edges[2:-1])
    assert set(inner) <= ({width} if isinstance(width, int) else width)
    assert made.size <= EXACT_LIMIT + 2


@pytest.mark.parametrize("span", [300, 20_000, 400_000, 3_000_000, 10**8, 10**9, 10**10, 10**11])
def test_calendars_of_seconds_are_coarse_enough(span: int) -> None:
    made = calendar_grid(0, span, 1)
    assert isinstance(made, Grid)
    assert made.size <= EXACT_LIMIT + 2
