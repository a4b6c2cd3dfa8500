"""Two owners who share their columns to three servers, each a process of its own, to a verified model."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import numpy as np
import pytest
from tests.journeys.conftest import CANARY, Done
from tests.journeys.hospitals import PATIENCE, all_bytes, free_port
from tests.journeys.test_killed_sites import DEADLINE, GONE, HALTING, at, kill
from tests.journeys.test_parties import PERSONS, SCHEMA, Run, ThreeParties

import sfumato as sf

pytestmark = pytest.mark.processes

HELD = {"clinic": ("age", "ill", "smokes"), "council": ("town",)}
SERVERS = ("north", "east", "west")


class ThreeServers(ThreeParties):
    """Folders of two owners, three servers and a receiver, made by the commands that people would type."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder, self.names, self._run = folder, SERVERS, run
        self._started, self._of, self._logs = [], {}, []
        owned_tables(folder)
        columns = [f"--columns={name}={','.join(held)}" for name, held in HELD.items()]
        servers = [f"--server={name}" for name in SERVERS]
        named = ("--key", "person", "--persons", "persons.txt", "--model", "mst", "--delta", "1e-6")
        where = ("--address", f"localhost:{free_port()}")
        self.told("mpc", "init", "co", "--schema", "schema.yaml", *columns, *servers, *named, *where)
        made = {name: self.told("party", "init", name, "--name", name) for name in (*HELD, *SERVERS)}
        self.told("mpc", "plan", "co", *(str(answer["request"]) for answer in made.values()))
        for name in made:
            others = [f"{other}={told['fingerprint']}" for other, told in made.items() if other != name]
            self.told("party", "confirm", name, *others)
            (folder / name / "plan.json").write_bytes((folder / "co" / "plan.json").read_bytes())
        self.federation = sf.Federation(folder / "co")

    def shared(self, owner: str, to: str) -> None:
        """Let an owner share its table, to files in a folder."""
        (self.folder / to).mkdir(exist_ok=True)
        places = (f"{owner}/plan.json", f"{owner}.csv", "--persons", "persons.txt", "--ledger", f"{owner}.ledger")
        self.told("party", "share", *places, "-o", to)

    def server(self, name: str, sent: dict[str, str], program: str | None = None, told: Sequence[object] = ()) -> Popen:
        """The process of a server; ``sent``: by owner, the folder of its files."""
        files = [f"{to}/{owner}.for-{name}.shares" for owner, to in sent.items()]
        return self.start(name, *told, "party", "serve", f"{name}/plan.json", *files, program=program)

    def charged_to_server(self, name: str) -> tuple[str, int]:
        """As ``charged``, of a server's own account."""
        with sf.Ledger.open(self.folder / name / "server.ledger") as ledger:
            (run,) = ledger.summary()["runs"]
            return run["state"], len(run["events"])


def owned_tables(folder: Path) -> None:
    """A table of each owner; one cell holds a text that nobody else may ever see."""
    rng = np.random.default_rng(11)
    smokes = rng.random(len(PERSONS)) < 0.4
    age = rng.integers(20, 90, len(PERSONS))
    town = np.where(smokes, "Delft", rng.choice(["Ede", "Goes"], len(PERSONS))).astype(object)
    town[3] = CANARY
    cells = {"age": age, "smokes": smokes, "ill": smokes & (age > 40), "town": town}
    for name, held in HELD.items():
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["person", *held])
            for i in rng.permutation(len(PERSONS)):
                writer.writerow([PERSONS[i], *(str(cells[c][i]).lower() if c != "town" else town[i] for c in held)])
    (folder / "persons.txt").write_text("\n".join(PERSONS))
    (folder / "schema.yaml").write_text(SCHEMA)


@contextmanager
def servers(folder: Path, run: Run) -> Iterator[ThreeServers]:
    """Owners and servers, all of whose processes end with the block."""
    made = ThreeServers(folder, run)
    try:
        yield made
    finally:
        made.end()


def test_servers_count_what_none_of_them_sees_and_one_that_was_killed_comes_back(
    tmp_path: Path, run: Callable[..., Done]
) -> None:
    sent = dict.fromkeys(HELD, "sent")
    with servers(tmp_path, run) as made:
        for owner in HELD:
            made.shared(owner, "sent")
        made.shared("clinic", "again")
        others = [made.server(name, sent) for name in SERVERS if name != "east"]
        mixed_up = made.server("east", {**sent, "clinic": "again"})
        receiver = made.coordinator(*DEADLINE)
        assert receiver.wait(PATIENCE) == 2, made.said("coordinator")
        assert "the servers have shares of different sharings, of which nothing can be opened" in made.said(
            "coordinator"
        )
        kill(mixed_up)
        assert [made.charged_to_server(name)[1] for name in SERVERS] == [0] * 3
        killed = made.server("east", sent, program=HALTING, told=["masked 2"])
        receiver = made.coordinator(*DEADLINE)
        at(made, "east", killed, "masked 2")
        kill(killed)
        assert receiver.wait(PATIENCE) == 2, made.said("coordinator")
        assert re.search(rf"nothing was opened: .*; site east: {GONE}\n$", made.said("coordinator"))
        assert not (tmp_path / "model.sfm").exists()
        back = made.server("east", sent)
        receiver = made.coordinator(*DEADLINE)
        assert receiver.wait(PATIENCE) == 0, made.said("coordinator")
        assert [p.wait(PATIENCE) for p in (back, *others)] == [0] * 3, [made.said(n) for n in SERVERS]
    told = {name: sf.Site(tmp_path / name).fingerprint for name in SERVERS}
    found = sf.verify(tmp_path / "model.sfm", sites=told)
    assert [(s.name, s.certified, s.confirmed) for s in found.sites] == [(name, True, True) for name in SERVERS]
    check_paid(made, len(found.certificate.composition.events))
    check_deleted(made)
    drawn = sf.load(tmp_path / "model.sfm").sample(3000, seed=1).arrow.to_pandas()
    delft = drawn.town == "Delft"  # of the council, as smokes is of the clinic
    assert drawn.smokes[delft].mean() > drawn.smokes[~delft].mean() + 0.5


def check_paid(made: ThreeServers, events: int) -> None:
    """Owners once, with the whole plan; servers for each opened table, and for the attempts that failed."""
    for owner in HELD:
        assert made.charged(owner)[1] == 1
    states = {name: made.charged_to_server(name) for name in SERVERS}
    assert {state for state, _ in states.values()} == {"closed"}
    assert states["east"][1] == events, "what was opened before it was killed is not asked again"
    assert min(paid for _, paid in states.values()) >= events


def check_deleted(made: ThreeServers) -> None:
    """Shares and the keys to them are gone; no cell or key of a person is in any file but the owners' tables."""
    left = [path.parent.name for path in made.folder.rglob("*.shares")]
    assert left == ["again"] * 3, "those that no server took part with"
    assert not any((made.folder / name / "sealing.key").exists() for name in SERVERS)
    own = {made.folder / f"{owner}.csv" for owner in HELD} | {made.folder / "persons.txt"}
    secrets = [CANARY.encode(), *(key.encode() for key in PERSONS)]
    assert [path for path, data in all_bytes(made.folder) if path not in own and any(s in data for s in secrets)] == []
