"""An alias table of the discrete Gaussian: one column and one comparison for each draw, whatever the law.

Walker 1977, Vose 1991: the law is cut into equal columns of at most two values each. Column i gives i where a uniform
number lies below its threshold, else the column's other value. The cut is made in whole numbers.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import lru_cache
from typing import NamedTuple

import numpy as np

SCALE = 2400.0
"""Of the table's discrete Gaussian. Its ends lie 13.6 scales out: 2**-134 of the law is beyond them."""
COLUMN_BITS, THRESHOLD_BITS = 16, 128
_GUARD = 400  # bits of the fixed-point weights
_WORD = (1 << 32) - 1


class AliasTable(NamedTuple):
    """Columns 0 .. 2^16 - 1 stand for the values -2^15 .. 2^15 - 1.

    Attributes:
        first: (2^16,) uint32, the upper 32 bits of a column's threshold.
        rest: (2^16, 3) uint32, the 96 bits below them.
        other: (2^16,) uint16, the column that takes its place from the threshold on.
    """

    first: np.ndarray
    rest: np.ndarray
    other: np.ndarray


@lru_cache(maxsize=1)
def alias_table() -> AliasTable:
    """The table at ``SCALE``; a tenth of a second, once.

    *Formal guarantee.* With independent uniform bits, ``COLUMN_BITS`` for the column and ``THRESHOLD_BITS`` for the
    comparison, the value drawn is within 2**-127 in total variation of the discrete Gaussian: 2**-128 for probabilities
    rounded down to multiples of 2**-144 (what is missing is given to zero), 2**-133 for the ends.
    """
    thresholds, other = _cut(_shares(), 1 << THRESHOLD_BITS)
    words = np.array([[(t >> shift) & _WORD for shift in (96, 64, 32, 0)] for t in thresholds], np.uint32)
    return AliasTable(words[:, 0].copy(), words[:, 1:].copy(), np.array(other, np.uint16))


def _shares() -> list[int]:
    """Probabilities of -2^15 .. 2^15 - 1 in multiples of 2**-(COLUMN_BITS + THRESHOLD_BITS); they add up to one."""
    half, bits = 1 << (COLUMN_BITS - 1), COLUMN_BITS + THRESHOLD_BITS
    context = Context(prec=150)
    exponent = context.divide(Decimal(-1), context.multiply(Decimal(2), context.power(Decimal(SCALE), 2)))
    ratio = int(context.multiply(context.exp(exponent), Decimal(1 << _GUARD)))
    step = (ratio * ratio) >> _GUARD
    weights = [1 << _GUARD]  # exp(-k^2 / (2 SCALE^2)): each is the one before times a ratio that shrinks by a constant
    for _ in range(half):
        weights.append((weights[-1] * ratio) >> _GUARD)
        ratio = (ratio * step) >> _GUARD
    both = weights[:0:-1] + weights[:half]
    total = sum(both)
    shares = [(w << bits) // total for w in both]
    shares[half] += (1 << bits) - sum(shares)
    return shares


def _cut(shares: list[int], column: int) -> tuple[list[int], list[int]]:
    """Thresholds below ``column`` and other values, so that each value gets its share exactly; Vose's algorithm."""
    thresholds, other, left = [0] * len(shares), list(range(len(shares))), list(shares)
    small = [i for i, s in enumerate(left) if s < column]
    large = [i for i, s in enumerate(left) if s >= column]
    while small:
        i, j = small.pop(), large[-1]
        thresholds[i], other[i] = left[i], j
        left[j] -= column - left[i]
        if left[j] < column:
            small.append(large.pop())
    return thresholds, other  # full columns keep threshold 0 and themselves as the other value
