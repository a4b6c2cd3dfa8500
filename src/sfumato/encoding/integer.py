"""Whole numbers: exact codes for narrow ranges, a public grid for wide ones."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import pyarrow as pa

from sfumato.encoding.column import either
from sfumato.encoding.grid import Grid, grid
from sfumato.encoding.quantity import QuantityCodec
from sfumato.encoding.rendering import number_as
from sfumato.schema.parsing import numbers


class IntegerCodec(QuantityCodec):
    """Codec of whole numbers; a tick is one step."""

    @cached_property
    def _ends(self) -> tuple[int, int]:
        low, high = self.column.bounds
        return low // self.column.step, high // self.column.step

    @cached_property
    def grid(self) -> Grid:
        """One code per value up to 512, else equal widths or two significant digits."""
        return grid(*self._ends, self.column.scale)

    @cached_property
    def limits(self) -> tuple[int, int]:
        """The bounds."""
        return self.column.bounds

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
        """Whole numbers, or reals where some cell is one; a fraction within the bounds cannot be read."""
        read = numbers(values)
        low, high = self.column.bounds
        bad = read.is_null().to_numpy(zero_copy_only=False) if read.null_count else None
        found = read.fill_null(low).to_numpy()
        if found.dtype.kind != "f":
            return found, bad
        fraction = (found >= low) & (found <= high) & (np.rint(found) != found)
        return found, either(bad, fraction if fraction.any() else None)

    def ticks(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers to the nearest step."""
        if numbers.dtype.kind == "f":
            numbers = np.rint(numbers).astype(np.int64).clip(*self.column.bounds)
        step = self.column.step
        return numbers if step == 1 else np.rint(numbers / step).astype(np.int64)

    def values(self, ticks: np.ndarray, mask: np.ndarray | None) -> pa.Array:
        """Ticks to int64."""
        return pa.array(ticks * self.column.step, mask=mask)

    def render(self, values: pa.Array) -> pa.Array:
        """In the type that went in."""
        return number_as(values, self.type)

    def exact_ticks(self, text: pa.Array) -> int | None:
        """A number, rounded to a tick."""
        value = numbers(text)[0].as_py()
        return None if value is None or not math.isfinite(value) else round(value / self.column.step)
