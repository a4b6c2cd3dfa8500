"""Every way to hold rows that can be read, each told to hold the rows of a hostile table."""

from __future__ import annotations

import datetime as dt
import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from benchmarks.edges.hostile import FACTS, OBJECTS, RAW, STRICT, TYPED, WRITTEN, Column, any_text, text_classes

_FITTING = {
    "int64": ("integer", "integer, moved", "wide integer", "real", "category", "boolean", "date", "time"),
    "int8": ("integer", "boolean", "category, moved"),
    "uint64": ("wide integer", "real", "category, moved"),
    "double": ("integer", "stepped integer", "real", "real, moved", "heavy real", "category", "datetime"),
    "float": ("integer", "real", "category"),
    "bool": ("boolean", "category", "integer"),
    "decimal": ("integer", "wide integer", "real", "category", "real, 1.234,5"),
    "string": tuple({**FACTS, **WRITTEN}),
    "dictionary": ("integer", "real", "category", "category, moved", "boolean", "datetime", "formatted date"),
    "long string": ("boolean", "labelled boolean", "integer", "real", "category", "datetime", "formatted date"),
    "null entry": ("boolean", "integer", "category", "category, moved", "date"),
    "half": ("integer", "category", "real"),
    "day": ("date", "category"),
    "date": ("date", "datetime", "category", "integer", "formatted date"),
    "second": ("date", "datetime"),
    "moment": ("date", "datetime", "zoned datetime", "time"),
    "instant": ("datetime", "zoned datetime", "category"),
    "clock": ("time", "category", "formatted time"),
    "nothing": ("integer", "category", "datetime"),
}
_ALL = {**FACTS, **WRITTEN}

Cells = Sequence[Any]


@dataclass
class Storage:
    """A way to hold rows.

    Attributes:
        name: of the reader.
        columns: what it is asked to hold, beside the two numbers of a row.
        file: what the schema says of a file of text.
    """

    name: str
    columns: list[Column]
    file: str = ""

    def numbers(self, high: int, low: int) -> tuple[Any, Any]:
        """The two cells that number a row."""
        return high, low

    def cell(self, column: Column, value: Any) -> Any:
        """A value as this storage may hold it; here: as it is."""
        del column
        return value

    def wild_cell(self, column: Column, value: Any, rng: random.Random) -> Any:
        """The same, or in its place what nobody thought of."""
        return self.cell(column, any_text(rng) if isinstance(value, str) and rng.random() < 0.3 else value)

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Any:
        """Something that `Rows.open` takes, with these rows in their order."""
        raise NotImplementedError


def _texts() -> list[Column]:
    lenient = [Column(f"t{i}", facts, text_classes(name)) for i, (name, facts) in enumerate(_ALL.items())]
    return [*lenient, *_strict(None)]


def _strict(kind: pa.DataType | None) -> list[Column]:
    return [Column(f"s{i}", f, text_classes(n), kind, True) for i, (n, f) in enumerate(STRICT.items())]


@dataclass
class Delimited(Storage):
    """Delimited text, written by hand: a cell is any bytes, quoted where it must be."""

    columns: list[Column] = field(default_factory=_texts)
    charset: str = "utf-8"
    delimiter: str = ","
    quote: str = '"'
    packed: bool = False

    def numbers(self, high: int, low: int) -> tuple[bytes, bytes]:
        """Digits."""
        return str(high).encode(), str(low).encode()

    def cell(self, column: Column, value: Any) -> bytes:
        """Bytes in the charset."""
        del column
        return str(value).encode(self.charset, "replace")

    def wild_cell(self, column: Column, value: Any, rng: random.Random) -> bytes:
        """Now and then bytes that are no text in the charset."""
        return rng.choice(RAW) if rng.random() < 0.1 else super().wild_cell(column, value, rng)

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Path:
        """A file with a header."""
        mark, end = self.quote.encode(), rng.choice([b"\n", b"\r\n"])
        special = (mark, self.delimiter.encode(), b"\n", b"\r", b" ")

        def written(cell: bytes) -> bytes:
            quoted = any(s in cell for s in special) or rng.random() < 0.1
            return mark + cell.replace(mark, mark * 2) + mark if quoted else cell

        lines = [self.delimiter.encode().join(map(written, row)) for row in rows]
        text = end.join([self.delimiter.join(names).encode(), *lines]) + end
        path = folder / ("table.csv.gz" if self.packed else "table.csv")
        path.write_bytes(gzip.compress(text, 1) if self.packed else text)
        return path


def _typed(skip: Sequence[str] = ()) -> list[Column]:
    kept = {name: fitting for name, fitting in _FITTING.items() if name not in skip}
    pairs = [(name, facts) for name, fitting in kept.items() for facts in fitting]
    lenient = [Column(f"a{i}", _ALL[f], TYPED[n][1], TYPED[n][0]) for i, (n, f) in enumerate(pairs)]
    return [*lenient, *_strict(pa.string())]


@dataclass
class Arrow(Storage):
    """Typed columns in Arrow memory; the base of what is written and converted from it."""

    columns: list[Column] = field(default_factory=_typed)
    raw: bool = True

    def cell(self, column: Column, value: Any) -> Any:
        """Texts as bytes."""
        return value.encode("utf-8", "replace") if _is_text(column.kind) and value is not None else value

    def wild_cell(self, column: Column, value: Any, rng: random.Random) -> Any:
        """Now and then a text that is no UTF-8, where the storage does not care."""
        spoilt = self.raw and _is_text(column.kind) and rng.random() < 0.1
        return rng.choice(RAW) if spoilt else super().wild_cell(column, value, rng)

    def table(self, names: Sequence[str], rows: Sequence[Cells]) -> pa.Table:
        """The rows as an Arrow table of the declared types."""
        kinds = [pa.int64(), pa.int64(), *(c.kind for c in self._of(names[2:]))]
        return pa.table({n: _array(list(c), k) for n, c, k in zip(names, _transposed(rows, names), kinds, strict=True)})

    def _of(self, names: Sequence[str]) -> list[Column]:
        known = {c.name: c for c in self.columns}
        return [known[name] for name in names]

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Any:
        """A table in two pieces: parts of one, or each with dictionaries of its own."""
        cut = rng.randrange(len(rows) + 1)
        if rng.random() < 0.5:
            return pa.concat_tables([self.table(names, rows[:cut]), self.table(names, rows[cut:])])
        whole = self.table(names, rows)
        return pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])


def _is_text(kind: pa.DataType | None) -> bool:
    return kind in (pa.string(), pa.large_string(), *(pa.dictionary(i, pa.string()) for i in (pa.int16(), pa.int32())))


def _transposed(rows: Sequence[Cells], names: Sequence[str]) -> list[tuple[Any, ...]]:
    return list(zip(*rows, strict=True)) if rows else [() for _ in names]


def _array(cells: list[Any], kind: pa.DataType | None) -> pa.Array:
    if pa.types.is_dictionary(kind):
        null = "encode" if kind.index_type == pa.int16() else "mask"
        return _array(cells, pa.string()).dictionary_encode(null_encoding=null)
    if kind in (pa.string(), pa.large_string()):
        raw = pa.array(cells, pa.binary() if kind == pa.string() else pa.large_binary())
        return pa.Array.from_buffers(kind, len(raw), raw.buffers())
    return pa.array(cells, kind)


@dataclass
class ParquetFile(Arrow):
    """Row groups of few rows, each with dictionaries of its own."""

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Path:
        """A file."""
        path = folder / "table.parquet"
        parquet.write_table(self.table(names, rows), path, row_group_size=rng.choice([1, 7, 1000]))
        return path


@dataclass
class ArrowFile(Arrow):
    """The file or the stream form, in batches of any size."""

    stream: bool = False

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Path:
        """A file."""
        table, path = self.table(names, rows).unify_dictionaries(), folder / "table.arrow"
        new = pa.ipc.new_stream if self.stream else pa.ipc.new_file
        with new(path, table.schema) as writer:
            writer.write_table(table, rng.choice([1, 5, 1000]))
        return path


class Polars(Arrow):
    """A polars frame."""

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Any:
        """A frame."""
        import polars as pl

        return pl.DataFrame(self.table(names, rows))


class DuckdbRelation(Arrow):
    """A query of DuckDB over the rows."""

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Any:
        """A relation."""
        import duckdb

        return duckdb.connect().from_arrow(self.table(names, rows))


class DuckdbTable(Arrow):
    """A table of DuckDB, which encodes the rows itself where it can."""

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Any:
        """An Ibis table."""
        import ibis

        backend = ibis.duckdb.connect()
        backend.con.register("given", self.table(names, rows))
        backend.raw_sql("CREATE TABLE rows AS SELECT * FROM given")
        return backend.table("rows")


@dataclass
class PandasFrame(Storage):
    """A pandas frame, its dtypes as pandas infers them from the rows."""

    columns: list[Column] = field(default_factory=lambda: _objects())

    def wild_cell(self, column: Column, value: Any, rng: random.Random) -> Any:
        """As it is, or a text instead."""
        return any_text(rng) if rng.random() < 0.1 else value

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Any:
        """A frame with any index."""
        import pandas as pd

        return pd.DataFrame({n: _inferred(list(c)) for n, c in zip(names, _transposed(rows, names), strict=True)})


def _has_an_offset_or_no_zone(moment: dt.datetime) -> bool:
    """Whether pandas can infer from it: a zone that gives no offset ends in an AttributeError of its own."""
    return (moment.tzinfo is None) == (moment.utcoffset() is None)


def _inferred(cells: list[Any]) -> Any:
    """As a frame that is built from a list would have it, where that is numbers, true/false, text or moments; else
    objects."""
    import pandas as pd

    if all(isinstance(c, dt.datetime) and _has_an_offset_or_no_zone(c) for c in cells):
        return pd.Series(cells)  # timestamps, where all have one zone or none
    simple = all(isinstance(c, int | float | bool | str | None.__class__) for c in cells)
    fits = all(not isinstance(c, int) or abs(c) < 2**53 for c in cells)  # a float would hold no more
    texts = all(not isinstance(c, str) or c.isprintable() for c in cells)
    if simple and fits and texts:
        return pd.Series(cells)
    kept = np.empty(len(cells), object)
    kept[:] = cells
    return pd.Series(kept, dtype=object)


def _objects() -> list[Column]:
    lenient = [Column(f"o{i}", facts, OBJECTS) for i, facts in enumerate(_ALL.values())]
    return [*lenient, *(Column(f"s{i}", facts, OBJECTS, None, True) for i, facts in enumerate(STRICT.values()))]


def storages() -> list[Storage]:
    """All ways that need no server."""
    rare = ("null entry", "half", "day")
    inside = _typed(("nothing", "dictionary", *rare))
    return [
        Delimited("csv"),
        Delimited("csv.gz", packed=True),
        Delimited("csv, Western", charset="cp1252", delimiter=";", file='file: {charset: cp1252, delimiter: ";"}'),
        Delimited("csv, '", quote="'", delimiter="\t", file='file: {quote: "\'", delimiter: "\\t"}'),
        Arrow("pyarrow"),
        ParquetFile("parquet", _typed(("second", "null entry"))),
        ArrowFile("arrow file"),
        ArrowFile("arrow stream", stream=True),
        PandasFrame("pandas"),
        Polars("polars", _typed(("decimal", "second", "clock", *rare)), raw=False),
        DuckdbRelation("duckdb", _typed(("nothing", "second", *rare)), raw=False),
        DuckdbTable("duckdb table", inside, raw=False),
    ]


_SQL = {
    "bigint": (["1", "7", "-3", "90"], ["9223372036854775807", "-9223372036854775808", None]),
    "smallint": (["1", "7"], ["32767", None]),
    "numeric": (["1", "1.5", "7.25"], ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", None]),
    "numeric(9, 2)": (["1", "1.5", "7.25"], ["NaN", "-9999999.99", None]),
    "real": (["1", "1.5"], ["NaN", "Infinity", "3e38", None]),
    "double precision": (["1", "1.5"], ["NaN", "-Infinity", "1e300", "-0", None]),
    "boolean": (["true", "false"], [None]),
    "date": (["2020-02-29", "1990-01-01"], ["infinity", "-infinity", "0044-03-15 BC", "5874897-12-31", None]),
    "timestamp": (["2019-07-01 12:00:15.5"], ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31", None]),
    "timestamptz": (["2019-07-01 12:00+02"], ["infinity", "-infinity", "4713-01-01 00:00:00 BC", "294276-12-31", None]),
    "time": (["12:30", "00:00:15.5"], ["24:00:00", None]),
    "uuid": (["00000000-0000-0000-0000-000000000007"], [None]),
    "text": ([], []),
}
"""Types of PostgreSQL, with literals in classes."""

_READ_AS = {
    "bigint": ("integer", "wide integer", "real", "category"),
    "smallint": ("integer", "boolean", "category"),
    "numeric": ("integer", "real", "heavy real", "category"),
    "numeric(9, 2)": ("integer", "real", "category"),
    "real": ("integer", "real", "category"),
    "double precision": ("integer", "real, moved", "heavy real", "category"),
    "boolean": ("boolean", "category", "integer"),
    "date": ("date", "datetime", "category"),
    "timestamp": ("date", "datetime", "zoned datetime"),
    "timestamptz": ("datetime", "zoned datetime"),
    "time": ("time", "category"),
    "uuid": ("category",),
    "text": tuple(FACTS),
}


def _sql(streamed: bool) -> list[Column]:
    """Columns that the engine can encode itself, or all."""
    inside = {("bigint", "integer"), ("bigint", "category"), ("double precision", "real, moved"), ("date", "date")}
    inside |= {("timestamp", "datetime"), ("timestamptz", "zoned datetime"), ("time", "time"), ("boolean", "boolean")}
    inside |= {("text", "category"), ("text", "category, moved"), ("text", "boolean"), ("numeric(9, 2)", "real")}
    pairs = [(t, f) for t, fitting in _READ_AS.items() for f in fitting if streamed or (t, f) in inside]
    return [
        Column(f"{t}/{i}", _ALL[f], text_classes(f) if t == "text" else list(_SQL[t])) for i, (t, f) in enumerate(pairs)
    ]


@dataclass
class PostgresTable(Storage):
    """A table of PostgreSQL, of the type that the first part of a column's name says.

    Attributes:
        backend: an Ibis connection.
    """

    backend: Any = None

    def wild_cell(self, column: Column, value: Any, rng: random.Random) -> Any:
        """Any text only where the type is text."""
        return super().wild_cell(column, value, rng) if column.name.startswith("text/") else self.cell(column, value)

    def cell(self, column: Column, value: Any) -> Any:
        """A literal; text without the NUL that PostgreSQL does not hold."""
        del column
        return value if value is None else str(value).encode("utf-8", "replace").decode().replace("\0", "")

    def hold(self, names: Sequence[str], rows: Sequence[Cells], folder: Path, rng: random.Random) -> Any:
        """An Ibis table."""
        kinds = ["bigint", "bigint", *(name.partition("/")[0] for name in names[2:])]
        columns = ", ".join(f'"{name}" {kind}' for name, kind in zip(names, kinds, strict=True))
        with self.backend.con.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS hostile")
            cursor.execute(f"CREATE TABLE hostile ({columns})")
            with cursor.copy("COPY hostile FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
        return self.backend.table("hostile")


def postgres_storages(backend: Any) -> list[Storage]:
    """Both ways to read a table of PostgreSQL: counted there, and streamed."""
    return [
        PostgresTable("postgres", _sql(streamed=False), backend=backend),
        PostgresTable("postgres, streamed", _sql(streamed=True), backend=backend),
    ]
