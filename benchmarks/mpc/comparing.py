"""What selecting on secret shares is worth: AIM round by round over parties, beside its one-shot path and one curator.

Six columns of the census rows, two at each party. Each figure is a mean of several fits, with the standard deviation of
one; the measure is the mean total variation distance of all 15 tables of two columns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

import sfumato as sf
from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.people import KEY
from sfumato.schema import IdentifierColumn

HELD = (("age", "marital-status"), ("education", "occupation"), ("hours-per-week", "income"))
PROMISE = sf.Guarantee(1.0, 1e-6)
ENGINE = Path(__file__).resolve().parents[2] / ".others" / "engine"
BINS = 20
"""Of a column of numbers, over its declared bounds."""


def _schema() -> sf.Schema:
    known = sf.Schema.load(sf.examples.adult_schema()).with_only({name for held in HELD for name in held})
    return known.with_columns((IdentifierColumn(name=KEY, source="public"), *known.columns))


def _fit(engine: sf.Engine | None) -> sf.Synthesizer:
    table = sf.examples.adult().arrow
    keys = [f"{i:05d}" for i in range(len(table))]
    tables = [sf.Table(table.select(held).append_column(KEY, [keys])) for held in HELD]
    source = sf.parties(tables, key=KEY, persons=keys, ledgers=[sf.Ledger.open() for _ in tables], engine=engine)
    return sf.Synthesizer(_schema(), "aim", PROMISE).fit(source)


def _central() -> sf.Synthesizer:
    table = sf.examples.adult().arrow.select([name for held in HELD for name in held])
    schema = sf.Schema.load(sf.examples.adult_schema()).with_only(set(table.column_names))
    return sf.Synthesizer(schema, "aim", PROMISE, ledger=sf.Ledger.open()).fit(sf.Table(table))


def _codes(real: object, drawn: object) -> tuple[np.ndarray, np.ndarray]:
    """A column of both as codes: numbers in bins of equal width, labels as they are."""
    one, other = (np.asarray(column) for column in (real, drawn))
    if one.dtype.kind in "if":
        edges = np.linspace(one.min(), one.max(), BINS + 1)[1:-1]
        return np.digitize(one.astype(float), edges), np.digitize(other.astype(float), edges)
    _, codes = np.unique(np.concatenate([one.astype(str), other.astype(str)]), return_inverse=True)
    return codes[: len(one)], codes[len(one) :]


def distance(made: sf.Synthesizer) -> float:
    """Mean total variation distance of the tables of two columns of drawn rows from those of the real ones."""
    names = [name for held in HELD for name in held]
    real = sf.examples.adult().arrow.to_pandas()
    drawn = made.sample(len(real), seed=0).arrow.to_pandas()
    codes = {name: _codes(real[name], drawn[name]) for name in names}
    found = []
    for a, b in combinations(names, 2):
        wide = 1 + max(int(max(part.max() for part in codes[b])), 0)
        pair = [codes[a][i] * wide + codes[b][i] for i in range(2)]
        size = 1 + max(int(p.max()) for p in pair)
        counts = [np.bincount(p, minlength=size) / len(p) for p in pair]
        found.append(np.abs(counts[0] - counts[1]).sum() / 2)
    return fmean(found)


def rows(fits: int) -> Iterator[Row]:
    """Each way, by how far its rows are from the real ones; what a fit that selects took."""
    engine = sf.Engine(ENGINE)
    ways: dict[str, Callable[[], sf.Synthesizer]] = {
        "one curator": _central,
        "parties, selected on shares": lambda: _fit(engine),
        "parties, asked at once": lambda: _fit(None),
    }
    for name, fit in ways.items():
        began = time.perf_counter()
        found = [distance(fit()) for _ in range(fits)]
        took = (time.perf_counter() - began) / fits
        yield figure(f"distance of tables, aim, {name}, {fits} fits", fmean(found))
        yield figure(f"deviation of one fit, {name}", stdev(found) if fits > 1 else None)
        yield figure(f"seconds of a fit, {name}", took)
