"""Real numbers: cut into equal widths or significant digits, and rounded to a public step."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property

import numpy as np
import pyarrow as pa

from sfumato.encoding.grid import EXACT_LIMIT, Grid, grid, heavy_tailed
from sfumato.encoding.numerals import exact, reals
from sfumato.encoding.quantity import QuantityCodec, known
from sfumato.encoding.rendering import number_as
from sfumato.schema.quantities import RealColumn

_DECADES = 6
"""A heavy-tailed grid without a step resolves down to a millionth of its largest bound."""
_DIGITS = 15
"""Significant digits that a double holds."""
_FINER = 100
"""Steps in an interval, at least: values within it do not look rounded."""
_EXACT = 2**53
"""Below which a double holds every whole number."""


class RealCodec(QuantityCodec):
    """Codec of real numbers; a tick is the declared step, or a power of ten well below the width of an interval."""

    column: RealColumn

    @cached_property
    def _heavy(self) -> bool:
        scale = self.column.scale
        return scale == "significant" or (scale == "auto" and heavy_tailed(*self.limits))

    @cached_property
    def step(self) -> Fraction:
        """What values are multiples of."""
        low, high = self.limits
        if self.column.step is not None:
            return Fraction(repr(self.column.step))
        largest = max(abs(low), abs(high))
        if largest == 0:
            return Fraction(1)
        if self._heavy:
            return Fraction(10) ** (math.floor(math.log10(largest)) - _DECADES - 1)
        finest = math.floor(math.log10(largest)) - _DIGITS
        span = (high - low) / EXACT_LIMIT / _FINER
        return Fraction(10) ** max(finest, math.floor(math.log10(span)) if span > 0 else finest)

    @cached_property
    def _ends(self) -> tuple[int, int]:
        low, high = (Fraction(repr(b)) / self.step for b in self.limits)
        return math.ceil(low), max(math.ceil(low), math.floor(high))

    @cached_property
    def grid(self) -> Grid:
        """One code per multiple of the step up to 512, else equal widths or two significant digits."""
        declared = self.column.step is not None
        return grid(*self._ends, "significant" if self._heavy else "linear", 1 if declared else 10)

    @cached_property
    def limits(self) -> tuple[float, float]:
        """The bounds."""
        return known(self.column.bounds)

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
        """Real numbers."""
        found = reals(values, self.column.numeral)
        bad = np.isnan(found)
        return (np.where(bad, self.limits[0], found), bad) if bad.any() else (found, None)

    def ticks(self, numbers: np.ndarray) -> np.ndarray:
        """Real numbers to the nearest tick."""
        scaled = np.rint(numbers * float(1 / self.step)) if self.step < 1 else np.rint(numbers / float(self.step))
        return np.clip(scaled.astype(np.int64), *self._ends)

    def values(self, ticks: np.ndarray, mask: np.ndarray | None) -> pa.Array:
        """Ticks to float64, each the closest to its decimal writing."""
        up, down = self.step.numerator, self.step.denominator
        if down < _EXACT and up < _EXACT:
            return pa.array(ticks.astype(np.float64) * float(up) / float(down), mask=mask)
        return pa.array(ticks * float(self.step), mask=mask)

    def render(self, values: pa.Array) -> pa.Array:
        """In the type that went in."""
        return number_as(values, self.type, self.column.numeral)

    def exact_ticks(self, text: str) -> int | None:
        """A number, rounded to a tick."""
        value = exact(text, self.column.numeral)
        return None if value is None else round(value / self.step)
