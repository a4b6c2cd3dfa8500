"""Cells whose type is not declared, as in pandas' object columns: each is read by its own Python type.

What such a column holds is no fact of its storage: a rule over the whole column (the widest type, the largest scale)
would let one row decide how all others are read. So a batch of it is a dense union of `OBJECTS`.

| cell | read as |
|---|---|
| None, NaN, NaT, NA | missing |
| str | text; a half of a surrogate pair becomes U+FFFD |
| bytes | text in UTF-8; what is none becomes U+FFFD |
| bool | true or false |
| int | a whole number, with any number of digits up to 400 |
| float | a real number |
| Decimal | a number |
| date | a day |
| datetime, Timestamp, datetime64 | a wall-clock time, an instant where it has an offset; in microseconds |
| time | a time of day |
| UUID | text: its 36 characters |
| anything else | the text U+FFFD, which is no value of any kind |
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_TEXT, _NUMERAL, _INTEGER, _REAL, _FLAG, _DAY, _MOMENT, _INSTANT, _CLOCK = range(9)
NUMERAL = "numeral"
"""Name of the part of `OBJECTS` that holds numbers in text, with a decimal point whatever the column declares."""
OBJECTS = pa.dense_union(
    [
        pa.field("text", pa.string()),
        pa.field(NUMERAL, pa.string()),
        pa.field("integer", pa.int64()),
        pa.field("real", pa.float64()),
        pa.field("flag", pa.bool_()),
        pa.field("day", pa.date32()),
        pa.field("moment", pa.timestamp("us")),
        pa.field("instant", pa.timestamp("us", "UTC")),
        pa.field("clock", pa.time64("us")),
    ]
)
"""The type of a column of cells that have a type each."""

UNREADABLE = "\ufffd"
"""What stands for a cell that is no value of a table."""

_MOST_BITS = 1328  # of a whole number that is written out: 400 digits, below Python's own limit of 4,300
_WHOLE = 2.0**63
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SURROGATE = re.compile("[\ud800-\udfff]")


def object_cells(cells: Any) -> pa.UnionArray:
    """Cells (n,), any sequence of Python objects, by the rules above.

    *Formal guarantee.* Each cell is read by itself; no cell is an error.
    """
    given = np.asarray(cells, object)
    values: list[Any] = [[] for _ in OBJECTS]
    try:  # the quick way, which gives the same where all are str, bytes or missing
        values[_TEXT] = pa.array(given, pa.string(), from_pandas=True)
        codes, offsets = np.zeros(len(given), np.int8), np.arange(len(given), dtype=np.int32)
    except (pa.ArrowException, UnicodeError):
        codes, offsets = np.empty(len(given), np.int8), np.empty(len(given), np.int32)
        for i, cell in enumerate(given):
            codes[i], value = _read(cell)
            offsets[i] = len(values[codes[i]])
            values[codes[i]].append(value)
    children = [pa.array(v, f.type) for v, f in zip(values, OBJECTS, strict=True)]
    return pa.UnionArray.from_dense(pa.array(codes), pa.array(offsets), children, [f.name for f in OBJECTS])


def parts(cells: pa.UnionArray) -> Iterator[tuple[str, np.ndarray, pa.Array]]:
    """The cells of each type that occurs: its name in `OBJECTS`, their positions, their values."""
    _, codes, offsets = cells.buffers()[:3]
    until = cells.offset + len(cells)
    own = np.frombuffer(codes, np.int8)[cells.offset : until]
    places = np.frombuffer(offsets, np.int32)[cells.offset : until]
    for code, field in enumerate(OBJECTS):
        positions = np.flatnonzero(own == code)
        if len(positions):
            yield field.name, positions, cells.field(code).take(pa.array(places[positions]))


def as_text(cells: pa.Array) -> pa.Array:
    """Cells of any type as text, one by one: what labels and identifiers are compared by; NaN is missing.

    Whole numbers are written alike whether they are stored as such, as floats, or as text.

    Raises:
        pa.ArrowException: a type that has no text.
    """
    if cells.type == OBJECTS:
        texts = np.full(len(cells), None, object)
        for _, positions, values in parts(cells):
            texts[positions] = as_text(values).to_numpy(zero_copy_only=False)
        return pa.array(texts, pa.string())
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    return _floats_as_text(cells) if pa.types.is_floating(cells.type) else cells.cast(pa.string())


def without_objects(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with text in place of cells that have a type each."""
    if OBJECTS not in batch.schema.types:
        return batch
    cells = [as_text(c) if c.type == OBJECTS else c for c in batch.columns]
    return pa.record_batch(cells, schema=declared_types(batch.schema))


def declared_types(schema: pa.Schema) -> pa.Schema:
    """The schema of `without_objects`."""
    return pa.schema([f.with_type(pa.string()) if f.type == OBJECTS else f for f in schema])


def readable(cells: pa.Array) -> pa.Array:
    """The same cells, where bytes in a text that are no UTF-8 become U+FFFD; they concern their own cell alone.

    Raises:
        pa.ArrowInvalid: the array is damaged beyond its characters.
    """
    if pa.types.is_dictionary(cells.type):
        entries = readable(cells.dictionary)
        if entries is cells.dictionary:
            return cells
        return pa.DictionaryArray.from_arrays(cells.indices, entries, ordered=cells.type.ordered)
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        return cells
    try:
        cells.validate(full=True)
        return cells
    except pa.ArrowInvalid:
        raw = cells.cast(pa.binary() if pa.types.is_string(cells.type) else pa.large_binary()).to_pylist()
        return pa.array([None if c is None else c.decode("utf-8", "replace") for c in raw], cells.type)


def _floats_as_text(values: pa.Array) -> pa.Array:
    values = values.cast(pa.float64())
    found = values.fill_null(np.nan).to_numpy(zero_copy_only=False)
    whole = (np.abs(found) < _WHOLE) & (np.rint(found) == found)
    digits = pa.array(np.where(whole, found, 0).astype(np.int64)).cast(pa.string())
    written = pc.if_else(pa.array(whole), digits, values.cast(pa.string()))
    return pc.if_else(pa.array(np.isnan(found)), pa.scalar(None, pa.string()), written)


def _read(cell: Any) -> tuple[int, Any]:
    """The number of the cell's type in `OBJECTS`, and its value there."""
    if isinstance(cell, str):
        return _TEXT, _SURROGATE.sub(UNREADABLE, cell)
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return _TEXT, None
    if isinstance(cell, bool | np.bool_):
        return _FLAG, bool(cell)
    if isinstance(cell, int | np.integer):
        whole = int(cell)
        if -(2**63) <= whole < 2**63:
            return _INTEGER, whole
        return (_NUMERAL, str(whole)) if whole.bit_length() <= _MOST_BITS else (_TEXT, UNREADABLE)
    if isinstance(cell, float | np.floating):
        return (_TEXT, None) if np.isnan(cell) else (_REAL, float(cell))
    if isinstance(cell, Decimal):
        return (_TEXT, None) if cell.is_nan() else (_NUMERAL, str(cell))
    if isinstance(cell, dt.date | dt.time | np.datetime64):
        return _read_time(cell)
    if isinstance(cell, UUID):
        return _TEXT, str(cell)
    return _TEXT, cell.decode("utf-8", "replace") if isinstance(cell, bytes) else UNREADABLE


def _read_time(cell: Any) -> tuple[int, Any]:
    if isinstance(cell, np.datetime64):
        if np.isnat(cell):
            return _TEXT, None
        return _MOMENT, int(cell.astype("datetime64[us]").astype(np.int64))
    if isinstance(cell, dt.time):
        return _CLOCK, cell.replace(tzinfo=None)
    if not isinstance(cell, dt.datetime):
        return _DAY, cell
    try:
        plain = cell.to_pydatetime(warn=False) if hasattr(cell, "to_pydatetime") else cell
        part = _MOMENT if plain.tzinfo is None else _INSTANT
        return part, (plain.replace(tzinfo=plain.tzinfo or dt.UTC) - _EPOCH) // dt.timedelta(microseconds=1)
    except (ValueError, OverflowError):  # beyond the years that Python counts
        return _TEXT, UNREADABLE
