"""A discrete Gaussian as a mixture: nearly all draws come from a table of 32-bit entries, the few others from the rest.

A law whose probabilities are multiples of 2**-32 takes one 32-bit word and one look into a table (Walker 1977, Vose
1991): the law is cut into equal columns of at most two values each; column i gives i where a uniform number lies below
its threshold, else the column's other value. No such law is the discrete Gaussian P, but one fits below it: a law Q
with (1 - rho) Q(k) <= P(k) for every k. What is missing is a law too, R, and P = (1 - rho) Q + rho R. All of it is made
in whole numbers.
"""

from __future__ import annotations

from decimal import Context, Decimal
from functools import lru_cache
from itertools import accumulate

import numpy as np

SCALE = 2400.0
"""Of the discrete Gaussian. The table's ends lie 13.6 scales out: 2**-134 of the law is beyond them."""
COLUMN_BITS, THRESHOLD_BITS, SHARE_BITS = 16, 16, 144
"""Bits of a word that pick a column and that are held against its threshold, and of the probabilities."""
RARE = 13_322
"""rho = RARE / 2**32 of all draws are made of what is missing: with less, no table of 2**32 parts fits below."""
REST_BITS = 128  # of the cumulative probabilities of R
_WORD = 1 << (COLUMN_BITS + THRESHOLD_BITS)
"""Words that there are: one draw each."""
_PART = (_WORD - RARE) << (SHARE_BITS - 64)  # what one part of Q's 2**32 takes of P, in multiples of 2**-SHARE_BITS
_GUARD = 400  # bits of the fixed-point weights


@lru_cache(maxsize=1)
def alias_table() -> np.ndarray:
    """(2^16,) uint32: of each column the threshold, in the upper 16 bits, and the other value, in the lower ones.

    Columns 0 .. 2^16 - 1 stand for the values -2^15 .. 2^15 - 1. With 16 uniform bits for the column and 16 for the
    comparison, a draw follows Q exactly.
    """
    thresholds, other = _cut(_common(_shares()), 1 << THRESHOLD_BITS)
    return np.array([t << 16 | o for t, o in zip(thresholds, other, strict=True)], np.uint32)


@lru_cache(maxsize=1)
def rest_table() -> tuple[int, ...]:
    """Cumulative probabilities of R, column by column, in multiples of 2**-128, rounded down; the last one is one.

    *Formal guarantee.* (1 - rho) Q + rho R, with these, is within 2**-127 in total variation of the discrete Gaussian:
    2**-128 for probabilities rounded down to multiples of 2**-144 (what is missing is given to zero), 2**-133 for the
    ends, rho 2**-112 for rounding here.
    """
    shares = _shares()
    rest = [s - q * _PART for s, q in zip(shares, _common(shares), strict=True)]
    total = RARE << (SHARE_BITS - 32)  # all shares are 2**144, all parts 2**32
    return tuple((c << REST_BITS) // total for c in accumulate(rest))


def _common(shares: tuple[int, ...]) -> list[int]:
    """Q, in multiples of 2**-32: as many parts as fit below each share; what is too much in all is left at zero."""
    parts = [s // _PART for s in shares]
    parts[len(parts) // 2] -= sum(parts) - _WORD
    return parts


@lru_cache(maxsize=1)
def _shares() -> tuple[int, ...]:
    """P: probabilities of -2^15 .. 2^15 - 1 in multiples of 2**-SHARE_BITS; they add up to one."""
    half = 1 << (COLUMN_BITS - 1)
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
    shares = [(w << SHARE_BITS) // total for w in both]
    shares[half] += (1 << SHARE_BITS) - sum(shares)
    return tuple(shares)


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
