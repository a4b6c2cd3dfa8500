"""Masks: seeds of 256 bits, expanded by ChaCha20 (RFC 8439) and added modulo 2^32 or 2^64."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

from sfumato.privacy.randomness import expand

SEED_BYTES = 32
"""256 bits: a seed of 32 bits can be searched, as happened to others."""
WORDS: dict[int, np.dtype[np.unsignedinteger]] = {32: np.dtype("<u4"), 64: np.dtype("<u8")}
"""Numbers of a ring by its bits, least byte first whatever the machine is."""
_MASK = 1  # nonce; no two masks share a seed
_ROOT = b"sfumato secure sum 1 "


def root_key(secret: bytes, salt: bytes, label: bytes) -> bytes:
    """A key of 256 bits from a shared secret (HKDF with SHA-256, RFC 5869), bound to ``salt`` and ``label``."""
    return HKDF(SHA256(), SEED_BYTES, salt, _ROOT + label).derive(secret)


def derived(key: bytes, label: bytes) -> bytes:
    """A key of 256 bits from another, bound to ``label``; it tells nothing of its source or of other labels."""
    return HKDFExpand(SHA256(), SEED_BYTES, _ROOT + label).derive(key)


def commitment(seed: bytes) -> bytes:
    """What names a seed without telling of it: 256 random bits cannot be searched."""
    return derived(seed, b"commitment")


def mask(seed: bytes, out: np.ndarray) -> None:
    """Fill ``out`` (uint32 or uint64, contiguous) with the mask of ``seed``."""
    expand(seed, _MASK, out)


def add_mask(total: np.ndarray, seed: bytes, scratch: np.ndarray, minus: bool = False) -> None:
    """Add to ``total``, or take off it, the mask of ``seed``, modulo its ring; ``scratch`` is overwritten."""
    mask(seed, scratch)
    (np.subtract if minus else np.add)(total, scratch, out=total)


def in_ring(values: np.ndarray, bits: int) -> np.ndarray:
    """Whole numbers as elements of the ring of ``bits``: a negative number is 2^bits more. Always a copy."""
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"a secure sum adds whole numbers, not {values.dtype}")
    return values.astype(np.int64).astype(WORDS[bits]) if values.dtype.kind == "i" else values.astype(WORDS[bits])


def centred(opened: np.ndarray) -> np.ndarray:
    """Elements of a ring as int64: those of its upper half are negative.

    >>> centred(np.array([1, 2**32 - 1], dtype="<u4"))
    array([ 1, -1])
    """
    return opened.view(f"<i{opened.itemsize}").astype(np.int64)
