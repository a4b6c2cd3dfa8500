"""A fit of columns that two owners shared to three servers, from their files to a verified model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.fitting.test_parties import KEYS, PROMISE, WITHOUT, table
from tests.trust.parties import SCHEMA

import sfumato as sf
from sfumato.privacy.accounting import epsilon
from sfumato.privacy.events import from_json
from sfumato.release.artifact import Artifact
from sfumato.release.verification import verify_artifact

HELD = {"clinic": ["a", "b"], "council": ["c", "d", "e"]}
SERVERS = ("north", "east", "west")


def source(ledgers: list | None = None, held: dict[str, list[str]] = HELD, **more):
    whole, rng = table(), np.random.default_rng(6)
    tables = [whole.select(["who", *own]).take(rng.permutation(len(KEYS))) for own in held.values()]
    kept = ledgers or [sf.Ledger.open(None) for _ in tables]
    return sf.parties(
        tables, **{"key": "who", "persons": KEYS, "names": list(held), "ledgers": kept, "servers": SERVERS} | more
    )


@pytest.mark.parametrize("held", [HELD, {"all": list("abcde")}], ids=["two owners", "one owner"])
def test_without_noise_a_model_of_servers_is_that_of_one_curator(held: dict[str, list[str]]) -> None:
    alone = sf.Synthesizer(SCHEMA, "mst", WITHOUT).fit(table())
    together = sf.Synthesizer(SCHEMA, "mst", WITHOUT).fit(source(held=held))
    drawn = [s.sample(500, seed=1).arrow.drop_columns("who") for s in (together, alone)]
    assert drawn[0] == drawn[1]
    assert together.default_rows == len(KEYS)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("servers")
    made = source([folder / f"{name}.ledger" for name in HELD])
    sf.Synthesizer(SCHEMA, "aim", PROMISE).fit(made).save(folder / "model.sfm")
    return folder / "model.sfm"


def test_the_certificate_says_who_owned_and_who_computed_and_is_verified(saved: Path) -> None:
    found = sf.verify(saved)
    said = str(found.certificate)
    for text in (
        "clinic held a, b; council held c, d, e",
        "Any two together can read",
        "servers with no rows of their own",
    ):
        assert text in said
    assert [site.name for site in found.certificate.federation.sites] == list(SERVERS)
    assert found.epsilon <= PROMISE.epsilon


def test_an_owner_pays_for_the_whole_plan_at_once_and_servers_open_no_more(saved: Path) -> None:
    found = sf.verify(saved).certificate
    opened = epsilon([replace(event, count=2 * event.count) for event in found.composition.events], PROMISE.delta)
    toward = found.federation.split.toward_a_party
    assert opened <= toward
    for name in HELD:
        with sf.Ledger.open(saved.parent / f"{name}.ledger", create=False) as ledger:
            (run,) = ledger.summary()["runs"]
        paid = epsilon([from_json(event) for event in run["events"]], 2 * PROMISE.delta)
        assert len(run["events"]) == 1
        assert 0.9 * 2 * toward < paid <= 2 * toward
        assert run["state"] == "closed"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s.update(outsourced=None), "numbers that none can have"),
        (lambda s: s["outsourced"]["owners"].pop(), "numbers that none can have"),
        (lambda s: s["outsourced"].update(days=0), "numbers that none can have"),
        (lambda s: s["outsourced"]["owners"][0].update(name="a sentence of its own"), "numbers that none can have"),
    ],
    ids=["no owners", "one owner", "days", "name"],
)
def test_a_certificate_whose_owners_were_edited_is_refused(saved: Path, change, says: str) -> None:
    artifact = Artifact.load(saved)
    certificate = json.loads(json.dumps(artifact.certificate))
    change(certificate["federation"]["split"])
    with pytest.raises(sf.CertificateError, match=says):
        verify_artifact(replace(artifact, certificate=certificate))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"servers": ("north", "east")}, "2 servers"),
        ({"servers": ("clinic", "east", "west")}, "share a name or a key"),
        ({"names": ["clinic"]}, "1 names"),
    ],
    ids=["two", "name", "names"],
)
def test_what_does_not_fit_is_refused(changed: dict, says: str) -> None:
    with pytest.raises(sf.SfumatoError, match=says):
        sf.Synthesizer(SCHEMA, "mst", PROMISE).fit(source(**changed))


def test_an_owner_without_room_for_the_whole_plan_shares_nothing() -> None:
    ledgers = [sf.Ledger.open(None), sf.Ledger.open(None, sf.Guarantee(5, 1e-5))]
    with pytest.raises(sf.Overdraft, match="owner council, with room for attempts that fail"):
        sf.Synthesizer(SCHEMA, "mst", PROMISE).fit(source(ledgers))
    assert [run["events"] for ledger in ledgers for run in ledger.summary()["runs"]] in ([], [[]], [()])
