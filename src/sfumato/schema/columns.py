"""Every kind of column: what may be said in public about its values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from sfumato.results.plain import Json
from sfumato.schema.column import BaseColumn
from sfumato.schema.quantities import DateColumn, DatetimeColumn, IntegerColumn, RealColumn, TimeColumn
from sfumato.tables.images import LARGEST_SIDE

Outside = Literal["clip", "other", "refuse", "missing"]

Content = Literal["table", "images"]
"""What a table holds: columns alone, or an image and perhaps columns beside it."""

LABEL_LIMIT = 1 << 16
"""The most categories a column may declare."""


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


def first_repeated(labels: Sequence[str]) -> str:
    """The first of ``labels`` that stands among those before it; StopIteration where none does."""
    seen: set[str] = set()
    return next(x for x in labels if x in seen or seen.add(x))
