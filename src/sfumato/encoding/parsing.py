"""Cells read strictly as what the schema declares, each by itself; what does not parse is null.

Moments in text, without a declared format, are those of ISO 8601: ``2020-02-29``, ``2020-02-29T10:30``, with a space
for the ``T``, with seconds, with a fraction of up to nine digits (cut after the sixth), and with ``Z``, ``+02``,
``+0200`` or ``+02:00`` behind a time. With a declared format they are what Python's ``strptime`` reads by it, in digits
of ASCII. Text with an offset is an instant (its UTC clock where the column has no zone), text without one is wall-clock
time in the column's zone; an offset in one cell says nothing of another. A clock is ``10:30``, ``10:30:15`` or with a
fraction.

Numbers have a page of their own: `sfumato.encoding.numerals`.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.schema.arrow_types import is_text

_MOST_DAYS = 25_000_000
"""From 1970, either way: 68,000 years, about half of what 64 bits of microseconds hold, so that no zone overflows."""

_LAST_OF_A_DAY = 86_400 * 10**6 - 1
"""As which 24:00 is read, which some databases store."""

_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
"""In ticks of each unit of Arrow."""
_MOMENT = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)?)?$"
_OFFSET = r"\d\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?)$"
_CLOCK = r"^\d\d:\d\d(:\d\d(\.\d{1,9})?)?$"
_FINER = r"(\.\d{6})\d+"
_SHARED = frozenset("YmdHMS")
"""Directives by which Arrow writes what it has read: where that is the cell again, it has read it as Python does."""


def missing_mask(values: pa.Array, markers: tuple[str, ...]) -> np.ndarray | None:
    """Which cells are null, NaN or a null marker; None where there are none."""
    mask = values.is_null(nan_is_null=True)
    if is_text(values.type) and markers:
        mask = pc.or_(mask, pc.is_in(values, value_set=pa.array(markers, values.type), skip_nulls=True))
    return mask.to_numpy(zero_copy_only=False) if pc.any(mask).as_py() else None


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
        days = _clipped(values.cast(pa.date32(), safe=False).cast(pa.int32()), _MOST_DAYS)
        values = days.cast(pa.int32()).cast(pa.date32()).cast(pa.timestamp("us"))
    elif not pa.types.is_timestamp(kind):
        return pa.nulls(len(values), pa.timestamp("us", "UTC" if tz else None))
    else:
        units = _clipped(values.cast(pa.int64()), _MOST_DAYS * 86400 * _A_SECOND[kind.unit])
        values = units.cast(kind).cast(pa.timestamp("us", kind.tz), safe=False)
    return _zoned(values, tz) if values.type.tz is None else _moved(values, tz)


def _clipped(values: pa.Array, most: int) -> pa.Array:
    """Whole numbers kept within 64 bits and ``-most .. most``."""
    most = min(most, 2**63 - 1)
    low, high = pa.scalar(-most, values.type), pa.scalar(most, values.type)
    return pc.min_element_wise(pc.max_element_wise(values, low, skip_nulls=False), high, skip_nulls=False)


def _moments_in_text(values: pa.Array, format: str | None, tz: str | None) -> pa.Array:
    if format is not None:
        read = _formatted(values, format)
        return _moved(read.cast(pa.timestamp("us", "UTC")), tz) if "%z" in format else _zoned(read, tz)
    iso = _to_microseconds(pc.if_else(pc.match_substring_regex(values, _MOMENT), values, None))
    offset = pc.match_substring_regex(iso, _OFFSET)
    if not pc.any(offset).as_py():
        return _zoned(cast_or_null(iso, pa.timestamp("us")), tz)
    aware = _moved(cast_or_null(pc.if_else(offset, iso, None), pa.timestamp("us", "UTC")), tz)
    naive = _zoned(cast_or_null(pc.if_else(offset, None, iso), pa.timestamp("us")), tz)
    return pc.coalesce(aware, naive)


def _to_microseconds(texts: pa.Array) -> pa.Array:
    """Without the digits of a fraction after the sixth."""
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    return pc.replace_substring_regex(texts, _FINER, r"\1") if longest > len("10:30:15.123456") else texts


def _zoned(wall: pa.Array, tz: str | None) -> pa.Array:
    if tz is None:
        return wall
    placed = pc.assume_timezone(wall, tz, ambiguous="earliest", nonexistent="earliest")
    return placed.cast(pa.timestamp("us", "UTC"))


def _moved(instants: pa.Array, tz: str | None) -> pa.Array:
    """Instants as UTC, or, where the column has no zone, as the wall clock of the zone they came in."""
    return instants.cast(pa.timestamp("us", "UTC")) if tz else pc.local_timestamp(instants)


def _formatted(values: pa.Array, format: str) -> pa.Array:
    """Parsed by a strptime pattern, once for each distinct text; instants in UTC where the pattern has an offset."""
    encoded = values.dictionary_encode()
    texts = encoded.dictionary
    ticks, valid = np.zeros(len(texts), np.int64), np.zeros(len(texts), bool)
    if _SHARED.issuperset(re.findall("%(.)", format)):
        parsed = pc.strptime(texts, format=format, unit="s", error_is_null=True)
        valid = pc.fill_null(pc.equal(pc.strftime(parsed, format=format), texts), False).to_numpy(zero_copy_only=False)
        ticks = parsed.cast(pa.int64()).fill_null(0).to_numpy() * 10**6
    for i in np.flatnonzero(~valid):
        moment = _strptime(texts[int(i)].as_py(), format)
        if moment is not None:
            valid[i], ticks[i] = True, (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)
    return pa.array(ticks, mask=~valid).cast(pa.timestamp("us")).take(encoded.indices)


def _strptime(text: str, format: str) -> dt.datetime | None:
    """The moment, in UTC where it has an offset; digits of other scripts, which Python would read, are none."""
    if not text.isascii() and any(c.isdecimal() and not c.isascii() for c in text):
        return None
    try:
        moment = dt.datetime.strptime(text, format)
        return moment if moment.tzinfo is None else moment.astimezone(dt.UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def clock(values: pa.Array, format: str | None) -> pa.Array:
    """As time64[us] within the day; what is no time of day is null."""
    kind = values.type
    if pa.types.is_time(kind):
        within = _clipped(values.cast(pa.time64("us"), safe=False).cast(pa.int64()), _LAST_OF_A_DAY)
        return within.cast(pa.time64("us"))
    if not is_text(kind):
        return pa.nulls(len(values), pa.time64("us"))
    if format is not None:
        parsed = _formatted(values, format)
    else:
        valid = _to_microseconds(pc.if_else(pc.match_substring_regex(values, _CLOCK), values, None))
        parsed = cast_or_null(pc.binary_join_element_wise("1970-01-01 ", valid, ""), pa.timestamp("us"))
    return parsed.cast(pa.time64("us"))
