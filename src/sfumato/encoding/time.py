"""Times of day."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa

from sfumato.encoding.calendar import calendar_grid
from sfumato.encoding.grid import Grid
from sfumato.encoding.parsing import clock
from sfumato.encoding.quantity import QuantityCodec
from sfumato.encoding.rendering import moment_as
from sfumato.schema.quantities import TimeColumn

_SECONDS = {"hour": 3600, "minute": 60, "second": 1}
"""Of each resolution."""
_DAY = 86400
"""Seconds of a day."""
_MICROSECONDS = 1_000_000
"""Of a second."""


class TimeCodec(QuantityCodec):
    """Codec of times of day; a tick is one unit of the resolution since midnight, and the bounds are the day."""

    column: TimeColumn

    @cached_property
    def _tick(self) -> int:
        return _SECONDS[self.column.resolution]

    @cached_property
    def grid(self) -> Grid:
        """Hours exactly, else quarters of an hour."""
        return calendar_grid(0, _DAY // self._tick - 1, self._tick)

    @cached_property
    def limits(self) -> tuple[int, int]:
        """The day, in ticks since midnight."""
        return self.grid.first, self.grid.last

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
        """Times as ticks since midnight, cut down to the resolution."""
        read = clock(values, self.column.format).cast(pa.int64())
        bad = read.is_null().to_numpy(zero_copy_only=False) if read.null_count else None
        return np.floor_divide(read.fill_null(0).to_numpy(), self._tick * _MICROSECONDS), bad

    def ticks(self, numbers: np.ndarray) -> np.ndarray:
        """Ticks as they are."""
        return numbers

    def values(self, ticks: np.ndarray, mask: np.ndarray | None) -> pa.Array:
        """Ticks to time64[us]."""
        return pa.array(ticks * (self._tick * _MICROSECONDS), mask=mask).cast(pa.time64("us"))

    def render(self, values: pa.Array) -> pa.Array:
        """In the type that went in."""
        return moment_as(values, self.type, self.column.format)

    def exact_ticks(self, text: str) -> int | None:
        """A time written 12:30 or 12:30:00, or in the declared format."""
        for format in (self.column.format, None):
            value = clock(pa.array([text]), format).cast(pa.int64())[0].as_py()
            if value is not None:
                return value // (self._tick * _MICROSECONDS)
        return None
