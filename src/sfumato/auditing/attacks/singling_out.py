"""Singling out: predicates made from synthetic rows that hold for exactly one real row.

Source: Cohen and Nissim 2020 (predicate singling out), with predicates as conjunctions of a synthetic row's values;
the control table has as many fresh rows, so its rate is what a predicate of that weight isolates by chance.
"""

from __future__ import annotations

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.evaluation.marginals import Binning


def singling_out(
    real: np.ndarray,
    fresh: np.ndarray,
    synthetic: np.ndarray,
    domain: Domain,
    rng: np.random.Generator,
    *,
    columns: int = 4,
    attempts: int = 2000,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Successes (attempts,) against ``real`` and against ``fresh`` rows, and the naive rate.

    Each attempt takes a synthetic row and ``columns`` random columns whose values it alone has in the synthetic table,
    in which equal rows count as one: a row that was copied twice stands for no more people than one copied once. The
    naive attacker draws each value from the synthetic column instead. Both tables are cut to one size.
    """
    m = min(len(real), len(fresh))
    every = Binning.of(domain, max(domain.sizes))
    tables = [every.apply(t[rng.permutation(len(t))[:m]]) for t in (real, fresh)]
    released = np.unique(every.apply(synthetic), axis=0)
    indices = [_inverted(t, domain) for t in (*tables, released)]
    width = min(columns, len(domain))
    hits = np.zeros((3, attempts), bool)
    for t in range(attempts):
        chosen, values = _predicate(released, indices[2], width, rng)
        hits[0, t], hits[1, t] = (_isolates(i, chosen, values) for i in indices[:2])
        guess = [int(released[rng.integers(len(released)), i]) for i in chosen]
        hits[2, t] = _isolates(indices[0], chosen, guess)
    return hits[0], hits[1], float(hits[2].mean())


def _inverted(table: np.ndarray, domain: Domain) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per column: row numbers sorted by code, and where each code starts."""
    index = []
    for i, axis in enumerate(domain.axes):
        order = np.argsort(table[:, i], kind="stable")
        index.append((order, np.searchsorted(table[order, i], np.arange(axis.size + 1))))
    return index


def _matches(index: list[tuple[np.ndarray, np.ndarray]], columns: list[int], values: list[int]) -> int:
    """Number of rows with all ``values``."""
    found = [index[i][0][index[i][1][v] : index[i][1][v + 1]] for i, v in zip(columns, values, strict=True)]
    found.sort(key=len)
    rows = found[0]
    for other in found[1:]:
        if not len(rows):
            break
        rows = rows[np.isin(rows, other, assume_unique=True)]
    return len(rows)


def _isolates(index: list[tuple[np.ndarray, np.ndarray]], columns: list[int], values: list[int]) -> bool:
    return _matches(index, columns, values) == 1


def _predicate(
    released: np.ndarray,
    index: list[tuple[np.ndarray, np.ndarray]],
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
        if _isolates(index, columns, values):
            break
    return columns, values
