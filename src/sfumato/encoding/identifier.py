"""Names for records: made anew, never learnt."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sfumato.encoding.rendering import number_as
from sfumato.errors import SchemaError
from sfumato.schema.columns import IdentifierColumn


@dataclass(frozen=True)
class IdentifierMaker:
    """Makes identifiers that are unique within one table.

    Attributes:
        column: the schema's facts.
        type: Arrow type of what comes out.
    """

    column: IdentifierColumn
    type: pa.DataType

    def make(self, n: int, after: int = 0) -> pa.Array:
        """``n`` identifiers: ``after`` + 1, ... or the pattern with these numbers in place of its ``#``.

        Raises:
            SchemaError: the pattern or the type has room for fewer.
        """
        counted = np.arange(after + 1, after + n + 1, dtype=np.int64)
        pattern = self.column.pattern
        if pattern is None:
            try:
                return number_as(pa.array(counted), self.type)
            except pa.ArrowInvalid:
                raise self._full(after + n) from None
        if after + n >= 10 ** pattern.count("#"):
            raise self._full(after + n)
        try:
            return number_as(pa.array(_filled(pattern, counted)), self.type)
        except pa.ArrowInvalid:
            raise SchemaError(
                f"column {self.column.name!r}: the pattern {pattern!r} makes no {self.type}; write 'type: string'"
            ) from None

    def _full(self, n: int) -> SchemaError:
        return SchemaError(
            f"column {self.column.name!r}: no room for {n} identifiers; declare a longer pattern or a wider type"
        )


def _filled(pattern: str, numbers: np.ndarray) -> np.ndarray:
    digits = np.char.zfill(numbers.astype(str), pattern.count("#"))
    parts = re.split("(#+)", pattern)
    filled = np.full(len(numbers), "", dtype=f"<U{len(pattern)}")
    taken = 0
    for part in parts:
        if part.startswith("#"):
            grown = taken + len(part)
            chunk = digits.view("<U1").reshape(len(numbers), -1)[:, taken:grown]
            text = np.ascontiguousarray(chunk).view(f"<U{len(part)}").ravel()
            taken = grown
        else:
            text = part
        filled = np.char.add(filled, text)
    return filled
