"""Replicated shares of three parties, made by ours: 8 bytes a number, to one party (Araki et al. 2016).

A number is the sum of three components modulo 2^64; the party of rank r holds the r-th and the next. Each two
neighbours share a seed, from which both draw what both hold, and only the third component is sent.
"""

from __future__ import annotations

import hashlib
import secrets

import numpy as np

from sfumato.trust.mpc.engine.engine_plan import PARTIES

SEED_BYTES = 32
"""Of a seed that two neighbours share."""


def fresh_seed() -> bytes:
    """From the operating system's entropy."""
    return secrets.token_bytes(SEED_BYTES)


def after(rank: int, by: int = 1) -> int:
    """The party ``by`` places behind, in a ring."""
    return (rank + by) % PARTIES


class Components:
    """One party's side of the shares that it makes and takes.

    *Formal guarantee.* What is sent is the number less a draw from a seed that its receiver lacks: uniform to it, as
    far as SHAKE-256 is a random function. No name is used twice with one seed.

    Args:
        ahead: seed that this party shares with the next.
        behind: seed that it shares with the one before.
    """

    def __init__(self, ahead: bytes, behind: bytes) -> None:
        self._ahead, self._behind = ahead, behind

    def given(self, name: str, elements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of a secret of this party, (n,) uint64: its components (n, 2), and what is sent to the one before it."""
        following = _drawn(self._ahead, name, elements.size)
        own = elements - following
        return np.stack([own, following], axis=1), own

    def of_the_one_before(self, name: str, size: int) -> np.ndarray:
        """Components (size, 2) of a secret of the one before, who sends nothing for it."""
        return np.stack([_drawn(self._behind, name, size), np.zeros(size, np.uint64)], axis=1)

    @staticmethod
    def of_the_next(sent: np.ndarray) -> np.ndarray:
        """Components (n, 2) of a secret of the next party, from what it sent."""
        return np.stack([np.zeros_like(sent), sent], axis=1)

    def part(self, name: str, elements: np.ndarray) -> np.ndarray:
        """This party's component of a sum, (n,) uint64, from its part of it; it is also sent to the one before."""
        mask = _drawn(self._ahead, name, elements.size) - _drawn(self._behind, name, elements.size)
        return elements + mask


def _drawn(seed: bytes, name: str, size: int) -> np.ndarray:
    """(size,) uint64."""
    return np.frombuffer(hashlib.shake_256(seed + name.encode("ascii")).digest(8 * size), "<u8")
