"""Whole numbers: exact codes for narrow ranges, a public grid for wide ones."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa

from sfumato.encoding.column import either
from sfumato.encoding.grid import Grid, grid
from sfumato.encoding.numerals import exact, wholes
from sfumato.encoding.quantity import QuantityCodec, known
from sfumato.encoding.rendering import number_as
from sfumato.schema.quantities import IntegerColumn


class IntegerCodec(QuantityCodec):
    """Codec of whole numbers; a tick is one step."""

    column: IntegerColumn

    @cached_property
    def _ends(self) -> tuple[int, int]:
        low, high = self.limits
        return low // self.column.step, high // self.column.step

    @cached_property
    def grid(self) -> Grid:
        """One code per value up to 512, else equal widths or two significant digits."""
        return grid(*self._ends, self.column.scale)

    @cached_property
    def limits(self) -> tuple[int, int]:
        """The bounds."""
        return known(self.column.bounds)

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
        """Whole numbers; a fraction within the bounds cannot be read."""
        low, high = self.limits
        found = wholes(values, self.column.numeral)
        numbers, bad = found.floor, found.unreadable
        if bad is not None:
            numbers = np.where(bad, low, numbers)
        if found.fraction is not None:
            bad = either(bad, found.fraction & (numbers >= low) & (numbers < high))
            numbers = numbers + (found.fraction & (numbers >= high))
        return numbers, bad

    def ticks(self, numbers: np.ndarray) -> np.ndarray:
        """Numbers to the nearest step, the even one of two."""
        step = self.column.step
        if step == 1:
            return numbers
        ticks, rest = np.divmod(numbers, step)
        return ticks + ((2 * rest > step) | ((2 * rest == step) & (ticks % 2 == 1)))

    def values(self, ticks: np.ndarray, mask: np.ndarray | None) -> pa.Array:
        """Ticks to int64."""
        return pa.array(ticks * self.column.step, mask=mask)

    def render(self, values: pa.Array) -> pa.Array:
        """In the type that went in."""
        return number_as(values, self.type, self.column.numeral)

    def exact_ticks(self, text: str) -> int | None:
        """A number, rounded to a tick."""
        value = exact(text, self.column.numeral)
        return None if value is None else round(value / self.column.step)
