"""Tables of columns that none of three servers has: products of replicated shares are local (Araki et al. 2016).

Write X for the one-hots of all columns, a row a person, and X = x_0 + x_1 + x_2 modulo 2^32 for shares of which x_0 and
x_1 are drawn without looking at X. Server i has x_i and x_(i+1), places counted modulo 3. All two-way tables are in

    X^T X  =  sum over i of  x_i^T x_i + x_i^T x_(i+1) + x_(i+1)^T x_i,

and server i has all that the i-th term is made of. The first column sums, likewise: server i adds up x_i.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sfumato.errors import FederationError
from sfumato.trust.mpc.counting import PARTIES, OneHotLayout, after
from sfumato.trust.mpc.ring import WORD, product

_MOST_WIDTH = 1 << 12
"""Cells of a person's one-hots at all owners together: a server has the square of it twice, 128 MB."""


def components(server: int) -> tuple[int, int]:
    """Which of the three shares a server has."""
    return server, after(server)


def check_width(layout: OneHotLayout) -> None:
    """FederationError for more cells than servers multiply; no number of them is taken before."""
    if sum(layout.widths) > _MOST_WIDTH:
        raise FederationError(
            f"all columns together have {sum(layout.widths):,} codes, and servers multiply at most {_MOST_WIDTH:,}:"
            " declare fewer categories, or coarser steps"
        )


class TableShares:
    """One server's additive shares, modulo 2^32, of all tables of one and of two columns, of all blocks so far.

    Args:
        layout: of the one-hots of each owner.

    *Formal guarantee.* What a server has is two of three shares, any two of which have one law whatever X is: for any
    rows of the owners there are as many of the third that give one view as for any other rows. Any two servers together
    have all three, and read X.
    """

    def __init__(self, layout: OneHotLayout) -> None:
        width = sum(layout.widths)
        self.layout = layout
        self._starts = [sum(layout.widths[:place]) for place in range(len(layout.widths))]
        self._products, self._sums = np.zeros((width, width), WORD), np.zeros(width, WORD)

    def add(self, own: np.ndarray, following: np.ndarray) -> None:
        """Take in a block of persons: the shares x_i and x_(i+1), (n, cells) each, of all owners side by side."""
        self._products += product(own, own + following)
        self._products += product(following, own)
        self._sums += own.sum(axis=0, dtype=WORD)

    def table(self, *columns: tuple[int, int]) -> np.ndarray:
        """The share of the table of one or two columns, each given by its owner and its number there."""
        spans = [self._span(*column) for column in columns]
        return self._sums[spans[0]] if len(spans) == 1 else self._products[spans[0], spans[1]]

    def _span(self, owner: int, column: int) -> slice:
        start, own = self._starts[owner], self.layout.span(owner, column)
        return slice(start + own.start, start + own.stop)


def third(one_hots: np.ndarray, drawn: Iterator[np.ndarray]) -> np.ndarray:
    """The last of the three shares, given the two that were drawn; uniform to whoever lacks one of these."""
    rest = one_hots.astype(WORD)
    for share in drawn:
        rest -= share
    return rest


LAST = PARTIES - 1
"""Which share follows from the rows and the other two."""
