"""What all ordered columns share: cells become ticks, ticks fall into a public grid, codes become ticks again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np
import pyarrow as pa

from sfumato.encoding.column import Encoded, Policy, either
from sfumato.encoding.domain import Axis
from sfumato.encoding.grid import Grid
from sfumato.encoding.parsing import missing_mask
from sfumato.errors import ConditionError
from sfumato.schema.quantities import QuantityColumn, TimeColumn
from sfumato.tables.objects import plain

_Bound = TypeVar("_Bound")


@dataclass(frozen=True)
class QuantityCodec(ABC):
    """Codec of a number, a date or a time.

    Attributes:
        column: the schema's facts, with bounds.
        markers: texts that stand for a missing value.
        type: Arrow type of what comes out.
    """

    column: QuantityColumn
    markers: tuple[str, ...]
    type: pa.DataType

    @cached_property
    @abstractmethod
    def grid(self) -> Grid:
        """The intervals of ticks, from declared facts alone."""

    @cached_property
    @abstractmethod
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest number, as `read` gives it, that the facts allow."""

    @abstractmethod
    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
        """Cells to numbers (n,), in the order of the values, and a mask of unreadable ones or None."""

    @abstractmethod
    def ticks(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers within the limits to ticks within the grid (n,) int64; never falling."""

    @abstractmethod
    def values(self, ticks: np.ndarray, mask: np.ndarray | None) -> pa.Array:
        """Ticks to values in the natural type, null under ``mask``."""

    @abstractmethod
    def render(self, values: pa.Array) -> pa.Array:
        """Natural values in the type that went in."""

    @cached_property
    def axis(self) -> Axis:
        """One code per interval, ordered, then missing."""
        size = self.grid.size
        missing = size if self.column.may_be_missing else None
        return Axis(self.column.name, size + (missing is not None), True, missing)

    def encode(self, values: pa.Array) -> Encoded:
        """Cells to codes; what lies outside the bounds goes to the nearest one, or where the schema says."""
        values = plain(values)
        missing = missing_mask(values, self.markers)
        if missing is not None:
            values = pa.compute.if_else(pa.array(missing), pa.scalar(None, values.type), values)  # type: ignore[attr-defined]
        read, bad = self.read(values)
        codes = self.codes(read)
        low, high = self.limits
        beyond = (read < low) | (read > high)
        if not beyond.any():
            beyond = None
        clipped = beyond if self.column.outside == "clip" else None
        bad = either(bad, beyond if clipped is None else None)
        if bad is not None and missing is not None:
            bad = bad & ~missing
        placed = self.policy.place(codes, missing, bad)
        return replace(placed, outside=either(placed.outside, clipped))

    @cached_property
    def policy(self) -> Policy:
        """What becomes of other cells."""
        return Policy(self.column.name, self.column.outside, self.axis.missing)

    def codes(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers as `read` gives them to codes (n,), what lies beyond the limits to the nearest; never falling."""
        return self.grid.codes(self.ticks(np.clip(numbers, *self.limits)))

    def decode(self, codes: np.ndarray, rng: np.random.Generator, within: tuple[int, int] | None = None) -> pa.Array:
        """Codes to values, uniform over the public ticks of an interval."""
        missing = self.axis.missing
        mask = None
        if missing is not None:
            mask = codes == missing
            codes = np.where(mask, 0, codes)
        return self.values(self.grid.draw(codes.astype(np.int64), rng, within), mask)

    def condition(self, text: str) -> tuple[np.ndarray, tuple[int, int] | None]:
        """``30``, ``30..40``, ``30..``, ``..40``, or a null marker for missing."""
        mask = np.zeros(self.axis.size, bool)
        if text in self.markers and self.axis.missing is not None:
            mask[self.axis.missing] = True
            return mask, None
        low, dots, high = text.partition("..")
        first = self._limit(low) if low else None
        last = self._limit(high) if high else (None if dots else first)
        if first is None and last is None:
            raise ConditionError(f"column {self.column.name!r}: a condition is written 30, 30..40, 30.. or ..40")
        mask[: self.grid.size] = self.grid.overlapping(first, last)
        if not mask.any():
            c = self.column
            bounds = ["0:00", "24:00"] if isinstance(c, TimeColumn) else [str(b) for b in known(c.bounds)]
            raise ConditionError(f"column {self.column.name!r}: {text} allows no value within {' .. '.join(bounds)}")
        limits = (self.grid.first if first is None else first, self.grid.last if last is None else last)
        return mask, None if self.grid.exact else limits

    def _limit(self, text: str) -> int:
        ticks = self.exact_ticks(text)
        if ticks is None:
            raise ConditionError(f"column {self.column.name!r}: a condition on it names no {self.column.kind}")
        return ticks

    @abstractmethod
    def exact_ticks(self, text: str) -> int | None:
        """The tick of a single text, not clipped; None where it cannot be read."""


def known(bounds: tuple[_Bound, _Bound] | None) -> tuple[_Bound, _Bound]:
    """The bounds of a column of a settled schema, where all are declared or measured."""
    assert bounds is not None
    return bounds
