"""Facts left to be measured: which questions they take, and what is concluded from the noised answers.

Bounds are looked for on a public grid over all values that a column of its kind may reasonably hold: whole numbers
within +-10^15, reals within +-10^9 with six decimals, dates from 1900 to 2099. Categories are the labels whose noisy
count clears a threshold. Null rates need no question: a column whose null rate is measured has a code for missing
values, and how many there are is learnt with the rest.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from sfumato.encoding.codec import Codec
from sfumato.encoding.column import ColumnCodec
from sfumato.encoding.facts import Facts, MeasuredFact
from sfumato.encoding.parsing import missing_mask
from sfumato.encoding.quantity import QuantityCodec
from sfumato.errors import SchemaError
from sfumato.schema import Schema, TextColumn
from sfumato.schema.columns import LABEL_LIMIT, Column
from sfumato.schema.quantities import Bounds, DateColumn, IntegerColumn, RealColumn
from sfumato.tables.objects import OBJECTS, as_text, plain

_FALSE_ALARMS = 80
"""Twice one over the probability that noise alone stands out of all blocks."""
_TAIL = 2.5
"""Standard deviations of noise by which a block that adjoins the range stands out."""
_NO_NOISE = 1e-9
"""In place of none, to divide by."""
MEASURED_SHARE = 0.05
"""The part of the squared budget that measured facts cost, split evenly over the columns that have them."""

_INTEGERS, _REALS, _DECIMALS = 10**15, 1e9, 1e-6
"""Farthest that bounds are sought: of integers, of reals, and the step of reals without one."""
_DAYS = (dt.date(1900, 1, 1), dt.date(2099, 12, 31))
"""The same for times."""


@dataclass(frozen=True)
class NoisyHistogram:
    """Noised counts of one axis.

    Attributes:
        counts: (size,) counts with noise.
        sigma: standard deviation of the noise of each.
    """

    counts: np.ndarray
    sigma: float


class FactSource(Protocol):
    """Noised, already charged answers about the facts of private rows."""

    def histograms(self, codec: Codec) -> Sequence[NoisyHistogram]:
        """The noised one-way table of each axis of ``codec``, which fits the private table."""
        ...

    def keys(self, columns: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        """Per column: the labels (as `label_counts` writes them) whose noisy count cleared a threshold, with it."""
        ...


def measure_facts(schema: Schema, source: FactSource) -> Facts:
    """Settle every measured fact of ``schema`` by asking ``source``; nothing is asked where nothing is open.

    Raises:
        SchemaError: no label of a column was frequent enough to be shown.

    *Formal guarantee.* Post-processing of the source's answers: the rows are touched by nothing else.
    """
    facts: dict[str, MeasuredFact] = {}
    search = preliminary(schema)
    if search is not None:
        for codec, histogram in zip(search.columns.values(), source.histograms(search), strict=True):
            facts[codec.axis.name] = MeasuredFact(bounds=_bounds(codec, histogram))
    labelled = [c.name for c in schema.columns if c.measured and c.kind == "category"]
    for name, counts in (source.keys(labelled) if labelled else {}).items():
        facts[name] = MeasuredFact(categories=categories(name, counts))
    return facts


def preliminary(schema: Schema) -> Codec | None:
    """The codec of the search for bounds: one axis per column whose bounds are open, None where there is none.

    Every column keeps the null markers that it has in ``schema``, so that the units of the search are those of the fit.
    """
    columns = tuple(
        c.model_copy(update={**_whole_range(c), "source": "public"})
        if c.measured and c.kind != "category"
        else TextColumn(name=c.name, nulls=schema.null_markers(c))
        for c in schema.columns
    )
    if all(isinstance(c, TextColumn) for c in columns):
        return None
    return Codec.from_schema(Schema(unit=schema.unit, nulls=schema.nulls, columns=columns))


def widest(schema: Schema) -> Facts:
    """The farthest bounds that a search can find, of each column whose bounds are left to be measured: public."""
    search = preliminary(schema)
    columns = () if search is None else map(search.schema.column, search.columns)
    return {c.name: MeasuredFact(bounds=getattr(c, "bounds", None)) for c in columns}


def _whole_range(column: Column) -> dict[str, object]:
    """All that a column of its kind may hold; clipped and unreadable cells must not stop a search."""
    common: dict[str, object] = {"outside": "clip", "nullable": True}
    if isinstance(column, IntegerColumn):
        return {"bounds": (-_INTEGERS // column.step * column.step, _INTEGERS // column.step * column.step), **common}
    if isinstance(column, RealColumn):
        step = column.step or _DECIMALS
        limit = min(_REALS, step * _INTEGERS)
        return {"bounds": (-limit, limit), "step": step, "scale": "significant", **common}
    if isinstance(column, DateColumn):
        return {"bounds": _DAYS, **common}
    start, end = (dt.datetime.combine(day, dt.time()) for day in _DAYS)
    return {"bounds": (start, end), "resolution": "day", **common}


def _bounds(codec: ColumnCodec, histogram: NoisyHistogram) -> Bounds:
    """Bounds in the column's kind from the noisy histogram of its search grid."""
    assert isinstance(codec, QuantityCodec)
    grid = codec.grid
    first, end = covered(np.asarray(histogram.counts[: grid.size], np.float64), histogram.sigma)
    low = int(grid.edges[first])
    high = grid.last if end == grid.size else int(grid.edges[end])
    if end < grid.size and (codec.column.kind not in ("integer", "real") or high == int(grid.edges[end - 1]) + 1):
        high -= 1
    ends = codec.values(np.array([low, high]), None).to_pylist()
    first_value, last_value = (v.replace(tzinfo=None) if isinstance(v, dt.datetime) else v for v in ends)
    return first_value, last_value


def covered(counts: np.ndarray, sigma: float) -> tuple[int, int]:
    """The smallest range ``first .. end`` (exclusive) outside of which no group of bins stands out of the noise.

    Sums over blocks of 1, 2, 4, ... neighbouring bins are compared with what noise alone would give; the finest blocks
    that stand out are kept. A block stands out above ``z * sigma * sqrt(width)``, with ``z`` such that pure noise does
    so with probability below 1/40 over all blocks. The range then grows over adjoining blocks that stand out less: a
    tail goes on, and few such tests are made, so little is lost when noise passes one. Where no block stands out,
    the one that comes closest is taken.

    Args:
        counts: (bins,) noisy counts in the order of the values.
        sigma: standard deviation of the noise of each; 0 for exact counts.
    """
    bins = len(counts)
    z = math.sqrt(2 * math.log(_FALSE_ALARMS * bins))
    best, closest, found = -math.inf, (0, bins), []
    explained = np.zeros(0, bool)
    for level in range(max(1, bins - 1).bit_length() + 1):
        width = 1 << level
        starts = np.arange(0, bins, width)
        scores = np.add.reduceat(counts, starts) / (max(sigma, _NO_NOISE) * math.sqrt(width))
        below = np.add.reduceat(explained, np.arange(0, len(explained), 2)) if level else np.zeros(bins, bool)
        found += [(int(s), min(bins, int(s) + width)) for s in starts[(scores > z) & ~below.astype(bool)]]
        explained = (scores > z) | below.astype(bool)
        if scores.max() > best:
            best, at = float(scores.max()), int(scores.argmax()) * width
            closest = (at, min(bins, at + width))
    if not found:
        return closest
    first, end = min(start for start, _ in found), max(end for _, end in found)
    return bins - _grown(counts[::-1], bins - first, sigma), _grown(counts, end, sigma)


def _grown(counts: np.ndarray, end: int, sigma: float) -> int:
    """``end`` moved on over the blocks that adjoin it and stand out by 2.5 standard deviations: the rest of a tail."""
    width = 1
    while end + width <= len(counts):
        if counts[end : end + width].sum() > _TAIL * max(sigma, _NO_NOISE) * math.sqrt(width):
            end, width = end + width, 1
        else:
            width *= 2
    return end


def categories(name: str, counts: Mapping[str, float]) -> tuple[str, ...]:
    """The labels that were shown, numbers by size and texts by letter; the most frequent where there are too many."""
    if not counts:
        raise SchemaError(
            f"column {name!r}: no category is frequent enough to be shown at this epsilon; declare its categories"
        )
    kept = sorted(counts, key=lambda label: (-counts[label], label))[:LABEL_LIMIT]
    try:
        return tuple(sorted(kept, key=lambda label: (float(label), label)))
    except ValueError:
        return tuple(sorted(kept))


def label_counts(values: pa.Array, markers: tuple[str, ...]) -> dict[str, int]:
    """Exact, private counts of the labels in a column, missing ones left out: what a `FactSource` puts noise on."""
    counted = (as_text(values) if values.type == OBJECTS else plain(values)).value_counts()
    return labelled(counted.field("values"), counted.field("counts").to_numpy(), markers)


def labelled(labels: pa.Array, counts: np.ndarray, markers: tuple[str, ...]) -> dict[str, int]:
    """Counts by label, missing ones left out, of values (m,) that are counted already, each once.

    Unlike values may have one label (0.0 and -0.0, or dates with a time of day inside): their counts add up.
    """
    gone = missing_mask(labels, markers)
    kept = labels if gone is None else labels.filter(pa.array(~gone))
    found: Counter[str] = Counter()
    for label, count in zip(as_text(kept).to_pylist(), counts if gone is None else counts[~gone], strict=True):
        found[label] += int(count)
    return found
