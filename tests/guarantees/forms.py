"""One private table in every form that is read, with or without one person: from the bytes of a file, or in memory.

The person, with far more rows than are declared, holds what moves a careless reader: values beyond the bounds and
between the steps, numbers that are none, an unknown label in bytes that are not UTF-8, gaps, quotes, and a long note.
"""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
from pyarrow import ipc, parquet

CANARY = "ZEBRA"
SCHEMA = """
sfumato: schema/1
unit: {column: person, max_rows: 3, source: public}
columns:
  person: {kind: identifier, source: public}
  age: {kind: integer, bounds: [0, 120], source: public}
  town: {kind: category, categories: [Delft, Ede, Köln], outside: other, source: public}
  wage: {kind: real, bounds: [0, 1000], nullable: true, source: public}
  lot: {kind: real, bounds: [0, 10], step: 0.5, outside: missing, nullable: true, source: public}
  member: {kind: boolean, nullable: true, source: public}
  day: {kind: date, bounds: [2000-01-01, 2020-12-31], source: public}
  seen: {kind: datetime, bounds: [2000-01-01 00:00, 2020-12-31 23:00], nullable: true, source: public}
  hour: {kind: time, nullable: true, outside: missing, source: public}
  note: {kind: text, source: public}
"""
Row = tuple[Any, ...]
_DAY, _MOMENT = dt.date(2001, 2, 3), dt.datetime(2004, 5, 6, 7, 8)


def plain(i: int) -> Row:
    """One of the others."""
    town, member = ("Delft", "Ede", "Köln")[i % 3], i % 2 == 0
    late, hour = dt.timedelta(days=i), dt.time(i % 24, i % 60)
    return (
        f"p{i // 2}",
        20 + i % 40,
        town,
        10.0 + i % 70,
        (i % 20) / 2,
        member,
        _DAY + late,
        _MOMENT + late,
        hour,
        "fine",
    )


def typed(i: int) -> Row:
    """A row of the person, in columns of their types."""
    far, none = dt.date(9000, 1, 1), None
    return (
        ("q", 2**62, CANARY, float("nan"), 3.14159, none, dt.date(1, 1, 1), none, none, f"{CANARY} was here"),
        (
            "q",
            -99_999,
            none,
            1e308,
            float("inf"),
            False,
            far,
            dt.datetime(1700, 1, 1),
            dt.time(23, 59, 59, 999_999),
            "",
        ),
        ("q", 7, "Ede", none, none, none, _DAY, dt.datetime(2200, 1, 1, 1, 1, 1, 1), none, none),
    )[i % 3]


WRITTEN = (
    b'q,1e9999,Z\xfcrich,<0.1,"3,5",maybe,31/12/2020,2004-05-06T07:08:09.123456+05:30,25:61,"she said ""no"""',
    b"q,0x10,ZEBRA,NaN,1e0005,2,2001-02-30,never,7h30,ZEBRA was here",
    b'q,-12.5,"",-inf,,TRUE,1970-01-01,2004-05-06 07:08,07:08:09.000001,',
)
"""Rows of the person as a text file may write them."""


def others(n: int) -> list[Row]:
    return [plain(i) for i in range(n)]


def rows(with_person: bool, n: int = 300) -> list[Row]:
    """The person's rows begin early, and go on to the end."""
    found = others(n)
    return (
        found if not with_person else [*found[:10], *(typed(i) for i in range(3)), *found[10:], *map(typed, range(37))]
    )


NAMES = ("person", "age", "town", "wage", "lot", "member", "day", "seen", "hour", "note")
TYPES = (
    pa.string(), pa.int64(), pa.string(), pa.float64(), pa.float64(), pa.bool_(), pa.date32(), pa.timestamp("us"),
    pa.time64("us"), pa.string(),
)  # fmt: skip


def table(with_person: bool) -> pa.Table:
    columns = zip(*rows(with_person), strict=True)
    return pa.table([pa.array(c, t) for c, t in zip(columns, TYPES, strict=True)], names=list(NAMES))


def text(with_person: bool) -> bytes:
    def line(row: Row) -> bytes:
        return ",".join(str(cell).lower() if isinstance(cell, bool) else str(cell) for cell in row).encode()

    lines = [line(row) for row in others(300)]
    if with_person:
        lines = [*lines[:10], *WRITTEN, *lines[10:], *(WRITTEN[i % 3] for i in range(37))]
    return b"\n".join([",".join(NAMES).encode(), *lines, b""])


def _file(name: str, written: Callable[[Path, bool], object]) -> Callable[[Path, bool], Path]:
    def made(folder: Path, with_person: bool) -> Path:
        (path := folder / str(with_person)).mkdir()
        written(path / name, with_person)
        return path / name

    return made


def _stream(path: Path, with_person: bool, new: Callable[..., Any]) -> None:
    found = table(with_person)
    with pa.OSFile(str(path), "wb") as sink, new(sink, found.schema) as writer:
        writer.write_table(found, max_chunksize=64)


def _frame(folder: Path, with_person: bool) -> pd.DataFrame:
    """Columns of Python objects, as they come from a driver or a spreadsheet: amounts are decimals."""
    found = pd.DataFrame(rows(with_person), columns=list(NAMES), dtype=object)
    found["wage"] = [None if x is None else Decimal(x).quantize(Decimal("1.00")) for x in _short(found["wage"])]
    if with_person:
        found.loc[10, "wage"] = Decimal("123.456789")
    return found


def _short(values: Any) -> list[Any]:
    return [x if x is None or abs(x) < 1e6 else None for x in values]


def _duckdb_file(path: Path, with_person: bool) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.register("given", table(with_person))
        connection.execute("CREATE TABLE rows AS SELECT * FROM given")


def _duckdb_url(folder: Path, with_person: bool) -> str:
    return f"duckdb://{_file('x.duckdb', _duckdb_file)(folder, with_person)}?table=rows"


FORMS: dict[str, Callable[[Path, bool], Any]] = {
    "csv": _file("x.csv", lambda path, p: path.write_bytes(text(p))),
    "csv.gz": _file("x.csv.gz", lambda path, p: path.write_bytes(gzip.compress(text(p)))),
    "parquet": _file("x.parquet", lambda path, p: parquet.write_table(table(p), path, row_group_size=64)),
    "arrow": _file("x.arrow", lambda path, p: _stream(path, p, ipc.new_file)),
    "arrow stream": _file("x.arrows", lambda path, p: _stream(path, p, ipc.new_stream)),
    "pyarrow": lambda folder, p: table(p),
    "pandas": lambda folder, p: table(p).to_pandas(types_mapper=pd.ArrowDtype),
    "pandas objects": _frame,
    "polars": lambda folder, p: pl.DataFrame(table(p)),
    "duckdb": _duckdb_url,
}
