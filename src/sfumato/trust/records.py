"""Encoded private records, column by column, and exact contingency tables of them. Never leaves a setting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.encoding.rows import EncodedRows
from sfumato.trust.questions import Query

_BLOCK = 1 << 20
"""Records that are counted at a time: eight megabytes of cells."""
_KEPT_CELLS = 1 << 24
"""Cells of exact tables that are kept in all."""
_LARGEST_KEPT = 1 << 20
"""Cells of the largest table that is kept."""


class ExactRecords(Protocol):
    """Private records that a setting asks for exact answers, wherever they lie; it adds the noise."""

    @property
    def domain(self) -> Domain:
        """The encoded columns; public."""
        ...

    @property
    def outside(self) -> int:
        """How many rows had some cell that the schema's facts did not allow, left out or not."""
        ...

    def __len__(self) -> int: ...

    def table(self, query: Query) -> np.ndarray:
        """Exact counts, int64, of the query's shape."""
        ...

    def matrix(self) -> np.ndarray:
        """All codes, (n, d), in the domain's code type."""
        ...

    def coarsened(self, recode: Sequence[np.ndarray]) -> ExactRecords:
        """The same records through maps code -> coarser code, one per column."""
        ...


class KeptTables:
    """Exact tables, kept where they are small, so that a pair asked through several groupings is counted once.

    Args:
        domain: of the records.
        count: counts the records in the cells of a query, int64, of its shape.
    """

    def __init__(self, domain: Domain, count: Callable[[Query], np.ndarray]) -> None:
        self._domain, self._count = domain, count
        self._kept: dict[tuple[int, ...], np.ndarray] = {}
        self._room = _KEPT_CELLS

    def table(self, query: Query) -> np.ndarray:
        """Exact counts, int64, of the query's shape."""
        if query.groups is None:
            return self._plain(query.clique)
        if self._domain.cells(query.clique) > _LARGEST_KEPT:
            return self._count(query)
        return through_groups(self._plain(query.clique), query.groups)

    def _plain(self, clique: tuple[int, ...]) -> np.ndarray:
        kept = self._kept.get(clique)
        if kept is None:
            kept = self._count(Query(clique))
            if kept.size <= min(self._room, _LARGEST_KEPT):
                self._kept[clique] = kept
                self._room -= kept.size
        return kept


def coarser(domain: Domain, recode: Sequence[np.ndarray]) -> Domain:
    """The domain seen through maps code -> coarser code, one per column."""
    axes = []
    for axis, groups in zip(domain.axes, recode, strict=True):
        missing = None if axis.missing is None else int(groups[axis.missing])
        axes.append(type(axis)(axis.name, int(groups.max()) + 1, axis.ordered, missing))
    return Domain(tuple(axes))


class Records:
    """Private codes in the smallest unsigned type per column: (n,) each, 15 bytes a record for a typical table.

    Where there are images, the columns are views of one matrix that lies row by row: a pixel alone is seldom asked for.

    Attributes:
        domain: the encoded columns; public.
        outside: how many rows had some cell that the schema's facts did not allow, left out or not.
    """

    def __init__(self, columns: Sequence[np.ndarray] | np.ndarray, domain: Domain, outside: int = 0) -> None:
        if len(columns) != len(domain):
            raise ValueError(f"{len(columns)} columns of codes for a domain of {len(domain)}")
        whole = isinstance(columns, np.ndarray)
        largest = columns.max(axis=1, initial=0) if whole else [c.max(initial=0) for c in columns]
        for code, axis in zip(largest, domain.axes, strict=True):
            if code >= axis.size:
                raise ValueError(f"column {axis.name!r}: a code lies outside the domain")
        if whole:
            self._columns = columns.astype(domain.code_dtype(), copy=False)
        else:
            types = [np.min_scalar_type(a.size - 1) for a in domain.axes]
            self._columns = [np.ascontiguousarray(c, t) for c, t in zip(columns, types, strict=True)]
        self.domain = domain
        self.outside = outside
        self._tables = KeptTables(domain, self._count)

    @classmethod
    def of(cls, codes: np.ndarray, domain: Domain) -> Records:
        """From a matrix of codes (n, d), which is kept where there are images."""
        return cls([codes[:, i] for i in range(len(domain))] if domain.pixels is None else codes.T, domain)

    @classmethod
    def gathered(cls, blocks: Iterable[EncodedRows], domain: Domain) -> Records:
        """From a stream of encoded rows, without those that are refused: one pass.

        Memory for the codes alone; for images, twice.
        """
        outside = 0
        if domain.pixels is not None:
            whole = []
            for block in blocks:
                outside += int(np.count_nonzero(block.outside))
                whole.append(block.records)
            return cls(np.concatenate(whole).T, domain, outside)
        parts: list[list[np.ndarray]] = [[] for _ in domain.axes]
        for block in blocks:
            outside += int(np.count_nonzero(block.outside))
            kept = block.records
            for i, axis in enumerate(domain.axes):
                parts[i].append(kept[:, i].astype(np.min_scalar_type(axis.size - 1)))
        columns = []
        for part in parts:
            columns.append(np.concatenate(part) if part else np.empty(0, np.uint8))
            part.clear()
        return cls(columns, domain, outside)

    def __len__(self) -> int:
        return len(self._columns[0]) if len(self._columns) else 0

    def __repr__(self) -> str:
        return f"<private records: {len(self.domain)} columns>"

    def matrix(self) -> np.ndarray:
        """All codes, (n, d), in the domain's code type."""
        rows = self._columns.T if isinstance(self._columns, np.ndarray) else np.stack(self._columns, axis=1)
        return rows.astype(self.domain.code_dtype(), copy=False)

    def table(self, query: Query) -> np.ndarray:
        """Exact counts, int64, of the query's shape."""
        return self._tables.table(query)

    def coarsened(self, recode: Sequence[np.ndarray]) -> Records:
        """The same records through maps code -> coarser code, one per column."""
        columns = [
            groups.astype(np.min_scalar_type(int(groups.max())))[codes]
            for codes, groups in zip(self._columns, recode, strict=True)
        ]
        return Records(columns, coarser(self.domain, recode), self.outside)

    def _count(self, query: Query) -> np.ndarray:
        shape, groups = query.shape(self.domain), query.groups
        counts = np.zeros(int(np.prod(shape)), np.int64)
        for start in range(0, len(self), _BLOCK):
            flat = np.zeros(min(_BLOCK, len(self) - start), np.int64)
            for k, (i, size) in enumerate(zip(query.clique, shape, strict=True)):
                codes = self._columns[i][start : start + _BLOCK]
                flat *= size
                flat += codes if groups is None else groups[k][codes]
            counts += np.bincount(flat, minlength=counts.size)
        return counts.reshape(shape)


def through_groups(table: np.ndarray, groups: Sequence[np.ndarray]) -> np.ndarray:
    """``table`` with the slices of each axis added up that fall into one group; a group without a code stays zero.

    ``np.add.reduceat`` would give such a group the next one's first slice, and so count a record many times. Nothing on
    the way is larger than ``table`` or the answer, however far apart groups are numbered.
    """
    used, places = zip(*(np.unique(own, return_inverse=True) for own in groups), strict=True)
    for axis, place in enumerate(places):
        order = np.argsort(place, kind="stable")
        starts = np.searchsorted(place[order], np.arange(len(used[axis])))
        table = np.add.reduceat(np.take(table, order, axis=axis), starts, axis=axis)
    shape = tuple(int(own[-1]) + 1 for own in used)
    if shape == table.shape:
        return table
    out = np.zeros(shape, table.dtype)
    out[np.ix_(*used)] = table
    return out
