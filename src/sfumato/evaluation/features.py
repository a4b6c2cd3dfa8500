"""Encoded records as numbers for learners and distances."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sfumato.encoding.domain import Domain

_ONE_HOT_LIMIT = 64
"""Columns that a category becomes at most: its most frequent values."""


def tree_features(codes: np.ndarray, domain: Domain, columns: Sequence[int]) -> np.ndarray:
    """(n, len(columns)) float codes for trees; the missing code of an ordered column becomes NaN."""
    x = codes[:, list(columns)].astype(float)
    for k, i in enumerate(columns):
        axis = domain.axes[i]
        if axis.ordered and axis.missing is not None:
            x[x[:, k] == axis.missing, k] = np.nan
    return x


def training_features(codes: np.ndarray, domain: Domain, columns: Sequence[int]) -> np.ndarray:
    """As :func:`tree_features`, of rows to learn from: a column of NaN alone, which trees refuse, becomes 0."""
    x = tree_features(codes, domain, columns)
    x[:, np.isnan(x).all(axis=0)] = 0
    return x


def categorical(domain: Domain, columns: Sequence[int], limit: int = 255) -> list[bool]:
    """Which of ``columns`` a tree may split as categories: unordered, with at most ``limit`` codes."""
    return [not domain.axes[i].ordered and domain.axes[i].size <= limit for i in columns]


def metric_features(codes: np.ndarray, domain: Domain, columns: Sequence[int] | None = None) -> np.ndarray:
    """(n, k) float32 coordinates in which Euclidean distance treats columns alike.

    An ordered column is scaled by its public width to [0, 1] (missing: the middle and an indicator); any other is
    one-hot over sqrt(2), so that two different values are 1 apart. More than 64 unordered codes are hashed to 64.
    """
    blocks = []
    for i in range(len(domain)) if columns is None else columns:
        axis = domain.axes[i]
        column = codes[:, i].astype(np.int64)
        if not axis.ordered:
            width = min(axis.size, _ONE_HOT_LIMIT)
            blocks.append((np.arange(width) == (column % width)[:, None]) / np.sqrt(2))
            continue
        scaled = column / max(1, axis.size - 1)
        if axis.missing is not None:
            absent = column == axis.missing
            blocks.append(absent[:, None])
            scaled = np.where(absent, 0.5, scaled)
        blocks.append(scaled[:, None])
    return np.concatenate([b.astype(np.float32) for b in blocks], axis=1)


def nearest_distances(points: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Distance of each query (m, f) to the nearest of ``points`` (n, f), exact also near zero; (m,)."""
    index = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(points).kneighbors(queries, return_distance=False)
    return np.linalg.norm(queries.astype(np.float64) - points[index[:, 0]], axis=1)
