"""L1 to L5, L11 to L13, L15: a whole fit, from bytes to a saved model, sees no row but through its noised answers.

Two tables that differ in one person are fitted, each from the bytes of its file, by the mechanisms that are shipped:
the noise of the second fit absorbs the difference of the exact answers (``coupling.py``). Then each answer must have
moved by no more than was charged for it, and all that leaves must be equal to the byte: what is saved, sampled,
stated, charged, shown and logged, or the error. A right fit is accused where a key of one person alone is shown: with
probability below 1e-7 a test.
"""

from __future__ import annotations

import io
import json
import logging
import random
import struct
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from tests.engines import in_postgres, postgres_server
from tests.guarantees import forms
from tests.guarantees.coupling import Coupling, Divergence
from tests.guarantees.forms import CANARY, FORMS

import sfumato as sf
from sfumato.cli.main import main
from sfumato.encoding import real
from sfumato.errors import SfumatoError, TableError
from sfumato.privacy.randomness import SeededEntropy, SystemEntropy
from sfumato.trust import central, facts, gathering, noising

GUARANTEE = sf.Guarantee(epsilon=10, delta=1e-6)
"""So much that categories are found among three hundred rows."""
DECLARED = forms.SCHEMA
MEASURED = DECLARED.replace("bounds: [0, 120], source: public", "source: {bounds: measured, rest: public}").replace(
    "categories: [Delft, Ede, Köln], outside: other, source: public",
    "outside: other, source: {categories: measured, rest: public}",
)
IMAGES = """
sfumato: schema/1
target: label
columns:
  image: {kind: image, height: 4, width: 4, source: public}
  label: {kind: category, categories: [0, 1], outside: other, source: public}
"""
MODELS = ("independent", "mst", "aim", "loglinear")
UNIQUE = ("issued", "ledger", "signature")
"""What of a certificate follows from the moment, the ledger and the key, and from no row."""


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


def without(stated: Any, names: tuple[str, ...]) -> Any:
    """A nested mapping without some of its keys, at any depth."""
    if isinstance(stated, Mapping):
        return {k: without(v, names) for k, v in stated.items() if k not in names}
    return [without(x, names) for x in stated] if isinstance(stated, list | tuple) else stated


def course(rows: Any, schema: str, model: str) -> dict[str, Any]:
    """All that a fit leaves behind, says or shows; an error and what was charged before it, where it ends in one."""
    shown, heard, said = Shown(), io.StringIO(), logging.getLogger()
    listener = logging.StreamHandler(heard)
    said.addHandler(listener)
    ledger = sf.Ledger.open(None)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            fitted = sf.Synthesizer(sf.Schema.parse(schema), model, GUARANTEE, ledger).fit(rows, shown)
            left = _left(fitted)
        except SfumatoError as error:
            left = {"error": (type(error), str(error))}
        finally:
            said.removeHandler(listener)
    charged = [run["events"] for run in ledger.summary()["runs"]]
    return {**left, "charged": charged, "shown": shown.seen, "logged": (heard.getvalue(), *map(str, warned))}


def _left(fitted: sf.Synthesizer) -> dict[str, Any]:
    release = fitted._fitted()
    return {
        "saved": release.artifact().hashes,
        "certificate": without(release.stored_certificate, UNIQUE),
        "outside": fitted.outside,
        "sampled": fitted.sample(seed=0).to_pandas().to_csv(),
        "said": (fitted.model, fitted.why, fitted.dropped, fitted.default_rows),
    }


def differs(tables: tuple[Any, Any], schema: str, model: str) -> list[str]:
    """Which parts of two coupled fits are not equal, and which answers moved by more than was charged for them."""
    coupling = Coupling()
    with coupling.first():
        one = course(tables[0], schema, model)
    try:
        with coupling.second():
            other = course(tables[1], schema, model)
    except Divergence as asked:
        return [f"asked: {asked}", *coupling.findings]
    assert "saved" in one, one
    return [part for part in {**one, **other} if one.get(part) != other.get(part)] + coupling.findings


def both(form: str, folder: Path) -> tuple[Any, Any]:
    """The table with the person, and without."""
    return FORMS[form](folder, True), FORMS[form](folder, False)


@pytest.mark.parametrize("form", FORMS)
def test_kinds_of_tables(tmp_path: Path, form: str) -> None:
    assert differs(both(form, tmp_path), MEASURED, "independent") == []


@pytest.mark.parametrize("form", ["csv", "pandas objects"])
def test_a_person_who_is_added_and_facts_that_are_declared(tmp_path: Path, form: str) -> None:
    assert differs(both(form, tmp_path)[::-1], DECLARED, "independent") == []


def test_a_table_in_postgresql(debian_package: Callable[[str, str], str]) -> None:
    import ibis

    with postgres_server(debian_package) as address:
        backend = ibis.connect(address)
        one, other = (in_postgres(forms.table(p), backend, f"rows{p}") for p in (True, False))
        assert differs((one, other), MEASURED, "independent") == []
        backend.disconnect()


@pytest.mark.parametrize("model", MODELS)
def test_models(tmp_path: Path, model: str) -> None:
    assert differs(both("csv", tmp_path), MEASURED, model) == []


def both_images(form: str, folder: Path) -> tuple[Path, Path]:
    """The images with the white one, and without."""
    for with_unit in (True, False):
        (folder / str(with_unit)).mkdir()
    return images(folder / "True", form, True), images(folder / "False", form, False)


@pytest.mark.parametrize("form", ["folder", "npz", "idx"])
def test_images(tmp_path: Path, form: str) -> None:
    assert differs(both_images(form, tmp_path), IMAGES, "class-gaussian") == []


# Planted bugs: each lets something of the rows by, on another way ------------------------------------------------


def _exact_answers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(noising, "add_discrete_gaussian", lambda counts, sigma, entropy: counts)


def _exact_sums(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(noising, "noised", lambda question, whole, *rest: whole)


def _rows_in_the_progress(patch: pytest.MonkeyPatch) -> None:
    right = gathering.Records.gathered.__func__  # type: ignore[attr-defined]

    def told(cls: Any, blocks: Any, domain: Any) -> Any:
        made = right(cls, blocks, domain)
        SHOWING[-1].step(len(made))
        return made

    patch.setattr(gathering.Records, "gathered", classmethod(told))
    patch.setattr(Shown, "__init__", lambda self: (SHOWING.append(self), setattr(self, "seen", []))[1])


def _rows_in_a_log(patch: pytest.MonkeyPatch) -> None:
    right = gathering.Records.gathered.__func__  # type: ignore[attr-defined]

    def told(cls: Any, blocks: Any, domain: Any) -> Any:
        made = right(cls, blocks, domain)
        logging.getLogger("sfumato").warning("%d rows", len(made))
        return made

    patch.setattr(gathering.Records, "gathered", classmethod(told))


def _stops_by_the_rows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(central.Central, "remaining", property(lambda self: 0.4 if len(self._records) > 301 else 0.5))


def _bounds_of_the_rows(patch: pytest.MonkeyPatch) -> None:
    def looked_up(schema: sf.Schema, source: Any) -> Mapping[str, Any]:
        from sfumato.encoding.facts import MeasuredFact

        ages = np.concatenate([b.column("age").to_numpy() for b in source._rows.batches()])
        return {"age": MeasuredFact((0, int(ages.max()))), "town": MeasuredFact(categories=("Delft", "Ede"))}

    patch.setattr("sfumato.fitting.fit.measure_facts", looked_up)


def _exact_categories(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(facts, "release", lambda counts, event, entropy: dict(counts))


def _a_person_as_often_as_there_are_rows(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gathering.ContributionBound, "keep", lambda self, ids: pa.array([True] * len(ids)))


def _one_cell_rereads_its_column(patch: pytest.MonkeyPatch) -> None:
    """The parser of old: on the path of floats what is no number is the lower bound, on the other it is missing."""
    right = real.RealCodec.encode

    def encode(self: Any, values: pa.Array) -> Any:
        found = right(self, values)
        if found.outside is not None and found.outside.any():
            found.codes[::2] = 0
        return found

    patch.setattr(real.RealCodec, "encode", encode)


SHOWING: list[Shown] = []
BUGS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], str]] = {
    "L1 bounds of the rows": (_bounds_of_the_rows, "asked"),
    "L2 categories by exact counts": (_exact_categories, "asked"),
    "L3 rows in the progress": (_rows_in_the_progress, "shown"),
    "L15 rows in a log": (_rows_in_a_log, "logged"),
    "L4 exact answers": (_exact_answers, "saved"),
    "L11 stops by the rows": (_stops_by_the_rows, "asked"),
    "L18 a person without a bound": (_a_person_as_often_as_there_are_rows, "of its charge"),
    "L20 one cell rereads its column": (_one_cell_rereads_its_column, "of its charge"),
}


@pytest.mark.parametrize("bug", BUGS)
def test_planted_bugs_are_caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bug: str) -> None:
    plant, part = BUGS[bug]
    plant(monkeypatch)
    found = differs(both("pyarrow", tmp_path), MEASURED, "independent")
    assert any(part in finding for finding in found), found


def test_exact_sums_of_images_are_caught(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _exact_sums(monkeypatch)
    assert "saved" in differs(both_images("npz", tmp_path), IMAGES, "class-gaussian")


def saved_twice() -> tuple[Any, Any]:
    """Two fits of the same rows, with every seed that a program can set set to the same."""
    found = []
    for _ in range(2):
        random.seed(0)
        np.random.seed(0)
        found.append(course(forms.table(True), DECLARED, "independent")["saved"])
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
    fitted = sf.Synthesizer(sf.Schema.parse(MEASURED), "loglinear", sf.Guarantee(2, 1e-6), ledger)
    rows = pa.concat_tables([forms.table(False)] * 20)
    fitted.fit(rows.set_column(0, "person", pa.array([f"p{i // 2}" for i in range(len(rows))])))
    (run,) = ledger.summary()["runs"]
    stated = fitted.certificate.to_dict()["composition"]
    assert stated["events"] == run["events"]
    assert 0.9 * 2 < stated["epsilon_composed"] <= stated["epsilon_spent"] <= 2
    assert stated["epsilon_composed"] <= stated["epsilon_by_renyi"]
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
