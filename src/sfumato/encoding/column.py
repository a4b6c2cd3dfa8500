"""The protocol of a column's codec, and what all of them do with cells that the schema does not allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from sfumato.encoding.domain import Axis
from sfumato.errors import RefusedValue
from sfumato.schema.columns import Outside


@dataclass(frozen=True)
class Encoded:
    """A column as codes.

    Attributes:
        codes: (n,) integers.
        outside: (n,) mask of the cells that the schema did not allow, or None for none; private.
    """

    codes: np.ndarray
    outside: np.ndarray | None = None


class ColumnCodec(Protocol):
    """One column to codes and back, by public facts alone."""

    @property
    def axis(self) -> Axis:
        """Name and number of codes."""
        ...

    def encode(self, values: pa.Array) -> Encoded:
        """Cells (text or typed) to codes; RefusedValue where the schema says to refuse."""
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

        Raises:
            RefusedValue: a missing value where none is declared, or a bad one that is refused or has no place.
        """
        if missing is not None:
            if self.missing is None:
                raise self.refused_missing()
            codes[missing] = self.missing
        if bad is None or not bad.any():
            return Encoded(codes)
        if self.bad is None:
            raise self.refused_bad()
        codes[bad] = self.bad
        return Encoded(codes, bad)

    @property
    def bad(self) -> int | None:
        """Code of a value that cannot be read or is not declared; None where it is refused."""
        if self.outside == "other" and self.other is not None:
            return self.other
        return None if self.outside == "refuse" else self.missing

    def refused_missing(self) -> RefusedValue:
        """What to raise for a missing value where none is declared."""
        return RefusedValue(
            f"column {self.column!r} has missing values, but the schema says it has none; write 'nullable: true' for it"
        )

    def refused_bad(self) -> RefusedValue:
        """What to raise for a value that is refused or has no place."""
        return RefusedValue(
            f"column {self.column!r} has values that the schema does not allow; widen its facts, "
            "or say what becomes of such values: 'nullable: true' and 'outside: missing'"
            + (", or 'outside: other'" if self.outside == "refuse" else "")
        )
