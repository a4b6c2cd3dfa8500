"""What all ordered columns share: cells become ticks, ticks fall into a public grid, codes become ticks again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from sfumato.encoding.column import Encoded, Policy
from sfumato.encoding.domain import Axis
from sfumato.encoding.grid import Grid
from sfumato.errors import ConditionError
from sfumato.schema.parsing import missing_mask, plain


@dataclass(frozen=True)
class QuantityCodec(ABC):
    """Codec of a number, a date or a time.

    Attributes:
        column: the schema's facts, with bounds.
        markers: texts that stand for a missing value.
        type: Arrow type of what comes out.
    """

    column: Any
    markers: tuple[str, ...]
    type: pa.DataType

    @cached_property
    @abstractmethod
    def grid(self) -> Grid:
        """The intervals of ticks, from declared facts alone."""

    @abstractmethod
    def ticks(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None, int]:
        """Cells to ticks within the bounds (n,) int64, a mask of unreadable ones or None, and how many were clipped."""

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
        ticks, bad, clipped = self.ticks(values)
        if bad is not None and missing is not None:
            bad &= ~missing
        policy = Policy(self.column.name, self.column.outside, self.axis.missing)
        placed = policy.place(self.grid.codes(ticks), missing, bad)
        return Encoded(placed.codes, placed.outside + clipped)

    def _within(self, raw: np.ndarray, low: Any, high: Any) -> tuple[np.ndarray, np.ndarray | None, int]:
        """Values to the nearest bound where the policy is to clip, else a mask of those outside."""
        outside = (raw < low) | (raw > high)
        count = int(np.count_nonzero(outside))
        if not count:
            return raw, None, 0
        kept = np.clip(raw, low, high)
        return (kept, None, count) if self.column.outside == "clip" else (kept, outside, 0)

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
            bounds = [str(b) for b in self.column.bounds] if hasattr(self.column, "bounds") else ["0:00", "24:00"]
            raise ConditionError(f"column {self.column.name!r}: {text} allows no value within {' .. '.join(bounds)}")
        limits = (self.grid.first if first is None else first, self.grid.last if last is None else last)
        return mask, None if self.grid.exact else limits

    def _limit(self, text: str) -> int:
        ticks = self.exact_ticks(pa.array([text]))
        if ticks is None:
            raise ConditionError(f"column {self.column.name!r}: a condition on it names no {self.column.kind}")
        return ticks

    @abstractmethod
    def exact_ticks(self, text: pa.Array) -> int | None:
        """The tick of a single text, not clipped; None where it cannot be read."""
