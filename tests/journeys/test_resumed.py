"""A fit that is killed goes on by the same command, and all its processes together cost one fit."""

import random
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from tests.journeys.conftest import environment

from sfumato.models import vae

STEPS = 16
SHORT = f"""
import sys
from functools import partial
from sfumato.cli.main import main
from sfumato.models import vae
vae.Vae = partial(vae.Vae, warm_steps=40, steps={STEPS})
main(sys.argv[1:])
"""
COMMAND = ("fit", "people.csv", "--schema", "schema.yaml", "--model", "vae", "--epsilon", 1, "--delta", 1e-6)
PLACES = ("--ledger", "l", "-o", "m.sfm", "--checkpoint", "kept")


@pytest.fixture
def started(data, schema, tmp_path):
    """Start the fit, wait until a file of the checkpoint is there, and kill it a random moment later."""

    def start(name):
        command = [sys.executable, "-c", SHORT, *map(str, (*COMMAND, *PLACES))]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True)
        while process.poll() is None and not (tmp_path / "kept" / name).exists():
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()

    return start


def test_killed_twice_it_costs_one_fit(started, run, tmp_path, monkeypatch):
    monkeypatch.setattr(vae, "Vae", partial(vae.Vae, warm_steps=40, steps=STEPS))
    started("answers.safetensors")
    run(*(str(c).replace("vae", "gan") for c in COMMAND), *PLACES).refused("another schema, model, guarantee")
    started("training.safetensors")
    before = run("ledger", "l", "--json").fine().json["runs"]
    assert not (tmp_path / "m.sfm").exists()  # compiling the steps alone takes longer than the killer waits
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
    started("answers.safetensors")
    other = [p if p != "l" else "other" for p in PLACES]
    run(*COMMAND, *other).refused("holds no run 1")
    (tmp_path / "kept" / "answers.safetensors").write_bytes(b"damaged")
    run(*COMMAND, *PLACES).refused("delete it to begin anew")
