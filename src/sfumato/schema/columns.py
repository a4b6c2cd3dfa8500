"""What may be said in public about one column: its kind, its values, and where that knowledge comes from."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, TypeAlias, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator, model_validator
from pydantic_core import to_jsonable_python

from sfumato.results.plain import Json
from sfumato.schema.numeral import DecimalSign, GroupSign, Numeral
from sfumato.schema.sources import Sourced
from sfumato.tables.images import LARGEST_SIDE

_Bound = TypeVar("_Bound", int, float, dt.date, dt.datetime)

Outside = Literal["clip", "other", "refuse", "missing"]

Content = Literal["table", "images"]
"""What a table holds: columns alone, or an image and perhaps columns beside it."""

LABEL_LIMIT = 1 << 16
"""The most categories a column may declare."""

INTEGER_LIMIT = 2**62
"""The largest bound of an integer column."""
_REAL_LIMIT = 1e300
_REAL_LEAST = 1e-200
_NO_FACTS = frozenset({"name", "source", "reviewed", "outside", "other"})
_WHERE_SAID = frozenset({"description", "unit"})


class BaseColumn(Sourced):
    """What every kind of column may say.

    Attributes:
        name: the column's name in the table.
        description: free text for people.
        nullable: whether a value may be missing; a missing value is then learnt like any other.
        nulls: texts that stand for a missing value; None takes the schema's list.
        source, reviewed: where the facts come from, and who settled those that are open.
        outside: what becomes of a value that the facts do not allow; a choice, not a fact.
        type: the Arrow type of what comes out; None takes the type of what went in.
    """

    name: str = Field(min_length=1)
    description: str | None = None
    nullable: bool = False
    nulls: tuple[str, ...] | None = None
    type: str | None = None

    values_fact: ClassVar[str | None] = None
    modelled: ClassVar[bool] = True

    def value_of(self, fact: str) -> Json:
        """What the column says of one fact, in plain values."""
        return to_jsonable_python(getattr(self, fact))

    def facts(self) -> tuple[str, ...]:
        """The facts of a column of this kind, stated or left at their default: "never missing" is a fact too."""
        own = (f for f in type(self).model_fields if f not in _NO_FACTS and f != "kind")
        return ("kind", *(f for f in own if f not in _WHERE_SAID or getattr(self, f) is not None))

    @property
    def measured(self) -> bool:
        """Whether the column's bounds or categories are left to be paid for."""
        return self.values_fact is not None and getattr(self, self.values_fact) is None

    @field_validator("type")
    @classmethod
    def _known_type(cls, name: str | None) -> str | None:
        from sfumato.schema.arrow_types import parse_type

        if name is not None:
            parse_type(name)
        return name

    @model_validator(mode="after")
    def _paid_for(self) -> BaseColumn:
        fact = self.values_fact
        if fact is None:
            return self
        paid = self.source_of(fact) == "measured"
        if self.measured and not paid:
            raise ValueError(
                f"{fact} are missing; declare them, or say 'source: {{{fact}: measured, rest: public}}' to pay for them"
            )
        if paid and not self.measured:
            raise ValueError(f"{fact} are declared and said to be measured; remove them, or name another source")
        return self

    @property
    def may_be_missing(self) -> bool:
        """Whether a missing value has a place: declared, or left to be measured."""
        return self.nullable or self.source_of("nullable") == "measured"

    @model_validator(mode="after")
    def _outside(self) -> BaseColumn:
        if getattr(self, "outside", None) == "missing" and not self.may_be_missing:
            raise ValueError("'outside: missing' needs 'nullable: true'")
        return self


class CategoryColumn(BaseColumn):
    """One of a declared list of labels.

    Attributes:
        categories: the labels, as text, in the order of their codes; None where they are measured.
        ordered: whether neighbours in the list are neighbours in meaning (grades, deciles).
        other: the label that comes out of the bucket for all other values.
    """

    kind: Literal["category"] = "category"
    categories: tuple[str, ...] | None = Field(default=None, min_length=1, max_length=LABEL_LIMIT)
    ordered: bool = False
    other: str = "OTHER"
    outside: Literal["other", "refuse", "missing"] = "refuse"

    values_fact: ClassVar[str | None] = "categories"

    @model_validator(mode="after")
    def _labels(self) -> CategoryColumn:
        labels = self.categories or ()
        if len(set(labels)) < len(labels):
            twice = first_repeated(labels)
            raise ValueError(f"category {twice!r} is listed twice; remove one")
        if self.outside == "other" and self.other in labels:
            raise ValueError(
                f"{self.other!r} is a category and the name of the other bucket; name it otherwise: 'other: ...'"
            )
        clash = sorted(set(labels) & set(self.nulls or ()))
        if clash:
            raise ValueError(f"{clash[0]!r} is a category and a null marker; keep one of the two")
        if self.measured and self.outside == "refuse":
            raise ValueError("measured categories leave out the rare ones; say 'outside: other'")
        return self


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


class BooleanColumn(BaseColumn):
    """True or false.

    Attributes:
        labels: how false and true are written in text; None takes the usual words.
    """

    kind: Literal["boolean"] = "boolean"
    labels: tuple[str, str] | None = None
    outside: Literal["refuse", "missing"] = "refuse"

    @model_validator(mode="after")
    def _labels(self) -> BooleanColumn:
        if self.labels is not None and self.labels[0] == self.labels[1]:
            raise ValueError("labels must differ: the first stands for false, the second for true")
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


class ImageColumn(BaseColumn):
    """A picture of ``height`` x ``width`` pixels of levels 0 to 255; never missing.

    Attributes:
        height, width: in pixels.
        channels: 1 for grey, 3 for red, green and blue.
    """

    kind: Literal["image"] = "image"
    height: int = Field(ge=1, le=LARGEST_SIDE)
    width: int = Field(ge=1, le=LARGEST_SIDE)
    channels: Literal[1, 3] = 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    def value_of(self, fact: str) -> Json:
        """As for every column; the size is three numbers."""
        return list(self.shape) if fact == "size" else super().value_of(fact)

    def facts(self) -> tuple[str, ...]:
        """Its kind and its size."""
        return ("kind", "size") if self.description is None else ("kind", "size", "description")

    @model_validator(mode="after")
    def _whole(self) -> ImageColumn:
        if self.nullable or self.nulls is not None or self.type is not None:
            raise ValueError("an image is never missing and has one type; leave out nullable, nulls and type")
        if self.source == "measured":
            raise ValueError("the size of an image is declared, not measured; write 'source: public'")
        return self


class IdentifierColumn(BaseColumn):
    """A name for a record: never learnt, made anew for every synthetic row.

    Attributes:
        pattern: ``#`` stands for a digit, all else for itself; None counts from 1.
    """

    kind: Literal["identifier"] = "identifier"
    pattern: str | None = Field(default=None, max_length=256)
    modelled: ClassVar[bool] = False

    @model_validator(mode="after")
    def _room(self) -> IdentifierColumn:
        if self.pattern is not None and "#" not in self.pattern:
            raise ValueError("the pattern needs at least one '#', which stands for a digit")
        return self


class TextColumn(BaseColumn):
    """Free text: left out of the synthetic table."""

    kind: Literal["text"] = "text"
    modelled: ClassVar[bool] = False


Column = Annotated[
    CategoryColumn
    | IntegerColumn
    | RealColumn
    | BooleanColumn
    | DateColumn
    | DatetimeColumn
    | TimeColumn
    | ImageColumn
    | IdentifierColumn
    | TextColumn,
    Field(discriminator="kind"),
]


QuantityColumn: TypeAlias = IntegerColumn | RealColumn | DateColumn | DatetimeColumn | TimeColumn
"""A column whose values have an order and a range."""

Bounds: TypeAlias = tuple[int, int] | tuple[float, float] | tuple[dt.date, dt.date] | tuple[dt.datetime, dt.datetime]
"""The smallest and the largest value of a column that has bounds."""


def first_repeated(labels: Sequence[str]) -> str:
    """The first of ``labels`` that stands among those before it; StopIteration where none does."""
    seen: set[str] = set()
    return next(x for x in labels if x in seen or seen.add(x))


def _ordered(bounds: tuple[_Bound, _Bound]) -> tuple[_Bound, _Bound]:
    low, high = bounds
    if any(isinstance(bound, float) and not math.isfinite(bound) for bound in bounds):
        raise ValueError("bounds must be finite")
    if low > high:
        raise ValueError(f"bounds are the wrong way round: [{low}, {high}]")
    return bounds
