"""Records that stay in the database which holds the rows: it keeps their codes, and counts them by GROUP BY."""

from __future__ import annotations

import functools
import operator
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import ibis
import numpy as np
import pyarrow as pa

from sfumato.encoding import expressions
from sfumato.encoding.codec import Codec
from sfumato.encoding.column import ColumnCodec
from sfumato.encoding.constraints import CombinedAxis
from sfumato.encoding.domain import Domain
from sfumato.encoding.expressions import Expression, NotExpressible
from sfumato.encoding.image import ImageCodec
from sfumato.errors import TableError
from sfumato.schema import IdUnit, Schema
from sfumato.tables.databases import DatabaseTable
from sfumato.trust.questions import Query
from sfumato.trust.records import KeptTables, coarser

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends.sql import SQLBackend

ENGINES = ("duckdb", "postgres")
"""Whose answers are tested to equal those in memory to the last row."""

_BATCH = 1 << 18
"""Rows that are fetched at a time: some megabytes of codes."""
_PROBES = (("a", "A"), ("a", "a "), ("e", "é"), ("é", "e\u0301"))
"""Texts that some engine or collation takes for equal."""


class DatabaseRecords:
    """Private records as codes in a table of the database; only counts of cells leave it, and codes by `matrix`.

    Attributes:
        domain: the encoded columns; public.
        outside: how many rows had some cell that the schema's facts did not allow, left out or not.
    """

    def __init__(
        self,
        codes: ir.Table,
        names: Sequence[str],
        domain: Domain,
        length: int,
        outside: int,
        recode: Sequence[np.ndarray] | None = None,
    ) -> None:
        self._codes, self._names, self._length, self._recode = codes, names, length, recode
        self.domain, self.outside = domain, outside
        self._tables = KeptTables(domain, self._count)

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        return f"<private records in a database: {len(self.domain)} columns>"

    def table(self, query: Query) -> np.ndarray:
        """Exact counts, int64, of the query's shape."""
        return self._tables.table(query)

    def matrix(self) -> np.ndarray:
        """All codes, (n, d), in the domain's code type: they leave the database, for models that read records."""
        codes = np.empty((self._length, len(self.domain)), self.domain.code_dtype(), order="F")
        start = 0
        for batch in _stream(self._codes.select(self._names)):
            for i, column in enumerate(batch.columns):
                codes[start : start + len(batch), i] = self._seen(i, column.to_numpy())
            start += len(batch)
        return codes

    def coarsened(self, recode: Sequence[np.ndarray]) -> DatabaseRecords:
        """The same records through maps code -> coarser code, one per column."""
        through = [r if self._recode is None else r[self._recode[i]] for i, r in enumerate(recode)]
        domain = coarser(self.domain, recode)
        return DatabaseRecords(self._codes, self._names, domain, self._length, self.outside, through)

    def _count(self, query: Query) -> np.ndarray:
        cells = self._codes.group_by([self._names[i] for i in query.clique]).aggregate(records=self._codes.count())
        shape = query.shape(self.domain)
        counts = np.zeros(int(np.prod(shape)), np.int64)
        for batch in _stream(cells):
            flat = np.zeros(len(batch), np.int64)
            for k, (i, size) in enumerate(zip(query.clique, shape, strict=True)):
                codes = self._seen(i, batch[self._names[i]].to_numpy())
                flat = flat * size + (codes if query.groups is None else query.groups[k][codes])
            np.add.at(counts, flat, batch["records"].to_numpy())
        return counts.reshape(shape)

    def _seen(self, position: int, codes: np.ndarray) -> np.ndarray:
        return codes if self._recode is None else self._recode[position][codes]


def encoded_inside(source: DatabaseTable, codec: Codec) -> DatabaseRecords:
    """Encode the rows in one query into a temporary table of the database, which goes with the records.

    Raises:
        NotExpressible: the database might encode a column otherwise than `Codec.encode`, or keeps no temporary table.
        TableError: there is no row.

    *Formal guarantee.* As `gathering.gather`: each row is encoded by itself, by public facts, to one record or none,
    and of each unit at most the declared number of rows is kept, chosen at random without regard to any other unit. One
    query is one snapshot, so all counts are of the same rows, though the table may change meanwhile.
    """
    table, backend = source.expression, _known_engine(source)
    loose = _loose_texts(table)
    bounded = _bounded(table, codec.schema, loose)
    encoded, names = _encoded(bounded, codec, loose)
    name = ibis.util.gen_name("sfumato_codes")
    try:
        codes = backend.create_table(name, encoded, temp=True)
    except Exception as error:  # a replica that only reads, a missing privilege; the text may quote a cell
        raise NotExpressible(f"the database made no temporary table ({type(error).__name__})") from None
    records = codes.filter(~codes.refused)
    weakref.finalize(records, _dropped, backend, name)
    length, outside = _counted(codes, source.name)
    return DatabaseRecords(records, names, codec.domain, length, outside)


def values_inside(
    source: DatabaseTable, schema: Schema, columns: Sequence[str]
) -> Iterator[tuple[str, pa.Array, np.ndarray]]:
    """The distinct values of some columns, with how many rows have each, counted by the database in blocks.

    Raises NotExpressible, before anything is given, where the database might take unlike values for equal.

    *Formal guarantee.* As `encoded_inside`; each column is counted over at most ``max_rows`` rows of each unit.
    """
    _known_engine(source)
    loose = _loose_texts(source.expression)
    for name in columns:
        kind = source.expression[name].type()
        if name in loose or not (kind.is_string() or kind.is_integer() or kind.is_boolean()):
            raise NotExpressible(f"column {name!r} is stored as {kind}")
    table = _bounded(source.expression, schema, loose)
    for name in columns:
        for batch in _stream(table.group_by(name).aggregate(sfumato_rows=table.count())):
            yield name, batch[name], batch["sfumato_rows"].to_numpy()


def _known_engine(source: DatabaseTable) -> SQLBackend:
    backend = source.expression.get_backend()
    if backend.name not in ENGINES:
        raise NotExpressible(f"{backend.name} is not known to encode exactly as in memory")
    return backend


def _bounded(table: ir.Table, schema: Schema, loose: set[str]) -> ir.Table:
    """At most ``max_rows`` rows of each unit, any ones; units are those of `gathering.identifiers`."""
    unit = schema.unit
    if not isinstance(unit, IdUnit):
        return table
    cells = table[unit.column]
    if not (cells.type().is_integer() or cells.type().is_string()) or unit.column in loose:
        raise NotExpressible(f"the identifier {unit.column!r} is stored as {cells.type()}")
    markers = schema.null_markers(schema.column(unit.column))
    gone = cells.cast("string").isin(markers) if markers else ibis.literal(False)
    drawn = table.mutate(sfumato_order=ibis.random(), sfumato_unit=ibis.ifelse(gone, ibis.null(cells.type()), cells))
    nth = ibis.row_number().over(ibis.window(group_by="sfumato_unit", order_by="sfumato_order"))
    return drawn.mutate(sfumato_nth=nth).filter(lambda t: t.sfumato_nth < unit.max_rows)


def _encoded(table: ir.Table, codec: Codec, loose: set[str]) -> tuple[ir.Table, list[str]]:
    """A column ``c0``, ``c1``, ... of codes per learnt column, one per combination of columns, the mask of rows outside
    the facts and that of refused ones; with the names of those that stand for the axes of the domain."""
    found = {name: _expressed(part, table[name], name in loose) for name, part in codec.columns.items()}
    places = {name: f"c{i}" for i, name in enumerate(found)}
    outside = _any([e.outside for e in found.values()])
    codes = table.select(**{places[name]: e.code for name, e in found.items()}, outside=outside)
    names = []
    for part in codec.parts.values():
        if isinstance(part, ImageCodec):
            raise NotExpressible(f"column {part.column.name!r} holds images")
        if isinstance(part, CombinedAxis):
            combined = expressions.combination(part, [codes[places[name]] for name in part.rule.columns])
            place = f"c{len(codes.columns)}"
            codes = codes.mutate(**{place: combined.code}, outside=codes.outside | combined.outside)
        else:
            place = places[part.axis.name]
        names.append(place)
    refused = _any([codes[place] < 0 for place in codes.columns if place != "outside"])
    return codes.mutate(refused=refused), names


def _expressed(part: ColumnCodec, cells: ir.Column, loose: bool) -> Expression:
    if loose:
        raise NotExpressible(f"column {part.axis.name!r} is stored as text that takes unlike texts for equal")
    return expressions.column(part, cells)


def _loose_texts(table: ir.Table) -> set[str]:
    """The columns of text whose type or collation takes unlike texts for equal: asked of the engine, not of a row."""
    names = [name for name, kind in table.schema().items() if kind.is_string()]
    probes = {}
    for i, name in enumerate(names):
        cells = table[name]
        never = cells.isnull() & cells.notnull()
        for j, (text, like) in enumerate(_PROBES):
            probes[f"p{i}_{j}"] = ibis.ifelse(never, cells, text) == like
    if not probes:
        return set()
    (found,) = _rows(table.select(**probes).limit(1)) or [{}]
    return {names[int(probe[1:].partition("_")[0])] for probe, equal in found.items() if equal}


def _counted(codes: ir.Table, source: str) -> tuple[int, int]:
    """How many records there are, and how many rows lie outside the facts, left out or not; TableError without rows."""
    counts = codes.aggregate(
        rows=codes.count(),
        records=codes.count(where=~codes.refused),
        strange=codes.count(where=codes.outside | codes.refused),
    )
    (found,) = _rows(counts)
    if not found["rows"]:
        raise TableError(f"{source}: has columns but no rows; give at least one row")
    return found["records"], found["strange"]


def _any(masks: Sequence[ir.BooleanColumn]) -> ir.BooleanColumn:
    return functools.reduce(operator.or_, masks)


def _rows(table: ir.Table) -> list[dict[str, int]]:
    return [row for batch in _stream(table) for row in batch.to_pylist()]


def _stream(table: ir.Table) -> Iterator[pa.RecordBatch]:
    return DatabaseTable.of(table).batches(_BATCH)


def _dropped(backend: SQLBackend, name: str) -> None:
    """Drop a temporary table, unless a statement is under way: then it goes with the connection.

    Python may collect the records in the middle of a statement over the same connection, whose lock this thread holds
    then: another statement would wait for itself.
    """
    lock = getattr(backend.con, "lock", None)  # of psycopg; DuckDB has none that Python code runs under
    if lock is not None and lock.locked():
        return
    with suppress(Exception):  # the connection may have gone before, and the table with it
        backend.raw_sql(f'DROP TABLE "{name}"')
