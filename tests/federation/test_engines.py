"""Where parties reach each other's engines: in their signed requests, in the plan, and in keys that stay at home."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.federation.test_documents import changed
from tests.journeys.test_parties import HELD, SCHEMA

import sfumato as sf
from sfumato.errors import EngineError, FederationError
from sfumato.federation.documents import Invitation, SiteRequest
from sfumato.federation.judging import judge
from sfumato.federation.site_folder import SiteFolder
from sfumato.trust.federated.plan import FederationPlan

ADDRESSES = {name: f"{name}.example:940{place}" for place, name in enumerate(HELD)}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, sf.Federation, dict[str, Path]]:
    """A folder with a receiver and three parties in it, the receiver, and the requests."""
    folder = tmp_path_factory.mktemp("engines")
    (folder / "persons.txt").write_text("a\nb")
    federation = sf.Federation.make(
        folder / "co",
        sf.Schema.parse(SCHEMA),
        list(HELD),
        sf.Guarantee(1, 1e-6),
        model="mst",
        columns=HELD,
        key="person",
        persons=folder / "persons.txt",
    )
    requests = {name: sf.Site.make(folder / name, name, engine=at)[1] for name, at in ADDRESSES.items()}
    federation.invite(list(requests.values()))
    return folder, federation, requests


def test_a_plan_names_the_engine_of_each_party(made) -> None:
    folder, federation, _ = made
    plan = federation.plan
    assert [f"{one.host}:{one.port}" for one in plan.engine] == list(ADDRESSES.values())
    assert FederationPlan.from_dict(plan.to_dict()) == plan
    assert plan.digest != replace(plan, engine=()).digest
    keys = SiteFolder(folder / "insurer").engine_keys(1, plan.engine[1].host)
    assert keys.certificate.read_text() == plan.engine[1].certificate
    assert (keys.rank, keys.listen, keys.key.stat().st_mode & 0o777) == (1, "", 0o600)
    assert SiteFolder(folder / "insurer").engine_keys(1, "localhost").listen == "localhost"


def test_an_engine_in_a_request_is_signed(made, tmp_path: Path) -> None:
    _, _, requests = made
    engine = SiteRequest.load(requests["hospital"]).engine
    assert engine is not None
    facts = {"name": "hospital", "host": "elsewhere.example", "port": engine.port, "certificate": engine.certificate}
    with pytest.raises(FederationError, match="does not fit what it should have signed"):
        SiteRequest.load(changed(requests["hospital"], tmp_path / "changed.json", engine=facts))
    for wrong in ({**facts, "name": "insurer"}, {"name": "hospital"}, [], {**facts, "more": 1}):
        with pytest.raises(FederationError, match="no request of a site"):
            SiteRequest.load(changed(requests["hospital"], tmp_path / "changed.json", engine=wrong))


def test_engines_of_a_plan_are_of_three_parties_with_three_keys(made) -> None:
    plan = made[1].plan
    one, two, three = plan.engine
    with pytest.raises(FederationError, match="of each of three parties"):
        replace(plan, engine=(two, one, three))
    with pytest.raises(FederationError, match="a host and a port"):
        replace(plan, engine=(one, two, replace(three, port=70_000)))
    with pytest.raises(EngineError, match="two parties have one certificate"):
        replace(plan, engine=(one, two, replace(three, certificate=two.certificate)))


def test_a_plan_with_another_engine_of_this_party_is_refused(made) -> None:
    folder, federation, _ = made
    site = SiteFolder(folder / "hospital")
    site.confirm({member.name: member.fingerprint for member in federation.plan.roster.members})
    asked = Invitation.load(folder / "co" / "plan.json")
    first, *others = asked.plan.engine
    moved = replace(asked, plan=replace(asked.plan, engine=(replace(first, host="elsewhere.example"), *others)))
    assert judge(site, asked) == 0
    with pytest.raises(FederationError, match="another engine for this party"):
        judge(site, moved)


def test_a_party_without_an_engine_leaves_the_plan_without_engines(made, tmp_path: Path) -> None:
    _, request = sf.Site.make(tmp_path / "hospital", "hospital")
    assert SiteRequest.load(request).engine is None
    with pytest.raises(FederationError, match="this party has no engine"):
        SiteFolder(tmp_path / "hospital").engine_keys(0, "localhost")
