"""Whole numbers: exact codes for narrow ranges, a public grid for wide ones."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import pyarrow as pa

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

    def ticks(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None, int]:
        """Whole numbers to ticks; a fraction cannot be read."""
        read = numbers(values)
        bad = read.is_null().to_numpy(zero_copy_only=False) if read.null_count else None
        low, high = self.column.bounds
        if pa.types.is_integer(read.type):
            raw, outside, clipped = self._within(read.fill_null(low).to_numpy(), low, high)
        else:
            real, outside, clipped = self._within(read.fill_null(low).to_numpy(), low, high)
            raw = np.clip(np.rint(real), -(2.0**62), 2.0**62).astype(np.int64).clip(low, high)
            fraction = np.rint(real) != real
            outside = fraction if outside is None else outside | fraction
        bad = _either(bad, outside)
        step = self.column.step
        return (raw if step == 1 else np.rint(raw / step).astype(np.int64)), bad, clipped

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


def _either(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return b if a is None else a if b is None else a | b
