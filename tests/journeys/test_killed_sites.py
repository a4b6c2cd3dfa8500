"""Processes of a federation that are killed at each stage of a run, by a signal that nobody can catch."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from tests.journeys.hospitals import NAMES, PATIENCE, SCHEMA, Hospitals, hospitals

import sfumato as sf

pytestmark = pytest.mark.processes

HALTING = """
import os, sys, time
from sfumato.cli.main import main
from sfumato.federation.nvflare.server import ServerTransport
from sfumato.federation.site_service import SiteService
from sfumato.trust.federated import rounds

rounds.ENCODING = 6.0  # rows of a test take a moment, and a site that was killed takes all of it
halts, asked = set(sys.argv.pop(1).split(",")), {}

def halting(owner):
    right = owner.call

    def call(self, method, *arguments):
        asked[method] = asked.get(method, 0) + 1
        at = f"{method} {asked[method]}"
        if at in halts:
            print(f"halted at {at}", flush=True)
            while not os.path.exists(f"go {at}"):
                time.sleep(0.05)
        return right(self, method, *arguments)

    owner.call = call

halting(ServerTransport)
halting(SiteService)
main()
"""
"""Halts before the calls of those names and numbers, at a coordinator or a site, until a file lets it go on."""
DEADLINE = ("--deadline", 6)
"""Seconds that a site has for an answer: all have some milliseconds of work."""
FIVE = ("north", "east", "west", "south", "middle")
MEASURED = SCHEMA.replace(
    "age: {kind: integer, bounds: [0, 120], source: public}",
    "age: {kind: integer, source: {bounds: measured, rest: public}}",
)
GONE = "(no answer came in time, or its process ended|its own process is not there)"
"""What is said of a site that was killed while it was called: its relay may live a moment longer, and see it."""


def halted(made: Hospitals, *calls: str) -> subprocess.Popen[str]:
    """A coordinator that will halt before these calls of its sites."""
    return made.coordinator(*DEADLINE, program=HALTING, told=[",".join(calls)])


def at(made: Hospitals, log: str, process: subprocess.Popen[str], call: str) -> None:
    """Wait until it halts there."""
    made.wait_for(log, f"halted at {call}\n", process)


def go(made: Hospitals, call: str) -> None:
    """Let whoever halts there go on."""
    (made.folder / f"go {call}").touch()


def kill(process: subprocess.Popen[str]) -> None:
    """At once; all that it started ends with it."""
    process.send_signal(signal.SIGKILL)
    process.wait(PATIENCE)


def process_of(made: Hospitals, module: str, side: str) -> psutil.Process:
    """The one process of NVFlare that runs this module at a side: ``co`` or a site."""
    found = []
    for process in made.processes():
        told = process.cmdline()
        runs = any(word.endswith(f".{module}") for word in told) and "sfumato.federation.nvflare.attended" not in told
        if runs and f"/{side}/connection/" in " ".join(told):
            found.append(process)
    (only,) = found
    return only


def done(made: Hospitals, sites: dict[str, subprocess.Popen[str]]) -> None:
    """All that run have heard that it is over."""
    assert [site.wait(PATIENCE) for site in sites.values()] == [0] * len(sites), [made.said(n) for n in made.names]


def check_paid(made: Hospitals, lost: str = "") -> int:
    """No charge is lost or doubled: each sum is paid for once here, and at least once by each site; how many."""
    with sf.Ledger.open(made.folder / "co" / "coordinator.ledger") as ledger:
        (run,) = ledger.summary()["runs"]
    certificate = sf.verify(made.folder / "model.sfm").certificate
    events = len(certificate.composition.events)
    assert (run["state"], len(run["events"])) == ("closed", events)
    assert run["epsilon_spent"] <= 1
    for name in made.names:
        state, charged = made.charged(name)
        assert state == ("dead" if name == lost else "closed"), name
        assert name == lost or charged >= events, name
    rows = sf.load(made.folder / "model.sfm").default_rows  # of the first sum, which each site here was in
    assert abs(rows - 400 * len(made.names)) < 100, rows  # one whose masks do not cancel is some billion
    return events


def test_a_relay_and_the_coordinator_are_killed_and_the_run_goes_on(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        sites = {name: made.site(name) for name in made.names}
        coordinator = halted(made, "masked 2", "masked 4")
        at(made, "coordinator", coordinator, "masked 2")
        process_of(made, "worker_process", "east").send_signal(signal.SIGKILL)
        go(made, "masked 2")
        at(made, "coordinator", coordinator, "masked 4")  # 3 was the second try at the sum of 2, over a new relay
        kill(coordinator)
        assert not (tmp_path / "model.sfm").exists()
        coordinator = made.coordinator(*DEADLINE)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        done(made, sites)
    assert "went on with an earlier try" in made.said("coordinator")
    events = check_paid(made)
    assert made.charged("north")[1] > events  # the attempt that failed was charged, and is not given back


def test_a_site_that_is_killed_before_it_unmasks_is_done_without_where_the_plan_allows_it(tmp_path: Path) -> None:
    """The sum that it consented to is opened without it; the next ones are of the others."""
    with hospitals(tmp_path, lost=1, names=FIVE) as made:
        sites = {name: made.site(name) for name in made.names if name != "east"}
        east = made.site("east", program=HALTING, told=["unmask 1"])
        coordinator = made.coordinator(*DEADLINE)
        at(made, "east", east, "unmask 1")
        kill(east)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        done(made, sites)
        assert made.federation.status()["sites_lost"] == ["east"]
    checked = sf.verify(tmp_path / "model.sfm")
    stated = checked.certificate.federation
    assert stated is not None
    assert stated.lost == 1
    assert [(absence.site, absence.returned) for absence in stated.absences] == [("east", None)]
    assert [site.name for site in checked.sites if not site.certified] == ["east"]
    events = check_paid(made, lost="east")
    assert 0 < made.charged("east")[1] < events
    assert {made.charged(name)[1] for name in sites} == {events}
    assert "east: not told that the run is over" in made.said("coordinator")


def test_kills_during_the_set_up_stop_the_run_and_the_next_goes_on_at_no_cost(tmp_path: Path) -> None:
    with hospitals(tmp_path, schema=MEASURED) as made:
        sites = {name: made.site(name) for name in made.names if name != "east"}
        east = made.site("east", program=HALTING, told=["facts 1"])
        coordinator = halted(made)
        at(made, "east", east, "facts 1")
        kill(east)
        assert coordinator.wait(PATIENCE) == 2, made.said("coordinator")
        assert re.search(f"sfumato: site east does not take part: {GONE}\n$", made.said("coordinator"))
        paid = {made.charged(name)[1] for name in made.names}
        assert len(paid) == 1  # the tables that the bounds were found in
        assert paid != {0}
        sites["east"] = made.site("east")
        coordinator = halted(made, "shares 1")
        at(made, "coordinator", coordinator, "shares 1")
        process_of(made, "server_train", "co").send_signal(signal.SIGKILL)
        go(made, "shares 1")
        assert coordinator.wait(PATIENCE) == 2, made.said("coordinator")
        said = "sfumato: site north does not take part: the coordinator's own server, or its job, has ended\n"
        assert made.said("coordinator").endswith(said)
        (tmp_path / "go shares 1").unlink()
        coordinator = halted(made, "receive 1")
        at(made, "coordinator", coordinator, "receive 1")
        kill(coordinator)
        process_of(made, "client_process", "north").send_signal(signal.SIGKILL)
        assert {made.charged(name)[1] for name in made.names} == paid
        coordinator = made.coordinator(*DEADLINE)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        done(made, sites)
    assert "went on with an earlier try" in made.said("coordinator")
    events = check_paid(made)
    assert {made.charged(name) for name in made.names} == {("closed", events)}


def test_kills_of_the_servers_job_of_a_site_before_it_unmasks_and_of_the_coordinator_at_the_end(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        sites = {name: made.site(name) for name in NAMES if name != "east"}
        east = made.site("east", program=HALTING, told=["unmask 2"])
        coordinator = halted(made, "masked 2")
        at(made, "coordinator", coordinator, "masked 2")
        process_of(made, "runner_process", "co").send_signal(signal.SIGKILL)
        go(made, "masked 2")
        at(made, "east", east, "unmask 2")  # of the second try at that sum, over a new job
        kill(east)
        assert coordinator.wait(PATIENCE) == 2, made.said("coordinator")
        said = made.said("coordinator")
        assert "sfumato: nothing was opened: " in said
        assert re.search(f"; site east: {GONE}\n$", said)  # and not what was said of the others before
        assert "site north" not in said
        assert not (tmp_path / "model.sfm").exists()
        paid = {made.charged(name)[1] for name in NAMES}
        assert len(paid) == 1  # east is charged for what had left it
        sites["east"] = made.site("east")
        coordinator = halted(made, "finish 1")
        at(made, "coordinator", coordinator, "finish 1")
        kill(coordinator)
        saved = sf.verify(tmp_path / "model.sfm")
        assert not any(site.certified for site in saved.sites)
        charged = [made.charged(name)[1] for name in NAMES]
        coordinator = made.coordinator(*DEADLINE)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        done(made, sites)
        assert made.coordinator().wait(PATIENCE) == 2
        assert "this plan has been carried out, and its model is " in made.said("coordinator")
    checked = sf.verify(tmp_path / "model.sfm")
    assert checked.certificate == saved.certificate
    assert all(site.certified for site in checked.sites)  # they heard what came of it, too
    assert [made.charged(name)[1] for name in NAMES] == charged
    assert check_paid(made) < charged[0]
