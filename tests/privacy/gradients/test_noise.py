"""The noise of gradients: an exact table, draws that follow their law, ties by all bits, and streams of their own."""

from __future__ import annotations

import math

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.stats import chisquare, norm
from tests.privacy.gradients.naive import quick

from sfumato.privacy.gradients import alias, noise
from sfumato.privacy.gradients.alias import SCALE, alias_table
from sfumato.privacy.gradients.noise import SPARE, NoiseWords, discrete_gaussian, noise_like

ERROR_RATE = 1e-6
HALF = 1 << 15


def words(size: int, seed: int = 0) -> NoiseWords:
    rng = np.random.default_rng(seed)
    columns, one, two = (jnp.asarray(rng.integers(0, 2**32, size), jnp.uint32) for _ in range(3))
    return NoiseWords(columns, one, two, jnp.asarray(rng.integers(0, 2**32, (SPARE, 6)), jnp.uint32))


def threshold(column: int) -> int:
    table = alias_table()
    return int(table.first[column]) << 96 | sum(
        int(w) << s for w, s in zip(table.rest[column], (64, 32, 0), strict=True)
    )


def test_the_table_gives_each_value_its_share_exactly() -> None:
    """In whole numbers: what columns give adds up to the shares, and these to one."""
    given = [0] * (2 * HALF)
    for column, other in enumerate(alias_table().other):
        given[column] += threshold(column)
        given[int(other)] += (1 << 128) - threshold(column)
    shares = alias._shares()
    assert given == shares
    assert sum(shares) == 1 << 144


def test_the_shares_are_the_discrete_gaussian() -> None:
    """Against 70-digit arithmetic: total variation below 2**-127, what lies beyond the ends included."""
    with mpmath.workdps(70):
        weights = [mpmath.exp(-mpmath.mpf(k * k) / (2 * mpmath.mpf(SCALE) ** 2)) for k in range(HALF + 3000)]
        total = weights[0] + 2 * mpmath.fsum(weights[1:])
        beyond = 2 * mpmath.fsum(weights[HALF:]) / total
        shares = alias._shares()
        inside = mpmath.fsum(abs(mpmath.mpf(s) / 2**144 - weights[abs(i - HALF)] / total) for i, s in enumerate(shares))
        assert (inside + beyond) / 2 < mpmath.mpf(2) ** -127


def p_value(drawn: np.ndarray, stride: int) -> float:
    """The smaller of two chi-squares: a hundred cells of equal probability, and residues by the stride."""
    edges = norm.ppf(np.arange(1, 100) / 100) * SCALE * math.sqrt(1 + stride**2)
    cells = chisquare(np.bincount(np.searchsorted(edges, drawn), minlength=100)).pvalue
    return float(min(cells, chisquare(np.bincount(drawn % stride, minlength=stride)).pvalue)) if stride > 1 else cells


@pytest.mark.parametrize("stride", [1, 37, 1199])
def test_draws_follow_the_law(stride: int) -> None:
    drawn = np.asarray(quick(lambda w: discrete_gaussian(w, stride))(words(600_000)))
    assert drawn.dtype == np.int32
    assert p_value(drawn, stride) > ERROR_RATE


def test_a_stride_that_is_charged_and_not_drawn_is_caught() -> None:
    drawn = np.asarray(quick(lambda w: discrete_gaussian(w, 36))(words(600_000)))
    assert p_value(drawn, 37) < ERROR_RATE
    one_word = words(600_000)
    same = one_word._replace(columns=one_word.columns & 0xFFFF | one_word.columns << 16, two=one_word.one)
    assert p_value(np.asarray(quick(lambda w: discrete_gaussian(w, 37))(same)), 37) < ERROR_RATE


def test_the_convolution_is_as_close_as_is_said() -> None:
    t = SCALE / math.sqrt(1 + noise.STRIDES**2)
    assert 1 - 2 * math.pi**2 * t**2 / math.log(2) < -111


@pytest.mark.parametrize(("below", "gives_itself"), [(True, True), (False, False)])
@pytest.mark.parametrize("draw", ["one", "two"])
def test_where_32_bits_do_not_decide_the_next_96_do(below: bool, gives_itself: bool, draw: str) -> None:
    """A comparison of each draw that is open at 32 bits, at a place of its own; the planted spare words decide it."""
    column = next(c for c in range(HALF, 2 * HALF) if 0 < threshold(c) % 2**96 < 2**96 - 1)
    asked = words(1000, 3)
    place, stride = 77, 100
    shift = 0 if draw == "one" else 16
    kept = int(asked.columns[place]) & ~(0xFFFF << shift)
    rest = threshold(column) % 2**96 - below
    spare = [rest >> 64 & 0xFFFFFFFF, rest >> 32 & 0xFFFFFFFF, rest & 0xFFFFFFFF]
    planted = asked._replace(
        columns=asked.columns.at[place].set(kept | column << shift),
        spare=asked.spare.at[0, slice(0, 3) if draw == "one" else slice(3, 6)].set(jnp.asarray(spare, jnp.uint32)),
        **{draw: getattr(asked, draw).at[place].set(int(alias_table().first[column]))},
    )
    drawn = np.asarray(quick(lambda w: discrete_gaussian(w, stride))(planted))
    before = np.asarray(quick(lambda w: discrete_gaussian(w, stride))(asked))
    value = (column if gives_itself else int(alias_table().other[column])) - HALF
    other = 16 - shift
    partner = (int(asked.columns[place]) >> other) & 0xFFFF
    word = int((asked.two if draw == "one" else asked.one)[place])
    beside = (partner if word < int(alias_table().first[partner]) else int(alias_table().other[partner])) - HALF
    assert drawn[place] == (value + stride * beside if draw == "one" else beside + stride * value)
    assert (np.delete(drawn, place) == np.delete(before, place)).all()


def test_leaves_get_their_own_noise() -> None:
    shapes = {"a": jnp.zeros((50, 40), jnp.int32), "b": jnp.zeros(2000, jnp.int32)}
    drawn = quick(lambda w: noise_like(shapes, w, 10))(words(noise.padded(4000)))
    a, b = np.asarray(drawn["a"], float).ravel(), np.asarray(drawn["b"], float)
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.12
    assert abs(a.std() / (SCALE * math.sqrt(101)) - 1) < 0.1


def test_sums_wrap_at_32_bits_and_nothing_is_lost() -> None:
    whole, noise_ = jnp.asarray([2**31 - 5, -(2**31) + 3], jnp.int32), jnp.asarray([100, -100], jnp.int32)
    back = quick(lambda a, b: (a + b) - b)(whole, noise_)
    np.testing.assert_array_equal(np.asarray(back), np.asarray(whole))
    assert (np.abs(np.asarray(quick(lambda a, b: a + b)(whole, noise_)) - np.asarray(whole, np.int64)) > 2**31).all()
