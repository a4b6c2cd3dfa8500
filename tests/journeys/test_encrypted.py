"""Three parties, each a process with an engine of its own, train what none of them sees, for one of them."""

from __future__ import annotations

from pathlib import Path
from subprocess import Popen

import pytest
from tests.journeys.conftest import CANARY, Done
from tests.journeys.hospitals import PATIENCE, all_bytes
from tests.journeys.test_parties import Run, ThreeParties

import sfumato as sf

pytestmark = pytest.mark.engine
FOR = "insurer"


class Training(ThreeParties):
    """The same three, who train on shares for one of them."""

    def __init__(self, folder: Path, run: Run, engine: Path) -> None:
        super().__init__(folder, run, fitted=("--encrypted-for", FOR, "--steps", "50"), engines=True)
        self.engine = engine

    def party(self, name: str, *more: object) -> Popen[str]:
        """The process of a party; the one that obtains the model is told where it goes."""
        output = ("-o", f"{name}.sfm") if name == FOR else ()
        return self.site(name, "--engine", self.engine, *output, *more)


def ended(made: Training, status: int, sites: list[Popen[str]], receiver: Popen[str]) -> None:
    assert receiver.wait(PATIENCE) == status, made.said("coordinator")
    assert [site.wait(PATIENCE) for site in sites] == [status] * 3, [made.said(name) for name in made.names]


def test_three_processes_train_for_one_of_them(tmp_path: Path, run: Run, engine: Path) -> None:
    made = Training(tmp_path, run, engine)
    try:
        checked = made.told(
            "party", "check", "hospital/plan.json", "hospital.csv", "--persons", "persons.txt", "--engine", str(engine)
        )
        words = "\n".join(checked["words"])
        assert f"WITHOUT DIFFERENTIAL PRIVACY: {FOR}, and nobody else, obtains the parameters" in words
        assert "They may reveal rows" in words
        refused(run, tmp_path, engine)
        sites = [made.party(name) for name in made.names]
        ended(made, 0, sites, made.start("coordinator", "mpc", "run", "co", "--wait", 60, "--json"))
    finally:
        made.end()
    assert f"{FOR} alone has the model" in made.said("coordinator") or '"receiver": "insurer"' in made.said(
        "coordinator"
    )
    assert [path.name for path in tmp_path.glob("*.sfm")] == [f"{FOR}.sfm"]
    model = tmp_path / f"{FOR}.sfm"
    loaded = sf.load(model)
    assert isinstance(loaded.certificate, sf.NoCertificate)
    assert loaded.sample(50, seed=1).arrow.column_names == ["person", "age", "smokes", "ill", "town"]
    assert loaded.encode(loaded.sample(4, seed=2).arrow).shape == (4, 16)
    said: Done = run("verify", str(model))
    assert said.code != 0
    assert "WITHOUT differential privacy" in said.err
    assert not (tmp_path / "hospital.ledger").exists()
    for name in ("hospital", "insurer", "co"):
        assert CANARY.encode() not in all_bytes(tmp_path / name)


def refused(run: Run, folder: Path, engine: Path) -> None:
    """A party that does not say where its model goes, and one that wants a model that is not its own."""
    places = (f"{FOR}/plan.json", f"{FOR}.csv", "--persons", "persons.txt", "--engine", str(engine))
    assert "say where it goes" in run("party", "run", *places).err
    places = ("hospital/plan.json", "hospital.csv", "--persons", "persons.txt", "--engine", str(engine))
    assert "no output is written at any other party" in run("party", "run", *places, "-o", "mine.sfm").err
