"""A site's own file, ``site.yaml``: how its table says what the public schema means.

::

    sfumato: site/1
    file: {delimiter: ";", charset: cp1252}     as in a schema; left out: the file is written as the schema says
    nulls: [k.A., "-"]                          marks of a missing value in all columns, beside those of the schema
    columns:
      height: {from: Groesse, unit: {times: 100}, decimal: ","}
      sex: {from: Geschlecht, labels: {w: Female, m: Male}}
      born: {from: Geburt, format: "%d.%m.%Y", nulls: ["01.01.1900"]}

Every column of the schema has a line, but for those that are not learnt; what the site has beside them stays out. It is
read as strictly as a schema, and held against it before a row is read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Literal, NoReturn

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from sfumato.errors import SchemaError
from sfumato.schema.columns import BooleanColumn, CategoryColumn, Column
from sfumato.schema.file import FileFacts
from sfumato.schema.numeral import PLAIN, DecimalSign, GroupSign, Numeral
from sfumato.schema.public_facts import IdUnit, PublicFacts, in_words, listing
from sfumato.schema.quantities import NumericColumn
from sfumato.schema.reading import Marked, Path, read_text, read_yaml
from sfumato.schema.sources import TEXT_LIMIT, Strict
from sfumato.tables.dialect import Dialect

FORMAT = "site/1"
_DECIMAL = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,30})?")
_OF_TIME = frozenset({"date", "datetime", "time"})
_BOOLEANS = ("false", "true")
"""What the labels of a site stand for where the schema names no words of its own."""


def _exact(number: object) -> Decimal:
    if not isinstance(number, str) or not _DECIMAL.fullmatch(number):
        raise ValueError("is no decimal number like 100 or 0.45359237")
    return Decimal(number)


class UnitConversion(Strict):
    """From the site's unit to the schema's: a number times ``times``, plus ``plus``; exact decimals."""

    times: Annotated[Decimal, BeforeValidator(_exact)] = Decimal(1)
    plus: Annotated[Decimal, BeforeValidator(_exact)] = Decimal(0)

    @model_validator(mode="after")
    def _tells_apart(self) -> UnitConversion:
        if not self.times:
            raise ValueError("times 0 makes all numbers alike; write by what yours are multiplied")
        return self


class SiteColumn(Strict):
    """How one column of the schema stands in the table of a site.

    Attributes:
        source: behind ``from:``, the name of the site's column; empty while nobody has filled it in.
        labels: labels of the site, each with the schema's label that it stands for; others stay as they are.
        nulls: texts that stand for a missing value here; None takes the list of the file.
        unit: how its numbers become those of the schema.
        decimal, thousands: how its numbers are written in text; where neither is said, as the schema says.
        format: how its days and times are written in text (strftime); None: as the schema says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=TEXT_LIMIT, populate_by_name=True)

    source: str = Field(default="", alias="from")
    labels: Mapping[str, str] = Field(default_factory=dict)
    nulls: tuple[str, ...] | None = None
    unit: UnitConversion | None = None
    decimal: DecimalSign | None = None
    thousands: GroupSign | None = None
    format: str | None = None

    @property
    def numeral(self) -> Numeral | None:
        """How numbers are written; None where nothing is said of it."""
        if self.decimal is None and self.thousands is None:
            return None
        return Numeral(self.decimal or PLAIN.decimal, self.thousands)

    def misplaced(self, column: Column) -> Iterator[tuple[str, str]]:
        """What does not fit the schema's column: a key, and why."""
        if not isinstance(column, NumericColumn):
            for key in ("unit", "decimal", "thousands"):
                if getattr(self, key) is not None:
                    yield key, f"is for numbers, and the schema says {column.kind}; leave it out"
        elif self.numeral and self.numeral.decimal == self.numeral.thousands:
            yield "thousands", f"decimal and thousands are both {self.thousands!r}; write which of the two it is"
        if self.format is not None and column.kind not in _OF_TIME:
            yield "format", f"is for dates and times, and the schema says {column.kind}; leave it out"
        if self.labels and not isinstance(column, CategoryColumn | BooleanColumn):
            yield "labels", f"are for categories and booleans, and the schema says {column.kind}; leave them out"
            return
        known = _labels_of(column)
        for own, label in self.labels.items():
            if known is not None and label not in known:
                yield "labels", f"{own!r} stands for {label!r}, which the schema lacks; it has {listing(known)}"


class SiteMapping(Strict):
    """A site's own file, in agreement with a schema.

    Attributes:
        version: of the file format.
        file: how the site's delimited text is written down; None: as the schema says.
        nulls: texts that stand for a missing value in every column that does not list its own.
        columns: by name in the schema.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=TEXT_LIMIT, populate_by_name=True)

    version: Literal["site/1"] = Field(alias="sfumato")
    file: FileFacts | None = None
    nulls: tuple[str, ...] = ()
    columns: Mapping[str, SiteColumn]

    @field_validator("columns", mode="before")
    @classmethod
    def _open_lines(cls, columns: object) -> object:
        return {n: {} if c is None else c for n, c in columns.items()} if isinstance(columns, dict) else columns

    @classmethod
    def load(cls, path: str | os.PathLike[str], schema: PublicFacts) -> SiteMapping:
        """Read a ``site.yaml`` and hold it against ``schema``.

        Raises:
            SchemaError: missing or not readable, or the first thing that does not fit, after file:line:column.
        """
        name = os.fspath(path)
        try:
            return cls.parse(read_text(name), schema, name)
        except OSError as error:
            raise SchemaError(
                f"{name}: {error.strerror}; it says which column of the site is which of the schema"
            ) from None
        except UnicodeDecodeError:
            raise SchemaError(f"{name}: not UTF-8 text; a site's mapping is a YAML file") from None

    @classmethod
    def parse(cls, text: str, schema: PublicFacts, name: str = "site.yaml") -> SiteMapping:
        """The same from YAML text; ``name`` stands in messages."""
        marked = read_yaml(text, name)
        if not isinstance(marked.value, dict) or marked.value.get("sfumato") != FORMAT:
            _refuse(
                marked, name, ("sfumato",), f"a site's mapping begins with 'sfumato: {FORMAT}'; write that line first"
            )
        try:
            mapping = cls.model_validate({key: part for key, part in marked.value.items() if part is not None})
        except ValidationError as error:
            first = error.errors()[0]
            _refuse(marked, name, first["loc"], _said(first["loc"], first["type"], in_words(first)))
        for path, said in mapping._disagreements(schema):
            _refuse(marked, name, path, said)
        return mapping

    def dialect(self, schema: PublicFacts) -> Dialect:
        """How the site's file is read; without a header its columns are those of ``columns:``, in this order."""
        names = tuple(c.source for c in self.columns.values())
        return replace((self.file or schema.file or FileFacts()).dialect(names), declared_in="the site's file")

    def marks(self, name: str) -> tuple[str, ...]:
        """The site's own marks of a missing value in one column; what it calls a label is none."""
        own = self.columns[name]
        return tuple(m for m in (self.nulls if own.nulls is None else own.nulls) if m not in own.labels)

    def _disagreements(self, schema: PublicFacts) -> Iterator[tuple[Path, str]]:
        """Where the file and the schema do not fit: a place, and words."""
        for name in self.columns:
            if name not in schema.names:
                yield ("columns", name), f"the schema has no column {name!r}; it has {listing(schema.names)}"
        still = [name for name, own in self.columns.items() if not own.source]
        if still:
            yield ("columns", still[0]), f"open: {', '.join(map(repr, still))}; write behind 'from:' which column it is"
        taken: dict[str, str] = {}
        for name, own in self.columns.items():
            if taken.setdefault(own.source, name) != name:
                yield (
                    ("columns", name),
                    f"{taken[own.source]!r} and {name!r} are both from {own.source!r}; each needs a column of its own",
                )
        for name in needed(schema):
            if name not in self.columns:
                yield ("columns",), f"column {name!r} has no line; write: {name}: {{from: NAME OF YOUR COLUMN}}"
        for name, own in self.columns.items():
            for key, said in own.misplaced(schema.column(name)):
                yield ("columns", name, key), f"column {name!r}: {key}: {said}"
            both = sorted(set(own.nulls or ()) & own.labels.keys())
            if both:
                yield ("columns", name, "nulls"), f"column {name!r}: {both[0]!r} is a label and a null mark; keep one"


def needed(schema: PublicFacts) -> tuple[str, ...]:
    """The columns that a site must have: those that are learnt, and the one that tells units apart."""
    unit = schema.unit.column if isinstance(schema.unit, IdUnit) else None
    return tuple(c.name for c in schema.columns if c.modelled or c.name == unit)


def _labels_of(column: Column) -> tuple[str, ...] | None:
    """The schema's labels of a column; None where they are open."""
    return column.categories if isinstance(column, CategoryColumn) else getattr(column, "labels", None) or _BOOLEANS


def _said(path: Path, kind: str, words: str) -> str:
    """What pydantic found wrong, and where in the file."""
    said = {"extra_forbidden": f"no such key; {_KEYS}", "model_type": "write {from: NAME OF YOUR COLUMN}"}.get(
        kind, words
    )
    return ": ".join([f"column {path[1]!r}", *map(str, path[2:]), said] if path[1:] else [*map(str, path), said])


_KEYS = "the file has sfumato, file, nulls, columns; a column has " + ", ".join(
    field.alias or name for name, field in SiteColumn.model_fields.items()
)


def _refuse(marked: Marked, name: str, path: Path, said: str) -> NoReturn:
    line, column = marked.place(path)
    raise SchemaError(f"{name}:{line}:{column}: {said}")
