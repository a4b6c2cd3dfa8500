"""Arrow types by name: the part of a column's type that a schema may write down."""

from __future__ import annotations

import re

import pyarrow as pa

_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([A-Za-z0-9_+\-/:]{1,64}))?\]")
_DECIMAL = re.compile(r"decimal(32|64|128|256)\((\d{1,2}), (-?\d{1,2})\)")
_DICTIONARY = re.compile(r"dictionary<values=([^,<>]+(?:\([^()]*\))?), indices=(u?int\d+), ordered=([01])>")
_PLAIN = {
    str(t): t
    for t in (
        *(pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
        *(pa.float16(), pa.float32(), pa.float64(), pa.bool_(), pa.string(), pa.large_string(), pa.string_view()),
        *(pa.date32(), pa.date64(), pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"), pa.null()),
    )
}


def parse_type(name: str) -> pa.DataType:
    """The Arrow type that prints as ``name``.

    Raises:
        ValueError: no flat type of that name.

    >>> parse_type("timestamp[us, tz=UTC]")
    TimestampType(timestamp[us, tz=UTC])
    """
    if name in _PLAIN:
        return _PLAIN[name]
    if match := _TIMESTAMP.fullmatch(name):
        return pa.timestamp(match[1], match[2])
    if match := _DECIMAL.fullmatch(name):
        make = {"32": pa.decimal32, "64": pa.decimal64, "128": pa.decimal128, "256": pa.decimal256}[match[1]]
        return make(int(match[2]), int(match[3]))
    if match := _DICTIONARY.fullmatch(name):
        return pa.dictionary(parse_type(match[2]), parse_type(match[1]), match[3] == "1")
    raise ValueError(f"{name!r} is no column type; write one like int32, double, string or timestamp[us, tz=UTC]")


def is_text(kind: pa.DataType) -> bool:
    """Whether values are character strings, plainly stored."""
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
