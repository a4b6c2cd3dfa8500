"""What one pass over a column shows, in bounded memory: the raw material of a sketch, wholly private."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.numerals import reals, wholes
from sfumato.encoding.parsing import clock, moments
from sfumato.schema.arrow_types import is_text
from sfumato.schema.numeral import PLAIN, Numeral
from sfumato.schema.quantities import INTEGER_LIMIT
from sfumato.tables.objects import plain

MARKERS = ("", "?", "NA", "N/A", "n/a", "#N/A", "NULL", "null", "None", "NaN", "nan", ".", "-")
"""Texts that commonly stand for a missing value in any column."""

NOT_APPLICABLE = ("N", "X", "*")
"""Texts that stand for a missing value where all else is numbers or dates."""

FORMATS = (
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%d %b %Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M:%S",
)
"""Ways to write a day or a moment that are tried after ISO 8601."""

NUMERALS = {
    "1,234.5": Numeral(".", ","),
    "1.234,5": Numeral(",", "."),
    "1 234,5": Numeral(",", " "),
    "1\u00a0234,5": Numeral(",", "\u00a0"),
    "1'234.5": Numeral(".", "'"),
}
"""Ways to write a number that are tried after the plain one."""

_OF_TIME = frozenset({"iso", "offset", "time", *FORMATS})
_PARTED = re.compile(r"\d\D+\d")
"""What every text of a day, a moment or a time has: two numbers with something between."""
_HEAD = 8
"""Values of a batch that a glance looks at."""

DISTINCT_LIMIT = 10_000
"""Different values that are remembered of a column."""
_DISTINCT_TEXT = 1 << 23
"""Bytes of the distinct values that are kept: ten thousand of 800."""
_UNIQUE_ROWS = 1 << 20
"""First rows in which a repeated value is looked for."""
_DECIMALS = 4
"""Of a step that is tried."""
_CLOCK_FREE = 86_400_000_000
"""Microseconds of a day: multiples of it have no time of day."""


@dataclass
class Survey:
    """Running facts about one column.

    Attributes:
        type: Arrow type of the column.
        rows: cells seen; missing: how many of them were null, NaN or a marker.
        markers: the markers seen; rare: those of them that may be ordinary labels.
        distinct: the values as text, or None once there are too many.
        readings: ways to read every value so far: integer, real, one of `NUMERALS`, time, iso, offset, a date format.
        low, high: smallest and largest number (in numeric readings) or microsecond.
        decimals: digits after the point that suffice for every number, by numeric reading; None for more than 4.
        grouped: numeric readings in which some number has groups of three digits.
        midnight: every moment so far is a whole day.
        longest: length of the longest text; spaced: some text holds white space.
    """

    type: pa.DataType
    rows: int = 0
    missing: int = 0
    markers: set[str] = field(default_factory=set)
    rare: set[str] = field(default_factory=set)
    distinct: set[str] | None = field(default_factory=set)
    readings: set[str] = field(default_factory=set)
    low: dict[str, float] = field(default_factory=dict)
    high: dict[str, float] = field(default_factory=dict)
    decimals: dict[str, int | None] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)
    midnight: bool = True
    longest: int = 0
    spaced: bool = False
    _early: list[pa.Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.readings = _possible_readings(self.type)

    @property
    def present(self) -> int:
        """Cells that hold a value."""
        return self.rows - self.missing

    def add(self, cells: pa.Array) -> None:
        """Take in the next cells of the column."""
        self.rows += len(cells)
        counted = plain(cells).value_counts()
        values, counts = counted.field("values"), counted.field("counts").to_numpy()
        gone = values.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        if is_text(values.type):
            marked = pc.fill_null(pc.is_in(values, pa.array(MARKERS)), False).to_numpy(zero_copy_only=False)
            self.markers.update(values.filter(pa.array(marked)).to_pylist())
            gone = gone | marked
        self.missing += int(counts[gone].sum())
        values = values.filter(pa.array(~gone))
        self._remember(values, counts[~gone])
        if len(values):
            self._read(values)

    def _remember(self, values: pa.Array, counts: np.ndarray) -> None:
        texts = values if is_text(values.type) else values.cast(pa.string())
        if self.distinct is not None:
            short = (pc.sum(pc.binary_length(texts)).as_py() or 0) <= _DISTINCT_TEXT
            self.distinct.update(texts.to_pylist() if short else ())
            if not short or len(self.distinct) > DISTINCT_LIMIT or sum(map(len, self.distinct)) > _DISTINCT_TEXT:
                self.distinct = None
        if is_text(values.type) and len(values):
            self.longest = max(self.longest, pc.max(pc.utf8_length(texts)).as_py())
            self.spaced |= pc.any(pc.match_substring_regex(texts, r"\s")).as_py()
        if self._early is not None and self.rows <= _UNIQUE_ROWS:
            self._early.append(texts if (counts == 1).all() else pa.array([None, None], pa.string()))

    @property
    def unique(self) -> bool:
        """Whether no value came twice in the first million rows."""
        early = pa.chunked_array(self._early, pa.string()) if self._early else pa.chunked_array([[]], pa.string())
        return early.null_count == 0 and len(early) > 0 and pc.count_distinct(early).as_py() == len(early)

    def _read(self, values: pa.Array) -> None:
        """Strike out the readings that do not fit, and widen the bounds of those that do."""
        if is_text(values.type) and self.readings:
            odd = pc.is_in(values, pa.array(NOT_APPLICABLE))
            self.rare.update(values.filter(odd).to_pylist())
            values = values.filter(pc.invert(odd))
        if len(values) == 0:
            return
        if is_text(values.type) and not all(map(_PARTED.search, values.slice(0, _HEAD).to_pylist())):
            self.readings -= _OF_TIME  # a glance spares most columns most of the work
        alike = None  # what all numeric readings give, where they differ in nothing
        for reading in sorted(self.readings, key=lambda r: (r in NUMERALS, r)):
            known = alike if reading in NUMERALS else None
            read = _READERS.get(reading, _formatted)(values, reading) if known is None else known
            if reading == "integer" and is_text(values.type) and not read.null_count:
                alike = None if pc.any(pc.match_substring(values, ".")).as_py() else read
            if read.null_count:
                self.readings.discard(reading)
                continue
            if reading in NUMERALS and pc.any(pc.match_substring(values, NUMERALS[reading].thousands)).as_py():
                self.grouped.add(reading)
            if reading in ("integer", "real", *NUMERALS):
                self._widen_number(reading, read)
            else:
                self._widen(reading, read.cast(pa.int64()).to_numpy())

    def _widen_number(self, reading: str, read: pa.Array) -> None:
        found = read.to_numpy()
        if reading == "integer" and (np.abs(found) > INTEGER_LIMIT).any():
            self.readings.discard(reading)
            return
        found = found[np.isfinite(found)]
        if len(found) == 0:
            return
        if reading != "integer":
            self._count_decimals(reading, found)
        self._widen(reading, found)

    def _count_decimals(self, reading: str, found: np.ndarray) -> None:
        digits = self.decimals.get(reading, 0)
        while digits is not None and (np.round(found, digits) != found).any():
            digits = digits + 1 if digits < _DECIMALS else None
        self.decimals[reading] = digits

    def _widen(self, reading: str, found: np.ndarray) -> None:
        low, high = found.min().item(), found.max().item()
        self.low[reading] = min(low, self.low.get(reading, math.inf))
        self.high[reading] = max(high, self.high.get(reading, -math.inf))
        if reading not in ("integer", "real", "time", *NUMERALS):
            self.midnight &= bool((found % _CLOCK_FREE == 0).all())


def _possible_readings(kind: pa.DataType) -> set[str]:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if is_text(kind):
        return {"integer", "real", "iso", "offset", "time", *FORMATS, *NUMERALS}
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return {"integer", "real"}
    if pa.types.is_decimal(kind):
        return {"integer", "real"} if kind.scale <= 0 else {"real"}
    if pa.types.is_time(kind):
        return {"time"}
    if pa.types.is_timestamp(kind) and kind.tz:
        return {"offset"}
    return {"iso"} if pa.types.is_temporal(kind) else set()


def _whole(values: pa.Array, reading: str) -> pa.Array:
    del reading
    return wholes(values).array


def _real(values: pa.Array, reading: str) -> pa.Array:
    return pa.array(reals(values, NUMERALS.get(reading, PLAIN)), from_pandas=True)


def _iso(values: pa.Array, reading: str) -> pa.Array:
    """ISO moments: with an offset on each, or on none."""
    if is_text(values.type):
        offset = pc.match_substring_regex(values, r"\d\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?)$")
        right = offset if reading == "offset" else pc.invert(offset)
        values = pc.if_else(right, values, None)
    return moments(values, None, "UTC" if reading == "offset" else None)


def _time(values: pa.Array, reading: str) -> pa.Array:
    del reading
    return clock(values, None)


def _formatted(values: pa.Array, reading: str) -> pa.Array:
    """By a format; a glance at the first few spares the whole."""
    head = moments(values.slice(0, _HEAD), reading, None)
    return head if head.null_count else moments(values, reading, None)


_READERS = {
    "integer": _whole,
    "real": _real,
    **dict.fromkeys(NUMERALS, _real),
    "iso": _iso,
    "offset": _iso,
    "time": _time,
}
