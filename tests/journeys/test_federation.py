"""Three hospitals and a coordinator, each a process of its own, over mutual TLS."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import psutil
from tests.journeys.conftest import CANARY
from tests.journeys.hospitals import PATIENCE, Hospitals, all_bytes, hospitals

import sfumato as sf
from sfumato.federation.site_folder import PaidRun
from sfumato.trust.federated.agreement import check_signed

MAPPING = """\
sfumato: site/1
columns:
  age: {from: Alter}
  sex: {from: Geschlecht, labels: {w: F, m: M}}
  town: {from: Ort}
"""


def in_german(folder: Path, name: str) -> None:
    """The same rows under other names and labels."""
    path = folder / f"{name}.csv"
    head, *lines = path.read_text().splitlines()
    assert head == "age,sex,town"
    mapped = [line.replace(",F,", ",w,").replace(",M,", ",m,") for line in lines]
    path.write_text("\n".join(("Alter,Geschlecht,Ort", *mapped, "")))
    (folder / f"{name}.yaml").write_text(MAPPING)


def addresses(processes: list[psutil.Process]) -> set[str]:
    """Whom these processes listen to or are connected with."""
    found = set()
    for process in processes:
        try:
            for connection in process.net_connections("inet"):
                found |= {end.ip for end in (connection.laddr, connection.raddr) if end}
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def test_three_processes_fit_one_model_and_no_row_leaves_its_site(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        in_german(tmp_path, "east")
        sites = [made.site(name, *(("--mapping", "east.yaml") if name == "east" else ())) for name in made.names]
        coordinator = made.coordinator()
        seen: set[str] = set()
        while coordinator.poll() is None:
            seen |= addresses(made.processes())
        assert coordinator.wait() == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites] == [0, 0, 0], [made.said(n) for n in made.names]
    assert seen
    assert all(ipaddress.ip_address(address).is_loopback for address in seen), seen
    told = {name: sf.Site(tmp_path / name).fingerprint for name in made.names}
    checked = sf.verify(tmp_path / "model.sfm", sites=told)
    assert [(s.name, s.certified, s.confirmed) for s in checked.sites] == [(name, True, True) for name in made.names]
    stated = checked.certificate.federation
    assert stated is not None
    assert (stated.simulated, stated.plan) == (False, made.federation.plan.digest.hex())
    assert [site.name for site in stated.sites] == list(made.names)
    assert made.federation.status()["stage"] == "done"
    assert made.federation.status()["sites_certified"] == list(made.names)
    assert "signed at the end by north, east, west" in made.said("coordinator")
    signed = json.loads((tmp_path / "co" / "signatures.json").read_text())
    for place, name in enumerate(made.names):
        check_signed(made.federation.plan, place, bytes.fromhex(signed[name]))
    events = len(checked.certificate.composition.events)
    for name in made.names:
        assert made.charged(name) == ("closed", events)
        assert "this site signed the certificate" in made.said(name)
        assert json.loads((tmp_path / name / "certificate.json").read_text()) == checked.certificate.to_dict()
        assert "the run is over" in made.said(name)
    kept_to_itself(made)


def kept_to_itself(made: Hospitals) -> None:
    """No text of a row is anywhere but in the tables themselves."""
    own = {made.folder / f"{name}.csv" for name in made.names}
    leaked = [path for path, data in all_bytes(made.folder) if path not in own and CANARY.encode() in data]
    assert leaked == []


def test_the_same_plan_is_not_carried_out_twice(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        folder = sf.Site(tmp_path / "north")._folder  # as a run that ended left it
        folder.note(made.federation.plan.digest.hex(), PaidRun("0" * 32, 1, done=True))
        site = made.site("north")
        assert site.wait(PATIENCE) == 2
        assert "this plan has been carried out" in made.said("north")


def test_a_dry_run_sends_nothing_and_charges_nothing(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        checked = made.start("check", "site", "check", "north/plan.json", "north.csv", "--json")
        assert checked.wait(PATIENCE) == 0, made.said("check")
    assert not (tmp_path / "north.csv.ledger").exists()
    assert not (tmp_path / "north" / "connection").exists()
