"""What an owner makes of its rows for three servers, and what each of them has of it.

Two of the three shares of the one-hots are streams of seeds, so that a server gets 32 bytes in their place. The third
is as large as the one-hots. Seeds are drawn for one sharing, so that no share ever covers two versions of the rows.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy.randomness import KEY_BYTES, SYSTEM, Entropy, expand
from sfumato.trust.mpc.counting import Codes, OneHotLayout
from sfumato.trust.mpc.dealing import blocks, rows_of
from sfumato.trust.mpc.replicated import LAST, components, third
from sfumato.trust.mpc.ring import WORD
from sfumato.trust.secure_sum.identity import SIGNATURE_BYTES
from sfumato.trust.secure_sum.masks import derived

_STREAM = 4  # nonce of ChaCha20; the key of a block of a share has no other use
_OUTSIDE = struct.Struct("<I")
SHARING_BYTES = 32
"""Of what names a sharing: drawn at random, so that no two have one."""
PART_BYTES = 2 * KEY_BYTES + _OUTSIDE.size
"""Of all that a server gets beside the third share."""


@dataclass(frozen=True)
class Cut:
    """How the one-hots of one owner are cut into blocks of persons; public.

    Attributes:
        layout: of the one-hots of all owners.
        owner: place of this one.
        persons: on the list.
    """

    layout: OneHotLayout
    owner: int
    persons: int

    @property
    def blocks(self) -> int:
        """How many there are, the same of all owners."""
        return blocks(self.layout, self.persons)

    def rows(self, block: int) -> slice:
        """The persons of a block."""
        return rows_of(self.layout, self.persons, block)

    def shape(self, block: int) -> tuple[int, int]:
        """Persons of a block, and cells of each."""
        rows = self.rows(block)
        return rows.stop - rows.start, self.layout.widths[self.owner]


def drawn(seed: bytes, cut: Cut, block: int) -> np.ndarray:
    """A block of the share that a seed stands for."""
    out = np.empty(cut.shape(block), WORD)
    expand(derived(seed, b"shared rows" + block.to_bytes(4, "little")), _STREAM, out)
    return out


class RowSharing:
    """One sharing of one owner's rows; whoever has all of it has the rows.

    Args:
        cut: how they are cut.
        codes: the owner's codes, (persons,) a column; private.
        outside: how many persons have a cell outside the facts; private.
        entropy: of the seeds. Another one than the system's is for tests alone.

    Attributes:
        name: ``SHARING_BYTES`` that name the sharing.

    *Formal guarantee.* See ``replicated.TableShares``: what one server is given has one law whatever the rows are.
    """

    def __init__(self, cut: Cut, codes: Codes, outside: int, entropy: Entropy = SYSTEM) -> None:
        self.cut, self._codes = cut, codes
        self.name = entropy.take(SHARING_BYTES)
        self._seeds = [entropy.take(KEY_BYTES) for _ in range(LAST)]
        parts = [int.from_bytes(entropy.take(_OUTSIDE.size), "little") for _ in range(LAST)]
        self._outside = [*parts, (outside - sum(parts)) % (1 << 8 * _OUTSIDE.size)]

    def __repr__(self) -> str:
        return "<sharing of private rows>"

    def part(self, server: int) -> bytes:
        """What a server gets first: the seeds of its shares, zeros in place of the third's, and its part of a count."""
        seeds = [bytes(KEY_BYTES) if share == LAST else self._seeds[share] for share in components(server)]
        return b"".join((*seeds, _OUTSIDE.pack(self._outside[server])))

    def thirds(self) -> Iterator[np.ndarray]:
        """The third share, block by block, which the two servers get that have it."""
        for block in range(self.cut.blocks):
            rows = self.cut.rows(block)
            part = Codes(tuple(c[rows] for c in self._codes.columns), self._codes.present[rows])
            one_hots = part.one_hots(self.cut.layout.sizes[self.cut.owner]).toarray()
            yield third(one_hots, (self._drawn(share, block) for share in range(LAST)))

    def _drawn(self, share: int, block: int) -> np.ndarray:
        return drawn(self._seeds[share], self.cut, block)

    def received(self, server: int) -> ReceivedRows:
        """What a server in this process has of it."""
        return ReceivedRows(self.cut, server, self.name, self.part(server), self.thirds())


@dataclass(frozen=True, repr=False)
class ReceivedRows:
    """What one server has of one owner's rows, to be read once.

    Attributes:
        cut: how they are cut.
        server: its place.
        name: of the sharing.
        part: see :meth:`RowSharing.part`.
        thirds: the third share, block by block; not looked at by the server that lacks it.
    """

    cut: Cut
    server: int
    name: bytes
    part: bytes
    thirds: Iterator[np.ndarray]

    @property
    def outside(self) -> int:
        """This server's part of the count of persons with a cell outside the facts."""
        return _OUTSIDE.unpack_from(self.part, 2 * KEY_BYTES)[0]

    def pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Its two shares, block by block, (n, cells) each."""
        for block in range(self.cut.blocks):
            last = next(self.thirds, None) if LAST in components(self.server) else None
            one, other = (self._share(share, at, block, last) for at, share in enumerate(components(self.server)))
            yield one, other

    def _share(self, share: int, at: int, block: int, last: np.ndarray | None) -> np.ndarray:
        if share != LAST:
            return drawn(self.part[at * KEY_BYTES : (at + 1) * KEY_BYTES], self.cut, block)
        if last is None or last.shape != self.cut.shape(block):
            raise FederationError("shares of another size than their owner's columns have: ask it to share anew")
        return last


def write_sharings(names: Sequence[bytes], agreed: Sequence[bytes]) -> bytes:
    """What a server tells of what was shared to it: names of sharings, and owners' signatures under the plan."""
    return b"".join((*names, *agreed))


def read_sharings(data: bytes, owners: int) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """The inverse of :func:`write_sharings`; FederationError for another number of ``owners``."""
    end = owners * SHARING_BYTES
    if len(data) != end + owners * SIGNATURE_BYTES:
        raise FederationError("a server tells of shares of other owners than the plan names")
    names = tuple(data[start : start + SHARING_BYTES] for start in range(0, end, SHARING_BYTES))
    return names, tuple(data[start : start + SIGNATURE_BYTES] for start in range(end, len(data), SIGNATURE_BYTES))


def sharing_label(codec: bytes, names: Sequence[bytes]) -> bytes:
    """SHA-256 of the codec (its hash) and of the sharings of all owners, in order.

    Masks of an opened sum are made for it: servers that have shares of other sharings open nothing together, for what
    is left of these tells of rows.
    """
    return hashlib.sha256(b"sfumato sharings 1" + codec + b"".join(names)).digest()
