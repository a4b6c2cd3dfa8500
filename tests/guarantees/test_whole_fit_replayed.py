"""L1 to L5, L11 to L13, L15: a whole fit, from file to saved model, sees no row but through its noised answers.

Two neighbouring tables are fitted under the same frozen answers: what is saved, charged and shown must then be equal to
the byte. The tables differ in one unit that holds all that a careless pipeline would look at: values beyond the bounds,
an unknown label, a missing value, more digits, many rows.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import csv

import sfumato as sf
from sfumato.cli.main import main
from sfumato.errors import TableError
from sfumato.privacy.randomness import SeededEntropy, SystemEntropy
from sfumato.trust import central, facts, gathering

CANARY = "ZEBRA"
GUARANTEE = sf.Guarantee(epsilon=2, delta=1e-6)
DECLARED = """
sfumato: schema/1
unit: {column: person, max_rows: 3, source: public}
columns:
  person: {kind: identifier, source: public}
  age: {kind: integer, bounds: [0, 120], source: public}
  town: {kind: category, categories: [Delft, Ede], outside: other, source: public}
  wage: {kind: real, bounds: [0, 1000], nullable: true, source: public}
  note: {kind: text, source: public}
"""
MEASURED = DECLARED.replace("bounds: [0, 120], source: public", "source: {bounds: measured, rest: public}").replace(
    "categories: [Delft, Ede], outside: other, source: public",
    "outside: other, source: {categories: measured, rest: public}",
)
SCHEMAS = {"declared": DECLARED, "measured": MEASURED}
IMAGES = """
sfumato: schema/1
target: label
columns:
  image: {kind: image, height: 4, width: 4, source: public}
  label: {kind: category, categories: [0, 1], outside: other, source: public}
"""
MODELS = ("independent", "mst", "aim", "loglinear")


def table(with_unit: bool) -> pa.Table:
    rng = np.random.default_rng(0)
    n, more = 300, 40 if with_unit else 0
    wages = [round(w, 1) for w in rng.uniform(10, 90, n).tolist()]
    columns = {
        "person": [f"p{i // 2}" for i in range(n)] + ["q"] * more,
        "age": rng.integers(20, 60, n).tolist() + [99_999] * more,
        "town": rng.choice(["Delft", "Ede"], n).tolist() + [CANARY] * more,
        "wage": wages + [None, -1e6, 123.456789, 5.0] * (more // 4),
        "note": ["fine"] * n + [f"{CANARY} was here"] * more,
    }
    return pa.table(columns)


def images(folder: Path, form: str, with_unit: bool) -> Path:
    """Grey images with labels 0 and 1; the unit is a white one with a label that nobody declared."""
    levels = np.random.default_rng(0).integers(0, 200, (60, 4, 4), dtype=np.uint8)
    labels = [str(i % 2) for i in range(60)]
    if with_unit:
        levels, labels = np.concatenate([levels, np.full((1, 4, 4), 255, np.uint8)]), [*labels, CANARY]
    if form == "npz":
        np.savez(path := folder / "x.npz", images=levels, labels=np.array(labels))
        return path
    if form == "idx":
        path, beside = folder / "images-idx3-ubyte", folder / "labels-idx1-ubyte"
        path.write_bytes(struct.pack(">4B3I", 0, 0, 8, 3, len(levels), 4, 4) + levels.tobytes())
        beside.write_bytes(struct.pack(">4BI", 0, 0, 8, 1, len(levels)) + bytes(ord(label[0]) - 48 for label in labels))
        return path
    for i, (image, label) in enumerate(zip(levels, labels, strict=True)):
        (folder / label).mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / label / f"{label}{i}.png")
    return folder


class Shown:
    """Progress, as a person sees it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def stage(self, name: str, total: int | None = None) -> None:
        self.seen.append((name, total))

    def step(self, n: int = 1) -> None:
        self.seen.append(n)

    def spent(self, epsilon: float) -> None:
        self.seen.append(epsilon)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it before each fit: answers then depend on the questions alone, and post-processing repeats."""
    generator = np.random.default_rng

    def freeze() -> None:
        turn = count()

        def noised(counts: np.ndarray, sigma: float, *_: Any) -> np.ndarray:
            noise = generator(next(turn)).normal(0, sigma, counts.shape)
            return np.rint(300 / counts.size + noise).astype(np.int64)

        monkeypatch.setattr(np.random, "default_rng", lambda seed=None: generator(0 if seed is None else seed))
        monkeypatch.setattr(central, "add_discrete_gaussian", noised)

        monkeypatch.setattr(central, "select", lambda scores, *_: next(turn) % len(scores))
        monkeypatch.setattr(facts, "release", lambda *_: {"Delft": 150, "Ede": 140})

    return freeze


def course(rows: Any, schema: str, model: str) -> dict[str, Any]:
    """All that a fit leaves behind or shows."""
    shown = Shown()
    fitted = sf.Synthesizer(sf.Schema.parse(schema), model, GUARANTEE, sf.Ledger.open(None)).fit(rows, shown)
    release = fitted._fitted()
    certificate = {k: v for k, v in release.certificate.items() if k != "issued"}
    return {"saved": release.artifact().hashes, "certificate": certificate, "shown": shown.seen}


def differs(freeze: Callable[[], None], tables: tuple[Any, Any], schema: str, model: str) -> list[str]:
    """Which parts of two fits under equal answers are not equal."""
    found = []
    for rows in tables:
        freeze()
        found.append(course(rows, schema, model))
    return [part for part in found[0] if found[0][part] != found[1][part]]


@pytest.fixture(params=["arrow", "csv", "pandas"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Any, Any]:
    both = table(True), table(False)
    if request.param == "arrow":
        return both
    if request.param == "pandas":
        return tuple(t.to_pandas() for t in both)  # type: ignore[return-value]
    for name, rows in zip("ab", both, strict=True):
        csv.write_csv(rows, tmp_path / f"{name}.csv")
    return tmp_path / "a.csv", tmp_path / "b.csv"


@pytest.mark.parametrize("facts_are", SCHEMAS)
def test_kinds_of_tables(frozen: Callable[[], None], tables: tuple[Any, Any], facts_are: str) -> None:
    assert differs(frozen, tables, SCHEMAS[facts_are], "independent") == []


@pytest.mark.parametrize("model", MODELS)
def test_models(frozen: Callable[[], None], model: str) -> None:
    assert differs(frozen, (table(True), table(False)), MEASURED, model) == []


@pytest.mark.parametrize("form", ["folder", "npz", "idx"])
def test_images(frozen: Callable[[], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """The planted bug shows the exact sums."""
    both = []
    for with_unit in (True, False):
        (folder := tmp_path / str(with_unit)).mkdir()
        both.append(images(folder, form, with_unit))
    assert differs(frozen, (both[0], both[1]), IMAGES, "class-gaussian") == []
    right = central.summing.unpacked
    held: list[np.ndarray] = []
    monkeypatch.setattr(central.summing, "scatter_sum", _keeping(central.summing.scatter_sum, held))
    monkeypatch.setattr(central.summing, "unpacked", lambda _, dimension: right(held[-1], dimension))
    assert "saved" in differs(frozen, (both[0], both[1]), IMAGES, "class-gaussian")


def _keeping(function: Callable[..., np.ndarray], held: list[np.ndarray]) -> Callable[..., np.ndarray]:
    def called(*arguments: Any) -> np.ndarray:
        held.append(function(*arguments))
        return held[-1]

    return called


def _exact_answers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(central.Central, "_noised", lambda self, counts, sigma: counts)


def _rows_in_the_progress(patch: pytest.MonkeyPatch) -> None:
    right = gathering.Records.gathered.__func__  # type: ignore[attr-defined]

    def told(cls: Any, blocks: Any, domain: Any) -> Any:
        made = right(cls, blocks, domain)
        SHOWING[-1].step(len(made))
        return made

    patch.setattr(gathering.Records, "gathered", classmethod(told))
    patch.setattr(Shown, "__init__", lambda self: (SHOWING.append(self), setattr(self, "seen", []))[1])


def _stops_by_the_rows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(central.Central, "remaining", property(lambda self: 0.4 if len(self._records) > 301 else 0.5))


def _bounds_of_the_rows(patch: pytest.MonkeyPatch) -> None:
    def looked_up(schema: sf.Schema, source: Any) -> Mapping[str, Any]:
        from sfumato.encoding.facts import MeasuredFact

        ages = np.concatenate([b.column("age").to_numpy() for b in source._rows.batches()])
        return {"age": MeasuredFact((0, int(ages.max()))), "town": MeasuredFact(categories=("Delft", "Ede"))}

    patch.setattr("sfumato.fitting.measure", looked_up)


SHOWING: list[Shown] = []
BUGS = {
    "L1 bounds of the rows": (_bounds_of_the_rows, "saved"),
    "L3 rows in the progress": (_rows_in_the_progress, "shown"),
    "L4 exact answers": (_exact_answers, "saved"),
    "L11 stops by the rows": (_stops_by_the_rows, "certificate"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_caught(frozen: Callable[[], None], monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    plant, part = BUGS[bug]
    plant(monkeypatch)
    assert part in differs(frozen, (table(True), table(False)), MEASURED, "independent")


def saved_twice() -> tuple[Any, Any]:
    """Two fits of the same rows, with every seed that a program can set set to the same."""
    found = []
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        found.append(course(table(True), DECLARED, "independent")["saved"])
    return found[0], found[1]


def test_no_seed_fixes_the_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """L5; the planted bug is noise that starts from one seed in every fit."""
    one, other = saved_twice()
    assert one["weights.safetensors"] != other["weights.safetensors"]
    monkeypatch.setattr(SystemEntropy, "take", lambda self, size: SeededEntropy(0).take(size))
    one, other = saved_twice()
    assert one == other


def test_both_accountants_agree_with_what_was_charged() -> None:
    """L13: the run's ledger, the certificate and the promise are one sum."""
    ledger = sf.Ledger.open(None)
    fitted = sf.Synthesizer(sf.Schema.parse(MEASURED), "loglinear", GUARANTEE, ledger)
    rows = pa.concat_tables([table(False)] * 20)
    fitted.fit(rows.set_column(0, "person", pa.array([f"p{i // 2}" for i in range(len(rows))])))
    (run,) = ledger.summary()["runs"]
    stated = fitted.certificate["composition"]
    assert stated["events"] == run["events"]
    assert 0.9 * 2 < stated["epsilon_spent"] <= min(2, stated["epsilon_by_renyi"])
    assert {e["mechanism"] for e in stated["events"]} >= {"Threshold", "DiscreteGaussian"}


@pytest.mark.parametrize(("error", "shown"), [(ValueError, False), (TableError, True)])
def test_an_unforeseen_error_quotes_no_row(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[Exception], shown: bool
) -> None:
    """L15; an error whose text is meant for the user is shown, so that a text which were would be seen here."""

    def fails(*_: Any, **__: Any) -> None:
        raise error(f"could not convert {CANARY}")

    monkeypatch.setattr("sfumato.cli.main.app", fails)
    with pytest.raises(SystemExit) as left:
        main(["fit", "--json"])
    out, err = capsys.readouterr()
    assert left.value.code == 2
    assert (CANARY in out + err) is shown
    assert "error" in json.loads(out)
