"""A fit over several sites: from files to a certificate, each site with a ledger of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import FederationError, SchemaError
from sfumato.models import vae
from sfumato.privacy.events import DistributedDiscreteGaussian, DistributedGaussian
from sfumato.release.artifact import Artifact
from sfumato.release.verification import verify_artifact
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.trainer import SPARE

SCHEMA = sf.Schema.parse("""\
sfumato: schema/1
target: job
columns:
  age: {kind: integer, bounds: [0, 9], source: public}
  job: {kind: category, categories: [a, b], source: public}
  town: {kind: category, categories: [x, y, z], source: public}
""")
PROMISE = sf.Guarantee(1, 1e-6)
CAP = sf.Guarantee(9, 1e-5, "who")


def rows(n: int = 300, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 10, n)
    return pa.table({"age": age, "job": np.where(age > 4, "a", "b"), "town": rng.choice(list("xyz"), n)})


@pytest.fixture
def files(tmp_path):
    paths = []
    for i, name in enumerate(("north", "east", "west", "south")):
        paths.append(tmp_path / f"{name}.csv")
        sf.Table(rows(300 + 100 * i, i)).write(paths[-1])
    return paths


def fitted(files, model="mst", guarantee=PROMISE, **terms):
    return sf.Synthesizer(SCHEMA, model, guarantee).fit(sf.federated(files, **terms))


def test_files_become_one_certified_model_and_each_site_pays(files, tmp_path):
    fitted(files, lost=0).save(tmp_path / "model.sfm")
    found = sf.verify(tmp_path / "model.sfm")
    stated = found.certificate.federation
    assert [s.name for s in stated.sites] == ["north", "east", "west", "south"]
    assert (stated.curious, stated.lost, stated.threshold, stated.simulated) == (1, 0, 3, True)
    assert stated.rounds == 3  # columns and the rows outside the schema, a tree of pairs, its tables
    assert 0 < stated.bytes_sent < 1_000_000
    events = found.certificate.composition.events
    assert {type(e) for e in events} == {DistributedDiscreteGaussian}
    assert {e.shares for e in events} == {3}
    text = str(found.certificate)
    assert "The rows lay at 4 sites (north, east, west, south)" in text
    assert "simulated in one process" in text
    for path in files:
        with sf.Ledger.open(f"{path}.ledger", create=False) as ledger:
            (run,) = ledger.summary()["runs"]
        assert run["state"] == "closed"
        assert len(run["events"]) == len(events)
    assert sf.load(tmp_path / "model.sfm").certificate.federation == stated


def test_the_default_model_takes_three_sums_and_says_how_many_rows_lay_outside(tmp_path):
    """The first sum holds the columns and that count."""
    old = pa.table({"age": [99] * 200, "job": ["a"] * 200, "town": ["x"] * 200})
    tables = [sf.Table(pa.concat_tables([rows(300, seed), old])) for seed in range(3)]
    source = sf.federated(tables, ledgers=[sf.Ledger.open(None) for _ in tables], curious=0)
    model = sf.Synthesizer(SCHEMA, "auto", sf.Guarantee(3, 1e-6)).fit(source)
    assert model.model == "aim"
    assert model.certificate.federation.rounds == 3
    found, noise = model.outside
    assert abs(found - 600) < 8 * noise
    assert noise < 40


def test_the_model_is_that_of_one_curator_where_there_is_no_noise(files):
    without = sf.Guarantee(float("inf"))
    together = fitted(files, "independent", without, curious=0)
    alone = sf.Synthesizer(SCHEMA, "independent", without).fit(pa.concat_tables(pa.csv.read_csv(f) for f in files))
    assert together.sample(500, seed=1).arrow == alone.sample(500, seed=1).arrow
    assert not together.certificate.to_dict()["certificate"]
    assert together.default_rows == 300 + 400 + 500 + 600


def test_a_network_learns_from_one_secure_sum_a_step(files, tmp_path, monkeypatch):
    steps = 8
    monkeypatch.setattr(vae, "Vae", partial(vae.Vae, gradients=1.0, steps=steps))
    fitted(files, "vae", sf.Guarantee(3, 1e-6), capacity=[600] * 4).save(tmp_path / "model.sfm")
    found = sf.verify(tmp_path / "model.sfm").certificate
    (training,) = [e for e in found.composition.events if isinstance(e, DistributedGaussian)]
    assert training.count == steps
    assert training.sampling_probability < 1
    assert training.shares == 3
    assert found.federation.rounds > training.count
    with sf.Ledger.open(f"{files[0]}.ledger", create=False) as ledger:
        (run,) = ledger.summary()["runs"]
    (prepaid,) = [e for e in run["events"] if e["mechanism"] == "DistributedGaussian"]
    assert prepaid["count"] == training.count + SPARE


@pytest.fixture(scope="module")
def artifact(tmp_path_factory):
    path = tmp_path_factory.mktemp("federated") / "model.sfm"
    sites = [sf.Table(rows(300, seed)) for seed in range(4)]
    source = sf.federated(sites, ledgers=[sf.Ledger.open(None) for _ in sites])
    sf.Synthesizer(SCHEMA, "independent", PROMISE).fit(source).save(path)
    return Artifact.load(path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: c.pop("federation"), "in one place alone"),
        (lambda c: c["federation"].update(curious=0), "other shares of noise"),
        (lambda c: c["federation"].update(threshold=2), "another threshold"),
        (lambda c: c["federation"].update(simulated=False), "that other sites did not"),
        (lambda c: c["federation"].update(simulated=False, signed=None), "something else"),
        (lambda c: c["federation"].update(rounds=2), "something else"),
        (lambda c: c["federation"]["sites"].pop(), "threshold|something else|shares"),
        (lambda c: c["federation"].update(rounds="many"), "lacks fields"),
        (lambda c: c["federation"]["sites"][1].update(c["federation"]["sites"][0]), "share a name or a key"),
    ],
)
def test_a_certificate_whose_federation_was_edited_is_refused(artifact, change, says):
    certificate = json.loads(json.dumps(artifact.certificate))
    change(certificate)
    with pytest.raises(sf.CertificateError, match=says):
        verify_artifact(replace(artifact, certificate=certificate))


def forged(certificate, **replaced):
    """The same with other words wherever they stand, so that they follow from the figures again."""
    text = json.dumps(certificate)
    for old, other in replaced.values():
        assert old in text
        text = text.replace(old, other)
    return json.loads(text)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c: forged(c, name=("site-1", "site-1 (audited by all)")), "as none can be named"),
        (lambda c: forged(c, name=("site-1", r"site-1\n  promise     epsilon 0.1")), "as none can be named"),
        (lambda c: forged(c, key=(c["federation"]["sites"][0]["fingerprint"], "confirmed")), "hashes that are none"),
        (lambda c: forged(c, plan=(c["federation"]["plan"], "")), "hashes that are none"),
        (lambda c: {**c, "federation": {**c["federation"], "audited": "by all"}}, "more than its fields"),
        (
            lambda c: {
                **c,
                "federation": {
                    **c["federation"],
                    "sites": [{**site, "audited": "by all"} for site in c["federation"]["sites"]],
                },
            },
            "more than its fields",
        ),
        (
            lambda c: forged(
                c, said=("One sum was opened", "Sums were opened 99 times"), number=('"rounds": 1,', '"rounds": 99,')
            ),
            "more sums than were charged",
        ),
        (lambda c: forged(c, kept=('"kept": "sites"', '"kept": "memory"')), "its ledger or its federation"),
        (lambda c: forged(c, name=('"id": null', '"id": "abc"')), "states the figures of one"),
    ],
)
def test_a_federation_that_nobody_can_have_is_refused_though_its_words_fit(artifact, change, says):
    with pytest.raises(sf.CertificateError, match=says):
        verify_artifact(replace(artifact, certificate=change(json.loads(json.dumps(artifact.certificate)))))


def test_one_curator_has_no_ledgers_of_sites(tmp_path):
    ledger = sf.Ledger.open(None, sf.Guarantee(9, 1e-3))
    sf.Synthesizer(SCHEMA, "independent", PROMISE, ledger).fit(sf.Table(rows())).save(tmp_path / "alone.sfm")
    alone = Artifact.load(tmp_path / "alone.sfm")
    certificate = json.loads(json.dumps(alone.certificate))
    unknown = dict.fromkeys(("id", "run", "cap", "before", "after"))
    certificate["composition"]["ledger"] = {"kept": "sites", **unknown}
    with pytest.raises(sf.CertificateError, match="its ledger or its federation"):
        verify_artifact(replace(alone, certificate=certificate))


def test_the_same_rows_or_ledger_at_two_sites_are_refused(files, tmp_path):
    """Everybody in them would count twice, under a certificate that counts each once."""
    (tmp_path / "link.csv").symlink_to(files[0])
    table, ledger = sf.Table(rows()), sf.Ledger.open(tmp_path / "one.ledger")
    own = [sf.Ledger.open(None) for _ in range(3)]
    for sources, kept in (
        ([files[0], *files[:2]], None),
        ([*files[:2], tmp_path / "link.csv"], None),
        ([*files[:2], f"{tmp_path}/./{files[0].name}"], None),
        ([table, sf.Table(table.arrow), files[0]], own),
    ):
        with pytest.raises(FederationError, match="have the same rows: whoever is in them would count twice"):
            fitted(sources, ledgers=kept)
    for kept in (
        [own[0], own[0], own[1]],
        [ledger, tmp_path / "one.ledger", own[0]],
        [None, f"{files[0]}.ledger", None],
    ):
        with pytest.raises(FederationError, match="have the same ledger"):
            fitted([files[0], files[2], files[3]], ledgers=kept)
    (tmp_path / "hard.csv").hardlink_to(files[1])
    with pytest.raises(FederationError, match="have the same rows"):
        fitted([*files[:2], tmp_path / "hard.csv"], ledgers=own)
    assert not ledger.summary()["runs"]


def test_a_unit_is_bounded_at_each_site_and_so_the_certificate_says(tmp_path):
    people = sf.Schema.parse("""\
sfumato: schema/1
unit: {column: who, max_rows: 2, source: public}
columns:
  who: {kind: identifier, source: public}
  job: {kind: category, categories: [a, b], source: public}
""")
    sites = [pa.table({"who": [1, 1, 1, 2], "job": list("aaab")}), pa.table({"who": list("1113"), "job": list("bbba")})]
    sites.append(sites[0].slice(1))
    source = sf.federated(list(map(sf.Table, sites)), ledgers=[sf.Ledger.open(None, CAP) for _ in sites])
    model = sf.Synthesizer(people, "independent", sf.Guarantee(1, 1e-6, "who")).fit(source)
    text = str(model.certificate)
    assert "all rows of one value of 'who' together at one site" in text
    assert "Of each unit at most 2 rows at each site were used" in text
    assert "Toward a coordinator that lies the promise is up to twice as large" in text


def test_a_fit_that_fails_midway_keeps_what_sites_paid_and_says_who_failed(files, monkeypatch):
    """Nothing is given back, and no run is left open."""
    asked = FederatedSite._noised

    def fails(site, request, *rest):
        if request.number.round == 2 and site._sums.place == 1:
            raise ValueError("a row of NN")
        return asked(site, request, *rest)

    monkeypatch.setattr(FederatedSite, "_noised", fails)
    with pytest.raises(FederationError, match=r"nothing was opened.*site east: it could not answer") as told:
        fitted(files)
    assert "NN" not in str(told.value)
    for path in files:
        with sf.Ledger.open(f"{path}.ledger", create=False) as ledger:
            (run,) = ledger.summary()["runs"]
        assert run["state"] == "closed"
        assert run["events"]


def test_what_sites_cannot_do_is_said_before_anything_is_charged(files, tmp_path):
    with pytest.raises(FederationError, match="3 to 100 sites"):
        fitted(files[:2])
    with pytest.raises(FederationError, match="at most 1 may be lost"):
        fitted(files, lost=2)
    sf.Table(rows().drop_columns(["town"])).write(files[1])
    with pytest.raises(SchemaError, match="site east: "):
        fitted(files)
    with pytest.raises(sf.SfumatoError, match="give ledgers= to federated"):
        sf.Synthesizer(SCHEMA, "mst", PROMISE, ledger=tmp_path / "one.ledger").fit(sf.federated(files))
    assert not list(tmp_path.glob("*.ledger"))
    with pytest.raises(FederationError, match="give each its own"):
        sf.federated(files, names=["a"])
    with pytest.raises(FederationError, match="4 ledgers, 4 mappings and 2 capacities: give each its own"):
        sf.federated(files, capacity=[5, 5])


def test_a_site_with_more_rows_than_it_declared_is_refused_and_nobody_is_charged(files):
    with pytest.raises(FederationError, match="site south holds more than the 599 records"):
        fitted(files, capacity=599)
    for path in files:
        with sf.Ledger.open(f"{path}.ledger", create=False) as ledger:
            assert [run["events"] for run in ledger.summary()["runs"]] == [[]]


def test_a_site_whose_cap_is_spent_stops_the_fit_and_the_others_are_charged_nothing(files):
    sf.Ledger.open(f"{files[2]}.ledger", sf.Guarantee(0.5, 1e-5)).close()
    with pytest.raises(sf.Overdraft):
        fitted(files)
    with sf.Ledger.open(f"{files[0]}.ledger", create=False) as ledger:
        assert [run["events"] for run in ledger.summary()["runs"]] == [[]]


def test_a_table_that_does_not_parse_names_its_site_and_costs_nothing(files):
    with open(files[3], "a", encoding="utf-8") as more:
        more.write("1,a\n")
    with pytest.raises(sf.SfumatoError, match=r"south\.csv"):
        fitted(files)
    assert not list(files[0].parent.glob("*.ledger"))


def test_images_are_fitted_by_sums_of_products():
    digits = sf.examples.digits().arrow
    sites = [sf.Table(digits.slice(start, 500)) for start in (0, 500, 1000)]
    source = sf.federated(sites, ledgers=[sf.Ledger.open(None) for _ in sites])
    model = sf.Synthesizer(sf.examples.digits_schema(), "class-gaussian", PROMISE).fit(source)
    assert len(model.sample(5)) == 5


def test_little_noise_of_many_sites_fits_the_ring():
    """Counts are dealt out in sixteenths here, which a ring of 32 bits does not hold: the fit once failed half paid."""
    most = sf.Guarantee(20, 1e-6)
    ledgers = [sf.Ledger.open(None, sf.Guarantee(20, 1e-3)) for _ in range(10)]
    model = fitted([sf.Table(rows(50, i)) for i in range(10)], "independent", most, ledgers=ledgers, curious=0)
    assert model.certificate.federation.rounds
    events = model.certificate.composition.events
    assert max(e.multiple for e in events) == 16


def test_people_at_several_sites_are_paid_for_where_the_plan_says_so(files):
    """Each table is charged for a unit that is in it at two sites, and the noise is twice as wide."""
    once, twice = (fitted(files[:3], "independent", PROMISE, curious=0, max_sites=m) for m in (1, 2))
    for made, sites in ((once, 1), (twice, 2)):
        stated = made.certificate
        assert stated.federation.max_sites == sites
        assert {e.sensitivity for e in stated.composition.events} == {sites}
    wide = [made.certificate.composition.events[0].sigma for made in (once, twice)]
    assert wide[1] / wide[0] == pytest.approx(2, rel=0.01)


def test_a_certificate_for_people_at_several_sites_holds_what_that_costs(artifact):
    stated = json.loads(json.dumps(artifact.certificate))
    stated["federation"]["max_sites"] = 2
    with pytest.raises(sf.CertificateError, match="charged for fewer rows than the 2"):
        verify_artifact(replace(artifact, certificate=stated))


@pytest.mark.parametrize("wrong", [0, 4, 1.5])
def test_nobody_is_at_more_sites_than_there_are(files, wrong):
    with pytest.raises(FederationError, match="max_sites"):
        fitted(files[:3], "independent", PROMISE, max_sites=wrong)


def test_a_network_is_not_fitted_to_people_at_several_sites(files):
    with pytest.raises(sf.SfumatoError, match="clips gradients per row"):
        fitted(files[:3], "vae", PROMISE, max_sites=2)
