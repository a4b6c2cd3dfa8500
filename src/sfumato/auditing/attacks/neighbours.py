"""Exact nearest neighbours among records as points: most are found among those with the same categories."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

_NUMBERS = 1 << 18
"""Floating-point numbers that are held at a time for exact distances: as many as stay in a processor's cache."""
_FLAG = np.float32(1 / np.sqrt(2))
"""What :func:`sfumato.evaluation.features.metric_features` writes for the value that a category has."""
_APART = 0.5
"""Squared distance that two points have at least where a flag differs."""
_LARGEST_GROUP = 4000
"""Points with equal flags; beyond so many, the search among all is as fast."""


def nearest(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances (m, k), exact also near zero, and indices (m, k) of the ``k`` nearest ``points`` (n, f), nearest first.

    Points whose categories differ are far apart, so ``k`` near neighbours with the query's own categories are the
    nearest of all; who has no such neighbours is compared with every point.
    """
    k = min(k, len(points))
    index = _with_equal_flags(points, queries, k)
    left = index[:, 0] < 0
    if left.any():
        with threadpool_limits(1):  # two threads mostly wait for each other
            search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points)
            index[left] = search.kneighbors(queries[left], return_distance=False)
    gaps = np.empty(index.shape)
    step = max(1, _NUMBERS // (k * points.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        apart = queries[part, None, :].astype(np.float64) - points[index[part]]
        gaps[part] = np.sqrt((apart**2).sum(-1))
    order = np.argsort(gaps, axis=1, kind="stable")
    return np.take_along_axis(gaps, order, 1), np.take_along_axis(index, order, 1)


def _with_equal_flags(points: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Indices (m, k) of the nearest points; -1 where they cannot be told from points with the same flags alone."""
    index = np.full((len(queries), k), -1)
    flags = _flags(points) & _flags(queries)
    if not flags.any():
        return index
    groups = _groups(np.concatenate([points, queries])[:, flags])
    mine, asked = groups[: len(points)], groups[len(points) :]
    order, inside = np.argsort(mine, kind="stable"), points[:, ~flags]
    wanted = np.argsort(asked, kind="stable")
    for which in np.split(wanted, np.flatnonzero(np.diff(asked[wanted])) + 1):
        first, last = np.searchsorted(mine, asked[which[0]] + np.array([0, 1]), sorter=order)
        if not k <= last - first <= _LARGEST_GROUP:
            continue
        same = order[first:last]
        for some in np.array_split(which, 1 + len(which) * len(same) * inside.shape[1] // _NUMBERS):
            apart = ((queries[some][:, None, ~flags] - inside[same]) ** 2).sum(-1)
            chosen = apart.argmin(1)[:, None] if k == 1 else np.argpartition(apart, k - 1, axis=1)[:, :k]
            near = np.take_along_axis(apart, chosen, 1).max(1) < _APART
            index[some[near]] = same[chosen[near]]
    return index


def _flags(x: np.ndarray) -> np.ndarray:
    """Which columns (f,) hold flags alone."""
    return ((x == 0) | (x == _FLAG)).all(axis=0) & (x != 0).any(axis=0)


def _groups(flagged: np.ndarray) -> np.ndarray:
    """A number (n,) for each row, equal where all its flags are."""
    packed = np.packbits(flagged > 0, axis=1)
    rows = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    return np.unique(rows, return_inverse=True)[1]
