"""Total variation distance between low-dimensional marginals of two encoded tables, on a public binning."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Axis, Clique, Domain

BINS = 32
"""Of an ordered column, where values themselves are too many to compare."""
_DENSE_CELLS = 1 << 18
"""Up to so many cells are counted in an array; of more, only those that a record is in: that is faster there."""


@dataclass(frozen=True)
class Binning:
    """Public maps code -> bin, one per column; wide ordered columns are cut to equal-width bins.

    >>> b = Binning.of(Domain((Axis("age", 100, ordered=True), Axis("sex", 2))), bins=10)
    >>> b.domain.sizes, b.apply(np.array([[99, 1]])).tolist()
    ((10, 2), [[9, 1]])
    """

    domain: Domain
    maps: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, domain: Domain, bins: int = BINS) -> Binning:
        """Cut every ordered column of more than ``bins`` values to ``bins``; a missing code keeps its own bin."""
        axes, maps = zip(*(_cut(axis, bins) for axis in domain.axes), strict=True)
        return cls(Domain(axes), maps)

    def apply(self, codes: np.ndarray) -> np.ndarray:
        """Recode (n, d) codes; returns (n, d) int64, each column in one piece, for it is read by columns."""
        return np.stack([table[codes[:, i]] for i, table in enumerate(self.maps)]).T


def _cut(axis: Axis, bins: int) -> tuple[Axis, np.ndarray]:
    codes = np.arange(axis.size)
    values = axis.size - (axis.missing is not None)
    if not axis.ordered or values <= bins:
        return axis, codes
    if axis.missing is None:
        return Axis(axis.name, bins, True), codes * bins // values
    rank = codes - (codes > axis.missing)
    table = np.where(codes == axis.missing, bins, rank * bins // values)
    return Axis(axis.name, bins + 1, True, missing=bins), table


def cliques(domain: Domain, order: int, limit: int | None, seed: int = 0) -> list[Clique]:
    """All sets of ``order`` columns, or a seeded choice of ``limit`` of them."""
    d = len(domain)
    every = math.comb(d, order)
    if limit is None or every <= limit:
        return list(itertools.combinations(range(d), order))
    rng = np.random.default_rng(seed)
    if every <= 200_000:
        pool = list(itertools.combinations(range(d), order))
        return [pool[i] for i in rng.choice(every, limit, replace=False)]
    chosen: set[Clique] = set()
    while len(chosen) < limit:
        chosen.add(tuple(sorted(rng.choice(d, order, replace=False).tolist())))
    return sorted(chosen)


def cell_index(codes: np.ndarray, domain: Domain, clique: Clique) -> np.ndarray:
    """The flat cell (row-major over ``clique``) of every record, (n,) int64."""
    flat = np.zeros(len(codes), np.int64)
    for i in clique:
        flat = flat * domain.axes[i].size + codes[:, i]
    return flat


def tvd(a: np.ndarray, b: np.ndarray, domain: Domain, clique: Clique) -> float:
    """``0.5 * ||p_a - p_b||_1`` over the cells of ``clique``; 0 for equal, 1 for disjoint marginals."""
    return float(tvds_of_each(a, [b], domain, [clique])[0, 0])


def tvds(a: np.ndarray, b: np.ndarray, domain: Domain, chosen: Sequence[Clique]) -> np.ndarray:
    """:func:`tvd` for each clique, (len(chosen),)."""
    return tvds_of_each(a, [b], domain, chosen)[0]


def tvds_of_each(a: np.ndarray, others: Sequence[np.ndarray], domain: Domain, chosen: Sequence[Clique]) -> np.ndarray:
    """:func:`tvds` of ``a`` and each of ``others``, (len(others), len(chosen)): ``a`` is counted once."""
    found = np.empty((len(others), len(chosen)))
    for j, clique in enumerate(chosen):
        cells = domain.cells(clique)
        if cells > _DENSE_CELLS:
            met = _met_shares(a, domain, clique)
            found[:, j] = [_apart(met, _met_shares(b, domain, clique)) for b in others]
            continue
        p = _dense_shares(a, domain, clique, cells)
        found[:, j] = [0.5 * np.abs(p - _dense_shares(b, domain, clique, cells)).sum() for b in others]
    return found


def _dense_shares(table: np.ndarray, domain: Domain, clique: Clique, cells: int) -> np.ndarray:
    return np.bincount(cell_index(table, domain, clique), minlength=cells) / len(table)


def _met_shares(table: np.ndarray, domain: Domain, clique: Clique) -> tuple[np.ndarray, np.ndarray]:
    """The cells that some record is in, ascending, and their shares."""
    cells = np.sort(cell_index(table, domain, clique))
    firsts = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
    return cells[firsts], np.diff(np.append(firsts, len(cells))) / len(cells)


def _apart(p: tuple[np.ndarray, np.ndarray], q: tuple[np.ndarray, np.ndarray]) -> float:
    """The distance of two tables by the cells that both have met: what they share is all that does not count."""
    at = np.minimum(np.searchsorted(p[0], q[0]), len(p[0]) - 1)
    both = p[0][at] == q[0]
    return max(0.0, 1.0 - float(np.minimum(p[1][at][both], q[1][both]).sum()))
