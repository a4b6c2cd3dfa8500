"""The protocol of a column's codec, and what all of them do with cells that the schema does not allow."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias

import numpy as np
import pyarrow as pa

from sfumato.encoding.domain import Axis
from sfumato.errors import RefusedValue
from sfumato.schema.columns import Outside

Value: TypeAlias = str | int | float | dt.date | dt.time | None
"""What a condition on a column says: a value, or a text that names labels or a range; None for missing."""

Conditions: TypeAlias = Mapping[str, Value]
"""Conditions by column."""


@dataclass(frozen=True)
class Encoded:
    """A column as codes.

    Attributes:
        codes: (n,) integers; 0 where ``refused``.
        outside: (n,) mask of the cells that were clipped or moved because the schema does not allow them, or None for
            none; private.
        refused: (n,) mask of the cells that have no code: their rows make no record; or None for none; private.
        why: what to raise where a refusal is an error; None where nothing is refused.
    """

    codes: np.ndarray
    outside: np.ndarray | None = None
    refused: np.ndarray | None = None
    why: RefusedValue | None = None


class ColumnCodec(Protocol):
    """One column to codes and back, by public facts alone."""

    @cached_property
    def axis(self) -> Axis:
        """Name and number of codes."""
        ...

    @cached_property
    def policy(self) -> Policy:
        """What becomes of cells that have no code of their own."""
        ...

    def encode(self, values: pa.Array) -> Encoded:
        """Cells (text or typed) to codes, each by itself; no cell is an error."""
        ...

    def decode(self, codes: np.ndarray, rng: np.random.Generator, within: tuple[int, int] | None = None) -> pa.Array:
        """Codes to values in the column's natural type, null for the missing code."""
        ...

    def render(self, values: pa.Array) -> pa.Array:
        """Natural values in the type that went in."""
        ...

    def condition(self, text: str) -> tuple[np.ndarray, tuple[int, int] | None]:
        """What ``text`` allows: a mask over the codes and, for wide intervals, the range within; ConditionError."""
        ...


@dataclass(frozen=True)
class Policy:
    """What becomes of cells that have no code of their own.

    Attributes:
        column: name, for messages.
        outside: the schema's choice.
        missing: code of a missing value, or None.
        other: code of the bucket for other values, or None.
    """

    column: str
    outside: Outside
    missing: int | None = None
    other: int | None = None

    def place(self, codes: np.ndarray, missing: np.ndarray | None, bad: np.ndarray | None) -> Encoded:
        """Give missing and unreadable cells their codes.

        Args:
            codes: (n,) integers, arbitrary where ``missing`` or ``bad``; changed in place.
            missing: mask of missing cells, or None for none.
            bad: mask of cells with a value that cannot be read or is not declared, or None for none.

        A missing value where none is declared, and a bad one that is refused or has no place, are ``refused``.

        *Formal guarantee.* A cell is placed by itself: what becomes of it depends on no other cell.
        """
        outside, refused, why = None, None, None
        if missing is not None and missing.any():
            codes[missing] = 0 if self.missing is None else self.missing
            if self.missing is None:
                refused, why = missing, self.refused_missing()
        if bad is not None and bad.any():
            codes[bad] = 0 if self.bad is None else self.bad
            if self.bad is None:
                refused, why = either(refused, bad), why or self.refused_bad()
            else:
                outside = bad
        return Encoded(codes, outside, refused, why)

    @property
    def bad(self) -> int | None:
        """Code of a value that cannot be read or is not declared; None where it is refused."""
        if self.outside == "other" and self.other is not None:
            return self.other
        return None if self.outside == "refuse" else self.missing

    def refused_missing(self) -> RefusedValue:
        """What to raise for a missing value where none is declared, where a refusal is an error."""
        return RefusedValue(
            f"column {self.column!r} has missing values, but the schema says it has none; write 'nullable: true' for it"
        )

    def refused_bad(self) -> RefusedValue:
        """What to raise for a value that is refused or has no place, where a refusal is an error."""
        return RefusedValue(
            f"column {self.column!r} has values that the schema does not allow; widen its facts, "
            "or say what becomes of such values: 'nullable: true' and 'outside: missing'"
            + (", or 'outside: other'" if self.outside == "refuse" else "")
        )


def either(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    """The union of two masks, where None is the empty one."""
    return b if a is None else a if b is None else a | b
