"""Random bytes that a copied process repeats, instead of drawing others."""

from __future__ import annotations

import numpy as np

from sfumato.privacy.randomness import expand
from sfumato.trust.secure_sum.masks import derived

_DRAW = 2  # nonce; masks have another, and no key is shared with them


class KeyedEntropy:
    """Random bytes for one use, expanded by ChaCha20 from a key of 256 bits that came from the system's entropy.

    *Formal guarantee.* As good as the system's entropy, unless ChaCha20 or HMAC-SHA-256 is broken. The same key gives
    the same bytes: a process that was copied, and asked the same question again, draws the same noise, so that its
    second answer tells nothing new. With fresh noise, each copy would show one more answer for one charge.
    """

    def __init__(self, key: bytes) -> None:
        self._key, self._taken = key, 0

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes; each call has a key of its own."""
        out = np.empty(size, np.uint8)
        expand(derived(self._key, b"draw " + self._taken.to_bytes(8, "little")), _DRAW, out)
        self._taken += 1
        return out.tobytes()
