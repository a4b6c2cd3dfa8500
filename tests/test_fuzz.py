"""The fuzzer sees every kind of fault, and finds none in a few inputs of each kind.

It forks a process that has imported little and has 2 GiB of address space: so it runs in processes of its own here.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.fuzz.__main__ import KINDS, figures, right_inputs
from benchmarks.fuzz.campaign import Campaign, Tally
from benchmarks.fuzz.kind import Valid
from benchmarks.fuzz.processes import judged

PLANTED = """
import json, os, signal, sys
from pathlib import Path
from benchmarks.fuzz import forked
from benchmarks.fuzz.campaign import Campaign
from benchmarks.fuzz.kind import Kind, Valid
from sfumato.errors import SfumatoError

def recursion(folder): json.loads((folder / "deep.json").read_text())
def unguarded(folder): int((folder / "deep.json").read_text())
class TwoLines(SfumatoError):
    def __str__(self): return "one line\\nand another"
def two_lines(folder): raise TwoLines
def lost(folder): (folder / "deep.json").unlink()
def changed(folder): (folder / "deep.json").write_text("[]")
def memory(folder): bytearray(3 << 30)
def killed(folder): os.kill(os.getpid(), signal.SIGKILL)
def networks(folder): sys.modules["jax"] = json
def refused(folder): raise SfumatoError("one line")

found = {}
for attempt in (recursion, unguarded, two_lines, lost, changed, memory, killed, networks, refused):
    planted = Kind(attempt.__name__, lambda valid, rng: {"deep.json": b"[" * 100_000}, attempt, ())
    tally = Campaign(Valid({}), [planted], Path(sys.argv[1]), seed=1).run(False, 1, float("inf"))
    found[attempt.__name__] = [*tally.faults.elements()]

def computing(folder):
    while True:
        pass

def waiting(folder):
    signal.pause()

found["waiting"] = [forked.attempted(waiting, Path(sys.argv[1]), patience=0.3).fault]
found["computing"] = [forked.attempted(computing, Path(sys.argv[1]), seconds=1).fault]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def valid() -> Valid:
    return right_inputs()


def test_planted_faults_are_seen_kept_and_can_be_repeated(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", PLANTED, tmp_path], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {
        **{key: ["traceback"] for key in ("recursion", "unguarded", "two_lines", "networks")},
        **{key: ["input lost"] for key in ("lost", "changed")},
        "memory": ["memory"],
        "killed": ["kill"],
        "refused": [],
        "computing": ["hang"],
        "waiting": ["hang"],
    }
    kept = tmp_path / "recursion-forked-0"
    assert "--seed 1 --forked --only 0" in (kept / "FAULT.txt").read_text()
    assert (kept / "deep.json").read_bytes() == b"[" * 100_000
    assert not (tmp_path / "refused-forked-0").exists()


def test_a_few_inputs_of_each_kind_show_no_fault(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.fuzz", "--forked", "--inputs", "100", "--seed", "7"]
    done = subprocess.run([*command, "--kept", tmp_path], capture_output=True, text=True, check=False)
    found = {f["name"]: f for f in json.loads(done.stdout.splitlines()[-1])["figures"]}
    assert found.pop("hostile inputs, forked children")["value"] == 100, done.stdout
    forked = {name: f["value"] for name, f in found.items() if name.endswith("forked children")}
    assert set(forked.values()) == {0}, done.stdout
    assert all(f["value"] is None and not f["met"] for name, f in found.items() if name.endswith("command line"))
    for kind in KINDS:
        assert f"'{kind}': " in done.stdout
    assert list(tmp_path.rglob("FAULT.txt")) == []


def test_a_command_is_run_as_a_process(valid: Valid, tmp_path: Path) -> None:
    tally = Campaign(valid, [KINDS["answers"]], tmp_path, seed=3).run(True, 2, float("inf"))
    assert tally.tried == 2
    assert tally.said == []


@pytest.mark.parametrize(
    ("code", "err", "fault"),
    [
        (0, "", ""),
        (2, "sfumato: no such file\n", ""),
        (2, "sfumato: a defect in sfumato: KeyError at x.py:1\n", "traceback"),
        (1, "Traceback (most recent call last):\n", "traceback"),
        (2, "", "traceback"),
        (2, "sfumato: \x1b[2J VALID\n", "traceback"),
        (2, "sfumato: not enough memory for this table\n", "memory"),
        (-signal.SIGSEGV, "", "kill"),
        (-signal.SIGXCPU, "", "hang"),
        (7, "", "traceback"),
    ],
)
def test_what_a_process_says_is_judged(code: int, err: str, fault: str) -> None:
    assert judged(code, err).fault == fault


def test_the_same_seed_gives_the_same_inputs(valid: Valid) -> None:
    for kind in KINDS.values():
        if kind.name != "key":  # fresh keys are drawn by the operating system
            assert kind.make(valid, random.Random("5")) == kind.make(valid, random.Random("5"))


def test_what_was_not_measured_is_not_met() -> None:
    found = {f["name"]: f for f in figures(Tally(tried=5000), Tally(), 1.0)}
    assert found["hostile inputs, forked children"]["met"]
    assert (found["traceback, forked children"]["value"], found["traceback, forked children"]["met"]) == (0, True)
    assert found["traceback, command line"]["value"] is None
    assert not found["traceback, command line"]["met"]
