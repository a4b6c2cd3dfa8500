"""One holder at a time: no charge ever pays for two answers, whoever takes a run over, and when."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.errors import CheckpointError, LedgerError
from sfumato.privacy import process
from sfumato.privacy.events import Gaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.trust.answer_log import AnswerLog
from sfumato.trust.budget import Budget

PROMISE = Guarantee(1.0, 1e-6)
FENCED = "nothing was released: run 1 was taken over by another process, or given back by this one"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.ledger"


def held_by(path: Path, **facts: object) -> None:
    """Write that another process holds run 1."""
    with sqlite3.connect(path) as db:
        (text,) = db.execute("SELECT process FROM run WHERE id = 1").fetchone()
        db.execute("UPDATE run SET process = ? WHERE id = 1", (json.dumps(json.loads(text) | facts),))
    db.close()


def test_one_process_holds_a_run_once_until_it_gives_it_back(path: Path) -> None:
    ledger = Ledger.open(path)
    first = ledger.begin(PROMISE, "fit")
    with pytest.raises(LedgerError, match="run 1 still goes on in this process; end that first"):
        Ledger.open(path).resume(1)
    first.release()
    with pytest.raises(LedgerError, match=FENCED):
        first.charge(Gaussian(100.0))
    second = ledger.resume(1)
    second.charge(Gaussian(100.0))
    for late in (lambda: first.charge(Gaussian(100.0)), lambda: first.begin_steps(8)):
        with pytest.raises(LedgerError, match=FENCED):
            late()
    first.close()  # is not its to close
    first.release()
    second.charge(Gaussian(100.0))
    assert len(second.events) == 2


@pytest.mark.parametrize("facts", [{"host": "other"}, {"namespace": "pid:[1]"}, {"started": "another boot:7"}])
def test_a_holder_that_cannot_be_seen_is_taken_for_alive_until_someone_says_otherwise(path: Path, facts: dict) -> None:
    """Another host, a pod of the same name on a shared volume, a machine of the same name."""
    ledger = Ledger.open(path)
    first = ledger.begin(PROMISE, "fit")
    held_by(path, **facts)
    assert ledger.summary()["runs"][0]["state"] == "elsewhere"
    with pytest.raises(LedgerError, match=r"cannot be seen from here: make sure that it has ended, .*--take-over"):
        ledger.resume(1)
    first.charge(Gaussian(100.0))
    second = ledger.resume(1, elsewhere=True)
    with pytest.raises(LedgerError, match=FENCED):
        first.charge(Gaussian(100.0))
    second.charge(Gaussian(100.0))


def test_the_word_for_another_host_opens_no_run_that_lives_here(path: Path) -> None:
    ledger = Ledger.open(path)
    ledger.begin(PROMISE, "fit")
    with pytest.raises(LedgerError, match="still goes on"):
        ledger.resume(1, elsewhere=True)
    held_by(path, pid=2**22 + 1)
    assert ledger.summary()["runs"][0]["state"] == "dead"
    ledger.resume(1)


class Killed(BaseException):
    """The process is gone."""


class Taker:
    """A process that takes the run over, asks one question after the other, and may be killed or stalled in between."""

    def __init__(self, ledger: Ledger, folder: Path, given: dict[int, set[float]]) -> None:
        self.ledger, self.folder, self.given = ledger, folder, given
        self.budget: Budget | None = None
        self.asked = 0

    def resume(self) -> None:
        run = self.ledger.resume(1, elsewhere=True)
        self.budget, self.asked = Budget(run, AnswerLog.find(self.folder, {})), 0

    def ask(self, draws: Iterator[int], while_drawing: Callable[[], None] = lambda: None) -> None:
        """The next question; whatever is returned has been given."""
        if self.budget is None:
            self.resume()
        assert self.budget is not None

        def make() -> np.ndarray:
            drawn = next(draws)
            while_drawing()
            return np.array(float(drawn))

        try:
            answer = self.budget.answer(["question", self.asked], [Gaussian(100.0 + self.asked)], make)
        except Killed:
            self.budget = None
        except (LedgerError, CheckpointError):  # fenced, or the log went on without it
            self.budget = None
        else:
            self.given[self.asked].add(float(answer))
            self.asked += 1


STEPS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from(["ask", "kill", "stall", "resume"])), max_size=14)


def play(
    folder: Path, steps: list[tuple[int, str]], without: Callable[[pytest.MonkeyPatch], None] | None = None
) -> int:
    """The most answers that were given to one question, of which each was charged once."""
    with pytest.MonkeyPatch.context() as patch, Ledger.open(None) as ledger:
        patch.setattr(process, "visible", lambda facts: False)  # nobody sees whether the other lives
        if without is not None:
            without(patch)
        run = ledger.begin(PROMISE, "fit")
        AnswerLog.begin(folder, {}, run.id)
        given: dict[int, set[float]] = defaultdict(set)
        takers, draws = [Taker(ledger, folder, given) for _ in range(2)], iter(range(10**6))
        for who, what in steps:
            me, other = takers[who], takers[1 - who]
            if what == "ask":
                me.ask(draws)
            elif what == "resume":
                me.resume()
            elif what == "kill":

                def kill() -> None:
                    raise Killed

                me.ask(draws, kill)
            else:  # the other takes over and goes on while this one draws its noise

                def overtaken(other: Taker = other) -> None:
                    other.resume()
                    for _ in range(3):
                        other.ask(draws)

                me.ask(draws, overtaken)
        events = run.events
        assert len(set(events)) == len(events), "a question was charged twice"
        assert set(given) <= set(range(len(events)))
        return max(map(len, given.values()), default=0)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_two_takers_never_get_two_answers_for_one_charge(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    assert play(tmp_path_factory.mktemp("kept"), steps) <= 1


@pytest.mark.parametrize("bug", ["lease unchecked", "answer kept without the lease"])
def test_the_game_catches_a_lease_that_does_not_hold(tmp_path: Path, bug: str) -> None:
    """Planted bugs: one stalled holder, and a charge pays twice."""

    @contextmanager
    def unheld(self: Run) -> Iterator[None]:
        yield

    def plant(patch: pytest.MonkeyPatch) -> None:
        if bug == "lease unchecked":
            patch.setattr(Ledger, "_check", lambda self, db, run: None)
        else:
            patch.setattr(Run, "held", unheld)

    steps = [(0, "ask"), (0, "stall")]
    assert play(tmp_path / "right", steps) == 1
    assert play(tmp_path / "wrong", steps, plant) == 2


HOLDER = """
import sys
import numpy as np
from pathlib import Path
from sfumato.privacy.events import Gaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.trust.answer_log import AnswerLog
from sfumato.trust.budget import Budget
path, folder = map(Path, sys.argv[1:])
run = Ledger.open(path).begin(Guarantee(1.0, 1e-6), "fit")
budget = Budget(run, AnswerLog.begin(folder, {}, run.id))
def make():
    print("drawing", flush=True)
    sys.stdin.readline()
    return np.array(1.0)
print("given", budget.answer(["question"], [Gaussian(100.0)], make), flush=True)
"""


@pytest.mark.parametrize("taken", [True, False])
def test_a_pod_that_was_retried_elsewhere_gives_nothing_when_it_wakes_up(
    tmp_path: Path, path: Path, taken: bool
) -> None:
    folder = tmp_path / "kept"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "drawing\n"
    with Ledger.open(path) as ledger:
        with pytest.raises(LedgerError, match=f"still goes on in process {holder.pid}"):
            ledger.resume(1)
        if taken:
            held_by(path, host="a pod on another node")
            run = ledger.resume(1, elsewhere=True)
            budget = Budget(run, AnswerLog.find(folder, {}))
            assert budget.answer(["question"], [Gaussian(100.0)], lambda: np.array(2.0)) == 2.0
        said, error = holder.communicate("\n")
        assert ("given" in said) == (not taken)
        assert (FENCED in error) == taken
        assert [len(r["events"]) for r in ledger.summary()["runs"]] == [1]
