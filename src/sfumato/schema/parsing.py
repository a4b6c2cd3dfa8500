"""Cells read strictly as what the schema declares, a whole Arrow array at a time; what does not parse is null."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.schema.arrow_types import is_text

_MOST_DAYS = 100_000_000  # from 1970, either way: about what 64 bits of microseconds hold
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$|^[+-]?(?i:inf|infinity)$"
_MOMENT = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?)?(Z|[+-]\d\d(:?\d\d)?)?$"
_OFFSET = r"(Z|[+-]\d\d(:?\d\d)?)$"
_CLOCK = r"^\d\d:\d\d(:\d\d(\.\d{1,9})?)?$"


def plain(values: pa.Array) -> pa.Array:
    """Without dictionary or view encoding."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    return values


def missing_mask(values: pa.Array, markers: tuple[str, ...]) -> np.ndarray | None:
    """Which cells are null, NaN or a null marker; None where there are none."""
    mask = values.is_null(nan_is_null=True)
    if is_text(values.type) and markers:
        mask = pc.or_(mask, pc.is_in(values, value_set=pa.array(markers, values.type), skip_nulls=True))
    return mask.to_numpy(zero_copy_only=False) if pc.any(mask).as_py() else None


def numbers(values: pa.Array) -> pa.Array:
    """As int64 where every cell is a whole number that fits, else as float64; what is no number is null."""
    kind = values.type
    if pa.types.is_boolean(kind):
        return values.cast(pa.int8()).cast(pa.int64())
    if is_text(kind):
        return _numbers_in_text(values)
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind) or kind == pa.uint64():
        return values.cast(pa.float64(), safe=False)
    if pa.types.is_integer(kind):
        return values.cast(pa.int64())
    return pa.nulls(len(values), pa.float64())


def _numbers_in_text(values: pa.Array) -> pa.Array:
    for kind in (pa.int64(), pa.float64()):
        try:
            return values.cast(kind)
        except pa.ArrowInvalid:
            continue
    trimmed = pc.utf8_ltrim(pc.ascii_trim_whitespace(values), characters="+")
    valid = pc.match_substring_regex(pc.ascii_trim_whitespace(values), _NUMBER)
    return cast_or_null(pc.if_else(valid, trimmed, None), pa.float64())


def cast_or_null(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Cast text, cells that do not parse becoming null: halves are tried until the culprits stand alone."""
    encoded = values.dictionary_encode()
    return _cast_halves(encoded.dictionary, kind).take(encoded.indices)


def _cast_halves(values: pa.Array, kind: pa.DataType) -> pa.Array:
    try:
        return values.cast(kind)
    except pa.ArrowInvalid:
        half = len(values) // 2
        if half == 0:
            return pa.nulls(1, kind)
        parts = [_cast_halves(values.slice(0, half), kind), _cast_halves(values.slice(half), kind)]
        return pa.concat_arrays(parts)


def moments(values: pa.Array, format: str | None, tz: str | None) -> pa.Array:
    """As timestamp[us] (UTC where ``tz`` is given); what is no date or time is null.

    Text without an offset is wall-clock time in ``tz``; the earlier of two where a clock is put back.
    """
    kind = values.type
    if is_text(kind):
        return _moments_in_text(values, format, tz)
    if pa.types.is_date(kind):
        days = values.cast(pa.date32(), safe=False).cast(pa.int32())
        days = pc.min_element_wise(
            pc.max_element_wise(days, -_MOST_DAYS, skip_nulls=False), _MOST_DAYS, skip_nulls=False
        )
        values = days.cast(pa.int32()).cast(pa.date32()).cast(pa.timestamp("us"))
    elif not pa.types.is_timestamp(kind):
        return pa.nulls(len(values), pa.timestamp("us", "UTC" if tz else None))
    aware = values.type.tz is not None
    values = values.cast(pa.timestamp("us", values.type.tz), safe=False)
    return _zoned(values, tz) if not aware else _moved(values, tz)


def _moments_in_text(values: pa.Array, format: str | None, tz: str | None) -> pa.Array:
    if format is not None:
        return _zoned(_formatted(values, format), tz)
    iso = pc.if_else(pc.match_substring_regex(values, _MOMENT), values, None)
    offset = pc.match_substring_regex(iso, r"\d\d:\d\d.*" + _OFFSET)
    if not pc.any(offset).as_py():
        return _zoned(cast_or_null(iso, pa.timestamp("us")), tz)
    aware = _moved(cast_or_null(pc.if_else(offset, iso, None), pa.timestamp("us", "UTC")), tz)
    naive = _zoned(cast_or_null(pc.if_else(offset, None, iso), pa.timestamp("us")), tz)
    return pc.coalesce(aware, naive)


def _zoned(wall: pa.Array, tz: str | None) -> pa.Array:
    if tz is None:
        return wall
    placed = pc.assume_timezone(wall, tz, ambiguous="earliest", nonexistent="earliest")
    return placed.cast(pa.timestamp("us", "UTC"))


def _moved(instants: pa.Array, tz: str | None) -> pa.Array:
    """Instants as UTC, or, where the column has no zone, as the wall clock of the zone they came in."""
    return instants.cast(pa.timestamp("us", "UTC")) if tz else pc.local_timestamp(instants)


def _formatted(values: pa.Array, format: str) -> pa.Array:
    """Parsed by a strftime pattern; what Arrow's lenient parser does not give back as it was, Python's decides."""
    encoded = values.dictionary_encode()
    texts = encoded.dictionary
    parsed = pc.strptime(texts, format=format, unit="us", error_is_null=True)
    doubtful = np.flatnonzero(
        ~pc.fill_null(pc.equal(pc.strftime(parsed, format=format), texts), False).to_numpy(zero_copy_only=False)
    )
    if len(doubtful):
        ticks = parsed.cast(pa.int64()).fill_null(0).to_numpy().copy()
        valid = parsed.is_valid().to_numpy(zero_copy_only=False).copy()
        for i in doubtful:
            moment = _strptime(texts[int(i)].as_py(), format)
            valid[i] = moment is not None
            ticks[i] = 0 if moment is None else (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
        parsed = pa.array(ticks, mask=~valid).cast(pa.timestamp("us"))
    return parsed.take(encoded.indices)


def _strptime(text: Any, format: str) -> dt.datetime | None:
    try:
        return dt.datetime.strptime(text, format)
    except (TypeError, ValueError):
        return None


def clock(values: pa.Array, format: str | None) -> pa.Array:
    """As time64[us] within the day; what is no time of day is null."""
    kind = values.type
    if pa.types.is_time(kind):
        return values.cast(pa.time64("us"), safe=False)
    if not is_text(kind):
        return pa.nulls(len(values), pa.time64("us"))
    if format is not None:
        parsed = _formatted(values, format)
    else:
        valid = pc.if_else(pc.match_substring_regex(values, _CLOCK), values, None)
        parsed = cast_or_null(pc.binary_join_element_wise("1970-01-01 ", valid, ""), pa.timestamp("us"))
    return parsed.cast(pa.time64("us"))
