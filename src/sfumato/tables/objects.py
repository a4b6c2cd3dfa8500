"""Cells whose Python type is not declared, as in pandas' object columns: each becomes text by itself.

What a column of such cells holds is no fact of its storage: a rule over the whole column (the widest type, the largest
scale) would let one row decide how all others are read.

| cell | text |
|---|---|
| None, NaN, NaT, NA | missing |
| str | itself; a half of a surrogate pair becomes U+FFFD |
| bool | ``true``, ``false`` |
| int | its decimal digits |
| float | as `written_floats`: ``1`` for 1.0, ``0`` for -0.0, else the shortest digits that give it back |
| Decimal | as Python writes it: ``1.50``, ``1E+5`` |
| date, datetime, time, Timestamp, datetime64 | ISO 8601 |
| UUID | its 36 characters |
| bytes | read as UTF-8; what is none becomes U+FFFD |
| anything else, whole numbers beyond 400 digits | U+FFFD alone, which no kind but text can read |
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

UNREADABLE = "\ufffd"
"""What stands for a cell that is no value of a table."""

_MOST_BITS = 1328  # of a whole number that is written out: 400 digits, below Python's own limit of 4,300
_WHOLE = 2.0**63
_SURROGATE = re.compile("[\ud800-\udfff]")


def as_text(cells: Any) -> pa.Array:
    """Cells (n,), any sequence of Python objects, as strings (n,) by the rules above.

    *Formal guarantee.* Each cell is written by itself; no cell is an error.
    """
    given = np.asarray(cells, object)
    try:  # the quick way, which gives the same where all are str, bytes or missing
        return pa.array(given, pa.string(), from_pandas=True)
    except (pa.ArrowException, UnicodeError):
        return pa.array([_text(cell) for cell in given], pa.string())


def written_floats(values: pa.Array) -> pa.Array:
    """Floats (n,) as text: whole ones as whole numbers are written, so that a gap elsewhere in the column, which makes
    whole numbers floats, changes no cell; NaN is missing."""
    values = values.cast(pa.float64())
    found = values.fill_null(np.nan).to_numpy(zero_copy_only=False)
    whole = (np.abs(found) < _WHOLE) & (np.rint(found) == found)
    digits = pa.array(np.where(whole, found, 0).astype(np.int64)).cast(pa.string())
    written = pc.if_else(pa.array(whole), digits, values.cast(pa.string()))
    return pc.if_else(pa.array(np.isnan(found)), pa.scalar(None, pa.string()), written)


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


def _text(cell: Any) -> str | None:
    if isinstance(cell, str):
        return _SURROGATE.sub(UNREADABLE, cell)
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, int | np.integer):
        return str(int(cell)) if int(cell).bit_length() <= _MOST_BITS else UNREADABLE
    if isinstance(cell, float | np.floating):
        return written_floats(pa.array([float(cell)], pa.float64()))[0].as_py()
    if isinstance(cell, Decimal):
        return None if cell.is_nan() else str(cell)
    if isinstance(cell, dt.date | dt.time):
        return cell.isoformat()
    if isinstance(cell, np.datetime64):
        return None if np.isnat(cell) else str(cell)
    if isinstance(cell, UUID):
        return str(cell)
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else UNREADABLE
