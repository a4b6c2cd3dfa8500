"""The noise of gradients: a table and a rest that make the law exactly, draws that follow it, streams of their own."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.stats import chisquare, norm
from tests.privacy.gradients.naive import quick

from sfumato.privacy.draws import fresh
from sfumato.privacy.gradients import alias, noise, rare
from sfumato.privacy.gradients.alias import RARE, SCALE, alias_table
from sfumato.privacy.gradients.noise import NoiseWords, discrete_gaussian, noise_like
from sfumato.privacy.gradients.rare import NOWHERE
from sfumato.privacy.randomness import SeededEntropy

ERROR_RATE = 1e-6
HALF = 1 << 15
RHO = Fraction(RARE, 1 << 32)


def words(size: int, seed: int = 0) -> NoiseWords:
    """As training draws them, of one step."""
    return NoiseWords(*(x[0] for x in fresh(1, (1, 1), size, SeededEntropy(seed)).noise))


def of_the_table() -> list[Fraction]:
    """Q, from the thresholds and other values as they are looked up."""
    given = [0] * (2 * HALF)
    for column, entry in enumerate(alias_table().tolist()):
        given[column] += entry >> 16
        given[entry & 0xFFFF] += (1 << 16) - (entry >> 16)
    return [Fraction(parts, 1 << 32) for parts in given]


def of_the_rest() -> list[Fraction]:
    """R, from the cumulative probabilities as they are inverted."""
    cumulative = [0, *alias.rest_table()]
    return [Fraction(b - a, 1 << 128) for a, b in pairwise(cumulative)]


def is_the_law(rho: Fraction) -> bool:
    """Whether (1 - rho) Q + rho R is the law for each value, to 2**-140, in rational arithmetic."""
    mixed = ((1 - rho) * q + rho * r for q, r in zip(of_the_table(), of_the_rest(), strict=True))
    shares = (Fraction(s, 1 << 144) for s in alias._shares())
    return all(abs(m - s) < Fraction(1, 1 << 140) for m, s in zip(mixed, shares, strict=True))


def test_the_table_and_the_rest_give_each_value_its_share() -> None:
    """The planted bugs: without the rest, or with a little too much of it, the law is another one."""
    assert sum(of_the_table()) == sum(of_the_rest()) == 1
    assert min(of_the_rest()) >= 0
    assert is_the_law(RHO)
    assert not is_the_law(Fraction(0))
    assert not is_the_law(RHO + Fraction(1, 1 << 32))


def test_fewer_rare_draws_would_not_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing from 2**32 parts is not negative; with one rare draw in 2**32 less it would be."""
    for fewer in (0, 1):
        monkeypatch.setattr(alias, "_PART", ((1 << 32) - RARE + fewer) << 80)
        assert (sum(s // alias._PART for s in alias._shares()) >= 1 << 32) == (fewer == 0)


def test_without_the_rest_the_ends_are_missing() -> None:
    """Why it matters: values beyond 5.4 scales that the table never gives."""
    missing = [abs(i - HALF) for i, q in enumerate(of_the_table()) if q == 0]
    nearest = min(missing)
    assert nearest < 5.5 * SCALE
    assert all(r > 0 for i, r in enumerate(of_the_rest()) if nearest <= abs(i - HALF) <= 12 * SCALE)


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
    same = one_word._replace(two=one_word.one)
    assert p_value(np.asarray(quick(lambda w: discrete_gaussian(w, 37))(same)), 37) < ERROR_RATE


def test_the_convolution_is_as_close_as_is_said() -> None:
    t = SCALE / math.sqrt(1 + noise.STRIDES**2)
    assert 1 - 2 * math.pi**2 * t**2 / math.log(2) < -111


def naive(asked: NoiseWords, stride: int) -> np.ndarray:
    """x1 + stride x2, draw by draw, as the mixture is defined."""
    table, parts = alias_table(), []
    for i, stream in enumerate((asked.one, asked.two)):
        drawn = []
        for word in np.asarray(stream).tolist():
            entry = int(table[word & 0xFFFF])
            drawn.append(word & 0xFFFF if word >> 16 < entry >> 16 else entry & 0xFFFF)
        for place, column in zip(
            np.asarray(asked.where[i]).tolist(), np.asarray(asked.column[i]).tolist(), strict=True
        ):
            if place != NOWHERE:
                drawn[place] = column
        parts.append(np.array(drawn) - HALF)
    return parts[0] + stride * parts[1]


def test_rare_draws_take_the_place_of_one_draw_each() -> None:
    """Of x1, of x2, of both at one place; all others stay. The planted bugs: left out, or shared by both."""
    asked, stride = words(1000, 3), 100
    where, column = np.full(asked.where.shape, NOWHERE, np.int32), np.zeros(asked.where.shape, np.int32)
    where[0, :3], column[0, :3] = [0, 77, 999], [0, 65_535, 40_000]
    where[1, :3], column[1, :3] = [5, 77, 500], [3, 0, 65_535]
    planted = asked._replace(where=jnp.asarray(where), column=jnp.asarray(column))

    def drawn(of: NoiseWords) -> np.ndarray:
        return np.asarray(quick(lambda w: discrete_gaussian(w, stride))(of))

    right, before = naive(planted, stride), drawn(asked._replace(where=jnp.full_like(asked.where, NOWHERE)))
    np.testing.assert_array_equal(drawn(planted), right)
    assert np.flatnonzero(drawn(planted) != before).tolist() == [0, 5, 77, 500, 999]
    assert drawn(planted)[77] == HALF - 1 - stride * HALF
    assert (before != right).any()
    shared = planted._replace(where=planted.where[jnp.array([0, 0])], column=planted.column[jnp.array([0, 0])])
    assert (drawn(shared) != right).any()


def test_a_step_is_what_its_streams_say() -> None:
    """A whole step as training draws it, with rare draws in both parts, against the mixture's definition."""
    asked = words(600_000, 0)
    assert ((np.asarray(asked.where) != NOWHERE).sum(axis=1) > 0).all()
    drawn = np.asarray(quick(lambda w: discrete_gaussian(w, 221))(asked))
    np.testing.assert_array_equal(drawn, naive(asked, 221))


def test_what_is_not_exact_is_less_than_is_said() -> None:
    """Of each number, in total variation: tables, their rounding, places and numbers of rare draws, the convolution."""
    for numbers in (1, 1000, rare.MOST_NUMBERS):
        slots = rare.slots(numbers)
        found = 2 * 2.0**-127 + 2.0**-111 + 2 * slots * 2.0**-128 + 2 * (slots + 2) * 2.0**-128 / numbers
        assert found < 2.0**-110
        assert slots * 2.0**-126 < 2.0**-112


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
