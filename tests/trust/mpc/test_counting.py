"""Shares of tables add up to the tables, and what a party sees is as likely under any rows of the others.

The view test is exact: under other rows of the others, with masks that absorb the difference in the streams that the
party does not know, everything that it is given is the same to the byte. So what it sees says nothing of these rows,
beside the sizes that are public.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sfumato.trust.mpc.counting import PARTIES, Codes, OneHotLayout, ProductShares, after, masked
from sfumato.trust.mpc.ring import WORD

LAYOUT = OneHotLayout(((3, 2), (4,), (5, 2, 2)))
ROWS = 50


def codes_of(seed: int) -> list[Codes]:
    rng = np.random.default_rng(seed)
    return [
        Codes(tuple(rng.integers(0, s, ROWS).astype(np.uint8) for s in sizes), rng.random(ROWS) < 0.9)
        for sizes in LAYOUT.sizes
    ]


def masks_of(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 2**32, (ROWS, width), dtype=np.uint32) for width in LAYOUT.widths]


def one_hots(codes: list[Codes]) -> list[np.ndarray]:
    return [c.one_hots(s).toarray() for c, s in zip(codes, LAYOUT.sizes, strict=True)]


def shares_of(codes: list[Codes], masks: list[np.ndarray]) -> list[ProductShares]:
    own = [c.one_hots(s) for c, s in zip(codes, LAYOUT.sizes, strict=True)]
    made = []
    for place in range(PARTIES):
        shares, following = ProductShares(place, LAYOUT), after(place)
        shares.add(own[place], masks[place], masks[after(place, 2)], masked(own[following], masks[following]))
        made.append(shares)
    return made


APART = [
    (one, other)
    for one in [(0, 0), (0, 1), (1, 0), (2, 1)]
    for other in [(0, 1), (1, 0), (2, 0), (2, 2)]
    if one[0] != other[0]
]
"""Columns at two parties."""


@pytest.mark.parametrize(("one", "other"), APART)
def test_shares_add_up_to_the_table(one: tuple[int, int], other: tuple[int, int]) -> None:
    codes = codes_of(1)
    added = sum(shares.table(one, other).astype(np.int64) for shares in shares_of(codes, masks_of(2))) % 2**32
    (p, i), (q, j) = one, other
    both = codes[p].present & codes[q].present
    expected = np.zeros((LAYOUT.sizes[p][i], LAYOUT.sizes[q][j]), int)
    np.add.at(expected, (codes[p].columns[i][both], codes[q].columns[j][both]), 1)
    assert added.tolist() == expected.tolist()


def view(place: int, codes: list[Codes], masks: list[np.ndarray]) -> tuple[bytes, ...]:
    """All that the party at ``place`` is given: its own mask and that of the party before, and the masked one-hots."""
    following, last = after(place), after(place, 2)
    sent = masked(codes[following].one_hots(LAYOUT.sizes[following]), masks[following])
    return masks[place].tobytes(), masks[last].tobytes(), sent.tobytes()


@pytest.mark.parametrize("place", range(PARTIES))
def test_a_party_sees_the_same_under_any_rows_of_the_others(place: int) -> None:
    codes, masks, others = codes_of(1), masks_of(2), codes_of(3)
    others[place] = codes[place]
    unseen = after(place)  # whose mask it does not know
    differs = one_hots(others)[unseen] - one_hots(codes)[unseen]
    coupled = [mask + differs if p == unseen else mask for p, mask in enumerate(masks)]
    assert view(place, codes, masks) == view(place, others, coupled)
    assert view(place, codes, masks) != view(place, others, masks)  # what is sent does hang on rows and mask


@pytest.mark.parametrize("place", range(PARTIES))
def test_the_other_two_shares_are_uniform_given_the_own_one(place: int) -> None:
    """A mask that the party does not know is in each of them: of 2,000 draws, the upper bits fill 16 bins evenly.

    Error rate: 3 tests of chance 1e-6 each. An offset of 5 percent of one bin is seen with chance above one half.
    """
    codes = codes_of(1)
    drawn = [shares_of(codes, masks_of(seed)) for seed in range(2000)]
    following = after(place)
    cells = [shares[following].table((place, 0), (following, 0))[0, 0] >> np.uint32(28) for shares in drawn]
    assert stats.chisquare(np.bincount(cells, minlength=16)).pvalue > 1e-6


def test_nobody_present_leaves_one_hots_empty() -> None:
    codes = Codes((np.zeros(4, np.uint8), np.ones(4, np.uint8)), np.zeros(4, bool))
    assert codes.one_hots((3, 2)).toarray().tolist() == np.zeros((4, 5), WORD).tolist()
