"""One party's side of a training on shares: what it gives, what it asks for, and to whom the last parameters go."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np
import pytest
from tests.trust.mpc.encrypted.columns import COLUMNS, PERSONS, SEED, codes, own, rows, start

from sfumato.errors import EngineError
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.mpc.encrypted.program import BOX, TrainingPrograms, descended, shared
from sfumato.trust.mpc.encrypted.shared_training import SharedTraining
from sfumato.trust.mpc.encrypted.trial import drawn_for
from sfumato.trust.mpc.engine.local_parties import at_once, local_sessions
from sfumato.trust.mpc.engine.run_order import Keep, KeptSecret, OpenTo, OwnSecret, PeerSecret, PublicInput
from sfumato.trust.mpc.engine.session import EngineSession

RUNS, RECEIVER = 2, 2
PROGRAMS = TrainingPrograms.of(COLUMNS)


class Asked:
    """In the place of a session: keeps what it is asked for, and opens what it is told to."""

    def __init__(self, rank: int, opened: np.ndarray) -> None:
        self.rank, self.opened = rank, opened
        self.asked: list[tuple[object, list[object], list[object]]] = []

    def run(self, program, arguments, results):
        self.asked.append((program, list(arguments), list(results)))
        return [self.opened if result == OpenTo(self.rank) else None for result in results]


def training(session, columns: list[np.ndarray]) -> SharedTraining:
    return SharedTraining(session, COLUMNS, PROGRAMS, own(columns, session.rank), start(), SEED, RUNS, RECEIVER)


@pytest.mark.parametrize("rank", range(PARTIES))
def test_nothing_is_opened_but_the_last_parameters_to_one_party(rank: int) -> None:
    asked = Asked(rank, np.zeros(COLUMNS.objective.numbers, np.float32))
    made = training(asked, codes())
    made.share()
    found = [made.step() for _ in range(RUNS)]
    assert [array is not None for array in found] == [False, rank == RECEIVER]
    (_, given, kept), *runs = asked.asked
    assert [type(one) for one in given[1:]] == [OwnSecret if place == rank else PeerSecret for place in range(PARTIES)]
    assert isinstance(given[0], OwnSecret if rank == 0 else PeerSecret)
    assert all(isinstance(result, Keep) for result in kept)
    for _, arguments, _ in runs:
        assert [type(one) for one in arguments] == [KeptSecret] * 5 + [PublicInput] * 2
    assert [results for *_, results in runs] == [[Keep("parameters")], [OpenTo(RECEIVER)]]


def test_a_receiver_does_not_take_parameters_of_a_training_that_diverged() -> None:
    asked = Asked(RECEIVER, np.full(COLUMNS.objective.numbers, BOX, np.float32))
    made = training(asked, codes())
    made.step()
    with pytest.raises(EngineError, match="the training diverged"):
        made.step()


def twin(columns: list[np.ndarray], present: np.ndarray, runs: int) -> np.ndarray:
    """The same training in the open."""
    steps = jax.jit(lambda *given: descended(COLUMNS, *given))
    state = [np.asarray(one) for one in shared(COLUMNS, start(), *rows(columns, present))]
    for run in range(runs):
        state[0] = np.asarray(steps(*state, *drawn_for(COLUMNS, SEED, run, PERSONS)))
    return state[0]


@pytest.mark.engine
def test_on_shares_parameters_are_those_of_the_plain_twin(engine: Path, tmp_path: Path) -> None:
    columns, present = codes(), np.arange(PERSONS) % 10 > 0

    def party(session: EngineSession) -> np.ndarray | None:
        mine = own(columns, session.rank, present if session.rank == 0 else None)
        made = SharedTraining(session, COLUMNS, PROGRAMS, mine, start(), SEED, RUNS, RECEIVER)
        made.share()
        return [made.step() for _ in range(RUNS)][-1]

    with local_sessions(engine, tmp_path / "parties") as sessions:
        found = at_once(sessions, party)
    assert [array is None for array in found] == [True, True, False]
    expected = twin(columns, present, RUNS)
    assert np.abs(expected - start()).max() > 0.05
    assert np.abs(found[RECEIVER] - expected).max() < 1e-3
