"""Instants and wall-clock times, with the zone kept in the type."""

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
from sfumato.schema.quantities import DatetimeColumn

_SECONDS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
"""Of each resolution."""
_MICROSECONDS = 1_000_000
"""Of a second."""


class DatetimeCodec(QuantityCodec):
    """Codec of dates with a time; a tick is one unit of the resolution since 1970 (UTC where there is a zone).

    Inside an interval longer than a tick (a day, a month) values are drawn uniformly, so the time of day is only learnt
    where the bounds are close enough; declare it as a column of its own where it matters.
    """

    column: DatetimeColumn

    @cached_property
    def _tick(self) -> int:
        return _SECONDS[self.column.resolution]

    @cached_property
    def grid(self) -> Grid:
        """Intervals that begin on calendar boundaries."""
        low, high = (self._moment(bound) for bound in known(self.column.bounds))
        return calendar_grid(low, high, self._tick)

    def _moment(self, wall: dt.datetime) -> int:
        at = moments(pa.array([wall], pa.timestamp("us")), None, self.column.tz).cast(pa.int64())[0].as_py()
        return at // (self._tick * _MICROSECONDS)

    @cached_property
    def limits(self) -> tuple[int, int]:
        """The bounds, in ticks since 1970."""
        return self.grid.first, self.grid.last

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray | None]:
        """Timestamps as ticks since 1970, cut down to the resolution."""
        read = moments(values, self.column.format, self.column.tz).cast(pa.int64())
        bad = read.is_null().to_numpy(zero_copy_only=False) if read.null_count else None
        tick = self._tick * _MICROSECONDS
        return np.floor_divide(read.fill_null(self.grid.first * tick).to_numpy(), tick), bad

    def ticks(self, numbers: np.ndarray) -> np.ndarray:
        """Ticks as they are."""
        return numbers

    def values(self, ticks: np.ndarray, mask: np.ndarray | None) -> pa.Array:
        """Ticks to timestamp[us], in the column's zone."""
        made = pa.array(ticks * (self._tick * _MICROSECONDS), mask=mask)
        if self.column.tz is None:
            return made.cast(pa.timestamp("us"))
        return made.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us", self.column.tz))

    def render(self, values: pa.Array) -> pa.Array:
        """In the type that went in."""
        return moment_as(values, self.type, self.column.format)

    def exact_ticks(self, text: str) -> int | None:
        """An ISO date with or without a time, or one in the declared format."""
        for format in (self.column.format, None):
            value = moments(pa.array([text]), format, self.column.tz).cast(pa.int64())[0].as_py()
            if value is not None:
                return value // (self._tick * _MICROSECONDS)
        return None
