"""All that can fail without the rows fails before anything is charged."""

import importlib
import importlib.metadata
import shutil
import sys
from collections import namedtuple

import numpy as np
import pytest

import sfumato as sf
from sfumato.errors import SfumatoError, TooMuchNoise
from sfumato.fitting.rehearsal import Asked, Rehearsal
from sfumato.privacy.mechanisms.discrete_gaussian import planned
from sfumato.reporting import page
from sfumato.trust.budget import Budget

SCHEMA = """\
sfumato: schema/1
unit: row
columns:
  age: {kind: integer, bounds: [0, 120], source: public}
  sex: {kind: category, categories: [F, M], source: public}
"""
BY_PERSON = (
    SCHEMA.replace("unit: row", "unit: {column: id, max_rows: 3, source: public}")
    + "  id: {kind: identifier, source: public}\n"
)
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [f"{age},{'FM'[age % 2]}" for age in rng.integers(0, 100, 400)]
    (tmp_path / "people.csv").write_text("\n".join(["age,sex", *rows]) + "\n")
    (tmp_path / "by_person.csv").write_text("\n".join(["age,sex,id", *(f"{r},{i}" for i, r in enumerate(rows))]) + "\n")
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    sf.generate_key("key.pem", "key.pub.pem")
    return tmp_path


def charges(folder):
    """All that any ledger in the folder holds."""
    found = []
    for path in folder.glob("*.ledger"):
        with sf.Ledger.open(path) as ledger:
            found += ledger.summary()["runs"]
    return found


def fit(source="people.csv", schema=SCHEMA, output="model.sfm", report=None, model="independent", **options):
    guarantee = options.pop("guarantee", sf.Guarantee(1, 1e-6))
    fitted = sf.Synthesizer(sf.Schema.parse(schema), model, guarantee, **options)
    return fitted.fit(source, output=output, report=report)


def _without(module):
    def plant(patch):
        for name in [n for n in sys.modules if n == module or n.startswith(f"{module}.")]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, module, None)

    return plant


def _no_jax(patch):
    for name in [n for n in sys.modules if n.startswith(("sfumato.models.vae", "sfumato.models.networks"))]:
        patch.delitem(sys.modules, name)
    patch.setitem(sys.modules, "jax", None)


def _broken_template(patch):
    page.template.cache_clear()  # it may have been compiled for another test
    patch.setattr("sfumato.reporting.page.PackageLoader", lambda *_: _Broken())


class _Broken:
    def load(self, *_):
        raise SfumatoError("the template is damaged")


def _broken_rendering(patch):
    def fails(*_):
        raise KeyError("a field that rendering needs")

    patch.setattr("sfumato.release.certificate._rendered", fails)


def _full_disk(patch):
    patch.setattr(shutil, "disk_usage", lambda _: Usage(1 << 30, 1 << 30, 1000))


def _nothing(patch):
    pass


@pytest.mark.parametrize(
    ("plant", "options", "says"),
    [
        (_nothing, {"schema": SCHEMA.replace("sex", "gender")}, "gender"),
        (_nothing, {"schema": SCHEMA.replace("source: public", "source: unreviewed")}, "unreviewed"),
        (_nothing, {"output": "no/such/folder/model.sfm"}, "folder does not exist"),
        (_nothing, {"output": "people.csv"}, "would be overwritten"),
        (_nothing, {"output": "key.pem", "key": "key.pem"}, "would be overwritten"),
        (_nothing, {"output": "people.csv.ledger"}, "would be overwritten"),
        (_nothing, {"report": "no/such/report.html"}, "folder does not exist"),
        (_nothing, {"key": "none.pem"}, "none.pem"),
        (_nothing, {"key": "key.pub.pem"}, "not an Ed25519 private key"),
        (_nothing, {"model": "vae", "source": "by_person.csv", "schema": BY_PERSON}, "declare max_rows 1"),
        (_no_jax, {"model": "vae"}, r'needs the extra \[networks\]: pip install "sfumato\[networks\]"'),
        (_broken_template, {"report": "report.html"}, "template is damaged"),
        (_broken_rendering, {}, "lacks fields"),
        (_full_disk, {}, "MB are free"),
    ],
)
def test_what_fails_without_the_rows_costs_nothing(folder, monkeypatch, plant, options, says):
    with monkeypatch.context() as patch:
        plant(patch)
        with pytest.raises(SfumatoError, match=says):
            fit(**options)
    assert charges(folder) == []
    assert not list(folder.glob("*.answers"))


def test_an_answer_folder_that_cannot_be_made_costs_nothing(folder):
    (folder / "people.csv.ledger.answers").write_text("a file where the folder should be")
    with pytest.raises(SfumatoError, match="cannot make the folder"):
        fit()
    assert charges(folder) == []


def test_a_preflight_that_tries_nothing_is_seen_to_spend(folder, monkeypatch):
    """Planted bug: with no preflight, a missing key is found after the last charge."""
    monkeypatch.setattr("sfumato.synthesizer.preflight", lambda *_: None)
    with pytest.raises(SfumatoError, match=r"none\.pem"):
        fit(key="none.pem")
    assert [run["epsilon_spent"] > 0.9 for run in charges(folder)] == [True]


def test_packages_that_are_not_installed_are_said_to_be_missing(folder, monkeypatch):
    """As after an installation without extras, or from an archive without metadata."""

    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("sfumato.release.implementation.version", none)
    stated = fit().certificate.implementation
    assert stated["sfumato"] == sf.__version__
    assert stated["numpy"] == "not installed"


def test_only_libraries_of_the_fit_are_stated(folder):
    stated = fit().certificate.implementation
    assert {"dp-accounting", "numpy", "pyarrow", "safetensors"} <= set(stated)
    assert "mbi" not in stated


def test_the_rehearsal_asks_nothing_and_stops_at_the_first_question(folder):
    schema = sf.Schema.parse(SCHEMA)
    from sfumato.encoding.codec import Codec
    from sfumato.fitting.plan import Plan
    from sfumato.models import MODELS
    from sfumato.progress import Silent

    plan = Plan(schema, "auto", sf.Guarantee(1, 1e-6))
    rehearsal = Rehearsal(Codec.from_schema(schema).domain, plan)
    for name in ("independent", "mst", "aim", "loglinear", "vae", "gan", "diffusion"):
        with pytest.raises(Asked):
            MODELS[name, "table"].recipe().fit(rehearsal, target=None, progress=Silent())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("model", "epsilon", "delta"),
    [("vae", 5e-4, 1e-9), ("class-gaussian", 1e-5, 1e-12), ("class-mixture", 1e-5, 1e-12),
     ("mean-embedding", 1e-6, 1e-12)],
)  # fmt: skip
def test_noise_that_no_numbers_hold_costs_nothing(folder, model, epsilon, delta):
    """It was a ValueError after two to 58 charges."""
    images = model in ("class-gaussian", "class-mixture", "mean-embedding")
    source, schema = "people.csv", SCHEMA
    if images:
        source, schema = sf.examples.digits(), sf.examples.digits_schema().read_text("utf-8")
    with sf.Ledger.open(folder / "own.ledger", sf.Guarantee(10, 1e-5)) as ledger:
        with pytest.raises(TooMuchNoise, match="take a larger epsilon or delta"):
            fit(source, schema, model=model, guarantee=sf.Guarantee(epsilon, delta), ledger=ledger)
        assert [run["events"] for run in ledger.summary()["runs"] if run["events"]] == []


def test_a_rehearsal_that_plans_nothing_is_seen_to_spend(folder, monkeypatch):
    """Planted bug: without the plan of the sums the first questions are paid before one cannot be."""

    def unplanned(self, question, mu):
        return question.answer(np.zeros(question.values(self.domain)), None, self.domain)

    monkeypatch.setattr(Rehearsal, "_planned", unplanned)
    source, schema = sf.examples.digits(), sf.examples.digits_schema().read_text("utf-8")
    with sf.Ledger.open(folder / "own.ledger", sf.Guarantee(10, 1e-5)) as ledger:
        with pytest.raises(TooMuchNoise):
            fit(source, schema, model="class-gaussian", guarantee=sf.Guarantee(1e-5, 1e-12), ledger=ledger)
        assert [len(run["events"]) > 0 for run in ledger.summary()["runs"]] == [True]


def test_noise_of_counts_is_planned_before_it_is_paid():
    assert planned(2.0**50) == 2.0**50
    with sf.Ledger.open(None, sf.Guarantee(1, 1e-5)) as ledger:
        budget = Budget(ledger.begin(sf.Guarantee(1, 1e-6), "test"))
        with pytest.raises(TooMuchNoise, match="more than 64 bits hold"):
            budget.integer_sigma(1e-16, 1)
