"""Facts that were paid for, filled in beside the declared ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from sfumato.errors import SchemaError
from sfumato.schema import Schema
from sfumato.schema.columns import Column
from sfumato.schema.quantities import Bounds
from sfumato.schema.sources import Source


@dataclass(frozen=True)
class MeasuredFact:
    """What was paid for about one column: bounds or categories.

    Attributes:
        bounds: smallest and largest value, of the column's kind.
        categories: labels.
    """

    bounds: Bounds | None = None
    categories: tuple[str, ...] | None = None


Facts = Mapping[str, MeasuredFact]


def settled(schema: Schema, facts: Facts) -> Schema:
    """The schema with measured facts filled in: once released they are as public as declared ones.

    A column whose null rate is measured gets a code for missing values; their number is then learnt with the rest.

    Raises:
        SchemaError: a fact is still open.
    """
    columns: list[Column] = []
    for column in schema.columns:
        changes: dict[str, object] = {}
        if column.measured:
            fact = column.values_fact
            value = getattr(facts[column.name], fact) if column.name in facts and fact else None
            if value is None:
                raise SchemaError(f"column {column.name!r}: its {fact} are to be measured and have not been")
            changes[fact or ""] = value
        if column.source_of("nullable") == "measured":
            changes["nullable"] = True
        if changes:
            source = {f: _paid(s) for f in column.facts() if (s := column.source_of(f)) is not None}
            fields = {name: getattr(column, name) for name in type(column).model_fields}
            column = type(column).model_validate({**fields, **changes, "source": source})
        columns.append(column)
    return schema.with_columns(tuple(columns))


def agrees(found: Schema, schema: Schema) -> bool:
    """Whether ``found`` is ``schema`` with its measured facts filled in, and differs in nothing else."""
    facts: dict[str, MeasuredFact] = {}
    for column in schema.columns:
        if column.measured and column.values_fact and column.name in found.names:
            value = getattr(found.column(column.name), column.values_fact, None)
            facts[column.name] = MeasuredFact(**{column.values_fact: value})
    try:
        return settled(schema, facts) == found
    except (SchemaError, ValidationError):
        return False


def _paid(source: Source) -> Source:
    return "public" if source == "measured" else source
