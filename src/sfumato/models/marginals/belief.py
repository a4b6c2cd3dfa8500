"""What a fitted chain expects of any table, from weighted draws: what later rounds compare the rows with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfumato.models.marginals.columns import Columns
from sfumato.models.marginals.projection import part_kept, scaling
from sfumato.trust.setting import Measurement, Query

_SUPPORT = 8
"""Draws a cell needs for its weight to be scaled."""


class Belief:
    """Expected counts, from draws that weigh the same until they are scaled to tables measured since the last fit.

    Args:
        known: the columns alone.
        draws: one (n,) array of groups per column.
    """

    def __init__(self, known: Columns, draws: Sequence[np.ndarray]) -> None:
        self._sizes = [m.size for m in known.masses]
        self._draws, self._total = draws, known.total
        n = len(draws[0]) if draws else 1
        self._weights = np.full(n, known.total / n)

    def __call__(self, query: Query) -> np.ndarray:
        """Expected counts of ``query``, of its shape."""
        index, shape = self._index(query)
        return np.bincount(index, weights=self._weights, minlength=int(np.prod(shape))).reshape(shape)

    def scale(self, table: Measurement) -> None:
        """Weigh the draws so that they meet ``table``, as far as noise does not explain the difference."""
        index, shape = self._index(table.query)
        size = int(np.prod(shape))
        expected = np.bincount(index, weights=self._weights, minlength=size)
        residual = table.values.ravel() - expected
        wanted = expected + part_kept(residual, table.sigma) * residual
        factor = scaling(expected, wanted)
        factor[np.bincount(index, minlength=size) < _SUPPORT] = 1.0
        self._weights *= factor[index]
        self._weights *= self._total / self._weights.sum()

    def _index(self, query: Query) -> tuple[np.ndarray, tuple[int, ...]]:
        shape, flat = [], np.zeros(len(self._weights), np.int64)
        for k, i in enumerate(query.clique):
            groups = None if query.groups is None else query.groups[k]
            shape.append(self._sizes[i] if groups is None else int(groups.max()) + 1)
            flat = flat * shape[-1] + (self._draws[i] if groups is None else groups[self._draws[i]])
        return flat, tuple(shape)
