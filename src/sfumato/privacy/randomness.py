"""Where noise comes from: the operating system's entropy, and nothing else in anything that is certified.

What needs many numbers at once takes a key of 256 bits, used once, and expands it by ChaCha20 (RFC 8439), as the
operating system itself does; that nobody can tell its output from chance is the one assumption on noise that is not a
proof.
"""

from __future__ import annotations

import os
from typing import Protocol

import numpy as np


class Entropy(Protocol):
    """A source of random bytes."""

    def take(self, size: int) -> bytes:
        """``size`` fresh random bytes."""
        ...


class SystemEntropy:
    """The operating system's cryptographic generator (``getrandom``); it has no state here to store, leak or reuse."""

    def take(self, size: int) -> bytes:
        """``size`` bytes nobody can predict or repeat."""
        return os.urandom(size)


class SeededEntropy:
    """Repeatable bytes, to reproduce a run in a test. Whoever knows the seed can subtract the noise.

    Only tests that build a setting themselves can use it: no option of a fit leads here, and so no certificate does.
    """

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(seed))

    def take(self, size: int) -> bytes:
        """The next ``size`` bytes of the stream the seed fixes."""
        return self._generator.bytes(size)


SYSTEM: Entropy = SystemEntropy()


def words(n: int, entropy: Entropy = SYSTEM) -> np.ndarray:
    """(n,) uint64, uniform."""
    return np.frombuffer(entropy.take(8 * n), dtype=np.uint64)


DEPTH = 15
"""Words of 64 bits that may be zero before a uniform number: all of them are with probability 2**-960."""


def small_uniforms(n: int, entropy: Entropy = SYSTEM) -> np.ndarray:
    """(n,) float64, uniform in (0, 1) as if real, but for rounding: each off by at most 2**-52 of itself.

    Its exponent is the number of zeros before the first one in a stream of bits, so that numbers down to 2**-960 occur,
    each range with its probability; its other bits are 51 more. How many words are drawn depends on them alone.
    """
    zeros, open_ = np.zeros(n), np.ones(n, dtype=bool)
    for _ in range(DEPTH):
        found = words(n, entropy)
        leading = 64 - _bit_length(found)
        zeros += np.where(open_, leading, 0)
        open_ &= found == 0
        if not open_.any():
            break
    rest = ((words(n, entropy) >> np.uint64(13)).astype(np.float64) + 0.5) * 2.0**-51
    return np.ldexp(1 + rest, -1 - zeros.astype(np.int64))


def _bit_length(numbers: np.ndarray) -> np.ndarray:
    """Of uint64; exact: each half is below 2**53."""
    high, low = (half.astype(np.float64) for half in (numbers >> np.uint64(32), numbers & np.uint64(2**32 - 1)))
    return np.where(high > 0, 32 + np.frexp(high)[1], np.frexp(low)[1])


KEY_BYTES = 32
"""Of a key of ChaCha20: 256 bits."""
_BLANK = bytes(1 << 18)  # what is encrypted, a piece at a time; small enough to stay in the cache
_LONGEST = 1 << 36  # bytes of one stream: the block counter has 32 bits


def expand(key: bytes, purpose: int, out: np.ndarray) -> None:
    """Fill ``out`` (uint32, contiguous) with the ChaCha20 stream of ``key`` whose nonce is ``purpose``.

    Streams of one key for different purposes are independent; no purpose is used twice with a key.
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    if len(key) != KEY_BYTES or out.nbytes > _LONGEST or not out.flags.c_contiguous:
        raise ValueError(f"a stream takes {KEY_BYTES} bytes of key, and gives at most 2**36 in a row")
    stream = Cipher(algorithms.ChaCha20(key, (purpose << 32).to_bytes(16, "little")), mode=None).encryptor()
    target = out.reshape(-1).view(np.uint8)
    for start in range(0, len(target), len(_BLANK)):
        piece = target[start : start + len(_BLANK)]
        stream.update_into(_BLANK[: len(piece)], piece)  # pyright: ignore[reportArgumentType]
