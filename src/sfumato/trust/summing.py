"""Sums over private records of clipped vectors, and of their outer products; exact, never released as they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from sfumato.trust.setting import GroupedFeature

_CELLS = 1 << 23
"""Numbers of a block of records, or of their features, that are held at a time: 64 MB of them."""

Feature = Callable[[np.ndarray], np.ndarray]


def clipped(values: np.ndarray, bound: float) -> np.ndarray:
    """Rows (n, dimension) scaled down to l2 norm ``bound`` where they exceed it; rows that are not finite become zero.

    *Formal guarantee.* No row of the result has a norm above ``bound``, up to rounding.
    """
    values = np.asarray(values, np.float64)
    values = np.where(np.isfinite(values).all(axis=1, keepdims=True), values, 0.0)
    norms = np.linalg.norm(values, axis=1, keepdims=True)
    return values * np.minimum(1.0, bound / np.maximum(norms, 1e-300))


def feature_sum(feature: Feature, codes: np.ndarray, dimension: int, bound: float) -> np.ndarray:
    """Sum of ``feature(codes)`` (n, dimension), each row clipped.

    *Formal guarantee.* One record moves it by at most ``bound`` in l2 norm, if ``feature`` treats each record alone.
    """
    total = np.zeros(dimension)
    for block in _blocks(codes, dimension):
        total += clipped(feature(block), bound).sum(axis=0)
    return total


def scatter_sum(feature: GroupedFeature, codes: np.ndarray, dimension: int, groups: int, bound: float) -> np.ndarray:
    """Sums of z z^T by group, (groups, dimension (dimension + 1) / 2), packed; see :func:`unpacked`.

    ``feature(codes)`` gives z (n, dimension), clipped, and the group of each record (n,), 0 .. groups - 1.

    *Formal guarantee.* One record moves it by at most ``bound``^2 in l2 norm, if ``feature`` treats each record alone:
    it is added to one group, and packing keeps the Frobenius norm, which for z z^T is |z|^2.
    """
    total = np.zeros((groups, dimension, dimension))
    for block in _blocks(codes, dimension):
        values, group = feature(block)
        values = clipped(values, bound)
        for g in range(groups):
            chosen = values[group == g]
            total[g] += chosen.T @ chosen
    rows, columns = np.triu_indices(dimension)
    return total[:, rows, columns] * np.where(rows == columns, 1.0, math.sqrt(2))


def unpacked(packed: np.ndarray, dimension: int) -> np.ndarray:
    """Symmetric matrices (groups, dimension, dimension) of their packed triangles."""
    rows, columns = np.triu_indices(dimension)
    values = packed / np.where(rows == columns, 1.0, math.sqrt(2))
    full = np.empty((len(packed), dimension, dimension))
    full[:, rows, columns] = values
    full[:, columns, rows] = values
    return full


def _blocks(codes: np.ndarray, dimension: int) -> Iterator[np.ndarray]:
    size = max(1, min(1 << 16, _CELLS // max(1, dimension, codes.shape[1])))
    for start in range(0, len(codes), size):
        yield codes[start : start + size]
