"""Processes of a federation that are killed in the middle of a run, by a signal that nobody can catch."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from tests.journeys.hospitals import PATIENCE, Hospitals, hospitals

import sfumato as sf

pytestmark = pytest.mark.processes

HALTING = """
import os, sys, time
from sfumato.cli.main import main
from sfumato.trust.federated.rounds import SecureRounds

right, asked, halts = SecureRounds._attempt, [0], set(map(int, sys.argv.pop(1).split(",")))

def halting(self, request, values):
    asked[0] += 1
    if asked[0] in halts:
        print(f"halted {asked[0]}", flush=True)
        while not os.path.exists(f"go {asked[0]}"):
            time.sleep(0.05)
    return right(self, request, values)

SecureRounds._attempt = halting
main()
"""
"""Halts before the attempts of those numbers, until there is a file that lets it go on."""
DEADLINE = ("--deadline", 6)
"""Seconds that a site has for an answer: all have some milliseconds of work."""
FIVE = ("north", "east", "west", "south", "middle")


def halted(made: Hospitals, *attempts: int) -> subprocess.Popen[str]:
    """A coordinator that will halt before these attempts."""
    numbers = ",".join(map(str, attempts))
    return made.start(
        *("coordinator", numbers, "federation", "run", "co", "-o", "model.sfm", "--wait", 60, *DEADLINE),
        program=HALTING,
    )


def at(made: Hospitals, coordinator: subprocess.Popen[str], attempt: int) -> None:
    """Wait until it halts there."""
    made.wait_for("coordinator", f"halted {attempt}\n", coordinator)


def relay(made: Hospitals, name: str) -> psutil.Process:
    """The process of the running job at a site."""
    (found,) = (
        process
        for process in made.processes()
        if "worker_process" in (told := " ".join(process.cmdline())) and f"/{name}/connection/" in told
    )
    return found


def check_paid(made: Hospitals) -> int:
    """No charge is lost or doubled: each sum is paid for once here, and at least once by each site; how many."""
    with sf.Ledger.open(made.folder / "co" / "coordinator.ledger") as ledger:
        (run,) = ledger.summary()["runs"]
    certificate = sf.verify(made.folder / "model.sfm").certificate
    events = len(certificate.composition.events)
    assert (run["state"], len(run["events"])) == ("closed", events)
    assert run["epsilon_spent"] <= 1
    for name in made.names:
        assert made.charged(name)[1] >= events, name
    return events


def test_a_relay_and_the_coordinator_are_killed_and_the_run_goes_on(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        sites = [made.site(name) for name in made.names]
        coordinator = halted(made, 2, 4)
        at(made, coordinator, 2)
        relay(made, "east").send_signal(signal.SIGKILL)
        (tmp_path / "go 2").touch()
        at(made, coordinator, 4)  # 3 was the second try at the sum of 2, over a new relay
        coordinator.send_signal(signal.SIGKILL)
        coordinator.wait(PATIENCE)
        assert not (tmp_path / "model.sfm").exists()
        coordinator = made.coordinator(*DEADLINE)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites] == [0, 0, 0], [made.said(n) for n in made.names]
    assert "went on with an earlier try" in made.said("coordinator")
    events = check_paid(made)
    assert made.charged("north")[1] > events  # the attempt that failed was charged, and is not given back


def test_a_site_that_is_killed_is_done_without_where_the_plan_allows_it(tmp_path: Path) -> None:
    with hospitals(tmp_path, lost=1, names=FIVE) as made:
        sites = {name: made.site(name) for name in made.names}
        coordinator = halted(made, 2)
        at(made, coordinator, 2)
        sites["east"].send_signal(signal.SIGKILL)
        (tmp_path / "go 2").touch()
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        left = [site for name, site in sites.items() if name != "east"]
        assert [site.wait(PATIENCE) for site in left] == [0] * 4, [made.said(n) for n in made.names]
        assert made.federation.status()["sites_lost"] == ["east"]
    checked = sf.verify(tmp_path / "model.sfm")
    stated = checked.certificate.federation
    assert stated is not None
    assert stated.lost == 1
    assert [(absence.site, absence.returned) for absence in stated.absences] == [("east", None)]
    assert [site.name for site in checked.sites if not site.certified] == ["east"]
    assert made.charged("east")[0] == "dead"


def test_a_site_that_is_killed_ends_a_run_that_allows_no_loss_and_joins_the_next(tmp_path: Path) -> None:
    with hospitals(tmp_path) as made:
        sites = {name: made.site(name) for name in made.names}
        coordinator = halted(made, 2)
        at(made, coordinator, 2)
        sites["east"].send_signal(signal.SIGKILL)
        (tmp_path / "go 2").touch()
        assert coordinator.wait(PATIENCE) == 2, made.said("coordinator")
        assert "sfumato: nothing was opened: " in made.said("coordinator")
        assert "site east: no answer came in time, or its process ended" in made.said("coordinator")
        assert not (tmp_path / "model.sfm").exists()
        sites["east"] = made.site("east")
        coordinator = made.coordinator(*DEADLINE)
        assert coordinator.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites.values()] == [0, 0, 0], [made.said(n) for n in made.names]
    check_paid(made)
