"""Draws from a law on whole numbers by a table of its cumulative probabilities, exact to 128 bits."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from sfumato.privacy.randomness import Entropy, words

BITS = 128
"""Of the uniform number that is inverted."""


def cumulative(weights: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative probabilities, in proportion to ``weights``, but for the last: their upper and lower 64 bits."""
    total = sum(weights)
    fixed = [(c << BITS) // total for c in accumulate(weights[:-1])]
    mask = (1 << 64) - 1
    high = np.fromiter((c >> 64 for c in fixed), dtype=np.uint64, count=len(fixed))
    low = np.fromiter((c & mask for c in fixed), dtype=np.uint64, count=len(fixed))
    return high, low


def draw(high: np.ndarray, low: np.ndarray, n: int, entropy: Entropy) -> np.ndarray:
    """(n,) int64: each the number of cumulative probabilities at or below a uniform 128-bit number."""
    uniform = words(n, entropy)
    index = np.searchsorted(high, uniform, side="right")
    touching = np.flatnonzero(high[np.maximum(index - 1, 0)] == uniform)
    for i in touching:  # the first 64 bits do not decide: about one draw in 2**50
        rest = words(1, entropy)[0]
        j = int(np.searchsorted(high, uniform[i], side="left"))
        while j < len(high) and high[j] == uniform[i] and low[j] <= rest:
            j += 1
        index[i] = j
    return index.astype(np.int64)
