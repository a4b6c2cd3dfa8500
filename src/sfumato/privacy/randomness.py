"""Where noise comes from: the operating system's entropy, and nothing else in anything that is certified."""

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


def uniforms(n: int, entropy: Entropy = SYSTEM) -> np.ndarray:
    """(n,) float64, uniform on the 2**52 midpoints of (0, 1): never 0, never 1, symmetric about a half."""
    return ((words(n, entropy) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
