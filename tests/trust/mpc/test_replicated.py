"""Products of replicated shares add up to all tables, and one server's view has one law whatever the rows are.

The view test is exact: under other rows, with a share that absorbs the difference in the stream that a server does not
have, everything that it is given is the same to the byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from sfumato.errors import FederationError
from sfumato.trust.mpc import dealing, replicated
from sfumato.trust.mpc.counting import Codes, OneHotLayout
from sfumato.trust.mpc.replicated import TableShares, check_width
from sfumato.trust.mpc.ring import WORD
from sfumato.trust.mpc.row_sharing import Cut, RowSharing

LAYOUT = OneHotLayout(((3, 2), (4, 2, 5)))
"""Two owners."""
ROWS = 70


@pytest.fixture(autouse=True)
def two_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "_BLOCK_BYTES", 1)


def codes_of(seed: int) -> list[Codes]:
    rng = np.random.default_rng(seed)
    return [
        Codes(tuple(rng.integers(0, s, ROWS).astype(np.uint8) for s in sizes), rng.random(ROWS) < 0.9)
        for sizes in LAYOUT.sizes
    ]


def sharings(codes: Sequence[Codes], outside: int = 7) -> list[RowSharing]:
    return [RowSharing(Cut(LAYOUT, owner, ROWS), own, outside) for owner, own in enumerate(codes)]


def tables(made: Sequence[RowSharing]) -> list[TableShares]:
    shares = []
    for server in range(3):
        shares.append(TableShares(LAYOUT))
        for pairs in zip(*(one.received(server).pairs() for one in made), strict=True):
            shares[-1].add(*(np.concatenate([pair[at] for pair in pairs], axis=1) for at in (0, 1)))
    return shares


COLUMNS = [(owner, i) for owner, sizes in enumerate(LAYOUT.sizes) for i in range(len(sizes))]


@pytest.mark.parametrize("one", COLUMNS, ids=str)
def test_shares_add_up_to_all_tables(one: tuple[int, int]) -> None:
    codes = codes_of(1)
    shares = tables(sharings(codes))
    own, column = codes[one[0]], codes[one[0]].columns[one[1]]
    counts = np.bincount(column[own.present], minlength=LAYOUT.sizes[one[0]][one[1]])
    assert (sum(s.table(one).astype(np.int64) for s in shares) % 2**32).tolist() == counts.tolist()
    for other in COLUMNS:
        if other != one:
            both = own.present & codes[other[0]].present
            expected = np.zeros((len(counts), LAYOUT.sizes[other[0]][other[1]]), int)
            np.add.at(expected, (column[both], codes[other[0]].columns[other[1]][both]), 1)
            assert (sum(s.table(one, other).astype(np.int64) for s in shares) % 2**32).tolist() == expected.tolist()


def test_parts_of_a_count_add_up_to_it() -> None:
    (first, _) = sharings(codes_of(1), outside=31)
    assert sum(first.received(server).outside for server in range(3)) % 2**32 == 31


class Coupled(RowSharing):
    """A sharing with the seeds of another, whose share ``unseen`` is the other's plus a difference of one-hots."""

    def __init__(self, other: RowSharing, codes: Codes, unseen: int) -> None:
        super().__init__(other.cut, codes, 0)
        self._other, self._unseen = other, unseen
        self.name, self._seeds, self._outside = other.name, other._seeds, other._outside

    def _drawn(self, share: int, block: int) -> np.ndarray:
        found = super()._drawn(share, block)
        return found + self._difference(block) if share == self._unseen else found

    def _difference(self, block: int) -> np.ndarray:
        rows, sizes = self.cut.rows(block), LAYOUT.sizes[self.cut.owner]
        mine, others = (
            Codes(tuple(c[rows] for c in one.columns), one.present[rows]).one_hots(sizes).toarray()
            for one in (self._codes, self._other._codes)
        )
        return mine - others


def view(server: int, made: Sequence[RowSharing]) -> list[bytes]:
    """All that a server is given: names, parts, and the third shares where it has them."""
    seen = [piece for one in made for piece in (one.name, one.part(server))]
    return seen + ([third.tobytes() for one in made for third in one.thirds()] if server else [])


@pytest.mark.parametrize("server", range(3))
def test_a_server_sees_the_same_under_any_rows(server: int) -> None:
    made, others = sharings(codes_of(1)), codes_of(3)
    unseen = (server + 2) % 3
    coupled = [Coupled(one, own, unseen) for one, own in zip(made, others, strict=True)]
    assert view(server, coupled) == view(server, made)
    if server:  # what is sent does hang on rows and shares
        assert view(server, [Coupled(one, own, -1) for one, own in zip(made, others, strict=True)]) != view(
            server, made
        )


def test_two_servers_read_everything() -> None:
    """As is said: it is no guarantee, and where it were not so, the view test would have tested nothing."""
    codes = codes_of(1)
    for one, own in zip(sharings(codes), codes, strict=True):
        first, second = (list(one.received(server).pairs()) for server in (0, 1))
        read = np.concatenate([a + b + c for (a, b), (_, c) in zip(first, second, strict=True)])
        assert read.tolist() == own.one_hots(LAYOUT.sizes[one.cut.owner]).toarray().tolist()


def test_no_share_covers_two_sharings_two_blocks_or_two_owners() -> None:
    codes = codes_of(1)
    blocks = [
        one._drawn(share, block)[:5, :5]
        for one in sharings(codes) + sharings(codes)
        for share in (0, 1)
        for block in (0, 1)
    ]
    assert len({block.tobytes() for block in blocks}) == len(blocks)


def test_a_third_share_fills_the_ring_evenly() -> None:
    """Upper bits of 20,000 numbers in 16 bins; error rate 1e-6, an offset of 5 % of a bin is seen half the time."""
    (first, _) = sharings(codes_of(1))
    drawn = np.concatenate([t.ravel() for _ in range(60) for t in sharings(codes_of(1))[0].thirds()])
    assert first.cut.blocks == 2
    assert stats.chisquare(np.bincount(drawn >> np.uint32(28), minlength=16)).pvalue > 1e-6
    assert drawn.dtype == WORD


def test_shares_of_another_size_are_refused() -> None:
    (first, _) = sharings(codes_of(1))
    received = first.received(1)
    thirds = [next(received.thirds)[:-1]]
    with pytest.raises(FederationError, match="of another size"):
        list(type(received)(first.cut, 1, first.name, first.part(1), iter(thirds)).pairs())
    with pytest.raises(FederationError, match="of another size"):
        list(type(received)(first.cut, 2, first.name, first.part(2), iter([])).pairs())


def test_more_cells_than_servers_multiply_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_width(LAYOUT)
    monkeypatch.setattr(replicated, "_MOST_WIDTH", 15)
    with pytest.raises(FederationError, match="16 codes, and servers multiply at most 15"):
        check_width(LAYOUT)
