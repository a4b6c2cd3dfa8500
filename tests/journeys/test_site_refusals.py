"""What a site refuses by itself, before anything is sent: each in one line, with nothing charged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.conftest import Done
from tests.journeys.hospitals import Hospitals

import sfumato as sf
from sfumato import extras
from sfumato.federation import authority, site_ledger
from sfumato.federation.authority import Authority
from sfumato.federation.documents import Invitation
from sfumato.federation.nvflare import client
from sfumato.federation.site_folder import PaidRun
from sfumato.folder_lock import FolderLock
from sfumato.trust.secure_sum.identity import SiteIdentity

CHECK = ("site", "check", "north/plan.json", "north.csv")
RUN = ("site", "run", "north/plan.json", "north.csv", "--ledger", "north.ledger")
DAMAGES = (None, "", [[]], -1, 0.5, 10**40, {"a": 1})
"""What a value of a plan may be turned into by somebody who means harm, or by chance."""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders of three sites and a coordinator with a plan; to be copied."""
    return Hospitals(tmp_path_factory.mktemp("planned")).folder


@pytest.fixture
def folder(planned: Path, tmp_path: Path) -> Path:
    """A copy for one test."""
    return Path(shutil.copytree(planned, tmp_path, dirs_exist_ok=True))


@pytest.fixture(autouse=True)
def _nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object) -> None:
        raise AssertionError("looked for the coordinator")

    monkeypatch.setattr(client, "wait_for_server", reached)


@pytest.fixture
def site(folder: Path) -> sf.Site:
    """The one that is given each plan."""
    return sf.Site(folder / "north")


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Give the site another plan than the one that was made."""
    path = folder / "north" / "plan.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))


def renamed(data: dict[str, Any], place: int, name: str) -> None:
    """Call a site of the plan otherwise."""
    site = data["plan"]["sites"][place]
    data["certificates"][name] = data["certificates"].pop(site["name"])
    site["name"] = name


def digest(folder: Path) -> str:
    """What names the plan."""
    return Invitation.load(folder / "north" / "plan.json").plan.digest.hex()


def refused(run: Callable[..., Done], folder: Path, said: str) -> None:
    """Both commands refuse, and neither has charged or written anything."""
    for command in (CHECK, RUN):
        run(*command).refused(said)
    assert not (folder / "north.ledger").exists()
    assert not (folder / "north" / "connection").exists()


def test_a_plan_with_a_site_that_nobody_confirmed(run, folder):
    def invent(data):
        data["plan"]["sites"][2]["key"] = SiteIdentity.fresh().public_key.hex()

    changed(folder, invent)
    refused(run, folder, "not confirmed: west (")


def test_a_plan_whose_sites_have_each_others_keys(run, folder):
    def swap(data):
        _, east, west = data["plan"]["sites"]
        east["key"], west["key"] = west["key"], east["key"]

    changed(folder, swap)
    refused(run, folder, "not confirmed: east (")


def test_a_plan_that_calls_this_site_by_another_name(run, folder):
    changed(folder, partial(renamed, place=0, name="south"))
    refused(run, folder, "the plan calls this site south, not north")


def test_a_plan_without_this_site(run, folder):
    changed(folder, lambda data: data["plan"]["sites"][0].update(key=SiteIdentity.fresh().public_key.hex()))
    refused(run, folder, "the plan does not name the site with the key")


def test_a_certificate_of_another_authority(run, folder):
    changed(folder, lambda data: data.update(authority=Authority.fresh("another").certificate))
    refused(run, folder, "not by the authority of this plan")


def test_the_certificate_of_another_site(run, folder):
    changed(folder, lambda data: data["certificates"].update(north=data["certificates"]["east"]))
    refused(run, folder, "not of this site's key")


def test_a_certificate_that_has_expired(run, folder, monkeypatch):
    monkeypatch.setattr(authority, "_EARLIER", timedelta(days=9))
    monkeypatch.setattr(authority, "_DAYS", -1)
    request = json.loads((folder / "north" / "north.request.json").read_text())["certificate_request"]
    expired = sf.Federation(folder / "co")._folder.authority.certify_site(request, "north")
    changed(folder, lambda data: data["certificates"].update(north=expired))
    refused(run, folder, "has expired: ask the coordinator for a new plan")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"{}"], ids=range(6))
def test_a_file_that_is_no_plan(run, folder, data):
    (folder / "north" / "plan.json").write_bytes(data)
    refused(run, folder, "is not a plan")


def test_a_file_of_an_absurd_size(run, folder):
    (folder / "north" / "plan.json").write_bytes(b" " * (5 << 20))
    refused(run, folder, "larger than a plan ever is")


@pytest.mark.parametrize("number", ["rounds", "attempts", "longest", "bits", "curious", "lost"])
def test_a_number_of_an_absurd_size(run, folder, number):
    changed(folder, lambda data: data["plan"].update({number: 1 << 62}))
    refused(run, folder, "a plan that cannot be kept")


def leaves(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the values of a JSON object lie."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from leaves(inner, (*path, key))


def test_a_plan_with_any_damaged_value(folder, site):
    path = folder / "north" / "plan.json"
    text = path.read_text()
    (folder / "north.csv").write_text("age,sex,town\n40,F,Ede\n")
    for place in list(leaves(json.loads(text)))[1:]:
        for damage in DAMAGES:
            data = json.loads(text)
            at = data
            for key in place[:-1]:
                at = at[key]
            at[place[-1]] = damage
            path.write_text(json.dumps(data))
            with suppress(sf.SfumatoError):  # whatever else is raised is a defect
                site.check(path, folder / "north.csv")
                assert Invitation.load(path).to_dict() == data, (place, damage)


def test_a_second_run_at_once(run, folder):
    held = FolderLock.take(folder / "north")
    try:
        run(*RUN).refused("another run of this site goes on")
    finally:
        held.give_back()


def test_a_ledger_without_room(run, folder):
    with sf.Ledger.open(folder / "north.ledger", sf.Guarantee(epsilon=0.5, delta=1e-7)):
        pass
    run(*RUN).refused("with room for attempts that fail, which are charged")


def test_a_ledger_that_does_not_pay_for_this_plan(run, folder, site):
    site._folder.note(digest(folder), PaidRun("f" * 32, 1))
    run(*RUN).refused("paid for by another ledger, with the id " + "f" * 32)
    assert not (folder / "north.ledger").exists()
    with sf.Ledger.open(folder / "north.ledger"):
        pass
    run(*RUN).refused("paid for by another ledger, with the id " + "f" * 32)


def test_a_ledger_that_is_none(run, folder):
    (folder / "north.ledger").write_text("age,sex,town\n")
    run(*RUN).refused("north.ledger")
    assert (folder / "north.ledger").read_text() == "age,sex,town\n"
    run(*RUN[:-1], "nowhere/north.ledger").refused("nowhere")
    assert not (folder / "nowhere").exists()


def test_a_new_ledger_without_room(run, folder, monkeypatch):
    monkeypatch.setattr(site_ledger, "DEFAULT_CAP", sf.Guarantee(epsilon=0.5, delta=1e-7))
    run(*RUN).refused("with room for attempts that fail, which are charged")
    assert not (folder / "north.ledger").exists()


def test_a_ledger_restored_from_before_the_plan(run, folder, site):
    with sf.Ledger.open(folder / "north.ledger") as ledger:
        site._folder.note(digest(folder), PaidRun(ledger.id, 1))
    run(*RUN).refused("holds no run 1")


def test_a_plan_that_was_carried_out(run, folder, site):
    site._folder.note(digest(folder), PaidRun("f" * 32, 1, done=True))
    run(*RUN).refused("this plan has been carried out")
    assert not (folder / "north.ledger").exists()


def test_a_table_without_a_column(run, folder):
    rows = (folder / "north.csv").read_text().splitlines()
    (folder / "north.csv").write_text("\n".join(line.rpartition(",")[0] for line in rows))
    for command in (CHECK, RUN):
        run(*command).refused("town")
    assert not (folder / "north.ledger").exists()


def test_a_run_without_nvflare(run, folder, monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda package: None if package == "nvflare" else package)
    run(*RUN).refused("sfumato[federated]")
    assert not (folder / "north.ledger").exists()


def test_a_plan_whose_connection_was_changed_on_its_way(run, folder):
    changed(folder, lambda data: data.update(address="elsewhere.example:8102"))
    refused(run, folder, "the address or the authority in this file is not that of its plan")


def test_a_plan_that_states_another_capacity_than_was_declared(run, folder):
    """Whether a site of more rows stays away would tell how many it holds."""
    changed(folder, lambda data: data["plan"]["capacity"].__setitem__(0, 399))
    refused(run, folder, "the plan says that this site holds at most 399 records; it declared")


def test_a_plan_that_promises_for_another_unit_than_is_bounded(run, folder):
    changed(folder, lambda data: data["plan"]["guarantee"].update(unit="patient"))
    refused(run, folder, "nobody bounds the rows of a patient")


def test_a_plan_without_a_promise(run, folder):
    changed(folder, lambda data: data["plan"]["guarantee"].update(epsilon=None))
    refused(run, folder, "the plan makes no promise")


def test_a_plan_that_allows_more_than_its_model_asks(run, folder):
    changed(folder, lambda data: data["plan"]["questions"].append("descent"))
    refused(run, folder, "other questions or numbers than its model needs")


def test_a_fingerprint_that_was_confirmed_under_another_name(run, folder):
    changed(folder, partial(renamed, place=2, name="clinic"))
    refused(run, folder, "not confirmed: clinic (")
