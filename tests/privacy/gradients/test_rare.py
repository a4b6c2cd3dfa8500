"""Rare draws of a step: their number is binomial, all sets of places are equally likely, values follow the rest."""

from __future__ import annotations

from collections import Counter
from itertools import product

import mpmath
import numpy as np
import pytest
from scipy.stats import chisquare, poisson

from sfumato.privacy.gradients import rare
from sfumato.privacy.gradients.alias import RARE, rest_table
from sfumato.privacy.gradients.rare import NOWHERE, rare_draws, slots, words_needed

ERROR_RATE = 1e-6


def drawn(words: np.ndarray, numbers: int) -> tuple[list[int], list[int]]:
    """Places and columns that are taken."""
    where, column = np.empty(slots(numbers), np.int32), np.empty(slots(numbers), np.int32)
    rare_draws(words, numbers, where, column)
    taken = where != NOWHERE
    return where[taken].tolist(), column[taken].tolist()


def planted(numbers: int, uniform: list[int]) -> np.ndarray:
    """Words whose first numbers of 128 bits are these."""
    words = np.zeros(words_needed(numbers), np.uint32)
    for i, u in enumerate(uniform):
        words[i] = np.frombuffer(u.to_bytes(16, "little"), np.uint32)
    return words


@pytest.mark.parametrize("numbers", [1, 5, 217_000, 1 << 24, 1 << 30])
def test_their_number_is_binomial(numbers: int) -> None:
    """Against 80-digit arithmetic, to 2**-127 for each number and for what is beyond the slots."""
    with mpmath.workdps(80):
        rho = mpmath.mpf(RARE) / 2**32
        total = mpmath.mpf(0)
        for count, below in enumerate(rare._counts(numbers)):
            total += mpmath.binomial(numbers, count) * rho**count * (1 - rho) ** (numbers - count)
            assert abs(mpmath.mpf(below) / 2**128 - total) < mpmath.mpf(2) ** -127
        count = slots(numbers)
        last = mpmath.binomial(numbers, count) * rho**count * (1 - rho) ** (numbers - count)
        assert 1 - total - last < mpmath.mpf(2) ** -127
    assert slots(numbers) <= numbers


def test_all_sets_of_places_are_equally_likely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three of six, for each equally likely choice of Floyd's algorithm: no place is taken twice."""
    numbers = 6
    monkeypatch.setattr(rare, "_counts", lambda _: (0, 0, 0, 1 << 127, 1 << 127, 1 << 127))
    sets = Counter()
    for choices in product(*(range(n) for n in (4, 5, 6))):
        uniform = [0]
        for choice, n in zip(choices, (4, 5, 6), strict=True):
            uniform += [-(-(choice << 128) // n), 0]
        places, _ = drawn(planted(numbers, uniform), numbers)
        assert len(set(places)) == 3
        sets[frozenset(places)] += 1
    assert sorted(sets.values()) == [6] * 20


def test_values_are_the_inverse_of_their_law() -> None:
    """At the edges of a column, to the last bit."""
    law, numbers = rest_table(), 1000
    for column in (4000, 20_000, 32_768, 61_000):
        below, to = law[column - 1], law[column]
        assert below < to
        for uniform, value in ((below, column), (to - 1, column), (below - 1, None), (to, None)):
            found = drawn(planted(numbers, [rare._counts(numbers)[0], 0, uniform]), numbers)[1]
            assert (found == [column]) == (value == column)


def test_how_many_and_which_and_what_by_chance() -> None:
    """Rate, places and values over many steps; each of three checks accuses a right build with probability 1e-6."""
    numbers, steps = 1 << 20, 4000
    rng = np.random.default_rng(0)
    places, columns = [], []
    for words in rng.integers(0, 2**32, (steps, *words_needed(numbers)), dtype=np.uint32):
        found = drawn(words, numbers)
        places += found[0]
        columns += found[1]
    expected = steps * numbers * RARE / 2**32
    low, high = poisson.ppf([ERROR_RATE / 2, 1 - ERROR_RATE / 2], expected)
    assert low <= len(places) <= high
    assert not low <= len(places) / 1.1 <= high, "a tenth more of them would be seen"
    assert chisquare(np.bincount(np.array(places) * 50 // numbers, minlength=50)).pvalue > ERROR_RATE
    edges = list(range(1, 50))
    cells = np.searchsorted(edges, [50 * float(rest_table()[c] >> 64) / 2.0**64 for c in columns])
    assert chisquare(np.bincount(cells, minlength=50)).pvalue > ERROR_RATE
    flat = np.searchsorted(edges, [50 * c / 65_536 for c in columns])
    assert chisquare(np.bincount(flat, minlength=50)).pvalue < ERROR_RATE, "another law would be seen"


@pytest.mark.parametrize("numbers", [-1, (1 << 30) + 1])
def test_more_numbers_than_the_proof_is_for_are_refused(numbers: int) -> None:
    with pytest.raises(ValueError, match="noise is for"):
        slots(numbers)
