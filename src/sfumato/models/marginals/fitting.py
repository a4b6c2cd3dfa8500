"""Fitting a chain to noisy tables of pairs: one convex problem per column, by iterative scaling.

A column's conditional is fitted on draws of the columns before it, so that its expected table with each parent meets
the noisy one: maximum entropy given the measured pairs, like Private-PGM (McKenna, Sheldon, Miklau 2019), but in time
linear in the pairs, without cliques that grow with the loops. With a binary target redrawn last this is logistic
regression whose sufficient statistics are the noisy tables. All of it is post-processing of noised answers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from sfumato.models.marginals.chain import Chain, Conditional, softmax
from sfumato.models.marginals.columns import Columns
from sfumato.models.marginals.projection import NO_MASS, part_kept, scaling
from sfumato.trust.setting import Measurement

SWEEPS = 16
"""Passes over the tables of a column; half as many come close."""
_SLACK = 0.6
"""Part of the squared residual expected from noise alone that is not fitted."""
_FEWEST = 2000
"""Draws that a column is fitted on at least, whatever the work."""
_WORK = 8_000_000
"""Size of the largest array of a fit: records x groups x parents."""
_MOST_KINDS = 1 << 62
"""Kinds of records that an integer can number."""
_SUPPORT = 8
"""Draws a parent's group needs, for its row of the table to be fitted."""


def fit(
    known: Columns,
    tables: Sequence[Measurement],
    order: Sequence[int],
    size: int,
    rng: np.random.Generator,
    redrawn: int | None = None,
    sweeps: int = SWEEPS,
) -> tuple[Chain, list[np.ndarray]]:
    """A chain over ``order`` that meets ``tables`` and each column's own masses, and ``size`` draws from it.

    Args:
        known: the columns alone.
        tables: noisy tables of pairs, over the columns' groups.
        order: all columns; a pair belongs to its later column.
        size: number of draws, at least 1.
        rng: randomness of post-processing.
        redrawn: a column that is drawn once more at the end, given all columns it was measured with. Its first draw
            lends the others the dependence that runs through it, its second is a regression on them.
        sweeps: passes over the tables of a column.
    """
    place = {column: k for k, column in enumerate(order)}
    of: dict[int, list[Measurement]] = {column: [] for column in order}
    for table in tables:
        of[max(table.query.clique, key=place.__getitem__)].append(table)
    codes = [np.empty(0, np.int64)] * len(order)
    conditionals = []
    for column in order:
        conditional = _Scaling(known, column, of[column], codes, size).run(sweeps)
        conditional.draw(codes, size, rng, None)
        conditionals.append(conditional)
    if redrawn is not None:
        own = [t for t in tables if redrawn in t.query.clique]
        last = _Scaling(known, redrawn, own, codes, size).run(sweeps)
        last.draw(codes, size, rng, None)
        conditionals.append(last)
    return Chain(tuple(conditionals)), codes


class _Scaling:
    """The fit of one column's conditional."""

    def __init__(
        self, known: Columns, column: int, tables: Sequence[Measurement], codes: Sequence[np.ndarray], size: int
    ) -> None:
        self.column, self.total = column, known.total
        self.mass = known.masses[column]
        merged: dict[int, list[Measurement]] = {}
        for table in sorted(tables, key=lambda t: -t.sigma):
            parent = next(i for i in table.query.clique if i != column)
            merged.setdefault(parent, []).append(table)
        self.parents = tuple(merged)
        used = min(size, max(_FEWEST, _WORK // (self.mass.size * max(1, len(merged)))))
        self.rows, weights = _distinct([codes[p][:used] for p in self.parents])
        self.weights = weights * (self.total / used)
        self.draws = {p: codes[p][:used][self.rows] for p in self.parents}
        sizes = {p: known.masses[p].size for p in self.parents}
        self.bias = np.log(np.maximum(self.mass, NO_MASS) / self.total)
        self.logs = {p: np.zeros((sizes[p], self.mass.size)) for p in self.parents}
        self.targets = [self._target(p, t, weights) for p, ts in merged.items() for t in ts]

    def _target(self, parent: int, table: Measurement, weights: np.ndarray) -> _Target:
        first = table.query.clique[0] == parent
        values = table.values if first else table.values.T
        groups = table.query.groups
        if groups is None:
            rows, columns = (np.arange(k) for k in values.shape)
        else:
            rows, columns = groups if first else groups[::-1]
        member = rows[self.draws[parent]]
        shape = (values.shape[0], len(member))
        gather = sparse.csr_array((self.weights.astype(np.float32), (member, np.arange(len(member)))), shape=shape)
        seen = np.bincount(member, weights=weights, minlength=values.shape[0]) >= _SUPPORT
        return _Target(parent, values, table.sigma, rows, columns, gather, seen)

    def run(self, sweeps: int) -> Conditional:
        """Scale toward each table in turn, the column's own masses last."""
        logs = np.repeat(self.bias.astype(np.float32)[:, None], len(self.weights), axis=1)  # (size, draws)
        for _ in range(sweeps if self.parents else 0):
            for target in self.targets:
                step = self._step(target, softmax(logs, axis=0))
                self.logs[target.parent] += step
                logs += np.take(step.T.astype(np.float32), self.draws[target.parent], axis=1)
            expected = softmax(logs, axis=0) @ self.weights
            step = np.log(scaling(expected, self.mass))
            self.bias += step
            logs += step.astype(np.float32)[:, None]
        tables = tuple(self.logs[p] for p in self.parents)
        return Conditional(self.column, self.parents, self.bias, tables)

    def _step(self, target: _Target, p: np.ndarray) -> np.ndarray:
        """What to add to the log-potentials with a parent, (size_parent, size)."""
        expected = np.add.reduceat((target.gather @ p.T)[:, target.order], target.starts, axis=1)
        residual = target.values - expected
        keep = part_kept(residual, target.sigma, _SLACK)
        factor = scaling(expected, expected + keep * residual)
        factor[~target.seen] = 1.0
        return np.log(factor)[np.ix_(target.rows, target.columns)]


class _Target:
    """A noisy table (parent's groups, column's groups), and how to make the same table of the model."""

    def __init__(
        self,
        parent: int,
        values: np.ndarray,
        sigma: float,
        rows: np.ndarray,
        columns: np.ndarray,
        gather: sparse.csr_array,
        seen: np.ndarray,
    ) -> None:
        self.parent, self.values, self.sigma = parent, values, sigma
        self.rows, self.columns, self.gather, self.seen = rows, columns, gather, seen
        self.order = np.argsort(columns, kind="stable")
        self.starts = np.searchsorted(columns[self.order], np.arange(values.shape[1]))


def _distinct(columns: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """(position of one record of each distinct kind, how many there are of it); one record if there are no columns."""
    if not columns:
        return np.zeros(1, np.int64), np.ones(1)
    kind, kinds = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        size = int(column.max()) + 1
        if kinds * size > _MOST_KINDS:
            found, kind = np.unique(kind, return_inverse=True)
            kinds = len(found)
        kind, kinds = kind * size + column, kinds * size
    _, first, counts = np.unique(kind, return_index=True, return_counts=True)
    return first, counts.astype(np.float64)
