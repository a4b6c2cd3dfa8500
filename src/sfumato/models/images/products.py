"""Products of a record's numbers with public ones, the same to the bit in whatever block of records they are made.

A product of matrices in floating point adds in an order that depends on how many rows there are and where a row stands:
one record would then move the last bits of another's. Here both sides are rounded to whole multiples of a step, so
coarse that no sum passes 2**53: float64 is exact, and the order means nothing.
"""

from __future__ import annotations

import numpy as np

_VALUE_BITS, _WEIGHT_BITS = 20, 31
"""A value's bound, and the largest sum of weights, in steps: their product stays below 2**52, rounding included."""

_NO_WEIGHT = 1e-300
"""In place of a sum of weights that is zero, to divide by."""


def products(values: np.ndarray, weights: np.ndarray, bound: float = 1.0) -> np.ndarray:
    """``values`` (n, k), clipped to ``-bound .. bound``, times public ``weights`` (m, k), both rounded: (n, m) float64.

    *Formal guarantee.* A row of the result depends on its own row of ``values`` alone: every sum is exact, whatever
    numbers of whatever type the weights are (whole numbers of 64 bits add up to others than their sum).
    """
    weights = np.asarray(weights, np.float64)
    largest = max(float(np.abs(weights).sum(axis=1).max(initial=0.0)), _NO_WEIGHT)
    of_value, of_weight = 2.0**_VALUE_BITS / bound, 2.0**_WEIGHT_BITS / largest
    whole = np.rint(np.clip(values, -bound, bound) * of_value)
    return (whole @ np.rint(weights * of_weight).T) / (of_value * of_weight)
