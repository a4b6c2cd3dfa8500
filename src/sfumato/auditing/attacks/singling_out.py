"""Singling out: predicates made from synthetic rows that hold for exactly one real row.

Source: Cohen and Nissim 2020 (predicate singling out), with predicates as conjunctions of a synthetic row's values;
the control table has as many holdout rows, so its rate is what a predicate of that weight isolates by chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.evaluation.marginals import Binning


def singling_out(
    real: np.ndarray,
    holdout: np.ndarray,
    synthetic: np.ndarray,
    domain: Domain,
    rng: np.random.Generator,
    *,
    columns: int = 4,
    attempts: int = 2000,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Successes (attempts,) against ``real`` and against ``holdout`` rows, and the naive rate.

    Each attempt takes a synthetic row and ``columns`` random columns whose values it alone has in the synthetic table,
    in which equal rows count as one: a row that was copied twice stands for no more people than one copied once. The
    naive attacker draws each value from the synthetic column instead. Both tables are cut to one size.
    """
    m = min(len(real), len(holdout))
    every = Binning.of(domain, max(domain.sizes))
    tables = [every.apply(t[rng.permutation(len(t))[:m]]) for t in (real, holdout)]
    released = np.unique(every.apply(synthetic), axis=0)
    indices = [_Index.of(t, domain) for t in (*tables, released)]
    width = min(columns, len(domain))
    hits = np.zeros((3, attempts), bool)
    for t in range(attempts):
        chosen, values = _predicate(released, indices[2], width, rng)
        hits[0, t], hits[1, t] = (i.isolates(chosen, values) for i in indices[:2])
        guess = [int(released[rng.integers(len(released)), i]) for i in chosen]
        hits[2, t] = indices[0].isolates(chosen, guess)
    return hits[0], hits[1], float(hits[2].mean())


@dataclass(frozen=True)
class _Index:
    """Per column: its codes, row numbers sorted by code, and where each code starts."""

    columns: list[np.ndarray]
    rows: list[np.ndarray]
    starts: list[np.ndarray]

    @classmethod
    def of(cls, table: np.ndarray, domain: Domain) -> _Index:
        """Sort each column once."""
        rows = [np.argsort(column, kind="stable") for column in table.T]
        starts = [np.searchsorted(table[r, i], np.arange(domain.axes[i].size + 1)) for i, r in enumerate(rows)]
        return cls([np.ascontiguousarray(column) for column in table.T], rows, starts)

    def isolates(self, columns: list[int], values: list[int]) -> bool:
        """Whether exactly one row has all ``values``: of the rows of the rarest, those are kept that have the next."""
        each = [self.rows[i][self.starts[i][v] : self.starts[i][v + 1]] for i, v in zip(columns, values, strict=True)]
        order = sorted(range(len(each)), key=lambda k: len(each[k]))
        left = each[order[0]]
        for k in order[1:]:
            left = left[self.columns[columns[k]][left] == values[k]]
        return len(left) == 1


def _predicate(
    released: np.ndarray,
    index: _Index,
    width: int,
    rng: np.random.Generator,
    tries: int = 10,
) -> tuple[list[int], list[int]]:
    columns: list[int] = []
    values: list[int] = []
    for _ in range(tries):
        row = released[rng.integers(len(released))]
        columns = rng.choice(released.shape[1], width, replace=False).tolist()
        values = [int(row[i]) for i in columns]
        if index.isolates(columns, values):
            break
    return columns, values
