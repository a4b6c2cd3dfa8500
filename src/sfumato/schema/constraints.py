"""Rules over columns that every synthetic row obeys; each is a fact with a source."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from sfumato.schema.columns import LABEL_LIMIT
from sfumato.schema.sources import Statement


class FixedCombinations(Statement):
    """Only the listed combinations of values occur; the columns are learnt as one.

    Attributes:
        columns: two or more names.
        combinations: one value per column, as text; None for a missing value.
        outside: what becomes of a row with another combination: ``nearest`` takes the first listed combination that
            has the row's value in the first column, and refuses where there is none.
    """

    kind: Literal["fixed_combinations"] = "fixed_combinations"
    columns: tuple[str, ...] = Field(min_length=2)
    combinations: tuple[tuple[str | None, ...], ...] = Field(min_length=1, max_length=LABEL_LIMIT)
    outside: Literal["nearest", "refuse"] = "nearest"

    @model_validator(mode="after")
    def _shape(self) -> FixedCombinations:
        for row in self.combinations:
            if len(row) != len(self.columns):
                raise ValueError(f"combination {list(row)} has {len(row)} values for {len(self.columns)} columns")
        if len(set(self.combinations)) < len(self.combinations):
            raise ValueError("a combination is listed twice; remove one")
        return self


class Inequality(Statement):
    """``low <= high`` wherever both are present."""

    kind: Literal["inequality"] = "inequality"
    low: str
    high: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The two names."""
        return (self.low, self.high)


class Unique(Statement):
    """No two rows agree in all of these columns; one of them must be an identifier."""

    kind: Literal["unique"] = "unique"
    columns: tuple[str, ...] = Field(min_length=1)


class NonNull(Statement):
    """No value of these columns is missing."""

    kind: Literal["non_null"] = "non_null"
    columns: tuple[str, ...] = Field(min_length=1)


Constraint = Annotated[FixedCombinations | Inequality | Unique | NonNull, Field(discriminator="kind")]
