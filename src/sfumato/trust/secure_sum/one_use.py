"""AES-GCM by keys of which each seals one text, so that all of them have one nonce."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sfumato.errors import FederationError

_NONCE = bytes(12)
"""Of all: no two texts have one key."""
TAG_BYTES = 16
"""What AES-GCM adds to its text."""


def sealed_once(key: bytes, text: bytes, bound: bytes) -> bytes:
    """``text`` for whoever has the ``key`` (32 bytes), which seals no other, and knows what it is ``bound`` to."""
    return AESGCM(key).encrypt(_NONCE, text, bound)


def opened_once(key: bytes, sealed: bytes, bound: bytes, what: str, of: str = "run") -> bytes:
    """The inverse of :func:`sealed_once`; FederationError, which says ``what`` it is and ``of`` what, for any other."""
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, bound)
    except InvalidTag:
        raise FederationError(f"{what} cannot be opened: changed, or of another {of}") from None
