"""A party that is killed at each moment of a run, by a signal nobody can catch: the others wait, and it goes on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.journeys.conftest import Done
from tests.journeys.hospitals import PATIENCE
from tests.journeys.test_killed_sites import DEADLINE, GONE, HALTING, at, kill
from tests.journeys.test_parties import PERSONS, ThreeParties, parties

import sfumato as sf

pytestmark = pytest.mark.processes

PROGRAM = f"from sfumato.trust.mpc import dealing\ndealing._BLOCK_BYTES = 1\n{HALTING}"
"""Halts as that of sites does; persons are dealt in several blocks, as a million of them are."""
KILLED, OTHERS = "insurer", ("hospital", "council")
LOST = f"sfumato: site {KILLED} does not take part: {GONE}\n$"
UNOPENED = rf"sfumato: nothing was opened: .*; site {KILLED}: {GONE}\n$"
DEALT_AGAIN = "deal 1"


@dataclass(frozen=True)
class Moment:
    """When the party is killed, and what is seen of it.

    Attributes:
        call: before which it halts, and is killed.
        said: how the receiver ends.
        charged: events that it was charged in all until then.
        kept: whether its columns were dealt before, and are not dealt again.
    """

    call: str
    said: str
    charged: int
    kept: bool = False


OWN, PAIRS = 4, 6
"""Tables of each party's own columns, which are opened first, and those of the first question after the dealing."""
SET_UP = (Moment("shares 1", LOST, 0), Moment("deal 3", LOST, OWN))
OPENINGS = (
    Moment("masked 2", UNOPENED, OWN),
    Moment("consent 1", UNOPENED, OWN + PAIRS, kept=True),
    Moment("masked 2", UNOPENED, OWN + 2 * PAIRS, kept=True),
)
"""Between the dealing and the first table of it, while that is opened, and between openings."""


@pytest.mark.parametrize(("moments", "lost"), [(SET_UP, 0), (OPENINGS, PAIRS)], ids=["set-up and dealing", "openings"])
def test_a_party_that_is_killed_comes_back(
    moments: tuple[Moment, ...], lost: int, tmp_path: Path, run: Callable[..., Done]
) -> None:
    """What was opened before is neither asked nor paid for again; ``lost``: events of what was paid and not opened."""
    with parties(tmp_path, run) as made:
        waiting = [made.site(name, program=PROGRAM, told=["never"]) for name in OTHERS]
        for moment in moments:
            killed_at(made, moment)
            assert all(map(made.running, OTHERS)), "those that are left wait for it"
            assert made.charged(KILLED)[1] == moment.charged
            assert min(made.charged(name)[1] for name in OTHERS) >= moment.charged, "they answered before it"
        killed = made.site(KILLED, program=PROGRAM, told=["finish 1"])
        receiver = made.coordinator(*DEADLINE, program=PROGRAM, told=["never"])
        at(made, KILLED, killed, "finish 1")
        kill(killed)
        assert receiver.wait(PATIENCE) == 0, made.said("coordinator")
        assert f"{KILLED}: not told that the run is over" in made.said("coordinator")
        paid = check_paid(made, lost)
        back = made.site(KILLED)
        assert made.coordinator(*DEADLINE).wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in (back, *waiting)] == [0] * 3, [made.said(n) for n in made.names]
        assert check_paid(made, lost) == paid, "nothing is paid for to hear that it is over"
    assert abs(sf.load(tmp_path / "model.sfm").default_rows - len(PERSONS)) < 100
    assert all(site.certified for site in sf.verify(tmp_path / "model.sfm").sites)
    assert not list(tmp_path.rglob("*.shares")), "shares that were kept are deleted at the end"


def killed_at(made: ThreeParties, moment: Moment) -> None:
    """Start the party and the receiver, and kill the party at its moment: nothing is saved, and one line says why."""
    party = made.site(KILLED, program=PROGRAM, told=[f"{moment.call},{DEALT_AGAIN}" if moment.kept else moment.call])
    receiver = made.coordinator(*DEADLINE, program=PROGRAM, told=["never"])
    at(made, KILLED, party, moment.call)
    kill(party)
    assert receiver.wait(PATIENCE) == 2, made.said("coordinator")
    assert re.search(moment.said, made.said("coordinator")), made.said("coordinator")
    assert not (made.folder / "model.sfm").exists()
    (made.folder / f"{KILLED}.out").write_text("")  # what it said is not taken for what the next says


def check_paid(made: ThreeParties, lost: int) -> dict[str, int]:
    """Events that each party was charged: of each opened table once, and of attempts that failed; the receiver's."""
    events = len(sf.verify(made.folder / "model.sfm").certificate.composition.events)
    with sf.Ledger.open(made.folder / "co" / "coordinator.ledger") as ledger:
        runs = ledger.summary()["runs"]  # of a try that opened nothing there is one without events
    assert sum(len(run["events"]) for run in runs) == events
    paid = {name: made.charged(name)[1] for name in made.names}
    assert paid[KILLED] == events + lost
    assert min(paid.values()) >= paid[KILLED], "they answered before it"
    return paid


@pytest.mark.parametrize("call", ["pass 3", "common 1"])
def test_a_party_that_is_killed_while_common_persons_are_found_comes_back(
    call: str, tmp_path: Path, run: Callable[..., Done]
) -> None:
    with parties(tmp_path, run, listed=False) as made:
        waiting = [made.site(name) for name in OTHERS]
        killed_at(made, Moment(call, LOST, 0))
        back = made.site(KILLED)
        assert made.coordinator(*DEADLINE).wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in (back, *waiting)] == [0] * 3, [made.said(n) for n in made.names]
    events = len(sf.verify(tmp_path / "model.sfm").certificate.composition.events)
    assert {made.charged(name) for name in made.names} == {("closed", events)}
