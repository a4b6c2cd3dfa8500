"""Every shape of a certificate, from each way to fit, goes through render, verify and report; and those of old."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest

import sfumato as sf
from sfumato.cli.main import main
from sfumato.errors import CertificateError, OutdatedCertificate
from sfumato.release.artifact import Artifact
from sfumato.release.guarantee_fixes import lacking
from sfumato.release.release import Release

SCHEMA = """\
sfumato: schema/1
columns:
  age: {kind: integer, bounds: [0, 120], source: public}
  sex: {kind: category, categories: [F, M], source: public}
"""
BY_PERSON = SCHEMA.replace(
    "columns:", "unit: {column: id, max_rows: 2, source: public}\ncolumns:\n  id: {kind: identifier, source: public}"
)
PROMISE = sf.Guarantee(5, 1e-6)


def frame(ids=False):
    age = np.random.default_rng(0).integers(0, 100, 400)
    columns = {"age": age, "sex": np.array(["F", "M"])[age % 2]}
    return pa.table({"id": np.arange(400) // 2, **columns} if ids else columns)


def _file(folder):
    pa.csv.write_csv(frame(), folder / "people.csv")
    return SCHEMA, folder / "people.csv", {}


SHAPES = {
    "a file's own ledger": _file,
    "in memory, without a cap": lambda _: (SCHEMA, frame(), {"ledger": sf.Ledger.open(None)}),
    "in memory, with a cap": lambda _: (SCHEMA, frame(), {"ledger": sf.Ledger.open(None, sf.Guarantee(9, 1e-5))}),
    "a unit of several rows": lambda _: (BY_PERSON, frame(ids=True), {"ledger": sf.Ledger.open(None)}),
    "images": lambda _: (sf.examples.digits_schema(), sf.examples.digits(), {"model": "class-gaussian"}),
    "a public example": lambda _: (sf.examples.adult_schema(), sf.examples.adult(), {}),
    "no guarantee": lambda _: (SCHEMA, frame(), {"guarantee": sf.Guarantee(math.inf)}),
    "declined": lambda _: (SCHEMA, frame(), {"no_certificate": True, "ledger": sf.Ledger.open(None)}),
}
KEPT = {"a file's own ledger": "file", "images": "public example", "a public example": "public example"}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_goes_the_whole_way(tmp_path, shape):
    schema, rows, options = SHAPES[shape](tmp_path)
    facts = sf.Schema.parse(schema) if isinstance(schema, str) else schema
    options = {"model": "independent", "guarantee": PROMISE, **options}
    fitted = sf.Synthesizer(facts, **options).fit(rows)
    fitted.save(tmp_path / "m.sfm")
    text = str(fitted.certificate)
    if isinstance(fitted.certificate, sf.NoCertificate):
        assert "NO CERTIFICATE" in text
        with pytest.raises(CertificateError, match="no certificate"):
            sf.verify(tmp_path / "m.sfm")
    if shape == "no guarantee":
        with pytest.raises(sf.SfumatoError, match="no report of it may be released"):
            sf.report(tmp_path / "m.sfm", tmp_path / "r.html")
        assert not (tmp_path / "r.html").exists()
        return
    report = sf.report(tmp_path / "m.sfm", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    if isinstance(fitted.certificate, sf.NoCertificate):
        assert report.verdict == "No guarantee"
        return
    assert sf.verify(tmp_path / "m.sfm").certificate == fitted.certificate
    stated = fitted.certificate.composition.ledger
    assert stated.kept == KEPT.get(shape, "memory")
    assert (stated.cap is not None) == (shape in ("a file's own ledger", "in memory, with a cap"))
    assert stated.id
    assert stated.id in text
    assert stated.id in page
    if stated.cap is not None:
        assert stated.before == 0
        assert stated.after is not None
        assert 0 < stated.after <= stated.cap.epsilon


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ledger = sf.Ledger.open(None, sf.Guarantee(9, 1e-5))
    sf.Synthesizer(sf.Schema.parse(SCHEMA), "independent", PROMISE, ledger).fit(frame()).save("m.sfm")
    return Artifact.load("m.sfm")


def resaved(model, change):
    certificate = json.loads(json.dumps(model.certificate))
    change(certificate)
    Artifact(model.schema, model.codec, model.model, model.arrays, certificate).save("changed.sfm")


def _first_kind(certificate):
    """As version 1 wrote it: no ledger by name, no facts of the table, no word of reviews."""
    certificate["certificate"] = "sfumato/certificate/1"
    certificate["composition"]["ledger"] = {"kept": "in a file shared by all runs", "cap": None}
    certificate["composition"]["epsilon_spent"] = certificate["composition"].pop("epsilon_composed")
    del certificate["data_domain"]["table"]
    for column in certificate["data_domain"]["columns"]:
        del column["reviews"]


def test_a_certificate_of_the_first_kind_lists_what_it_lacks_and_exits_with_1(model, capsys):
    resaved(model, _first_kind)
    with pytest.raises(OutdatedCertificate, match="was issued before") as caught:
        sf.verify("changed.sfm")
    titles = tuple(fix.title for fix in lacking("sfumato/certificate/1"))
    assert caught.value.lacks == titles
    assert caught.value.found.guarantee == PROMISE
    with pytest.raises(SystemExit) as left:
        main(["verify", "changed.sfm"])
    shown = capsys.readouterr().out
    assert left.value.code == 1
    assert "OUTDATED" in shown
    assert all(title in shown for title in titles)
    with pytest.raises(SystemExit) as left:
        main(["verify", "changed.sfm", "--json"])
    assert left.value.code == 1
    assert json.loads(capsys.readouterr().out)["lacks"] == list(titles)
    assert sf.report("changed.sfm", "r.html").verdict == "The certificate does not hold"
    Release.load("changed.sfm")


def test_one_of_the_first_kind_that_does_not_fit_is_refused_as_any_other(model):
    def cheaper(certificate):
        _first_kind(certificate)
        certificate["promise"]["epsilon"] = 0.1

    resaved(model, cheaper)
    with pytest.raises(CertificateError, match=r"more than the promised 0\.1") as caught:
        sf.verify("changed.sfm")
    assert not isinstance(caught.value, OutdatedCertificate)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.update(certificate="sfumato/certificate/3"), "upgrade sfumato"),
        (lambda c: c["composition"]["events"][0].update(mechanism="Skellam"), "does not know .'Skellam'"),
        (lambda c: c["composition"]["ledger"].update(before=4.0, after=3.0), "less after the run than before"),
        (lambda c: c["composition"]["ledger"].update(after=10.0), "more than its cap"),
        (lambda c: c["composition"]["ledger"].update(kept="nowhere at all"), "numbers out of range"),
        (lambda c: c["composition"].pop("ledger"), "lacks fields"),
    ],
)
def test_what_this_version_cannot_judge_is_refused(model, change, says):
    resaved(model, change)
    with pytest.raises(CertificateError, match=says):
        sf.verify("changed.sfm")
