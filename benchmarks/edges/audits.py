"""Audits of each reader's whole way, from a file with one more row or without it to synthetic rows.

A game is a whole fit of the shipped code and a sample from it. The attacker knows all other rows and the one row, which
is as hostile as its form can hold, and learns from some games what of the samples differs; the others are scored by it.
The lower bounds on epsilon hold together with 95 % confidence. At (epsilon, delta) a right build shows hardly anything
in so many games; the parser of old, planted, shows what one row did to all others.
"""

from __future__ import annotations

import gzip
import importlib.util
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import ipc, parquet

import sfumato as sf
from sfumato.auditing.attacks.audit_bounds import epsilon_lower_bound

EPSILONS = (0.1, 1.0)
DELTA = 1e-9
GAMES = 400
"""On each side, for each form and epsilon; a database takes a second a game, and gets fewer."""
CONFIDENCE = 0.95
ROWS, SAMPLED, PIXELS = 400, 400, 4
_LEARNT_FROM = 0.25
_SLOW = {"duckdb table": 8, "postgresql": 8}
"""By how much fewer games are played where one takes long."""

TABLE = """
sfumato: schema/1
unit: row
nulls: ["NA"]
columns:
  town: {kind: category, categories: [Delft, Köln], outside: other, source: public}
  ratio: {kind: real, bounds: [0, 10], step: 1, nullable: true, outside: missing, source: public}
"""
IMAGES = f"""
sfumato: schema/1
target: label
columns:
  image: {{kind: image, height: {PIXELS}, width: {PIXELS}, source: public}}
  label: {{kind: category, categories: [0, 1], outside: other, source: public}}
"""
Sources = tuple[Any, Any]
"""With the row, and without it."""


def text(with_row: bool) -> bytes:
    """Half of the ratios are ``NaN``, half of the towns are not ASCII; the row is a bad byte and no number."""
    lines = [f"{('Delft', 'Köln')[i % 2]},{'NaN' if i % 2 else 1 + i % 8}".encode() for i in range(ROWS)]
    return b"\n".join([b"town,ratio", *lines, *([b"Z\xfcrich,<0.1"] if with_row else []), b""])


def table(with_row: bool) -> pa.Table:
    """The same rows typed; the row is an infinity and a town that nobody declared."""
    towns = [("Delft", "Köln")[i % 2] for i in range(ROWS)] + ["ZEBRA"] * with_row
    ratios = [None if i % 2 else float(1 + i % 8) for i in range(ROWS)] + [float("-inf")] * with_row
    return pa.table({"town": towns, "ratio": pa.array(ratios, pa.float64())})


def objects(with_row: bool) -> pd.DataFrame:
    """Decimals in a column of objects; the row's has more digits than all others."""
    frame = table(False).to_pandas().astype(object)
    frame["ratio"] = [None if i % 2 else Decimal(1 + i % 8) for i in range(ROWS)]
    if with_row:
        frame.loc[ROWS] = ["ZEBRA", Decimal("3.14159265358979")]
    return frame


def pictures(with_row: bool) -> tuple[np.ndarray, np.ndarray]:
    """Dark images with two labels; the row is a white one with a third."""
    dark = np.random.default_rng(0).integers(0, 60, (60, PIXELS, PIXELS), np.uint8)
    white = np.full((1, PIXELS, PIXELS), 255, np.uint8)
    labels = np.array([str(i % 2) for i in range(60)] + ["Z"] * with_row)
    return np.concatenate([dark, white]) if with_row else dark, labels


def _written(folder: Path, name: str, write: Callable[[Path, bool], object]) -> Sources:
    paths = [folder / f"{with_row}-{name}" for with_row in (True, False)]
    for path, with_row in zip(paths, (True, False), strict=True):
        write(path, with_row)
    return paths[0], paths[1]


def _arrow(path: Path, with_row: bool) -> None:
    rows = table(with_row)
    with pa.OSFile(str(path), "wb") as sink, ipc.new_file(sink, rows.schema) as writer:
        writer.write_table(rows)


def _database(folder: Path) -> Sources:
    def write(path: Path, with_row: bool) -> None:
        with duckdb.connect(str(path)) as connection:
            connection.register("given", table(with_row))
            connection.execute("CREATE TABLE rows AS SELECT * FROM given")

    one, other = _written(folder, "x.duckdb", write)
    return f"duckdb://{one}?table=rows", f"duckdb://{other}?table=rows"


def _archive(path: Path, with_row: bool) -> None:
    levels, labels = pictures(with_row)
    np.savez(path, images=levels, labels=labels)


def _pictures(folder: Path) -> Sources:
    from PIL import Image

    def write(path: Path, with_row: bool) -> None:
        for i, (image, label) in enumerate(zip(*pictures(with_row), strict=True)):
            (path / label).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path / label / f"{i}.png")

    return _written(folder, "images", write)


def _both(make: Callable[[bool], Any]) -> Sources:
    return make(True), make(False)


FORMS: dict[str, Callable[[Path], Sources]] = {
    "csv": lambda folder: _written(folder, "x.csv", lambda path, r: path.write_bytes(text(r))),
    "csv.gz": lambda folder: _written(folder, "x.csv.gz", lambda path, r: path.write_bytes(gzip.compress(text(r)))),
    "parquet": lambda folder: _written(folder, "x.parquet", lambda path, r: parquet.write_table(table(r), path)),
    "arrow": lambda folder: _written(folder, "x.arrow", _arrow),
    "pandas": lambda _: _both(lambda r: table(r).to_pandas()),
    "pandas objects": lambda _: _both(objects),
    "polars": lambda _: _both(lambda r: pl.DataFrame(table(r))),
    "duckdb relation": lambda _: _both(lambda r: duckdb.arrow(table(r))),
    "duckdb table": _database,
    "images, npz": lambda folder: _written(folder, "x.npz", _archive),
    "images, folder": _pictures,
}


class Game:
    """Whole fits of one form at one epsilon, scored by an attacker who has learnt from some of them."""

    def __init__(self, sources: Sources, images: bool, epsilon: float) -> None:
        self._sources, self._images = sources, images
        self._schema = sf.Schema.parse(IMAGES if images else TABLE)
        self._guarantee = sf.Guarantee(epsilon, DELTA)

    def seen(self, inside: bool) -> np.ndarray:
        """What a sample from one fit shows: how often each value occurs; of images the labels and mean pixels."""
        fit = sf.Synthesizer(
            self._schema,
            "class-gaussian" if self._images else "independent",
            self._guarantee,
            sf.Ledger.open(None),
            no_certificate=True,  # which is made of the events alone, and takes as long as the fit
        ).fit(self._sources[0 if inside else 1])
        drawn = fit.sample(SAMPLED).arrow
        return _pixels(drawn) if self._images else _counts(drawn)

    def bound(self, games: int, significance: float) -> float:
        """The lower bound on epsilon at ``DELTA`` of so many games on each side."""
        worlds = [np.array([self.seen(inside) for _ in range(games)]) for inside in (True, False)]
        known = max(8, int(_LEARNT_FROM * games))
        one, other = (world[:known] for world in worlds)
        direction = (one.mean(0) - other.mean(0)) / (one.var(0) + other.var(0) + 1)
        inside, outside = (world[known:] @ direction for world in worlds)
        return epsilon_lower_bound(inside, outside, DELTA, np.random.default_rng(0), significance)


def _counts(drawn: pa.Table) -> np.ndarray:
    ratios = pc.fill_null(drawn["ratio"].cast(pa.float64()), -1).to_numpy().astype(int)
    towns = drawn["town"].cast(pa.string()).to_pylist()
    labels = [towns.count(t) for t in ("Delft", "Köln")]
    return np.array([*labels, *np.bincount(ratios + 1, minlength=12)], float)


def _pixels(drawn: pa.Table) -> np.ndarray:
    levels = np.array(drawn["image"].to_pylist(), float).reshape(len(drawn), -1)
    labels = drawn["label"].cast(pa.string()).to_pylist()
    return np.array([*levels.mean(axis=0), *levels.std(axis=0), labels.count("0"), labels.count("1")])


def audit(form: str, sources: Sources, games: int, significance: float) -> dict[float, float]:
    """Per epsilon the lower bound of one form."""
    played = max(24, games // _SLOW.get(form, 1))
    found = {e: Game(sources, form.startswith("images"), e).bound(played, significance) for e in EPSILONS}
    said = ", ".join(f"epsilon {e:g}: at least {bound:.3f}" for e, bound in found.items())
    print(f"{form}: {said} ({played} games a side)", flush=True)
    return found


@contextmanager
def postgresql() -> Iterator[Sources | None]:
    """The rows in tables of a server of one's own; None where there is no server to start."""
    home = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not (home or shutil.which("initdb")) or importlib.util.find_spec("psycopg") is None:
        yield None
        return
    import ibis
    from tests.engines import in_postgres, postgres_server

    with postgres_server(lambda package, member: shutil.which(member) or member) as address:
        backend = ibis.connect(address)
        one, other = (in_postgres(table(r), backend, f"rows{int(r)}") for r in (True, False))
        yield one, other
        backend.disconnect()


def the_old_cast(values: pa.Array, *_: Any) -> np.ndarray:
    """The parser of old: all cells are cast, NaN becomes a bound; where that fails, each cell is looked at."""
    try:
        return np.nan_to_num(values.cast(pa.float64()).to_numpy(zero_copy_only=False))
    except pa.ArrowInvalid:
        valid = pc.match_substring_regex(values, r"^[+-]?(\d+\.?\d*|\.\d+)$")  # pyright: ignore
        return pc.if_else(valid, values, None).cast(pa.float64()).to_numpy(zero_copy_only=False)  # pyright: ignore


def the_old_decoding(cells: pa.Array, charset: str) -> pa.Array:
    """The reader of old: one byte that is not UTF-8 makes all cells Western."""
    del charset
    try:
        return cells.cast(pa.string())
    except pa.ArrowInvalid:
        return pa.array([cell.decode("cp1252", "replace") for cell in cells.to_pylist()], pa.string())


PLANTED: dict[str, tuple[str, Callable[..., Any]]] = {
    "a cast of all cells": ("sfumato.encoding.real.reals", the_old_cast),
    "a charset by one byte": ("sfumato.tables.delimited.decoded", the_old_decoding),
}


def figures(games: int = GAMES) -> list[dict[str, Any]]:
    """Bounds above the claim over all forms and epsilons, and what the parsers of old show."""
    with tempfile.TemporaryDirectory(prefix="audits-") as name, postgresql() as server:
        folder = Path(name)
        sources = {form: make(folder) for form, make in FORMS.items()}
        if server is not None:
            sources["postgresql"] = server
        level = (1 - CONFIDENCE) / (len(sources) * len(EPSILONS))
        found = {form: audit(form, both, games, level) for form, both in sources.items()}
        planted = {}
        for bug, (place, old) in PLANTED.items():
            with mock.patch(place, old):
                planted[bug] = Game(sources["csv"], False, EPSILONS[0]).bound(games, 1 - CONFIDENCE)
            print(f"planted, {bug}: at least {planted[bug]:.3f} at epsilon {EPSILONS[0]:g}", flush=True)
    above = sum(bound > e for bounds in found.values() for e, bound in bounds.items())
    worst = max(bound / e for bounds in found.values() for e, bound in bounds.items())
    low = EPSILONS[0]
    return [
        _figure(
            f"audits of the whole ways of {len(found)} readers, two epsilons: bounds above it", above, 0, not above
        ),
        _figure("audits of readers: largest lower bound / epsilon", round(worst, 3), 1, worst <= 1),
        *(
            _figure(f"planted, {bug}: lower bound, which must exceed", round(b, 3), low, b > low)
            for bug, b in planted.items()
        ),
    ]


def _figure(name: str, value: float, limit: float, met: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": limit, "met": met}
