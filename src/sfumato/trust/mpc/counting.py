"""Tables of two columns at two parties, as additive shares of three: all products are local (Araki et al. 2016).

Write X_p for the one-hots of party p's columns, one row a person, and R_p for a mask of the same shape that p and the
next party p + 1 know. The third, p + 2, is sent X_p - R_p, and knows no R_p. Then

    X_p^T X_(p+1)  =  X_p^T (X_(p+1) - R_(p+1))  +  R_p^T R_(p+1)  +  (X_p - R_p)^T R_(p+1)

is a sum of three products that p, p + 1 and p + 2 make of what each of them has, places counted modulo 3. The first
factor of the first is one-hot, so it takes additions alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from sfumato.errors import FederationError
from sfumato.trust.mpc.ring import WORD, product

PARTIES = 3
"""Replicated shares are of three: each of them lacks one part of every mask."""


_MOST_WIDTH = 1 << 18
"""Cells of a person's one-hots at one party: the smallest block of them takes 64 MB."""
_MOST_CELLS = 1 << 25
"""Of all tables of columns at two parties: 128 MB of shares, and some factors of it while they are added up."""


def after(place: int, by: int = 1) -> int:
    """The party ``by`` places further on, modulo three."""
    return (place + by) % PARTIES


@dataclass(frozen=True)
class OneHotLayout:
    """Where the one-hots of each party's columns lie; public.

    Attributes:
        sizes: by place of the party, the numbers of codes of its columns.
    """

    sizes: tuple[tuple[int, ...], ...]

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Cells of all one-hots of a person, by place."""
        return tuple(map(sum, self.sizes))

    def check(self) -> None:
        """FederationError for more cells than any memory holds; no number of them is taken before."""
        one, two, three = self.widths
        cells = one * two + two * three + three * one
        if max(self.widths) > _MOST_WIDTH or cells > _MOST_CELLS:
            raise FederationError(
                f"all tables of columns at two parties have {cells:,} cells, and at most {_MOST_CELLS:,} are counted,"
                f" of {_MOST_WIDTH:,} codes at a party: declare fewer categories, or coarser steps"
            )

    def span(self, place: int, column: int) -> slice:
        """Where the one-hot of a party's column lies among all of its own."""
        start = sum(self.sizes[place][:column])
        return slice(start, start + self.sizes[place][column])


@dataclass(frozen=True)
class Codes:
    """A block of one party's codes, (n,) a column; private.

    Attributes:
        columns: the codes of each.
        present: (n,) who has a record at this party; the one-hots of all others are zero.
    """

    columns: tuple[np.ndarray, ...]
    present: np.ndarray

    def one_hots(self, sizes: Sequence[int]) -> sparse.csr_array:
        """(n, cells), a one for each column of a person who is present."""
        rows = np.flatnonzero(self.present)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
        cells = np.stack([c[rows].astype(np.int32) + s for c, s in zip(self.columns, starts, strict=True)], axis=1)
        ends = np.cumsum(self.present, dtype=np.int64) * len(self.columns)
        ones = np.ones(cells.size, WORD)
        shape = len(self.present), sum(sizes)
        return sparse.csr_array((ones, cells.ravel(), np.concatenate([[0], ends])), shape=shape)


def masked(one_hots: sparse.csr_array, mask: np.ndarray) -> np.ndarray:
    """X - R, what the party behind the next is sent; uniform to whoever does not know R."""
    return one_hots.toarray() - mask


class ProductShares:
    """One party's additive shares, modulo 2^32, of all tables of two columns at two parties, of all blocks so far.

    Args:
        place: of the party.
        layout: of the one-hots of all.

    *Formal guarantee.* To a party that follows the protocol, what it is given beside its own rows (a mask of each
    neighbour that is drawn without looking at rows, and the masked one-hots of the next, whose mask it does not know)
    has one law whatever the others' rows are: for any two tables of the others there are as many masks that give one
    view as the other. Any two parties together can read the columns of both of them and of the third.
    """

    def __init__(self, place: int, layout: OneHotLayout) -> None:
        self.place, self.layout = place, layout
        self._shares = {
            pair: np.zeros([layout.widths[p] for p in pair], WORD)
            for pair in ((after(p), after(p, 2)) for p in range(PARTIES))
        }

    def add(self, own: sparse.csr_array, mask: np.ndarray, before: np.ndarray, masked_next: np.ndarray) -> None:
        """Take in a block of persons, by what this party has of each of them.

        Args:
            own: its one-hots X (n, cells).
            mask: its own mask R, of the same shape.
            before: the mask of the party before it.
            masked_next: X - R of the party behind it.
        """
        place, following, last = self.place, after(self.place), after(self.place, 2)
        self._shares[place, following] += own.T @ masked_next
        products = product(before, np.concatenate([mask, masked_next], axis=1))
        self._shares[last, place] += products[:, : mask.shape[1]]
        self._shares[following, last] += products[:, mask.shape[1] :].T

    @property
    def size(self) -> int:
        """Bytes of all."""
        return sum(shares.nbytes for shares in self._shares.values())

    def to_bytes(self) -> bytes:
        """All of them, in the order of the parties."""
        return b"".join(shares.tobytes() for shares in self._shares.values())

    def restore(self, data: bytes) -> None:
        """The inverse of :meth:`to_bytes`, for the same layout."""
        start = 0
        for shares in self._shares.values():
            shares[:] = np.frombuffer(data, WORD, shares.size, start).reshape(shares.shape)
            start += shares.nbytes

    def table(self, one: tuple[int, int], other: tuple[int, int]) -> np.ndarray:
        """The share of the table of two columns, each given by its party and its number there; two parties."""
        (p, i), (q, j) = one, other
        if (p, q) not in self._shares:
            return self.table(other, one).T
        return self._shares[p, q][self.layout.span(p, i), self.layout.span(q, j)]
