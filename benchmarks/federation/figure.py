"""A figure with its limit, as the last line of the benchmark has it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, variance

from sfumato.errors import SfumatoError

Row = dict[str, object]
"""A figure by name, value, limit, and whether it is met; of a mean of fits its standard error too."""


def figure(name: str, value: float | None, limit: float | None = None, error: float | None = None) -> Row:
    """A figure; one without a limit is shown, one without a value was not measured."""
    value = None if value is None else float(value)  # of numpy's numbers too, which JSON does not know
    met = None if limit is None or value is None else value <= limit
    row: Row = {"name": name, "value": None if value is None else round(value, 5), "limit": limit, "met": met}
    return row if error is None else {**row, "standard_error": round(float(error), 5)}


def behind(name: str, there: Sequence[float], here: Sequence[float], limit: float | None = None, sign: int = 1) -> Row:
    """How far the mean of fits ``here`` is behind that of fits ``there``; ``sign`` -1 where less is better."""
    spread = [variance(fits) / len(fits) if len(fits) > 1 else math.nan for fits in (there, here)]
    error = math.sqrt(sum(spread))
    gap = sign * (fmean(there) - fmean(here))
    return figure(name, gap, limit, None if math.isnan(error) else error)


def print_parts(parts: Mapping[str, Callable[[], Iterable[Row]]], only: str) -> None:
    """Measure those named in ``only``, with commas between, and print each figure as it comes; all in the last line.

    What fails to be measured is null, and the rest goes on.
    """
    found: list[Row] = []
    for part in only.split(","):
        try:
            for row in parts[part]():
                print(row, flush=True)
                found.append(row)
        except (RuntimeError, OSError, ValueError, SfumatoError) as error:
            print(f"{part}: {type(error).__name__}: {error}", flush=True)
            found.append(figure(f"{part}: the rest was not measured", None))
    print(json.dumps({"figures": found}))
