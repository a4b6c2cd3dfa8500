"""Products of matrices modulo 2^32, exact, by products of halves in double precision, for which there are fast ones."""

from __future__ import annotations

import numpy as np

from sfumato.trust.secure_sum.masks import WORDS

BITS = 32
"""Of the ring: counts of millions of records and their noise lie far within it."""
WORD = WORDS[BITS]
"""Of an element."""
_HALF = 16
"""Bits of half an element: products of halves, and sums of many of them, are exact in double precision."""
_LOW = np.uint32((1 << _HALF) - 1)
MOST_ROWS = 1 << 20
"""Rows of a factor: twice as many products of two halves, each below 2^32, add up exactly in 53 bits."""


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """``left^T right`` modulo 2^32 of elements (n, a) and (n, b) of the ring: (a, b).

    The product of the two upper halves is a multiple of 2^32, and is left out.

    >>> left = np.array([[2**31], [3]], WORD)
    >>> product(left, left).tolist()
    [[9]]
    """
    n = len(left)
    if n > MOST_ROWS:
        raise ValueError(f"a factor has at most {MOST_ROWS} rows, not {n}")
    lows, highs = _halves(left), _halves(right)
    low = lows[:n].T @ highs[:n]
    crossed = np.concatenate([lows[n:], lows[:n]]).T @ highs
    return (_wrapped(crossed) << np.uint32(_HALF)) + _wrapped(low)


def _halves(elements: np.ndarray) -> np.ndarray:
    """The lower halves (n, a), and below them the upper ones, as float64 (2 n, a)."""
    out = np.empty((2 * len(elements), elements.shape[1]))
    out[: len(elements)] = elements & _LOW
    out[len(elements) :] = elements >> np.uint32(_HALF)
    return out


def _wrapped(whole: np.ndarray) -> np.ndarray:
    """Whole numbers below 2^53, modulo 2^32."""
    return whole.astype(np.uint64).astype(WORD)
