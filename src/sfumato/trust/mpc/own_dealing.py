"""What one party has of a dealing, and how a complete one is kept for the next set-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sfumato.trust.mpc.counting import Codes, OneHotLayout, ProductShares
from sfumato.trust.mpc.dealing import blocks, rows_of
from sfumato.trust.secure_sum.terms import HASH_BYTES


class KeepsShares(Protocol):
    """A place where a party alone can read what it keeps, one dealing at a time."""

    def keep(self, bound: bytes, data: bytes) -> None:
        """Keep ``data`` in place of the last, to be found for the same ``bound`` alone."""
        ...

    def find(self, bound: bytes, size: int) -> bytes | None:
        """The ``size`` bytes that were kept for ``bound``; None where there are none, or anything else."""
        ...


@dataclass
class OwnDealing:
    """One dealing: all columns, seen through maps, block by block.

    Attributes:
        label: SHA-256 of what all parties were told; masks and seals are made for it.
        id: of the dealing, the same at all parties, and of no other dealing of any run.
        maps: one per column of the domain.
        own: this party's codes through them.
        shares: of the tables, of all blocks so far.
        dealt, taken: blocks that were sent, and that were received and added up.
    """

    label: bytes
    id: bytes
    maps: tuple[np.ndarray, ...]
    own: Codes
    shares: ProductShares
    dealt: int = 0
    taken: int = 0

    @property
    def layout(self) -> OneHotLayout:
        """Where one-hots lie."""
        return self.shares.layout

    def rows(self, block: int) -> slice:
        """The persons of a block."""
        return rows_of(self.layout, len(self.own.present), block)

    @property
    def blocks(self) -> int:
        """How many there are."""
        return blocks(self.layout, len(self.own.present))

    @property
    def kept_bytes(self) -> int:
        """Size of :meth:`to_bytes`."""
        return HASH_BYTES + self.shares.size

    def to_bytes(self) -> bytes:
        """A complete dealing: its id, and this party's shares of all tables. Private."""
        return self.id + self.shares.to_bytes()

    def restore(self, kept: bytes) -> None:
        """Be the complete dealing that ``kept`` holds."""
        self.id = kept[:HASH_BYTES]
        self.shares.restore(kept[HASH_BYTES:])
        self.dealt = self.taken = self.blocks
