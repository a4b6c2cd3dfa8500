"""Every fact about a table that is public, or is to be paid for, and what must hold between facts."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Literal, Self

from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from sfumato.errors import SchemaError
from sfumato.schema.column import BaseColumn
from sfumato.schema.columns import CategoryColumn, Column, Content, ImageColumn
from sfumato.schema.constraints import Constraint, FixedCombinations, Inequality, NonNull, Unique
from sfumato.schema.file import FileFacts
from sfumato.schema.sources import TEXT_LIMIT, Fact, Statement, Strict
from sfumato.tables.dialect import Dialect

FORMAT = "schema/1"
_COMPARABLE = frozenset({"integer", "real", "date", "datetime", "time"})


_KINDS = "'kind: category' (or integer, real, boolean, date, datetime, time, image, identifier, text)"


def in_words(error: ErrorDetails) -> str:
    """What pydantic found wrong, and the fix."""
    kind, text = error["type"], error["msg"]
    if kind == "extra_forbidden":
        return "no such key; the reference of schema.yaml lists them"
    if kind == "union_tag_not_found":
        return f"kind is missing; write {_KINDS}"
    if kind == "union_tag_invalid":
        return f"no such kind; write {_KINDS}"
    return text.removeprefix("Value error, ")


class RowUnit(Strict):
    """One row is one person: a single row is protected. It says nothing of the rows, so it needs no source."""

    kind: Literal["row"] = "row"


class IdUnit(Statement):
    """All rows that share an identifier are one person.

    Attributes:
        column: the identifier.
        max_rows: the contribution bound: of more rows, only so many are used.
    """

    kind: Literal["id"] = "id"
    column: str
    max_rows: int = Field(ge=1, le=10**6)


class RowCount(Statement):
    """How many rows there are, where that may be known."""

    number: int = Field(ge=0)


class PublicFacts(Strict):
    """All public facts about a table, checked against each other; ``Schema`` reads and writes them.

    Attributes:
        format: version of the file format.
        unit: whose presence is protected.
        file: how a file of delimited text is written down; None for UTF-8 with commas, quotation marks and a header.
        target: a column of interest, if one is declared.
        rows: the number of rows where that is public, else None.
        nulls: texts that stand for a missing value in every column that does not list its own; a fact of each of them,
            with the source that the column gives for ``nulls``.
        columns: in the order of the table.
        constraints: rules that synthetic rows obey.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=TEXT_LIMIT, populate_by_name=True)

    format: Literal["schema/1"] = Field(default=FORMAT, alias="sfumato")
    unit: RowUnit | IdUnit = Field(default=RowUnit(), discriminator="kind")
    file: FileFacts | None = None
    target: str | None = None
    rows: RowCount | None = None
    nulls: tuple[str, ...] = ("",)
    columns: tuple[Column, ...] = Field(min_length=1)
    constraints: tuple[Constraint, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(c.name for c in self.columns)

    @cached_property
    def _by_name(self) -> Mapping[str, Column]:
        return {c.name: c for c in self.columns}

    @property
    def dialect(self) -> Dialect:
        """How a file of rows is read."""
        return (self.file or FileFacts()).dialect(self.names)

    @property
    def written(self) -> Dialect:
        """How a file of synthetic rows is written and read: the same, without the columns of text."""
        return (self.file or FileFacts()).dialect(tuple(c.name for c in self.columns if c.kind != "text"))

    def column(self, name: str) -> Column:
        """One column by name; SchemaError if there is none."""
        column = self._by_name.get(name)
        if column is None:
            raise SchemaError(f"the schema has no column {name!r}; it has {listing(self.names)}")
        return column

    def check_columns(self, names: Sequence[str]) -> None:
        """SchemaError unless the table's column names are those of the schema.

        A name is quoted only where another is right: the first line of a table without a header is a private row.
        """
        if set(self.names).isdisjoint(names):
            raise SchemaError(
                f"the table has none of the schema's columns ({listing(self.names)}); name its columns so, "
                "or add the header line if the first line is a row"
            )
        given = set(names)
        lacking = [n for n in self.names if n not in given]
        if lacking:
            raise SchemaError(f"the table lacks the column {lacking[0]!r} of the schema; its columns: {listing(names)}")
        extra = [n for n in names if n not in self._by_name]
        if extra:
            raise SchemaError(
                f"the table has a column {extra[0]!r} that the schema lacks; describe it, or drop it: 'kind: text'"
            )

    def null_markers(self, column: BaseColumn) -> tuple[str, ...]:
        """Texts that stand for a missing value in ``column``; a declared category is never one."""
        markers = self.nulls if column.nulls is None else column.nulls
        labels = set(column.categories or ()) if isinstance(column, CategoryColumn) else ()
        return tuple(m for m in markers if m not in labels)

    def facts(self) -> Iterator[Fact]:
        """Every fact, column by column, then those of the whole table.

        What is not written about the whole table is nobody's statement, and no fact: the default is ours.
        """
        for c in self.columns:
            for fact in c.facts():
                value = self.null_markers(c) if fact == "nulls" else c.value_of(fact)
                yield Fact("column", c.name, fact, value, c.standing(fact), c.review_of(fact))
        if self.nulls != ("",) and all(c.nulls is not None for c in self.columns):  # no column speaks for it
            yield Fact("nulls", "", "nulls", list(self.nulls), "unstated")
        for part, field in type(self).model_fields.items():
            stated = getattr(self, part)
            if isinstance(stated, Statement) and stated != field.default:
                yield Fact(part, "", part, stated.stated(), stated.standing, stated.reviewed)
        for rule in self.constraints:
            name = constraint_name(rule)
            yield Fact("constraint", name, "constraint", rule.stated(), rule.standing, rule.reviewed)

    def open_facts(self) -> list[Fact]:
        """Facts that nobody has declared public, reviewed or left to be measured: no certificate rests on them."""
        return [fact for fact in self.facts() if not fact.settled]

    def unreviewed(self) -> list[str]:
        """The open facts, each as one phrase."""
        return [str(fact) for fact in self.open_facts()]

    def measured(self) -> tuple[str, ...]:
        """Names of the columns whose bounds or categories are to be paid for."""
        return tuple(c.name for c in self.columns if c.measured)

    def with_target(self, name: str) -> Self:
        """The same with another target; SchemaError where no such column is modelled."""
        return self._changed(target=name)

    def with_columns(self, columns: tuple[Column, ...]) -> Self:
        """The same with other facts about its columns."""
        return self._changed(columns=columns)

    def with_constraints(self, constraints: tuple[Constraint, ...]) -> Self:
        """The same with other rules."""
        return self._changed(constraints=constraints)

    def with_only(self, names: AbstractSet[str]) -> Self:
        """The facts about some of its columns, in their order: a table that has these alone.

        A rule is left out where one of its columns is, and so are the target, the unit of an identifier and the number
        of rows.
        """
        unit, target = self.unit, self.target
        return self._changed(
            columns=tuple(c for c in self.columns if c.name in names),
            constraints=tuple(rule for rule in self.constraints if names >= set(rule.columns)),
            target=target if target in names else None,
            unit=unit if isinstance(unit, IdUnit) and unit.column in names else RowUnit(),
            rows=None,
        )

    def _changed(self, **changes: object) -> Self:
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        try:
            return type(self).model_validate({**fields, **changes})
        except ValidationError as error:
            raise SchemaError(in_words(error.errors()[0])) from None

    @property
    def picture(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images in a folder; of one grey pixel where none are learnt."""
        return (1, 1, 1) if self.image is None else self.image.shape

    @property
    def image(self) -> ImageColumn | None:
        """The column of images, where the table has one."""
        return next((c for c in self.columns if isinstance(c, ImageColumn)), None)

    @property
    def content(self) -> Content:
        """What the table holds."""
        return "table" if self.image is None else "images"

    @field_validator("columns")
    @classmethod
    def _one_image(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        images = [c.name for c in columns if isinstance(c, ImageColumn)]
        if len(images) > 1:
            raise ValueError(
                f"{images[0]!r} and {images[1]!r} are both images; one is learnt, write 'kind: text' for the other"
            )
        return columns

    @field_validator("columns")
    @classmethod
    def _unique_names(cls, columns: tuple[Column, ...]) -> tuple[Column, ...]:
        seen: set[str] = set()
        for column in columns:
            if column.name in seen:
                raise ValueError(f"two columns are named {column.name!r}; rename one in the table and in the schema")
            seen.add(column.name)
        return columns

    @model_validator(mode="after")
    def _references(self) -> Self:
        by_name: dict[str, Column] = {c.name: c for c in self.columns}
        for what, name in self._mentioned():
            if name not in by_name:
                raise ValueError(f"{what} names the column {name!r}, which the schema lacks; it has {listing(by_name)}")
        target = None if self.target is None else by_name[self.target]
        if target is not None and (not target.modelled or target.kind == "image"):
            raise ValueError(
                f"target {self.target!r} is of kind {target.kind}, which is not learnt as one; name another"
            )
        grouped: set[str] = set()
        for constraint in self.constraints:
            _check(constraint, by_name, grouped)
        return self

    def _mentioned(self) -> Iterator[tuple[str, str]]:
        if self.target is not None:
            yield "target", self.target
        if isinstance(self.unit, IdUnit):
            yield "unit", self.unit.column
        for constraint in self.constraints:
            for name in constraint.columns:
                yield f"the constraint {constraint.kind}", name


def constraint_name(constraint: Constraint) -> str:
    """``inequality on from, to``: how messages and answers name a constraint."""
    return f"{constraint.kind} on {', '.join(map(_listed, constraint.columns))}"


def _listed(name: str) -> str:
    """A name as it is, or quoted where a list of names could be misread."""
    return json.dumps(name, ensure_ascii=False) if {",", '"'}.intersection(name) else name


def _check(constraint: Constraint, columns: Mapping[str, Column], grouped: set[str]) -> None:
    kinds = [columns[name].kind for name in constraint.columns]
    if isinstance(constraint, NonNull):
        for name in constraint.columns:
            if columns[name].may_be_missing:
                raise ValueError(f"{name!r} is nullable, but a constraint says non_null; keep one of the two")
    elif isinstance(constraint, Unique):
        if "identifier" not in kinds:
            raise ValueError(f"a unique key needs a column of kind identifier; {constraint.columns[0]!r} is {kinds[0]}")
    elif isinstance(constraint, Inequality):
        if constraint.low == constraint.high or not _COMPARABLE.issuperset(kinds):
            raise ValueError("an inequality needs two different columns that are numbers, dates or times")
        if kinds[0] != kinds[1] and not {"integer", "real"}.issuperset(kinds):
            raise ValueError(f"an inequality cannot compare {kinds[0]} with {kinds[1]}")
    elif isinstance(constraint, FixedCombinations):
        for name in constraint.columns:
            if name in grouped or constraint.columns.count(name) > 1:
                raise ValueError(f"{name!r} stands twice in fixed combinations; list its combinations once")
            if not columns[name].modelled or columns[name].measured or columns[name].kind == "image":
                raise ValueError(f"{name!r} cannot be in fixed combinations: declare its values")
            grouped.add(name)


def listing(names: Collection[str]) -> str:
    """The first few, quoted."""
    shown = list(names)[:8]
    return ", ".join(map(repr, shown)) + (", ..." if len(names) > len(shown) else "")
