"""Grids over time whose intervals begin where people's do: at midnight, on Mondays, on the first of a month."""

from __future__ import annotations

import numpy as np

from sfumato.encoding.grid import EXACT_LIMIT, Grid, from_edges

_SECONDS = (1, 60, 15 * 60, 3600, 6 * 3600, 86400)
"""Widths of intervals of time that people know, up to a day."""
_MONTHS = (1, 3, 12, 120)
"""The same from a month on: a quarter, a year, ten years."""
_CENTURY = 1200
"""Months: the widest interval."""
_MONDAY = 4
"""1970-01-05 was a Monday."""


def calendar_grid(low: int, high: int, tick: int) -> Grid:
    """At most 512 intervals over ``low .. high``, ticks of ``tick`` seconds since 1970.

    The narrowest of: a tick, minute, 15 minutes, hour, 6 hours, day, week, month, quarter, year, decade, century.
    """
    if high - low < EXACT_LIMIT:
        return Grid(np.arange(low, high + 1, dtype=np.int64), high)
    for seconds in _SECONDS:
        width = max(1, seconds // tick)
        if (high - low) // width < EXACT_LIMIT:
            return from_edges(low, high, np.arange(low // width, high // width + 1, dtype=np.int64) * width)
    day = 86400 // tick
    week = 7 * day
    if (high - low) // week < EXACT_LIMIT:
        start = _MONDAY * day
        return from_edges(low, high, np.arange((low - start) // week, (high - start) // week + 1) * week + start)
    return from_edges(low, high, _months(low // day, high // day) * day)


def _months(low: int, high: int) -> np.ndarray:
    """First days of the shortest of month, quarter, year, decade, century that is coarse enough."""
    first = int(np.datetime64(low, "D").astype("datetime64[M]").astype(int))
    last = int(np.datetime64(high, "D").astype("datetime64[M]").astype(int))
    width = next((m for m in _MONTHS if (last - first) // m < EXACT_LIMIT), _CENTURY)
    months = np.arange(first // width, last // width + 1, dtype=np.int64) * width
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
