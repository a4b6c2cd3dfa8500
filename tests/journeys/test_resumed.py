"""A fit that is killed goes on by the same command, and all its processes together cost one fit."""

import signal
import subprocess
import sys
from functools import partial

import pytest
from tests.journeys.conftest import environment

from sfumato.models import vae

STEPS = 16
SHORT = f"""
import signal, sys
from functools import partial
from sfumato.cli.main import main
from sfumato.models import vae
from sfumato.trust import checkpoint
from sfumato.trust.answer_log import AnswerLog

vae.Vae = partial(vae.Vae, warm_steps=40, steps={STEPS})
place, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
owner = AnswerLog if place == "answers" else checkpoint
right, left = getattr(owner, name), [times]

def halting(*arguments):
    right(*arguments)
    left[0] -= 1
    if not left[0]:
        print("halted", flush=True)
        signal.pause()

setattr(owner, name, halting)
main(sys.argv[4:])
"""
"""Halts, for its killer, as soon as something of the checkpoint was written so many times."""
COMMAND = ("fit", "people.csv", "--schema", "schema.yaml", "--model", "vae", "--epsilon", 1, "--delta", 1e-6)
PLACES = ("--ledger", "l", "-o", "m.sfm", "--checkpoint", "kept")
AFTER_ANSWERS, AFTER_STEPS = ("answers", "keep", 3), ("training", "write", 4)


@pytest.fixture
def started(data, schema, tmp_path):
    """Start the fit, wait until it halts at a state, and kill it there."""

    def start(state, places=PLACES):
        command = [sys.executable, "-c", SHORT, *map(str, (*state, *COMMAND, *places))]
        with subprocess.Popen(command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            assert process.stdout.readline() == "halted\n"
            process.send_signal(signal.SIGKILL)

    return start


@pytest.mark.processes
def test_killed_twice_it_costs_one_fit(started, run, tmp_path, monkeypatch):
    monkeypatch.setattr(vae, "Vae", partial(vae.Vae, warm_steps=40, steps=STEPS))
    started(AFTER_ANSWERS)
    run(*(str(c).replace("vae", "gan") for c in COMMAND), *PLACES).refused("another schema, model, guarantee")
    started(AFTER_STEPS)
    before = run("ledger", "l", "--json").fine().json["runs"]
    assert not (tmp_path / "m.sfm").exists()
    assert [r["state"] for r in before] == ["dead"]
    fitted = run(*COMMAND, *PLACES, "--json").fine().json
    (only,) = run("ledger", "l", "--json").fine().json["runs"]
    assert only["state"] == "closed"
    assert only["events"][: len(before[0]["events"])] == before[0]["events"]
    assert 0.9 < only["epsilon_spent"] <= 1
    assert fitted["epsilon_spent"] == pytest.approx(only["epsilon_spent"])
    steps = sum(e["count"] for e in only["events"] if e["mechanism"] == "PoissonSampledGaussian")
    assert steps == STEPS
    assert run("verify", "m.sfm", "--json").fine().json["valid"]
    assert not (tmp_path / "kept").exists()


def test_a_checkpoint_without_a_guarantee_is_refused(run, data, schema):
    wrong = ("fit", data, "--schema", schema, "--epsilon", "inf", "--checkpoint", "kept")
    run(*wrong).refused("finite epsilon")


def test_another_ledger_and_a_damaged_checkpoint_are_refused(started, run, tmp_path):
    started(AFTER_ANSWERS)
    other = [p if p != "l" else "other" for p in PLACES]
    run(*COMMAND, *other).refused("holds no run 1")
    (tmp_path / "kept" / "answers.safetensors").write_bytes(b"damaged")
    run(*COMMAND, *PLACES).refused("delete it to begin anew")
