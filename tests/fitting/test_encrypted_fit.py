"""A fit over sites whose sums are made under encryption: the same model, a certificate that says so, and refusals."""

from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from tests.fitting.test_federated_fit import PROMISE, SCHEMA, rows

import sfumato as sf
from sfumato import extras
from sfumato.errors import FederationError, MissingExtra
from sfumato.release.artifact import Artifact
from sfumato.release.verification import verify_artifact
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

NOTHING = sf.Guarantee(float("inf"))
TABLES = [rows(300, seed) for seed in range(3)]
MEMBERS = tuple(Member(name, SiteIdentity.fresh().public_key) for name in ("north", "east", "west"))


def source(**terms):
    ledgers = [sf.Ledger.open(None) for _ in TABLES]
    return sf.federated(list(map(sf.Table, TABLES)), ledgers=ledgers, **{"sums": "encrypted", **terms})


def plan(**terms) -> FederationPlan:
    asked = ("count", "marginals")
    return FederationPlan(SCHEMA, "mst", PROMISE, Roster(MEMBERS), asked, **{"sums": "encrypted", **terms})


def test_without_noise_the_model_is_that_of_one_curator():
    together = sf.Synthesizer(SCHEMA, "independent", NOTHING).fit(source(curious=0))
    alone = sf.Synthesizer(SCHEMA, "independent", NOTHING).fit(pa.concat_tables(TABLES))
    assert together.sample(500, seed=1).arrow == alone.sample(500, seed=1).arrow
    assert together.default_rows == 900


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """The saved artifact, and the ledgers of its sites."""
    path, given = tmp_path_factory.mktemp("encrypted") / "model.sfm", source()
    sf.Synthesizer(SCHEMA, "mst", PROMISE).fit(given).save(path)
    return path, given.ledgers


def test_the_certificate_says_how_sums_were_made_and_what_that_withstands(fitted):
    path, ledgers = fitted
    found = sf.verify(path).certificate
    assert found.federation.sums == "encrypted"
    text = str(found)
    for said in (
        "Sums were made under homomorphic encryption (CKKS), not under masks",
        "as long as at least 2 of these sites are honest, the server hands on totals alone",
        "one site with the server where it holds the key, could read the numbers of every site",
    ):
        assert said in text
    assert "the coordinator may lie and collude" not in text
    for ledger in ledgers:
        (run,) = ledger.summary()["runs"]
        assert run["events"], "every site has paid as it does under masks"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c["federation"].update(sums="masked"), "something else"),
        (lambda c: c["federation"].update(sums="shouted"), "as no such sites can"),
        (lambda c: c["federation"].update(simulated=False, signed=True), "as no such sites can"),
    ],
)
def test_a_certificate_that_says_otherwise_is_refused(fitted, change, says):
    artifact = Artifact.load(fitted[0])
    certificate = json.loads(json.dumps(artifact.certificate))
    change(certificate)
    with pytest.raises(sf.CertificateError, match=says):
        verify_artifact(replace(artifact, certificate=certificate))


def test_without_the_extra_it_is_refused_before_anything_is_charged(monkeypatch):
    monkeypatch.setitem(extras.EXTRAS, "he", ("package_that_is_not_there",))
    with pytest.raises(
        MissingExtra, match=r'sums under encryption needs the extra \[he\]: pip install "sfumato\[he\]"'
    ):
        source()


def test_real_sites_refuse_it_and_say_why():
    written = json.loads(plan().data)
    for asked in (lambda: FederationPlan.from_dict(written), lambda: plan(server="ab" * 32)):
        with pytest.raises(FederationError, match=r"no key of several holders.*would read every site's numbers"):
            asked()


@pytest.mark.parametrize(
    ("terms", "model", "says"),
    [
        ({"sums": "whispered"}, "mst", "write one of masked, encrypted"),
        ({"local_steps": 5, "secure": False}, "vae", "nothing of it is encrypted"),
    ],
)
def test_what_does_not_go_with_it_is_refused_before_anything_is_charged(terms, model, says):
    given = source(**terms)
    with pytest.raises(FederationError, match=says):
        sf.Synthesizer(SCHEMA, model, NOTHING if model == "vae" else PROMISE).fit(given)
    assert [ledger.summary()["runs"] for ledger in given.ledgers] == [[], [], []]


def test_sums_that_cannot_be_exact_are_refused_before_anything_is_charged():
    """Of pictures the steps are too fine; and a plan says of any sum whether it is held."""
    digits, ledgers = sf.examples.digits().arrow, [sf.Ledger.open(None) for _ in range(3)]
    pictures = [sf.Table(digits.slice(start, 100)) for start in (0, 100, 200)]
    with pytest.raises(FederationError, match="encrypted ones are not exact"):
        sf.Synthesizer(sf.examples.digits_schema(), "class-gaussian", PROMISE).fit(
            sf.federated(pictures, ledgers=ledgers, sums="encrypted")
        )
    assert [ledger.summary()["runs"] for ledger in ledgers] == [[], [], []]
    assert plan(bits=64).holds(2.0**42, 1e6)
    assert not plan(bits=64).holds(2.0**43, 1e6)
    assert plan(bits=64, sums="masked").holds(2.0**43, 1e6)
    assert not plan().holds(2.0**31 - 1, 1e6)
