"""Requests and invitations: read as they were written, and refused where anything was changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.federation.address import Address
from sfumato.federation.documents import Invitation, SiteRequest
from sfumato.federation.site_folder import PaidRun, SiteFolder

SCHEMA = """\
sfumato: schema/1
columns:
  a: {kind: category, categories: [x, y], source: public}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[sf.Federation, list[Path], Path]:
    """A federation, the requests of its sites, and its plan."""
    folder = tmp_path_factory.mktemp("federation")
    federation = sf.Federation.make(folder / "co", sf.Schema.parse(SCHEMA), ["a", "b", "c"], sf.Guarantee(1, 1e-9))
    requests = [sf.Site.make(folder / name, name, capacity=100)[1] for name in "abc"]
    return federation, requests, federation.invite(requests)


def changed(path: Path, to: Path, **facts: Any) -> Path:
    to.write_text(json.dumps({**json.loads(path.read_text()), **facts}))
    return to


def test_a_request_is_signed_by_its_site(made, tmp_path: Path) -> None:
    _, requests, _ = made
    assert SiteRequest.load(requests[0]).capacity == 100
    for facts in ({"capacity": 10**6}, {"site": "b"}, {"certificate_request": "another"}, {"signature": "00" * 64}):
        with pytest.raises(FederationError, match="does not fit what it should have signed"):
            SiteRequest.load(changed(requests[0], tmp_path / "changed.json", **facts))
    for facts in ({"format": "sfumato site request/9"}, {"more": 1}, {"key": "00"}, {"capacity": "many", "more": 1}):
        with pytest.raises(FederationError, match=r"no request of a site|is not a request|a public key has"):
            SiteRequest.load(changed(requests[0], tmp_path / "changed.json", **facts))


def test_an_invitation_is_what_was_written(made, tmp_path: Path) -> None:
    federation, _, plan = made
    assert Invitation.load(plan).plan == federation.plan
    assert federation.plan.capacity == (100, 100, 100)
    for facts in ({"address": "nowhere"}, {"certificates": {}}, {"more": 1}, {"plan": {}}, {"format": "x"}):
        with pytest.raises(
            FederationError, match=r"no plan of a federation|a plan that is none|is not a plan|HOST:PORT"
        ):
            Invitation.load(changed(plan, tmp_path / "changed.json", **facts))
    for text in ("", "{", "[" * 100_000, "null", "\x00"):
        (tmp_path / "changed.json").write_text(text)
        with pytest.raises(FederationError, match="is not a plan"):
            Invitation.load(tmp_path / "changed.json")


def test_only_who_was_asked_is_taken_in_and_once(made, tmp_path: Path) -> None:
    federation, requests, plan = made
    assert federation.invite() == plan  # again, from what was taken in
    stranger = sf.Site.make(tmp_path / "d", "d")[1]
    with pytest.raises(FederationError, match="site d is none of this federation"):
        federation.invite([*requests, stranger])
    second = sf.Site.make(tmp_path / "a", "a")[1]
    with pytest.raises(FederationError, match="another request of site a"):
        federation.invite([*requests, second])


def test_a_plan_waits_for_all_requests(tmp_path: Path) -> None:
    federation = sf.Federation.make(tmp_path / "co", sf.Schema.parse(SCHEMA), ["a", "b", "c"], sf.Guarantee(1, 1e-9))
    request = sf.Site.make(tmp_path / "a", "a")[1]
    with pytest.raises(FederationError, match="no request yet of b, c"):
        federation.invite([request])
    assert federation.status()["stage"] == "waiting for requests"
    with pytest.raises(FederationError, match="there is no plan yet"):
        federation.plan  # noqa: B018 - says so


def test_what_cannot_be_fitted_leaves_no_folder(tmp_path: Path) -> None:
    schema = sf.Schema.parse(SCHEMA.replace("source: public", "source: unreviewed"))
    for wrong, sites, says in (
        (schema, ["a", "b", "c"], "unreviewed"),
        (sf.Schema.parse(SCHEMA), ["a", "b"], "3 to 100 sites"),
        (sf.Schema.parse(SCHEMA), ["a", "b", "b"], "share a name"),
        (sf.Schema.parse(SCHEMA), ["a", "b", "c d"], "a name has up to 64"),
    ):
        with pytest.raises(sf.SfumatoError, match=says):
            sf.Federation.make(tmp_path / "co", wrong, sites, sf.Guarantee(1, 1e-9))
        assert not (tmp_path / "co").exists()


def test_a_site_confirms_whole_fingerprints_and_none_twice(tmp_path: Path) -> None:
    site, _ = sf.Site.make(tmp_path / "a", "a")
    with pytest.raises(FederationError, match="64 digits"):
        site.confirm({"b": "ab" * 31})
    site.confirm({"b": "ab" * 32})
    site.confirm({"b": "ab" * 32})
    with pytest.raises(FederationError, match="another fingerprint was confirmed before"):
        site.confirm({"b": "cd" * 32})
    assert SiteFolder(tmp_path / "a").confirmed == {"a": site.fingerprint, "b": "ab" * 32}


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    site, _ = sf.Site.make(tmp_path / "a", "a")
    assert site.name == "a"
    assert (tmp_path / "a").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "a").iterdir())
    with pytest.raises(sf.SfumatoError, match="holds files already"):
        sf.Site.make(tmp_path / "a", "a")


def test_a_folder_keeps_the_run_of_each_plan(tmp_path: Path) -> None:
    sf.Site.make(tmp_path / "a", "a")
    folder = SiteFolder(tmp_path / "a")
    assert folder.run_of("1") is None
    folder.note("1", PaidRun("ledger", 3))
    folder.note("2", PaidRun("ledger", 4, done=True))
    assert SiteFolder(tmp_path / "a").run_of("1") == PaidRun("ledger", 3)
    (tmp_path / "a" / "runs.json").write_text('{"1": {"run": "3"}}')
    with pytest.raises(FederationError, match="is damaged"):
        folder.run_of("1")


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("localhost:8102", "localhost", 8102), ("[::1]:9", "::1", 9), ("10.0.0.1:80", "10.0.0.1", 80)],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert Address.parse(text) == Address(host, port)
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize("text", ["", "localhost", ":80", "a b:80", "a:0", "a:65536", "a:-1", "https://a:80", "a:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(FederationError, match="write HOST:PORT"):
        Address.parse(text)
