"""The ledger under kills and races: no charge is ever lost, no budget is ever spent twice (L13, L19)."""

from __future__ import annotations

import math
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sfumato.errors import LedgerError, Overdraft
from sfumato.privacy import accounting
from sfumato.privacy.events import Gaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger

ONE = Guarantee(1.0, 1e-9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.ledger"


SPENDER = """
import sys
from sfumato.errors import Overdraft
from sfumato.privacy.events import Gaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
path, noise = sys.argv[1], float(sys.argv[2])
run = Ledger.open(path).begin(Guarantee(5.0, 1e-6), "spender")
print("begun", run.id, flush=True)
sys.stdin.readline()
while True:
    try:
        run.charge(Gaussian(noise))
    except Overdraft:
        print("refused", flush=True)
        break
    print("answer", flush=True)  # only now does an answer exist
"""


def spender(path: Path, noise: float) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", SPENDER, str(path), str(noise)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("begun")
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def answers_after_kill(process: subprocess.Popen[str], after: int) -> int:
    """Kill it as soon as ``after`` answers were seen, wherever it is by then; how many it gave."""
    go(process)
    with process:
        assert process.stdout is not None
        seen = "".join(process.stdout.readline() for _ in range(after))
        process.send_signal(signal.SIGKILL)
        seen += process.stdout.read()
    assert "refused" not in seen
    return seen.count("answer\n")


def test_kill_at_any_moment_loses_no_charge(path: Path) -> None:
    """30 processes killed at random moments: every answer that was seen is in the ledger, at most one more each."""
    draw, seen = random.Random(4), 0
    Ledger.open(path, Guarantee(20.0, 1e-6)).close()
    for _ in range(30):
        seen += answers_after_kill(spender(path, 1e4), draw.randrange(8))
    with Ledger.open(path) as ledger:
        charged = [len(run["events"]) for run in ledger.summary()["runs"]]
        assert {run["state"] for run in ledger.summary()["runs"]} == {"dead"}
        ledger.begin(ONE, "the ledger still works").charge(Gaussian(100.0))
    assert seen > 10, "too few answers to tell"
    assert seen <= sum(charged) <= seen + 30


def test_the_kill_test_catches_a_ledger_that_writes_too_late(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted bug: charges committed in one go at the end of a run."""
    late = SPENDER.replace(
        "while True:",
        "db = run._ledger._connection\n"
        "db.execute('BEGIN')\n"
        "class Late:\n"
        "    in_transaction, executemany = False, db.executemany\n"
        "    def execute(self, sql, *a):\n"
        "        return db.execute('SELECT 1' if sql in ('BEGIN IMMEDIATE', 'COMMIT') else sql, *a)\n"
        "run._ledger._connection = Late()\n"
        "while True:",
    )
    monkeypatch.setattr(sys.modules[__name__], "SPENDER", late)
    seen = sum(answers_after_kill(spender(path, 1e4), 5) for _ in range(3))
    with Ledger.open(path) as ledger:
        charged = sum(len(run["events"]) for run in ledger.summary()["runs"])
    assert seen > charged


def test_a_killed_run_counts_what_it_charged_and_can_be_resumed(path: Path) -> None:
    Ledger.open(path, Guarantee(5.0, 1e-6)).close()
    process = spender(path, 1e4)
    with Ledger.open(path) as ledger:
        with pytest.raises(Overdraft):  # reserved by a live process
            ledger.begin(ONE, "fit")
        with pytest.raises(LedgerError, match="still goes on in process"):
            ledger.resume(1)
        seen = answers_after_kill(process, 5)
        run = ledger.resume(1)
        charged = len(run.events)
        assert charged >= seen
        run.charge(Gaussian(1e4))
        assert len(run.events) == charged + 1
        with pytest.raises(Overdraft):  # reserved again
            ledger.begin(ONE, "fit")
        run.close()
        ledger.begin(ONE, "fit")
        with pytest.raises(LedgerError, match="was closed"):
            ledger.resume(1)
        with pytest.raises(LedgerError, match="holds no run 77"):
            ledger.resume(77)


@pytest.mark.parametrize("affordable", [1, 37])
def test_racing_processes_win_exactly_what_is_left(path: Path, affordable: int) -> None:
    cap = Guarantee(20.0, 1e-6)
    Ledger.open(path, cap).close()
    noise = math.sqrt(100) / accounting.mu_for(cap) * (1 + 1e-9)  # the cap affords exactly 100
    with Ledger.open(path) as ledger:
        most = ledger.begin(cap, "most of it")
        most.charge(Gaussian(noise, 100 - affordable))
        most.close()
        processes = [racer(path, noise) for _ in range(4)]
        for process in processes:
            go(process)
        seen = [p.communicate()[0] for p in processes]
        assert all("refused" in s for s in seen)
        assert sum(s.count("answer\n") for s in seen) == affordable
        assert ledger.summary()["epsilon_spent"] <= 20.0


def racer(path: Path, noise: float) -> subprocess.Popen[str]:
    """A spender that reserves next to nothing and is bound by the cap alone, so that four of them race for it."""
    code = SPENDER.replace(
        "sys.stdin.readline()",
        "run.guarantee = Guarantee(1000.0, 1e-6)\nsys.stdin.readline()",
    ).replace('Guarantee(5.0, 1e-6), "spender"', 'Guarantee(0.001, 1e-6), "spender"')
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path), str(noise)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("begun")
    return process
