"""Shamir's secret sharing of 32-byte seeds (Shamir 1979), over the integers modulo a prime above 2^256."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM, Entropy

SECRET_BYTES = 32
"""Of what is shared: a seed."""
PRIME = 2**256 + 297
"""The smallest prime above 2^256, so that every seed is an element of the field."""
SHARE_BYTES = 33
"""An element of the field needs 257 bits."""
_WIDE_BYTES = 64
"""Random bytes of a coefficient, before the remainder: it is then uniform to 2^-255."""


def split(secret: bytes, threshold: int, sites: int, entropy: Entropy = SYSTEM) -> list[bytes]:
    """One share for each of ``sites``; any ``threshold`` of them give the secret, fewer tell nothing of it.

    The share of the site at position i is the value at i + 1 of a random polynomial of degree ``threshold`` - 1 whose
    value at 0 is the secret.
    """
    if len(secret) != SECRET_BYTES or not 1 <= threshold <= sites:
        raise ValueError(f"a secret has {SECRET_BYTES} bytes and a threshold of at most {sites} shares")
    drawn = entropy.take(_WIDE_BYTES * (threshold - 1))
    pieces = (drawn[start : start + _WIDE_BYTES] for start in range(0, len(drawn), _WIDE_BYTES))
    polynomial = [int.from_bytes(piece, "little") % PRIME for piece in pieces]
    polynomial.append(int.from_bytes(secret, "little"))
    return [_value(polynomial, position + 1).to_bytes(SHARE_BYTES, "little") for position in range(sites)]


def weights(positions: Sequence[int]) -> dict[int, int]:
    """Lagrange's weights at 0 for shares from these positions: one set serves all secrets shared alike."""
    if len(set(positions)) < len(positions):
        raise ValueError("each position once")
    return {place: _weight(place + 1, [other + 1 for other in positions if other != place]) for place in positions}


def join(shares: Mapping[int, bytes], weight: Mapping[int, int]) -> bytes:
    """The secret from a threshold of shares by position, with the :func:`weights` of these positions.

    FederationError for shares that are no shares. Wrong ones, or fewer than the threshold, give another secret: what
    is joined is compared with a commitment.
    """
    total = sum(weight[place] * read_share(share) for place, share in shares.items()) % PRIME
    if total >> (8 * SECRET_BYTES):
        raise FederationError("the shares of a mask do not fit together; nothing is opened")
    return total.to_bytes(SECRET_BYTES, "little")


def read_share(share: bytes) -> int:
    """An element of the field; FederationError for any other bytes."""
    value = int.from_bytes(share, "little")
    if len(share) != SHARE_BYTES or value >= PRIME:
        raise FederationError(f"a share has {SHARE_BYTES} bytes and lies in the field; this one does not")
    return value


def _value(polynomial: Sequence[int], at: int) -> int:
    total = 0
    for coefficient in polynomial:
        total = (total * at + coefficient) % PRIME
    return total


def _weight(at: int, others: Sequence[int]) -> int:
    above = below = 1
    for other in others:
        above = above * other % PRIME
        below = below * (other - at) % PRIME
    return above * pow(below, -1, PRIME) % PRIME
