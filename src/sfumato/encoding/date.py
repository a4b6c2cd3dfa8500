"""Calendar days: exact up to 512 of them, else weeks, months, quarters or years."""

from __future__ import annotations

import datetime as dt
from functools import cached_property

import numpy as np
import pyarrow as pa

from sfumato.encoding.calendar import calendar_grid
from sfumato.encoding.grid import Grid
from sfumato.encoding.parsing import moments
from sfumato.encoding.quantity import QuantityCodec, known
from sfumato.encoding.rendering import moment_as
from sfumato.schema.quantities import DateColumn

_EPOCH = dt.date(1970, 1, 1)
"""Day 0 of Arrow."""
_MICROSECONDS = 86_400_000_000
"""Of a day."""


class DateCodec(QuantityCodec):
    """Codec of days; a tick is a day since 1970."""

    column: DateColumn

    @cached_property
    def grid(self) -> Grid:
        """Intervals that begin on calendar boundaries."""
        low, high = ((day - _EPOCH).days for day in known(self.column.bounds))
        return calendar_grid(low, high, 86400)

    @cached_property
    def limits(self) -> tuple[int, int]:
        """The bounds, in days since 1970."""
        return self.grid.first, self.grid.last

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
        """Dates, or the days of timestamps, as days since 1970."""
        read = moments(values, self.column.format, None).cast(pa.int64())
        bad = read.is_null().to_numpy(zero_copy_only=False) if read.null_count else None
        return np.floor_divide(read.fill_null(self.grid.first * _MICROSECONDS).to_numpy(), _MICROSECONDS), bad

    def ticks(self, numbers: np.ndarray) -> np.ndarray:
        """Days as they are."""
        return numbers

    def values(self, ticks: np.ndarray, mask: np.ndarray | None) -> pa.Array:
        """Ticks to date32."""
        return pa.array(ticks.astype(np.int32), mask=mask).cast(pa.date32())

    def render(self, values: pa.Array) -> pa.Array:
        """In the type that went in."""
        return moment_as(values, self.type, self.column.format)

    def exact_ticks(self, text: str) -> int | None:
        """The day of an ISO date, or of one in the declared format."""
        for format in (self.column.format, None):
            value = moments(pa.array([text]), format, None)[0].as_py()
            if value is not None:
                return (value.date() - _EPOCH).days
        return None
