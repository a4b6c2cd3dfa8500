"""Three parties and a receiver, each a process of its own, from tables of their own to a verified model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any

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
ABSENT = {"hospital": range(20), "insurer": range(20, 40), "council": range(10, 50)}
"""Whom a party has no row of, where there is no list: 50 of 700 are not common."""
MOST = 800


def tables(folder: Path, listed: bool) -> None:
    """A table of each party, in an order of its own; one cell holds a text that nobody else may ever see.

    Where no list says who is in, each lacks some, and has a stranger.
    """
    rng = np.random.default_rng(11)
    age, smokes = rng.integers(20, 90, len(PERSONS)), rng.random(len(PERSONS)) < 0.4
    columns = {
        "age": age,
        "smokes": smokes,
        "ill": smokes & (age > 40),
        "town": np.where(smokes, "Delft", rng.choice(["Ede", "Goes"], len(PERSONS))).astype(object),
    }
    columns["town"][60] = CANARY
    for name, held in HELD.items():
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["person", *held])
            for i in rng.permutation(len(PERSONS)):
                if listed or i not in ABSENT[name]:
                    cells = (str(columns[c][i]).lower() if c != "town" else columns[c][i] for c in held)
                    writer.writerow([PERSONS[i] if i != 60 else f" {PERSONS[i]}", *cells])
            writer.writerow([f"of {name}", *("1" if c == "age" else "false" for c in held)])
    if listed:
        (folder / "persons.txt").write_text("\n".join(PERSONS))
    (folder / "schema.yaml").write_text(SCHEMA)


Run = Callable[..., Done]


class ThreeParties(Hospitals):
    """Folders of three parties and a receiver, made by the commands that people would type.

    Args:
        folder: for all of them.
        run: a command.
        listed: whether a list says who the persons are; else the parties find whom they have in common.
        fitted: options that say what is fitted.
        engines: whether each has an engine for secret shares.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        listed: bool = True,
        fitted: Sequence[str] = ("--model", "mst"),
        engines: bool = False,
    ) -> None:
        self.folder, self.names, self._run = folder, tuple(HELD), run
        self._started, self._of, self._logs = [], {}, []
        tables(folder, listed)
        self._list = ("--persons", "persons.txt") if listed else ()
        columns = [f"--columns={name}={','.join(held)}" for name, held in HELD.items()]
        who = self._list or ("--most-persons", str(MOST))
        named = ("--key", "person", *who, *fitted, "--delta", "1e-6")
        where = ("--address", f"localhost:{free_port()}")
        self.told("mpc", "init", "co", "--schema", "schema.yaml", *columns, *named, *where)
        at = {name: ("--engine", f"localhost:{free_port()}") if engines else () for name in HELD}
        made = {name: self.told("party", "init", name, "--name", name, *at[name]) for name in HELD}
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
        places = (f"{name}/plan.json", f"{name}.csv", *self._list, "--ledger", f"{name}.ledger")
        return self.start(name, *told, "party", "run", *places, *more, program=program)


@contextmanager
def parties(folder: Path, run: Run, listed: bool = True, **more: Any) -> Iterator[ThreeParties]:
    """Three parties, all of whose processes end with the block; see ``ThreeParties`` for what it takes."""
    made = ThreeParties(folder, run, listed, **more)
    try:
        yield made
    finally:
        made.end()


def test_three_processes_count_what_none_of_them_sees(tmp_path: Path, run: Run) -> None:
    """They find whom they have in common themselves, and the receiver learns neither who nor how many."""
    with parties(tmp_path, run, listed=False) as made:
        refusals(tmp_path, run)
        checked = made.told("party", "check", "council/plan.json", "council.csv")
        assert (checked["rows"], checked["rows_outside_facts"]) == (661, 2)
        words = "\n".join(checked["words"])
        assert "ANY TWO PARTIES TOGETHER" in words
        assert "EACH PARTY LEARNS WHO IS COMMON" in words
        notes = "\n".join(checked["keys"])
        assert "1 keys have spaces around them" in notes
        assert "most keys look like A-0000" in notes
        assert "CAN BE GUESSED" in notes
        sites = [made.site(name) for name in made.names]
        receiver = made.coordinator("--json")
        assert receiver.wait(PATIENCE) == 0, made.said("coordinator")
        assert [site.wait(PATIENCE) for site in sites] == [0, 0, 0], [made.said(n) for n in made.names]
    told = {name: sf.Site(tmp_path / name).fingerprint for name in made.names}
    found = sf.verify(tmp_path / "model.sfm", sites=told)
    assert [(s.name, s.certified, s.confirmed) for s in found.sites] == [(name, True, True) for name in made.names]
    split = found.certificate.federation.split
    assert (split.alignment, split.number) == ("private intersection", MOST)
    for name in made.names:
        assert "650 persons are common to all three parties" in made.said(name)
    assert "650" not in made.said("coordinator")
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
    """What a party finds at home: another's table, a list that the plan does not want."""
    for words, said in (
        (["council.csv"], "lacks the column 'smokes'"),
        (["insurer.csv", "--persons", "insurer.csv"], "no list of persons: leave --persons out"),
    ):
        refused = run("party", "check", "insurer/plan.json", *words)
        assert (refused.code, said in refused.err) == (2, True), refused.err


def kept_to_itself(made: ThreeParties) -> None:
    """No cell of a party, and no key of a person, is in any file but its own table."""
    own = {made.folder / f"{name}.csv" for name in HELD}
    secrets = [CANARY.encode(), *(key.encode() for key in PERSONS)]
    said = [path for path, data in all_bytes(made.folder) if path not in own and any(s in data for s in secrets)]
    assert said == []
    assert json.loads((made.folder / "co" / "status.json").read_text())["stage"] == "done"
