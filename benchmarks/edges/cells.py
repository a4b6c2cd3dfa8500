"""Whether any row changes how another is read: cells fuzzed over readers and kinds.

``python -m benchmarks.edges cells [CELLS]`` reads hostile tables in every way there is, in many compositions, orders
and cuts (a million cells by default), and compares the codes of each row with those that it got before: alone, beside
rows of its own sort, beside any. A refusal of a table is a change of all its rows.
"""

from __future__ import annotations

import random
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.edges.hostile import Column
from benchmarks.edges.storage import Storage, storages
from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import label_counts
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.tables.databases import DatabaseTable
from sfumato.tables.objects import as_text
from sfumato.trust.gathering import gather, identifiers

CELLS = 1_000_000
_SIDE = 512
"""Codes of an exact integer column: two of them number the rows of a pool."""
_UNKNOWN, _LEFT_OUT = -2, -1
_FEW = 50
"""The share of a database, which compiles each table's queries anew: a second each."""
_MANY = 30
"""The most rows of a table whose labels are compared one by one."""
_MARKERS = ("?", "NA", "")
_NULLS = 'nulls: ["?", NA, ""]'


@dataclass(frozen=True, repr=False)
class Cut(Rows):
    """Rows in batches of a size of our choice."""

    size: int = 1 << 18

    def cells(self, size: int = 0) -> Iterator[Any]:
        """As `Rows.cells`."""
        del size
        return super().cells(self.size)


@dataclass
class Tally:
    """What has been found about one storage.

    Attributes:
        cells: read in all; changed: rows of a table that got other codes than before.
        tables: read; said: what went wrong, each thing once.
    """

    cells: int = 0
    changed: int = 0
    tables: int = 0
    said: dict[str, int] = field(default_factory=dict)

    def note(self, what: str, rows: int) -> None:
        """``rows`` more have changed."""
        self.changed += rows
        self.said[what] = self.said.get(what, 0) + rows


class Pool:
    """Hostile rows of one storage, and the codes that each of them got so far.

    Args:
        storage: how they are held.
        strict: of the columns that leave rows out, or of the others.
        size: how many rows.
        rng: what they are drawn with.
    """

    def __init__(self, storage: Storage, strict: bool, size: int, rng: random.Random) -> None:
        self.storage, self.rng = storage, rng
        self.columns = [c for c in storage.columns if c.strict == strict]
        self.names = ["hi", "lo", *(c.name for c in self.columns)]
        self.rows, self.groups = self._filled(size, strict)
        self.known = np.full((size, len(self.columns)), _UNKNOWN, np.int32)
        self.facts: str | None = None
        self.told: dict[tuple[int, str], tuple[str | None, str | None]] = {}
        lines = [f"  {n}: {{kind: integer, bounds: [0, {_SIDE - 1}], source: public}}" for n in self.names[:2]]
        lines += [f"  {c.name}: {{{c.facts}{', nullable: true' * (not strict)}, source: public}}" for c in self.columns]
        self.schema = Schema.parse("\n".join(["sfumato: schema/1", _NULLS, storage.file, "columns:", *lines]))

    def _filled(self, size: int, strict: bool) -> tuple[list[list[Any]], list[list[int]]]:
        """Rows in groups: plain ones, as tables commonly are; those with cells of one class in a column; wild ones."""
        rows, groups = [], []
        while len(rows) < size:
            sort = self.rng.choice(["plain", "plain", "alike", "wild"])
            classes = [0 if sort == "plain" else self.rng.randrange(len(c.classes)) for c in self.columns]
            count = min(self.rng.choice([1, 3, 8, 20]), size - len(rows))
            groups.append(list(range(len(rows), len(rows) + count)))
            for _ in range(count):
                pairs = zip(self.columns, classes, strict=True)
                own = [self._cell(c, k, sort == "wild", 0.1 if strict else 1.0) for c, k in pairs]
                rows.append([*self.storage.numbers(*divmod(len(rows), _SIDE)), *own])
        return rows, groups

    def _cell(self, column: Column, number: int, wild: bool, share: float) -> Any:
        if not wild or self.rng.random() > share:
            return self.storage.cell(column, self.rng.choice(column.classes[0 if wild else number]))
        value = self.rng.choice(self.rng.choice(column.classes))
        return self.storage.wild_cell(column, value, self.rng)

    def read(self, chosen: Sequence[int], tally: Tally, folder: Path) -> None:
        """Hold these rows in this order, read them, and compare."""
        tally.tables += 1
        tally.cells += len(chosen) * len(self.columns)
        try:
            held = self.storage.hold(self.names, [self.rows[i] for i in chosen], folder, self.rng)
            rows = Rows.open(held, self.schema.dialect)
            codec = Codec.from_schema(self.schema, types=rows.stored_types)
            records = gather(Cut(rows.source, rows.name, self.rng.choice([1, 3, 10, 1 << 18])), codec, Silent())
            found, outside = records.matrix().astype(np.int32), records.outside
            self._labels(Cut(rows.source, rows.name, self.rng.choice([3, 10, 1 << 18])), len(chosen), tally)
        except Exception as error:  # whatever it is, some row stopped the others
            tally.note(f"refused: {type(error).__name__}: {str(error)[:200]}", len(chosen))
            return
        self._compare(np.array(chosen), found, outside, tally)
        facts = codec.to_json()
        if self.facts not in (None, facts):
            tally.note("facts of the model", len(chosen))
        self.facts = facts

    def _labels(self, rows: Rows, count: int, tally: Tally) -> None:
        """What is counted where categories are measured, and what units are told apart by: the labels of each cell."""
        if isinstance(rows.source, DatabaseTable) or count > _MANY:
            return
        for batch in rows.cells():
            high, low = (map(int, as_text(batch.column(i)).to_pylist()) for i in (0, 1))
            own = [h * _SIDE + n for h, n in zip(high, low, strict=True)]
            for column in (c for c in self.columns if "kind: category" in c.facts):
                cells = batch.column(column.name)
                found = self._told(column, own, cells, tally)
                if found != label_counts(cells, _MARKERS):
                    tally.note(f"counts of labels in {column.kind}", len(own))

    def _told(self, column: Column, own: list[int], cells: pa.Array, tally: Tally) -> Counter[str]:
        """The labels of cells one by one, after these and the units are compared with those in other tables."""
        found: Counter[str] = Counter()
        for i, (row, unit) in enumerate(zip(own, identifiers(cells, _MARKERS).to_pylist(), strict=True)):
            label = label_counts(cells.slice(i, 1), _MARKERS)
            found.update(label)
            told = (next(iter(label), None), unit)
            if self.told.setdefault((row, column.name), told) != told:
                tally.note(f"labels in {column.kind}", 1)
        return found

    def _compare(self, chosen: np.ndarray, found: np.ndarray, outside: int, tally: Tally) -> None:
        got = np.full((len(self.rows), len(self.columns)), _LEFT_OUT, np.int32)
        numbers = found[:, 0] * _SIDE + found[:, 1]
        got[numbers] = found[:, 2:]
        kept = (got[chosen] != _LEFT_OUT).any(axis=1)
        if not set(numbers.tolist()) <= set(chosen.tolist()) or len(set(numbers.tolist())) != len(numbers):
            tally.note("rows that are not of the table", len(chosen))
        if outside < (~kept).sum():
            tally.note("rows left out and not counted", len(chosen))
        seen = self.known[chosen]
        wrong = (seen != _UNKNOWN) & (seen != got[chosen])
        if wrong.any():
            for j in np.flatnonzero(wrong.any(axis=0)):
                tally.note(f"{self.columns[j].facts} in {self.columns[j].kind}", int(wrong[:, j].sum()))
        self.known[chosen] = got[chosen]

    def neighbours(self, tally: Tally, folder: Path) -> None:
        """A plain table; then the same with one row of another sort at its start, within and at its end."""
        group = self.rng.choice(self.groups)[:12]
        self.read(group, tally, folder)
        other = self.rng.randrange(len(self.rows))
        if other in group:
            return
        for place in {0, len(group) // 2, len(group)}:
            self.read([*group[:place], other, *group[place:]], tally, folder)

    def mixed(self, tally: Tally, folder: Path, size: int) -> None:
        """Any rows in any order."""
        self.read(self.rng.sample(range(len(self.rows)), min(size, len(self.rows))), tally, folder)


def fuzzed(storage: Storage, cells: int, seed: int, pool: int = 3000) -> Tally:
    """Read at least so many cells of ``storage``, half of them in plain tables and their neighbours."""
    rng = random.Random(seed)
    tally = Tally()
    with tempfile.TemporaryDirectory() as name, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about hostile cells
        sorts = sorted({c.strict for c in storage.columns})
        pools = [Pool(storage, strict, pool, rng) for strict in sorts]
        while tally.cells < cells:
            for p in pools:
                p.neighbours(tally, Path(name))
            if rng.random() < 0.2:
                rng.choice(pools).mixed(tally, Path(name), rng.choice([2, 50, pool // 2]))
    return tally


def figures(cells: int = CELLS) -> list[dict[str, Any]]:
    """How many cells were read in all, and how many rows changed; a line for each way."""
    wanted = storages()
    read = changed = 0
    for i, storage in enumerate(wanted):
        share = cells // _FEW if storage.name == "duckdb table" else -(-cells // (len(wanted) - 1))
        tally = fuzzed(storage, share, seed=i)
        print(f"{storage.name}: {tally.cells} cells in {tally.tables} tables, {tally.changed} rows changed", flush=True)
        for what, rows in tally.said.items():
            print(f"    {what}: {rows}", flush=True)
        read, changed = read + tally.cells, changed + tally.changed
    return [
        {"name": "cells fuzzed, readers x kinds", "value": read, "limit": cells, "met": read >= cells},
        {"name": "rows of D that changed", "value": changed, "limit": 0, "met": changed == 0},
    ]
