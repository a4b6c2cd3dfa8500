"""A certificate whose parts cannot come from one fit is refused, though its hashes and its epsilons fit."""

import copy
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import CertificateError
from sfumato.privacy.accounting import epsilon, epsilon_rdp
from sfumato.privacy.events import OVERFLOWS, DiscreteGaussian, Gaussian, PoissonSampledGaussian, Threshold, to_json
from sfumato.privacy.mechanisms import threshold
from sfumato.privacy.spending import Spending
from sfumato.release.artifact import Artifact

SCHEMA = """\
sfumato: schema/1
unit: {column: id, max_rows: ROWS, source: public}
columns:
  id: {kind: identifier, source: public}
  age: {kind: integer, bounds: [0, 120], source: public}
"""


def fitted(path, rows):
    frame = pa.table({"id": np.arange(400), "age": np.arange(400) % 100})
    schema = sf.Schema.parse(SCHEMA.replace("ROWS", str(rows)))
    ledger = sf.Ledger.open(None, sf.Guarantee(9, 1e-5, "id"))
    sf.Synthesizer(schema, "independent", sf.Guarantee(5, 1e-6, "id"), ledger).fit(frame).save(path)
    return Artifact.load(path)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """By how many rows a unit may hold."""
    folder = tmp_path_factory.mktemp("models")
    return {rows: fitted(folder / f"{rows}.sfm", rows) for rows in (1, 20)}


def stated(section, **fields):
    return lambda model, certificate: certificate[section].update(fields)


def ledger(**fields):
    return lambda model, certificate: certificate["composition"]["ledger"].update(fields)


def whole(name, value):
    return lambda model, certificate: certificate.__setitem__(name, value)


def promised(**fields):
    return lambda model, certificate: model["promised"].update(fields)


def charged(*events, epsilon_=5.0, delta=1e-6):
    """Other events, with all that follows from them by the accountants."""

    def change(model, certificate):
        certificate["promise"].update(epsilon=epsilon_, delta=delta)
        model["promised"].update(epsilon=epsilon_, delta=delta)
        composition = certificate["composition"]
        composition["ledger"].update(cap=None, before=None, after=None)
        composition["events"] = [to_json(e) for e in events]
        composition.update(
            epsilon_spent=Spending.of(events).epsilon(delta),
            epsilon_composed=epsilon(events, delta),
            epsilon_by_renyi=epsilon_rdp(events, delta),
        )

    return change


STEPS = PoissonSampledGaussian(0.05, 1.2, 10, delta=OVERFLOWS, tail=1e-8)
FORGED = {
    "the model promises less": (1, promised(epsilon=0.01), "another promise"),
    "the model promises a smaller delta": (1, promised(delta=1e-12), "another promise"),
    "the model protects another unit": (1, promised(unit="household"), "another promise"),
    "a delta that promises nothing": (1, charged(DiscreteGaussian(9.0), delta=0.5), "no fit promises"),
    "an epsilon that promises nothing": (1, charged(DiscreteGaussian(9.0), epsilon_=5000.0), "no fit promises"),
    "a ledger below the run": (1, ledger(before=0.0, after=0.001), "less after the run than the run alone"),
    "figures without a cap": (1, ledger(cap=None), "figures without a cap"),
    "a cap without its figures": (1, ledger(after=None), "a cap without its figures"),
    "a public example of any schema": (
        1,
        ledger(kept="public example", cap=None, before=None, after=None),
        "a public example, which",
    ),
    "better words": (1, stated("promise", in_words="can become at most 50.1% sure"), "'promise' says something else"),
    "a better kind of privacy": (1, stated("promise", flavour="pure differential privacy"), "'promise' says"),
    "another product": (1, stated("product", kind="aggregate"), "'product' says"),
    "a reason of its own": (1, stated("algorithm", why="audited by the state"), "'algorithm' says"),
    "no limits": (1, whole("limits", []), "'limits' says"),
    "nothing unprotected": (1, whole("unprotected", []), "'unprotected' says"),
    "no pyramid": (1, whole("pyramid", []), "'pyramid' says"),
    "nobody trusted": (1, whole("trust_model", "Nobody sees the rows."), "trust model that no fit has"),
    "another accountant": (1, stated("composition", accountant="exact"), "'composition' says"),
    "a word more on the cost": (1, stated("composition", epsilon_proven=0.1), "'composition' says"),
    "a word more on the facts": (1, stated("data_domain", note="none is private"), "'data_domain' says"),
    "a section of its own": (1, whole("audit", "passed by everybody"), "a section that none has"),
    "a date of its own": (1, whole("issued", "soon"), "numbers out of range"),
    "praise among the versions": (1, stated("implementation", sfumato="1.0 (formally verified)"), "more than versions"),
    "DP-SGD for a unit of several rows": (20, charged(STEPS), "clipped per row"),
    "DP-SGD with exact noise": (1, charged(replace(STEPS, delta=0.0)), "without the delta of its batches"),
    "a sum with exact noise": (1, charged(Gaussian(3.0)), "without the delta of its noise"),
    "a threshold that shows what one unit has": (20, charged(Threshold(100.0, 1, 1e-30, 20)), "more often than"),
    "a threshold that takes hours to check": (1, charged(Threshold(1e15, 7, 1e-30)), "no fit can have planned"),
}


def saved(path, model, change):
    """With its members' hashes and its figures as they must be: a careful forger."""
    certificate, facts = copy.deepcopy(model.certificate), copy.deepcopy(model.model)
    change(facts, certificate)
    forged = replace(model, model=facts)
    certificate["members"] = forged.hashes
    replace(forged, certificate=certificate).save(path)
    return path


@pytest.mark.parametrize("name", FORGED)
def test_what_cannot_come_from_one_fit_is_refused(tmp_path, models, name):
    rows, change, says = FORGED[name]
    with pytest.raises(CertificateError, match=says):
        sf.verify(saved(tmp_path / "m.sfm", models[rows], change))


@pytest.mark.parametrize("name", FORGED)
def test_without_these_checks_each_is_accepted(tmp_path, models, monkeypatch, name):
    """Planted: hashes, facts and epsilons alone, as before; so that each case above is one for the checks."""
    monkeypatch.setattr("sfumato.release.verification._check_consistent", lambda *_: None)
    rows, change, _ = FORGED[name]
    assert sf.verify(saved(tmp_path / "m.sfm", models[rows], change)).model == "independent"


def test_what_comes_from_one_fit_is_accepted(tmp_path, models):
    for model in models.values():
        assert json.loads(json.dumps(model.certificate)) == model.certificate
        assert sf.verify(saved(tmp_path / "m.sfm", model, lambda *_: None)).model == "independent"


def test_a_planned_threshold_is_one_that_verify_accepts():
    from sfumato.release.consistency import check_charges

    for sensitivity in (1, 20):
        check_charges([threshold.plan(30.0, 1e-9, sensitivity)], sensitivity)
    check_charges([STEPS], 1)
