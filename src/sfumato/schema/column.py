"""What may be said in public about a column of any kind, and where that knowledge comes from."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator, model_validator
from pydantic_core import to_jsonable_python

from sfumato.results.plain import Json
from sfumato.schema.sources import Sourced

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
