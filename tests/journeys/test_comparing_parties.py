"""Three parties that compare on secret shares: AIM round by round, and what becomes of a run whose engine is lost."""

from __future__ import annotations

import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.journeys.hospitals import PATIENCE
from tests.journeys.test_killed_sites import DEADLINE
from tests.journeys.test_parties import HELD, PERSONS, SCHEMA, Run, ThreeParties, parties, tables

import sfumato as sf
from sfumato.errors import FederationError

pytestmark = pytest.mark.engine

GONE = 15
"""Seconds after which the others have ended."""


def engine_of(made: ThreeParties, name: str) -> psutil.Process:
    """The engine's process of a party."""
    found = psutil.Process(made._of[name].pid).children(recursive=True)
    return next(process for process in found if "session_process" in " ".join(process.cmdline()))


def test_three_processes_select_on_shares(engine: Path, tmp_path: Path, run: Run) -> None:
    with parties(tmp_path, run, fitted=("--model", "aim"), engines=True) as made:
        plan = made.federation.plan
        assert [kind for kind in plan.questions if kind != "count"] == ["marginals", "selection"]
        words = "\n".join(plan.words())
        for party in plan.engine:
            assert f"Party {party.name} listens at localhost:{party.port} for the engine." in words
        sites = [made.site(name, "--engine", engine) for name in made.names]
        receiver = made.coordinator("--json")
        assert receiver.wait(PATIENCE) == 0, made.said("coordinator") + "".join(map(made.said, made.names))
        assert [site.wait(PATIENCE) for site in sites] == [0, 0, 0], [made.said(n) for n in made.names]
    found = sf.verify(tmp_path / "model.sfm")
    events = Counter(event["mechanism"] for event in found.certificate.to_dict()["composition"]["events"])
    assert events["NoisyMax"] >= 4
    for name in made.names:
        assert made.charged(name) == ("closed", sum(events.values()))
    assert any("SecretFlow SPU" in line for line in found.certificate.to_dict()["limits"])


def test_a_party_without_its_engine_says_so_before_it_takes_part(engine: Path, tmp_path: Path, run: Run) -> None:
    with parties(tmp_path, run, fitted=("--model", "aim"), engines=True) as made:
        alone = made.site("insurer", "--engine", tmp_path)
        assert alone.wait(PATIENCE) == 2
        assert "holds no engine: sfumato party install" in made.said("insurer")


@pytest.mark.parametrize("lost", ["engine", "stopped engine", "party"])
def test_where_a_party_is_lost_during_a_selection_the_run_ends(
    engine: Path, tmp_path: Path, run: Run, lost: str
) -> None:
    """The receiver says why in time; who was asked has paid, and what is opened later is paid for anew."""
    halting = (
        "import pathlib, sys, time\nfrom sfumato.trust.mpc import engine_site\n"
        "right, calls = engine_site.EngineSite._run, []\n"
        "def run(self, *more):\n"
        "    calls.append(1)\n"
        "    if len(calls) == 3:\n"
        "        pathlib.Path('halted').touch()\n"
        "        while not pathlib.Path('go').exists(): time.sleep(0.02)\n"
        "    return right(self, *more)\n"
        "engine_site.EngineSite._run = run\nfrom sfumato.cli.main import main\nmain(sys.argv[1:])"
    )
    with parties(tmp_path, run, fitted=("--model", "aim"), engines=True) as made:
        [made.site(name, "--engine", engine) for name in made.names if name != "insurer"]
        made.site("insurer", "--engine", engine, program=halting)
        receiver = made.coordinator(*DEADLINE)
        end = time.monotonic() + PATIENCE
        while not (tmp_path / "halted").exists():
            assert receiver.poll() is None, made.said("coordinator")
            assert time.monotonic() < end
            time.sleep(0.05)
        charged = {name: made.charged(name)[1] for name in HELD}
        process = psutil.Process(made._of["insurer"].pid) if lost == "party" else engine_of(made, "insurer")
        process.send_signal(signal.SIGSTOP if lost == "stopped engine" else signal.SIGKILL)
        (tmp_path / "go").touch()
        assert receiver.wait(GONE) == 2
        with suppress(psutil.NoSuchProcess):
            process.kill()
        said = made.said("coordinator")
        assert "nothing was selected; site" in said, said
        assert "insurer is gone" in said or "site insurer: " in said, said
        if lost == "party":
            made._of["insurer"].wait(PATIENCE)
            made.site("insurer", "--engine", engine)
        assert {name: made.charged(name)[1] for name in HELD} == charged  # paid before, and nothing since
        assert len(set(charged.values())) == 1
        again = made.coordinator(*DEADLINE)
        assert again.wait(PATIENCE) == 0, made.said("coordinator") + "".join(map(made.said, made.names))
        assert [made._of[name].wait(PATIENCE) for name in made.names] == [0, 0, 0]
    found = sf.verify(tmp_path / "model.sfm")
    opened = len(found.certificate.to_dict()["composition"]["events"])
    for name in made.names:
        assert made.charged(name) == ("closed", opened + 1)  # what was lost stays paid


@pytest.mark.parametrize("model", ["aim", "mst"])
def test_simulated_parties_compare_with_processes_of_their_own(engine: Path, tmp_path: Path, model: str) -> None:
    tables(tmp_path, listed=True)
    source = [tmp_path / f"{name}.csv" for name in HELD]
    met = sf.parties(source, key="person", persons=PERSONS, names=list(HELD), engine=sf.Engine(engine))
    synthesizer = sf.Synthesizer(sf.Schema.parse(SCHEMA), model, sf.Guarantee(3, 1e-6)).fit(met)
    events = Counter(event["mechanism"] for event in synthesizer.certificate.to_dict()["composition"]["events"])
    assert (events["NoisyMax"] > 0) == (model == "aim")
    drawn = synthesizer.sample(3000, seed=1).arrow.to_pandas()
    assert drawn.smokes[drawn.town == "Delft"].mean() > drawn.smokes[drawn.town != "Delft"].mean() + 0.5


def test_an_engine_is_for_a_list_of_persons(engine: Path) -> None:
    with pytest.raises(FederationError, match="give the list of persons"):
        sf.parties(["a.csv", "b.csv", "c.csv"], key="person", most_persons=9, engine=sf.Engine(engine))
