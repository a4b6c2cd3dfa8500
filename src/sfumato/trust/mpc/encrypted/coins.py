"""What all parties know of a training beforehand: who is in which batch, and the noise of latent points.

Both are drawn from one seed, by integers and rounded so that every machine draws the same; the parties compare hashes
of what they drew before it is used. They hide nothing: nothing rests on them being unknown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from sfumato.privacy.randomness import expand

_GRID = 1 << 10
"""Steps of the noise in a unit: far coarser than machines differ."""
_WHO, _NOISE = 1, 2  # nonces of ChaCha20


def seed_of(digest: bytes, signatures: Sequence[bytes]) -> bytes:
    """The seed of a training: SHA-256 over the hash of the plan and what all parties signed under it.

    No one of them chooses it: each signs what the others cannot sign.
    """
    return hashlib.sha256(b"sfumato encrypted training 1" + digest + b"".join(signatures)).digest()


def batches(seed: bytes, run: int, steps: int, batch: int, persons: int) -> np.ndarray:
    """Who is in each batch of a run, (steps, batch) int32: anybody, as often as chance has it."""
    drawn = _words(seed, run, _WHO, steps * batch).astype(np.uint64)
    return ((drawn * np.uint64(persons)) >> np.uint64(32)).astype(np.int32).reshape(steps, batch)


def noise(seed: bytes, run: int, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal numbers on a grid, float32."""
    uniform = (_words(seed, run, _NOISE, int(np.prod(shape))) + 0.5) / 2.0**32
    return (np.rint(ndtri(uniform) * _GRID) / _GRID).astype(np.float32).reshape(shape)


def _words(seed: bytes, run: int, what: int, number: int) -> np.ndarray:
    out = np.empty(number, np.uint32)
    expand(hashlib.sha256(seed + run.to_bytes(8, "little")).digest(), what, out)
    return out
