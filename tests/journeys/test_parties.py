"""Three parties and a receiver, each a process of its own, from tables of their own to a verified model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import numpy as np
from tests.journeys.conftest import CANARY, Done
from tests.journeys.hospitals import PATIENCE, Hospitals, all_bytes, free_port, json_of

import sfumato as sf

SCHEMA = """\
sfumato: schema/1
columns:
  person: {kind: identifier, source: public}
  age: {kind: integer, bounds: [0, 99], source: public}
  smokes: {kind: boolean, source: public}
  ill: {kind: boolean, source: public}
  town: {kind: category, categories: [Delft, Ede, Goes], outside: other, source: public}
"""
HELD = {"hospital": ("age", "ill"), "insurer": ("smokes",), "council": ("town",)}
PERSONS = [f"P-{i:04d}" for i in range(700)]


def tables(folder: Path) -> None:
    """A table of each party, in an order of its own; one cell holds a text that nobody else may ever see."""
    rng = np.random.default_rng(11)
    age, smokes = rng.integers(20, 90, len(PERSONS)), rng.random(len(PERSONS)) < 0.4
    columns = {
        "age": age,
        "smokes": smokes,
        "ill": smokes & (age > 40),
        "town": np.where(smokes, "Delft", rng.choice(["Ede", "Goes"], len(PERSONS))).astype(object),
    }
    columns["town"][3] = CANARY
    for name, held in HELD.items():
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["person", *held])
            for i in rng.permutation(len(PERSONS)):
                writer.writerow(
                    [PERSONS[i], *(str(columns[c][i]).lower() if c != "town" else columns[c][i] for c in held)]
                )
    (folder / "persons.txt").write_text("\n".join(PERSONS))
    (folder / "schema.yaml").write_text(SCHEMA)


Run = Callable[..., Done]


class ThreeParties(Hospitals):
    """Folders of three parties and a receiver, made by the commands that people would type."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.folder, self.names, self._run = folder, tuple(HELD), run
        self._started, self._of, self._logs = [], {}, []
        tables(folder)
        columns = [f"--columns={name}={','.join(held)}" for name, held in HELD.items()]
        named = ("--key", "person", "--persons", "persons.txt", "--model", "mst", "--delta", "1e-6")
        where = ("--address", f"localhost:{free_port()}")
        self.told("mpc", "init", "co", "--schema", "schema.yaml", *columns, *named, *where)
        made = {name: self.told("party", "init", name, "--name", name) for name in HELD}
        self.told("mpc", "plan", "co", *(str(answer["request"]) for answer in made.values()))
        for name in HELD:
            others = [f"{other}={told['fingerprint']}" for other, told in made.items() if other != name]
            self.told("party", "confirm", name, *others)
            (folder / name / "plan.json").write_bytes((folder / "co" / "plan.json").read_bytes())
        self.federation = sf.Federation(folder / "co")

    def told(self, *arguments: str) -> dict[str, object]:
        """What a command that went well printed."""
        done = self._run(*arguments, "--json")
        assert done.code == 0, done.err
        return json_of(done.out)

    def site(self, name: str, *more: object, program: str | None = None, told: Sequence[object] = ()) -> Popen[str]:
        """The process of a party."""
        places = (f"{name}/plan.json", f"{name}.csv", "--persons", "persons.txt", "--ledger", f"{name}.ledger")
        return self.start(name, *told, "party", "run", *places, *more, program=program)


@contextmanager
def parties(folder: Path, run: Run) -> Iterator[ThreeParties]:
    """Three parties, all of whose processes end with the block."""
    made = ThreeParties(folder, run)
    try:
        yield made
    finally:
        made.end()


def test_three_processes_count_what_none_of_them_sees(tmp_path: Path, run: Run) -> None:
    with parties(tmp_path, run) as made:
        refusals(tmp_path, run)
        checked = made.told("party", "check", "insurer/plan.json", "insurer.csv", "--persons", "persons.txt")
        assert (checked["rows"], checked["rows_outside_facts"]) == (700, 0)
        assert "ANY TWO PARTIES TOGETHER" in "\n".join(checked["words"])
        sites = [made.site(name) for name in made.names]
        receiver = made.coordinator("--json")
        assert receiver.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites] == [0, 0, 0], [made.said(n) for n in made.names]
    told = {name: sf.Site(tmp_path / name).fingerprint for name in made.names}
    found = sf.verify(tmp_path / "model.sfm", sites=told)
    assert [(s.name, s.certified, s.confirmed) for s in found.sites] == [(name, True, True) for name in made.names]
    split = found.certificate.federation.split
    assert {n: tuple(c) for n, c in zip(HELD, split.columns, strict=True)} == HELD
    events = len(found.certificate.composition.events)
    for name in made.names:
        assert made.charged(name) == ("closed", events)
    kept_to_itself(made)
    drawn = sf.load(tmp_path / "model.sfm").sample(3000, seed=1).arrow.to_pandas()
    delft = drawn.town == "Delft"  # of the council, as smokes is of the insurer and ill of the hospital
    assert drawn.smokes[delft].mean() > drawn.smokes[~delft].mean() + 0.5
    assert drawn.ill[drawn.smokes].mean() > drawn.ill[~drawn.smokes].mean() + 0.3


def refusals(folder: Path, run: Run) -> None:
    """What a party finds at home: another's table, another list."""
    (folder / "short.txt").write_text("\n".join(PERSONS[1:]))
    for table, persons, said in (
        ("council.csv", "persons.txt", "lacks the column 'smokes'"),
        ("insurer.csv", "short.txt", "another list of 699 persons than the 700 of the plan"),
    ):
        refused = run("party", "check", "insurer/plan.json", table, "--persons", persons)
        assert (refused.code, said in refused.err) == (2, True), refused.err


def kept_to_itself(made: ThreeParties) -> None:
    """No cell of a party, and no key of a person, is in any file but its own table and the list."""
    own = {made.folder / f"{name}.csv" for name in HELD} | {made.folder / "persons.txt", made.folder / "short.txt"}
    secrets = [CANARY.encode(), *(key.encode() for key in PERSONS)]
    said = [path for path, data in all_bytes(made.folder) if path not in own and any(s in data for s in secrets)]
    assert said == []
    assert json.loads((made.folder / "co" / "status.json").read_text())["stage"] == "done"
