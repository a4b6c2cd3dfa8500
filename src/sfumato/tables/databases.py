"""Tables that stay in a database: named by a URL, or given as an Ibis table."""

from __future__ import annotations

import datetime as dt
import re
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import pyarrow as pa

from sfumato.errors import MissingExtra, TableError
from sfumato.tables.columnar import conforming, flat_schema

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from ibis.backends import BaseBackend

_URL = re.compile(r"[a-z][a-z0-9+]*://")
_LARGEST, _LEAST = "1e300", "1e-300"
"""Numbers beyond these are read as infinite and as 0: doubles hold little more, and bounds none."""
_EXAMPLE = "postgresql://user@host/database?table=people or duckdb://file.duckdb?table=people"


@dataclass(frozen=True, eq=False)
class DatabaseTable:
    """A table or query of a database; each pass over the rows is one query, and so sees one snapshot.

    Attributes:
        expression: the Ibis table, in types that Arrow holds; a value that these do not hold (dates beyond the years 1
            to 9999, the time 24:00, numbers beyond 1e300) is the nearest that they do, so that no row stops the others.
        schema: names and types of the columns.
        name: how errors name it; without user and password.
    """

    expression: ir.Table = field(repr=False)
    schema: pa.Schema = field(repr=False)
    name: str
    kind = "database"

    @classmethod
    def of(cls, table: ir.Table, name: str = "the Ibis table") -> DatabaseTable:
        """From an Ibis table.

        Raises:
            TableError: a column that is not flat, or of a type that is not read.
        """
        engine = table.get_backend().name
        for column, kind in table.schema().items():
            if kind.is_interval() or (kind.is_unknown() and engine == "duckdb"):
                raise TableError(unread(name, column, str(getattr(kind, "raw_type", kind))))
        wide = engine == "postgres"
        converted = {name: _held(table[name], wide) for name in table.columns}
        changed = {name: cells for name, cells in converted.items() if cells is not None}
        flat = table.mutate(**changed) if changed else table
        try:
            schema = flat.schema().to_pyarrow()
        except (NotImplementedError, KeyError):
            raise TableError(f"{name}: a column is of a type that Arrow has not; leave it out of the query") from None
        return cls(flat, flat_schema(name, schema), name)

    @classmethod
    def open(cls, url: str) -> DatabaseTable:
        """Connect to the table that ``url`` names; the connection is closed with the last use of what is returned.

        Raises:
            MissingExtra: Ibis or the driver of this database is not installed.
            TableError: no table is named, or the database cannot be reached or has none of that name.
        """
        try:
            import ibis
        except ImportError:
            raise MissingExtra("sql", "a table in a database") from None
        name = display_url(url)
        address = urlsplit(url)
        options = dict(parse_qsl(address.query))
        table, schema = options.pop("table", None), options.pop("schema", None)
        if not table:
            raise TableError(f"{name}: names no table; write {_EXAMPLE}")
        if address.scheme == "duckdb":
            options["read_only"] = "true"
        try:
            backend = ibis.connect(address._replace(query=urlencode(options)).geturl())
        except ImportError:
            raise MissingExtra("sql", f"a table in {address.scheme}") from None
        except Exception as error:  # every driver has its own, and some quote the address
            raise TableError(
                f"{name}: cannot connect ({type(error).__name__}); is it there, and are user and password right "
                "(PGPASSWORD or ~/.pgpass for PostgreSQL)?"
            ) from None
        try:
            opened = cls.of(backend.table(table, database=schema), name)
        except TableError:
            backend.disconnect()
            raise
        except Exception:
            backend.disconnect()
            raise TableError(f"{name}: there is no such table, or it may not be read") from None
        weakref.finalize(opened, backend.disconnect)
        return opened

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` rows, streamed."""
        backend = self.expression.get_backend()
        try:
            yield from conforming(_stream(backend, self.expression, size), self.schema)
        except Exception as error:  # its text may quote a cell
            raise TableError(f"{self.name}: the database could not deliver the rows ({type(error).__name__})") from None


def unread(source: str, column: str, kind: str) -> str:
    """That a column is of a type of the engine alone, which would not come out as it is stored."""
    return (
        f"{source}: column {column!r} is of type {kind}, which is not read; cast it to text or to a number in a view, "
        "or leave it out of the query"
    )


def _held(cells: ir.Column, wide: bool) -> ir.Value | None:
    """A column as Arrow and Python hold it, each value by itself; None where it needs no change.

    ``wide`` is for engines whose dates and numbers go beyond: PostgreSQL's ``infinity``, years before Christ, NaN among
    decimals, and numerics of any size.
    """
    import ibis

    kind = cells.type()
    if kind.is_uuid():
        return cells.cast("string")
    if kind.is_decimal() and kind.scale is None:
        return _as_float(cells) if wide else cells.cast("float64")
    if not wide:
        return None
    if kind.is_decimal():
        return ibis.ifelse(cells.cast("string") == "NaN", ibis.null(kind), cells)
    if kind.is_date():
        low, high = ibis.literal(dt.date(1, 1, 1)), ibis.literal(dt.date(9999, 12, 31))
    elif kind.is_timestamp():
        zone = None if kind.timezone is None else dt.UTC
        ends = (dt.datetime(1, 1, 2, tzinfo=zone), dt.datetime(9999, 12, 30, tzinfo=zone))  # a day for any zone
        low, high = (ibis.literal(end, kind) for end in ends)
    elif kind.is_time():
        low, high = ibis.literal(dt.time(0)), ibis.literal(dt.time(23, 59, 59, 999_999))
    else:
        return None
    return ibis.cases((cells < low, low), (cells > high, high), else_=cells)


def _as_float(cells: ir.Column) -> ir.Value:
    """Numbers of any size as float64, which the engine would refuse to round beyond its ends; NaN is missing."""
    import ibis

    most, least = (ibis.literal(text).cast(cells.type()) for text in (_LARGEST, _LEAST))
    above, below = (ibis.literal(text).cast("float64") for text in ("Infinity", "-Infinity"))
    return ibis.cases(
        (cells.cast("string") == "NaN", ibis.null("float64")),
        (cells > most, above),
        (cells < -most, below),
        (cells.abs() < least, ibis.literal(0.0)),
        else_=cells.cast("float64"),
    )


def is_url(source: str) -> bool:
    """Whether ``source`` names a database and not a file."""
    return _URL.match(source) is not None


def display_url(url: str) -> str:
    """The address without what may be secret: user, password and all options but the table."""
    address = urlsplit(url)
    kept = [(key, value) for key, value in parse_qsl(address.query) if key in ("schema", "table")]
    return f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}?{urlencode(kept)}".rstrip("?")


def _stream(backend: BaseBackend, table: ir.Table, size: int) -> Iterator[pa.RecordBatch]:
    if backend.name != "duckdb":
        yield from table.to_pyarrow_batches(chunk_size=size)
        return
    # Ibis 12 asks DuckDB 2 for a method that it no longer has
    backend._run_pre_execute_hooks(table)
    with backend.con.sql(backend.compile(table)).to_arrow_reader(size) as reader:
        yield from reader
