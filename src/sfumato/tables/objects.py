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
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_TEXT, _NUMERAL, _INTEGER, _REAL, _FLAG, _DAY, _MOMENT, _INSTANT, _CLOCK = range(9)
"""Positions among `OBJECTS`."""
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
_CODES = {field.name: code for code, field in enumerate(OBJECTS)}

UNREADABLE = "\ufffd"
"""What stands for a cell that is no value of a table."""

_MOST_BITS = 1328  # of a whole number that is written out: 400 digits, below Python's own limit of 4,300
_WHOLE = 2.0**63
"""The first float beyond 64 bits with a sign."""
_MOST_DIGITS = 400  # of a Decimal that is written without an exponent
_QUICK = frozenset(["str", "bytes", "float", "NoneType", "NAType", "NaTType"])
"""Types of cells that Arrow reads as `_read` does, a float where it is NaN; it would take bytearray for text too."""
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
"""Moment 0 of Arrow."""
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9, "ps": 10**12, "fs": 10**15, "as": 10**18}
"""Ticks of the units of numpy that are no longer than a second."""
_SECONDS = {"m": 60, "h": 3600, "D": 86_400, "W": 604_800}
"""Of the longer ones."""
_MOST_MONTHS = 12 * 300_000  # from 1970, either way: 64 bits of microseconds hold fewer
_MOST_TICKS = (2**63 - 1) // 10**6 * 10**6
"""Microseconds of the last whole second that 64 bits hold: it stands for all later ones, and its negative likewise."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_Held: TypeAlias = str | bool | int | float | dt.date | dt.time | None
"""What a cell holds among `OBJECTS`."""


def object_cells(cells: Sequence[object] | np.ndarray) -> pa.UnionArray:
    """Cells (n,), any sequence of Python objects, by the rules above.

    Raises:
        pa.ArrowCapacityError: more than 2 GiB of text; fewer cells at once are read alike.

    *Formal guarantee.* Each cell is read by itself; no cell is an error.
    """
    given = np.asarray(cells, object)
    values: list[list[_Held] | pa.Array] = [[] for _ in OBJECTS]
    try:  # the quick way, which gives the same where all are str, bytes or missing
        if not _QUICK.issuperset(type(cell).__name__ for cell in given.tolist()):
            raise pa.ArrowTypeError("cells of other types")
        values[_TEXT] = _array(given, pa.string())
        codes, offsets = np.zeros(len(given), np.int8), np.arange(len(given), dtype=np.int32)
    except pa.ArrowCapacityError:
        raise
    except (pa.ArrowException, UnicodeError):
        codes, offsets = np.empty(len(given), np.int8), np.empty(len(given), np.int32)
        for i, cell in enumerate(given):
            codes[i], value = _read(cell)
            offsets[i] = len(values[codes[i]])
            values[codes[i]].append(value)
    return _union(codes, offsets, values)


def alone(kind: pa.DataType) -> pa.DataType:
    """The type that a typed cell has among `OBJECTS`, where it is a time; else its own."""
    if pa.types.is_timestamp(kind):
        return OBJECTS[_MOMENT if kind.tz is None else _INSTANT].type
    if pa.types.is_time(kind):
        return OBJECTS[_CLOCK].type
    return OBJECTS[_DAY].type if pa.types.is_date(kind) else kind


def as_alone(cells: pa.Array) -> pa.Array:
    """Typed cells as `object_cells` reads them one by one: times in microseconds, rounded down, instants in UTC."""
    kind = alone(cells.type)
    if not pa.types.is_timestamp(kind):
        return cells if cells.type == kind else cells.cast(kind, safe=False)
    stored = cells.cast(pa.int64())
    missing = stored.is_null().to_numpy(zero_copy_only=False)
    ticks, per_second = stored.fill_null(0).to_numpy(), _PER_SECOND[cells.type.unit]
    if per_second < 10**6:
        each = 10**6 // per_second
        micro = np.clip(ticks, -(_MOST_TICKS // each), _MOST_TICKS // each) * each
    else:
        micro = np.clip(ticks // (per_second // 10**6), -_MOST_TICKS, _MOST_TICKS)
    return pa.array(micro, mask=missing).cast(kind)


def _union(codes: np.ndarray, offsets: np.ndarray, values: Sequence[list[_Held] | pa.Array]) -> pa.UnionArray:
    """Cells by the number of their type and their place among the values of that type."""
    children = [_array(v, f.type) for v, f in zip(values, OBJECTS, strict=True)]
    return pa.UnionArray.from_dense(pa.array(codes), pa.array(offsets), children, [f.name for f in OBJECTS])


def _array(values: list[_Held] | np.ndarray | pa.Array, kind: pa.DataType) -> pa.Array:
    made = pa.array(values, kind, from_pandas=True)
    if isinstance(made, pa.ChunkedArray):
        raise pa.ArrowCapacityError("more text than one array holds")
    return made


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


def of_parts(length: int, pieces: Iterable[tuple[str, np.ndarray, pa.Array]]) -> pa.UnionArray:
    """The inverse of `parts`: cells (length,) of types in `OBJECTS`, each cell in one piece; a type may come twice."""
    codes, offsets = np.zeros(length, np.int8), np.zeros(length, np.int32)
    values: list[list[pa.Array]] = [[] for _ in OBJECTS]
    for name, positions, own in pieces:
        code = _CODES[name]
        codes[positions] = code
        offsets[positions] = sum(map(len, values[code])) + np.arange(len(positions))
        values[code].append(own)
    children = [pa.concat_arrays([pa.array([], f.type), *v]) for v, f in zip(values, OBJECTS, strict=True)]
    return pa.UnionArray.from_dense(pa.array(codes), pa.array(offsets), children, [f.name for f in OBJECTS])


def plain(cells: pa.Array) -> pa.Array:
    """Without dictionary or view encoding, and with offsets of its own where it is a part of a longer array.

    A cast of a part of ``large_string`` keeps the offsets of the whole, by which some functions of Arrow read past the
    end of a buffer, and which beyond 2 GiB cannot be cast at all.
    """
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    long = pa.types.is_large_string(cells.type)
    if long or (pa.types.is_string(cells.type) and _shifted(cells)):
        cells = cells.take(pa.array(np.arange(len(cells))))
    return cells.cast(pa.string()) if long or pa.types.is_string_view(cells.type) else cells


def _shifted(texts: pa.Array) -> bool:
    """Whether the first text begins behind the start of its buffer though the array is no slice: the mark of a cast."""
    offsets = texts.buffers()[1]
    return len(texts) > 0 and texts.offset == 0 and offsets is not None and bool(np.frombuffer(offsets, np.int32, 1)[0])


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
    cells = plain(cells)
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


def _read(cell: object) -> tuple[int, _Held]:
    """The number of the cell's type in `OBJECTS`, and its value there."""
    if isinstance(cell, str):
        return _TEXT, _SURROGATE.sub(UNREADABLE, cell)
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return _TEXT, None
    if isinstance(cell, bool | np.bool_):
        return _FLAG, bool(cell)
    if isinstance(cell, np.timedelta64):  # which is an integer to numpy
        return _TEXT, None if np.isnat(cell) else UNREADABLE
    if isinstance(cell, int | np.integer):
        whole = int(cell)
        if -(2**63) <= whole < 2**63:
            return _INTEGER, whole
        return (_NUMERAL, str(whole)) if whole.bit_length() <= _MOST_BITS else (_TEXT, UNREADABLE)
    if isinstance(cell, float | np.floating):
        return (_TEXT, None) if np.isnan(cell) else (_REAL, float(cell))
    if isinstance(cell, Decimal):
        return (_TEXT, None) if cell.is_nan() else (_NUMERAL, _digits(cell))
    if isinstance(cell, dt.date | dt.time | np.datetime64):
        return _read_time(cell)
    if isinstance(cell, UUID):
        return _TEXT, str(cell)
    return _TEXT, cell.decode("utf-8", "replace") if isinstance(cell, bytes) else UNREADABLE


def _digits(number: Decimal) -> str:
    """Without an exponent or a negative zero, so that one number has one text but for zeros at its end."""
    if not number:
        number = number.copy_abs()
    plain = number.is_finite() and abs(number.adjusted()) <= _MOST_DIGITS
    return f"{number:f}" if plain else str(number)


def _read_time(cell: dt.date | dt.time | np.datetime64) -> tuple[int, _Held]:
    if isinstance(cell, np.datetime64):
        return (_TEXT, None) if np.isnat(cell) else (_MOMENT, _microseconds(cell))
    if isinstance(cell, dt.time):
        return _CLOCK, cell.replace(tzinfo=None)
    if not isinstance(cell, dt.datetime):
        return _DAY, cell
    if hasattr(cell, "asm8"):  # of pandas, which counts more years than Python
        return _MOMENT if cell.tzinfo is None else _INSTANT, _microseconds(cell.asm8)  # pyright: ignore
    try:
        naive = cell.utcoffset() is None  # a zone may know of no offset
        aware = cell.replace(tzinfo=dt.UTC) if naive else cell
        return _MOMENT if naive else _INSTANT, (aware - _EPOCH) // dt.timedelta(microseconds=1)
    except Exception:  # whatever a zone of another library raises
        return _TEXT, UNREADABLE


def _microseconds(cell: np.datetime64) -> int:
    """From 1970, rounded down, within 64 bits."""
    unit, many = np.datetime_data(cell)
    count = int(cell.astype(np.int64)) * many
    if unit in ("Y", "M"):
        count = max(-_MOST_MONTHS, min(count * (12 if unit == "Y" else 1), _MOST_MONTHS))
        count, unit = int(np.datetime64(count, "M").astype("datetime64[D]").astype(np.int64)), "D"
    ticks = count * _SECONDS[unit] * 10**6 if unit in _SECONDS else count * 10**6 // _PER_SECOND[unit]
    return max(-_MOST_TICKS, min(ticks, _MOST_TICKS))
