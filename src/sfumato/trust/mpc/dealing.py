"""What three parties are asked for before tables of columns at two of them: to deal out their masked one-hots.

The coordinator tells all of them by which public maps their codes are seen, then has each block of persons dealt: each
party seals its masked one-hots for the one behind the next, and the coordinator carries what it cannot read. A block is
added up and forgotten, so that memory hangs on no number of rows.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError, QuestionError
from sfumato.trust.mpc.counting import OneHotLayout
from sfumato.trust.mpc.ring import MOST_ROWS, WORD
from sfumato.trust.questions import Count, Marginals, Query, SumQuestion, from_bytes
from sfumato.trust.secure_sum.one_use import TAG_BYTES

_BLOCK = struct.Struct("<I")
_BLOCK_BYTES = 1 << 23
"""Of a block's masked one-hots at the party that has most: a message, and a few factors of it, fit any memory."""
_LEAST_ROWS = 1 << 6
"""Of a block, however wide its one-hots are."""


def block_bytes(block: int) -> bytes:
    """The number of a block as a call carries it."""
    return _BLOCK.pack(block)


def block_of(data: bytes) -> int:
    """The inverse of :func:`block_bytes`; FederationError."""
    if len(data) != _BLOCK.size:
        raise FederationError("a call that names no block; nothing is dealt")
    return _BLOCK.unpack(data)[0]


def dealing_label(plan: bytes, codec: bytes, maps: bytes) -> bytes:
    """SHA-256 of what all parties were told before they dealt: plan, codec (their hashes) and maps.

    Masks and seals of one-hots are made for it.
    """
    return hashlib.sha256(plan + codec + maps).digest()


def dealing_id(label: bytes, run: bytes) -> bytes:
    """SHA-256 of the label of a dealing and of what names the ``run`` of its masks: no two dealings have one.

    Masks of an opened sum are made for it: shares of other dealings do not cancel, also where parties were told the
    same, and whoever knows some of their masks would read the rows off what is left.
    """
    return hashlib.sha256(b"sfumato dealing 1" + label + run).digest()


def block_rows(layout: OneHotLayout) -> int:
    """Persons of a block: a power of two, from public sizes alone."""
    each = WORD.itemsize * max(layout.widths)
    return min(MOST_ROWS, max(_LEAST_ROWS, 1 << (max(1, _BLOCK_BYTES // each).bit_length() - 1)))


def blocks(layout: OneHotLayout, persons: int) -> int:
    """How many of them there are."""
    return -(-persons // block_rows(layout))


def rows_of(layout: OneHotLayout, persons: int, block: int) -> slice:
    """The persons of a block."""
    each = block_rows(layout)
    return slice(block * each, min((block + 1) * each, persons))


def sealed_block(layout: OneHotLayout, persons: int, place: int, block: int) -> int:
    """Bytes of a sealed block of the party at ``place``."""
    rows = rows_of(layout, persons, block)
    return (rows.stop - rows.start) * layout.widths[place] * WORD.itemsize + TAG_BYTES


def maps_bytes(maps: Sequence[np.ndarray]) -> bytes:
    """Maps code -> coarser code, one per column, as bytes: the question for the tables of the columns through them."""
    return Marginals(tuple(Query((i,), (m,)) for i, m in enumerate(maps))).to_bytes()


def maps_of(data: bytes, domain: Domain) -> tuple[np.ndarray, ...]:
    """The inverse of :func:`maps_bytes`; FederationError for anything else than a map for each column of ``domain``."""
    try:
        question = from_bytes(data)
        question.check(domain)
    except QuestionError as error:
        raise FederationError(str(error)) from None
    if not isinstance(question, Marginals) or question.outside or len(question.queries) != len(domain):
        raise FederationError("parties are told of one map for each column; nothing is dealt")
    maps = []
    for position, query in enumerate(question.queries):
        if query.clique != (position,) or query.groups is None:
            raise FederationError("parties are told of one map for each column, in order; nothing is dealt")
        maps.append(query.groups[0])
    return tuple(maps)


def check_counted(question: SumQuestion, who: str) -> None:
    """FederationError for a question of anything but counts and tables, which is all that ``who`` answer."""
    if not isinstance(question, Count | Marginals) or (isinstance(question, Marginals) and question.outside):
        raise FederationError(f"{who} answer counts and tables alone")


def check_degree(query: Query) -> None:
    """FederationError for a table on shares that is of more than two columns."""
    if len(query.clique) > 2:
        raise FederationError("tables on shares, as of columns at several parties, are of two columns; ask for those")


def through(groups: np.ndarray, dealt: np.ndarray) -> np.ndarray:
    """The map from dealt codes to those of a table, where ``groups`` (codes,) is it after the map ``dealt`` (codes,).

    FederationError where two codes that were dealt as one are in two groups: then other shares are needed.
    """
    found = np.zeros(int(dealt.max()) + 1, np.int64)
    found[dealt] = groups
    if (found[dealt] != groups).any():
        raise FederationError("a table finer than the codes that were dealt; deal anew")
    return found


def sealed_for(sealed: Mapping[int, bytes], place: int) -> bytes:
    """What the other parties sealed for the one at ``place``, by theirs; each gave as much for each other, in order."""
    found = []
    for sender in sorted(sealed):
        receivers = [p for p in sorted(sealed) if p != sender]
        size = len(sealed[sender]) // len(receivers)
        if sender != place:
            number = receivers.index(place)
            found.append(sealed[sender][number * size : (number + 1) * size])
    return b"".join(found)
