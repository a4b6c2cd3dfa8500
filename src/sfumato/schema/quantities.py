"""Columns whose values have an order and a range: numbers, days, moments, times of day."""

from __future__ import annotations

import datetime as dt
import math
from typing import ClassVar, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator

from sfumato.schema.column import BaseColumn
from sfumato.schema.numeral import DecimalSign, GroupSign, Numeral

_Bound = TypeVar("_Bound", int, float, dt.date, dt.datetime)

INTEGER_LIMIT = 2**62
"""The largest bound of an integer column."""
_REAL_LIMIT = 1e300
"""The largest bound of a real column: what lies between two such is finite."""
_REAL_LEAST = 1e-200
"""The smallest that the larger bound may be, but for zero: below it a step has no digits left."""


class NumericColumn(BaseColumn):
    """What integers and reals share.

    Attributes:
        decimal: the sign before the decimals in text, read and written.
        thousands: the sign between groups of three digits in text, read and written; None for no groups.
    """

    unit: str | None = None
    decimal: DecimalSign = "."
    thousands: GroupSign | None = None
    scale: Literal["auto", "linear", "significant"] = "auto"
    outside: Literal["clip", "refuse", "missing"] = "clip"

    values_fact: ClassVar[str | None] = "bounds"

    @property
    def numeral(self) -> Numeral:
        """How numbers are written in text."""
        return Numeral(self.decimal, self.thousands)

    @model_validator(mode="after")
    def _signs(self) -> NumericColumn:
        if self.decimal == self.thousands:
            raise ValueError(f"decimal and thousands are both {self.decimal!r}; write which of the two it is")
        return self


class IntegerColumn(NumericColumn):
    """Whole numbers between inclusive bounds.

    Attributes:
        bounds: smallest and largest value.
        step: every value is a multiple of it.
        unit: unit of measure, for people.
        scale: how a wide range is cut: equal widths, or two significant digits; ``auto`` decides by the bounds.
    """

    kind: Literal["integer"] = "integer"
    bounds: tuple[int, int] | None = None
    step: int = Field(default=1, ge=1, le=10**12)

    @model_validator(mode="after")
    def _range(self) -> IntegerColumn:
        if self.bounds is not None:
            low, high = _ordered(self.bounds)
            if max(-low, high) > INTEGER_LIMIT:
                raise ValueError(f"bounds must lie within +-{INTEGER_LIMIT}")
            if low % self.step or high % self.step:
                raise ValueError(f"bounds must be multiples of the step {self.step}")
        return self


class RealColumn(NumericColumn):
    """Real numbers between inclusive bounds.

    Attributes:
        bounds: smallest and largest value.
        step: every value is a multiple of it (0.1 for one decimal); None for a continuous quantity.
        unit, scale: as for integers.
    """

    kind: Literal["real"] = "real"
    bounds: tuple[float, float] | None = None
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _range(self) -> RealColumn:
        if self.bounds is not None:
            low, high = _ordered(self.bounds)
            if max(-low, high) > _REAL_LIMIT:
                raise ValueError(f"bounds must lie within +-{_REAL_LIMIT:g}")
            if 0 < max(abs(low), abs(high)) < _REAL_LEAST:
                raise ValueError(f"bounds this close to 0 (below {_REAL_LEAST:g}) leave no digits; take a smaller unit")
            if self.step is not None and max(-low, high) / self.step > INTEGER_LIMIT / 2**9:
                raise ValueError("the step is too small for the bounds; leave it out")
        return self


class DateColumn(BaseColumn):
    """Calendar days between inclusive bounds.

    Attributes:
        bounds: first and last day.
        format: how a day is written in text (strftime); None for ISO 8601.
    """

    kind: Literal["date"] = "date"
    bounds: tuple[dt.date, dt.date] | None = None
    format: str | None = None
    outside: Literal["clip", "refuse", "missing"] = "clip"

    values_fact: ClassVar[str | None] = "bounds"

    @model_validator(mode="after")
    def _range(self) -> DateColumn:
        if self.bounds is not None:
            _ordered(self.bounds)
        return self


class DatetimeColumn(BaseColumn):
    """Instants (with a zone) or wall-clock times (without), between inclusive bounds.

    Attributes:
        bounds: first and last, as wall-clock time in ``tz``.
        tz: name of the zone in which values without an offset are read and all values come out; None for no zone.
        format: how one is written in text (strftime); None for ISO 8601.
        resolution: what values are multiples of.
    """

    kind: Literal["datetime"] = "datetime"
    bounds: tuple[dt.datetime, dt.datetime] | None = None
    tz: str | None = None
    format: str | None = None
    resolution: Literal["day", "hour", "minute", "second"] = "second"
    outside: Literal["clip", "refuse", "missing"] = "clip"

    values_fact: ClassVar[str | None] = "bounds"

    @field_validator("tz")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f"{name!r} is no time zone; write one like Europe/Amsterdam or UTC") from None
        return name

    @model_validator(mode="after")
    def _range(self) -> DatetimeColumn:
        if self.bounds is not None:
            if any(b.tzinfo is not None for b in self.bounds):
                raise ValueError("write bounds without an offset; they are read in the column's tz")
            _ordered(self.bounds)
        return self


class TimeColumn(BaseColumn):
    """A time of day; the whole day is its public range.

    Attributes:
        format: how it is written in text (strftime); None for ISO 8601.
        resolution: what values are multiples of.
    """

    kind: Literal["time"] = "time"
    format: str | None = None
    resolution: Literal["hour", "minute", "second"] = "second"
    outside: Literal["refuse", "missing"] = "refuse"


QuantityColumn: TypeAlias = IntegerColumn | RealColumn | DateColumn | DatetimeColumn | TimeColumn
"""A column whose values have an order and a range."""

Bounds: TypeAlias = tuple[int, int] | tuple[float, float] | tuple[dt.date, dt.date] | tuple[dt.datetime, dt.datetime]
"""The smallest and the largest value of a column that has bounds."""


def _ordered(bounds: tuple[_Bound, _Bound]) -> tuple[_Bound, _Bound]:
    low, high = bounds
    if any(isinstance(bound, float) and not math.isfinite(bound) for bound in bounds):
        raise ValueError("bounds must be finite")
    if low > high:
        raise ValueError(f"bounds are the wrong way round: [{low}, {high}]")
    return bounds
