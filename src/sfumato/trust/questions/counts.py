"""Questions whose answers are counts: how many records there are, and contingency tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import numpy as np

from sfumato.encoding.domain import Clique as Clique
from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.privacy.accounting import discrete_gaussian_sigma
from sfumato.privacy.events import DiscreteGaussian
from sfumato.privacy.mechanisms.discrete_gaussian import planned
from sfumato.results.plain import Json
from sfumato.trust.questions.packing import PublicArrays, Unpacked, frozen
from sfumato.trust.questions.question import Price, SumQuestion, checked_costs

_MOST_CELLS = 1 << 28
"""Of all tables of a question: two gigabytes of counts."""
_MOST_CODES = 1 << 31
"""Of an axis, or positions of one: what four bytes hold."""
_SHOWN = 4
"""Tables that are named; of the others, how many there are."""


@dataclass(frozen=True)
class Query:
    """A contingency table to be asked: some columns, each seen through a public map from codes to groups.

    Attributes:
        clique: positions of the columns, ascending.
        groups: one integer array per column of the clique, code -> group; None for the codes themselves.
    """

    clique: Clique
    groups: tuple[np.ndarray, ...] | None = None

    def shape(self, domain: Domain) -> tuple[int, ...]:
        """Shape of the table over ``domain``."""
        if self.groups is None:
            return domain.shape(self.clique)
        return tuple(int(g.max()) + 1 for g in self.groups)

    def cells(self, domain: Domain) -> int:
        """Number of cells of the table."""
        return math.prod(self.shape(domain))

    def through(self, recode: Sequence[np.ndarray]) -> Query:
        """The same table of finer records, which ``recode`` (one map code -> coarser code per column) makes coarser."""
        maps = [recode[i] for i in self.clique]
        if self.groups is None:
            return Query(self.clique, tuple(maps))
        return Query(self.clique, tuple(g[m] for g, m in zip(self.groups, maps, strict=True)))

    def check(self, domain: Domain) -> None:
        """QuestionError unless ``domain`` has the columns, and groups for each of their codes."""
        ascending = all(one < other for one, other in pairwise(self.clique))
        if not self.clique or not ascending or not 0 <= self.clique[0] <= self.clique[-1] < len(domain):
            raise QuestionError(f"a table is of columns in ascending order among the {len(domain)} there are")
        if self.groups is None:
            return
        if len(self.groups) != len(self.clique):
            raise QuestionError("a table through groups has groups for each of its columns")
        for i, groups in zip(self.clique, self.groups, strict=True):
            if groups.dtype.kind not in "iu" or groups.shape != (domain.sizes[i],):
                raise QuestionError(f"the groups of column {i} are whole numbers, one for each of its codes")
            if groups.min() < 0 or groups.max() >= _MOST_CODES:
                raise QuestionError(f"the groups of column {i} are numbered from 0 on")


@dataclass(frozen=True)
class Measurement:
    """A noisy marginal: ``values`` has the query's shape, float64, noise of standard deviation ``sigma`` per cell."""

    query: Query
    values: np.ndarray
    sigma: float


def _count_price(mu: Sequence[float], parts: int, max_rows: int) -> Price:
    """Of tables in each of which a unit moves counts by at most ``max_rows`` in l1 norm."""
    checked_costs(mu, parts)
    scale_of = {m: _scale(m, max_rows) for m in set(mu)}
    scales = tuple(scale_of[m] for m in mu)
    return Price(scales, tuple(DiscreteGaussian(s, max_rows) for s in scales if s))


def _scale(mu: float, max_rows: int) -> float:
    if math.isinf(mu):
        return 0.0
    planned(max_rows / mu)  # about what follows, which overflows where this is far too much
    return planned(discrete_gaussian_sigma(mu, max_rows))


@dataclass(frozen=True, eq=False)
class Count(SumQuestion[float]):
    """How many records there are.

    Attributes:
        outside: count instead the rows with some cell that the schema's facts did not allow, left out or not.

    *Formal guarantee.* A unit moves it by at most its number of rows.
    """

    outside: bool = False

    kind = "count"

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        return {"outside": self.outside}, {}

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        return cls(found.flag("outside"))

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        if self.outside:
            return "the number of rows with a cell that the schema does not allow"
        return "the number of records"

    def check(self, domain: Domain) -> None:
        """It can be asked of all records."""

    def sizes(self, domain: Domain) -> tuple[int, ...]:
        """See ``SumQuestion``."""
        return (1,)

    def price(self, mu: Sequence[float], max_rows: int) -> Price:
        """See ``SumQuestion``."""
        return _count_price(mu, 1, max_rows)

    def answer(self, whole: np.ndarray, price: Price, domain: Domain) -> float:
        """See ``SumQuestion``."""
        return float(whole[0])


@dataclass(frozen=True, eq=False)
class Marginals(SumQuestion[list[Measurement]]):
    """Contingency tables; each is a part.

    Attributes:
        queries: the tables.
        outside: count also the rows with some cell that the schema's facts did not allow: one more part, the first,
            answered as a table of no column.

    *Formal guarantee.* A record is in one cell of each table: a unit moves each by at most its number of rows in l1.
    """

    queries: tuple[Query, ...]
    outside: bool = False

    kind = "marginals"

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """Cliques, one behind the other, with their lengths; groups, one behind the other, with theirs."""
        maps = [groups for query in self.queries for groups in query.groups or ()]
        found = {
            "lengths": np.array([len(query.clique) for query in self.queries], np.int32),
            "columns": np.array([i for query in self.queries for i in query.clique], np.int32),
            "grouped": np.array([query.groups is not None for query in self.queries], bool),
            "codes": np.array([len(groups) for groups in maps], np.int32),
            "groups": np.concatenate([np.zeros(0, np.int32), *(np.asarray(groups, np.int32) for groups in maps)]),
        }
        return {"outside": self.outside}, frozen(found)

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        lengths, columns, codes, groups = (
            found.array(name, "<i4") for name in ("lengths", "columns", "codes", "groups")
        )
        grouped = found.array("grouped", "|b1")
        if len(grouped) != len(lengths) or (lengths < 0).any() or (codes < 0).any():
            raise QuestionError("the tables of a question do not fit each other")
        maps = lengths[grouped].sum(dtype=np.int64)
        sums = (lengths.sum(dtype=np.int64), maps, codes.sum(dtype=np.int64))
        if sums != (len(columns), len(codes), len(groups)):
            raise QuestionError("the tables of a question do not fit each other")
        each = iter(np.split(groups, np.cumsum(codes)[:-1]) if len(codes) else [])
        queries = [
            Query(tuple(clique.tolist()), tuple(next(each) for _ in clique) if through else None)
            for clique, through in zip(
                np.split(columns, np.cumsum(lengths)[:-1]) if len(lengths) else [], grouped, strict=True
            )
        ]
        return cls(tuple(queries), found.flag("outside"))

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        if self.outside:
            return f"{Count(outside=True)}, and {replace(self, outside=False).words(names)}"
        if len(self.queries) == 1:
            return f"the table of counts of {_columns(self.queries[0], names)}"
        listed = "; ".join(_columns(query, names) for query in self.queries[:_SHOWN])
        more = len(self.queries) - _SHOWN
        return f"{len(self.queries)} tables of counts: {listed}" + (f"; and {more} more" if more > 0 else "")

    def check(self, domain: Domain) -> None:
        """See ``Question``."""
        for query in self.queries:
            query.check(domain)
        if self.values(domain) > _MOST_CELLS:
            raise QuestionError(f"the tables of one question have at most {_MOST_CELLS} cells in all")

    def sizes(self, domain: Domain) -> tuple[int, ...]:
        """See ``SumQuestion``."""
        return tuple(query.cells(domain) for query in self._parts)

    def price(self, mu: Sequence[float], max_rows: int) -> Price:
        """See ``SumQuestion``."""
        return _count_price(mu, len(self._parts), max_rows)

    def answer(self, whole: np.ndarray, price: Price, domain: Domain) -> list[Measurement]:
        """See ``SumQuestion``."""
        tables = np.split(whole, np.cumsum(self.sizes(domain))[:-1])
        return [
            Measurement(query, table.reshape(query.shape(domain)).astype(np.float64), scale)
            for query, table, scale in zip(self._parts, tables, price.scales, strict=True)
        ]

    @property
    def _parts(self) -> tuple[Query, ...]:
        return (Query(()), *self.queries) if self.outside else self.queries

    def through(self, recode: Sequence[np.ndarray]) -> Marginals:
        """The same tables of finer records; see :meth:`Query.through`."""
        return replace(self, queries=tuple(query.through(recode) for query in self.queries))


def _columns(query: Query, names: Sequence[str] | None) -> str:
    said = [f"column {i}" if names is None else repr(names[i]) for i in query.clique]
    if query.groups is not None:
        said = [f"{name} in {int(g.max()) + 1} groups" for name, g in zip(said, query.groups, strict=True)]
    return " x ".join(said)
