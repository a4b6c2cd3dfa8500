"""Parties that compare: exact where there is no noise, charged before it is drawn, refused where it is not agreed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.trust.board import Board
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import DOMAIN, Parties, people, together

from sfumato.errors import EngineError, FederationError
from sfumato.privacy import gdp
from sfumato.privacy.events import DistributedDiscreteGaussian, NoisyMax
from sfumato.trust.budget import Budget
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.mpc import engine_site
from sfumato.trust.mpc.comparing import selection_of
from sfumato.trust.mpc.engine.selection import measured, selected
from sfumato.trust.mpc.engine_site import EngineSite
from sfumato.trust.questions import Marginals, Query, Selection
from sfumato.trust.secure_sum.terms import RoundNumber
from sfumato.trust.setting import Candidate

PEOPLE = people(300)
LEAST = -(2**63)
GONE = [np.arange(300) % 50 == place for place in range(3)]
PAIRS = [(i, j) for i in range(5) for j in range(i + 1, 5)]


@pytest.fixture(autouse=True)
def _in_plain_jax(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_site, "selecting", selected)
    monkeypatch.setattr(engine_site, "measuring", measured)


def seated(board: Board, epsilon: float = math.inf, **more) -> Parties:
    return Parties(PEOPLE, Budget(run_of(epsilon)), engine=board, rounds=8, **more)


def exactly(query: Query, gone: list[np.ndarray] | None = None) -> np.ndarray:
    return together(PEOPLE, gone).table(query)


def candidates(seed: int = 0) -> list[Candidate]:
    rng = np.random.default_rng(seed)
    made = []
    for place, pair in enumerate(PAIRS):
        query = Query(pair)
        guess = exactly(query) + rng.normal(0, 3, query.shape(DOMAIN))
        made.append(Candidate(query, guess, 2.0 if place % 3 == 0 else 1.0, bias=5.5))
    return made


def score(candidate: Candidate, gone: list[np.ndarray] | None = None) -> float:
    return candidate.weight * (np.abs(exactly(candidate.query, gone) - candidate.estimate).sum() - candidate.bias)


@pytest.mark.parametrize("seed", range(3))
def test_without_noise_the_worst_is_selected(seed: int) -> None:
    asked = candidates(seed)
    assert seated(Board()).setting.select(asked, math.inf) == int(np.argmax([score(c) for c in asked]))


def test_distances_are_those_of_the_tables_also_of_coarser_codes() -> None:
    made = seated(Board())
    asked = [replace(c, weight=1.0) for c in candidates()]
    found = made.setting.distances(asked, math.inf)
    assert np.abs(found - [score(c) for c in asked]).max() < 0.05  # estimates are rounded to 2^-10
    maps = [np.arange(size) // 2 for size in DOMAIN.sizes]
    query = Query((0, 4), (np.array([0, 1, 1, 0]), np.arange(3)))
    (far,) = made.setting.coarsened(maps).distances([Candidate(query, np.zeros(6))], math.inf)
    assert far == len(PEOPLE)
    fine = Query((0, 4), (query.groups[0][maps[0]], maps[4]))  # type: ignore[index]
    (near,) = made.setting.coarsened(maps).distances([Candidate(query, exactly(fine))], math.inf)
    assert near == 0


def test_who_is_absent_somewhere_is_in_no_table_with_its_columns() -> None:
    made = seated(Board(), absent=GONE)
    (found,) = made.setting.distances([Candidate(Query((0, 2)), np.zeros((7, 2)))], math.inf)
    assert found == exactly(Query((0, 2)), [GONE[0], GONE[1]]).sum()


def test_a_selection_is_paid_for_by_all_before_it_is_run() -> None:
    """Toward another party once at twice the epsilon; toward whoever gets the model at it."""
    board = Board()
    made = seated(board, 2.0)
    charged: list[int] = []
    board.before = lambda rank: charged.append(len(made.runs[rank].events))
    made.setting.select(candidates(), 0.1)
    assert charged == [1, 1, 1]
    (event,) = made.setting._budget.run.events
    assert isinstance(event, NoisyMax)
    assert [run.events for run in made.runs] == [(NoisyMax(2 * event.epsilon, 2),)] * 3
    assert gdp.pure_mu(2 * event.epsilon) == pytest.approx(math.sqrt(2) * gdp.exponential_mu(0.1))
    spent = (gdp.exponential_mu(0.1) / made.setting.mu(1.0)) ** 2
    assert made.setting.remaining == pytest.approx(1 - spent)  # as toward a party


def test_every_party_adds_its_part_of_the_noise() -> None:
    """Each a third of the variance, of which two parts are 2 b^2, that of integer Laplace noise of scale b."""
    board = Board()
    made = seated(board, 2.0)
    asked = [Candidate(Query((4,)), np.zeros(5), 1.0 + i % 2, bias=2.5) for i in range(300)]
    made.setting.select(asked, 0.4)
    (event,) = made.setting._budget.run.events
    assert isinstance(event, NoisyMax)
    question = selection_of(asked, len(PEOPLE), 1, 1 / event.epsilon, DOMAIN)
    step = 2 * question.moved_by(1)
    for rank, (_, noise) in board.given[-1].items():
        whole = (noise + 2**31) % 2**32 - 2**31
        drawn = whole + (question.weights * question.biases if rank == 0 else 0)
        assert (drawn % step == 0).all()
        assert np.mean((drawn / step) ** 2) == pytest.approx(1 / event.epsilon**2, rel=0.8)


def test_distances_have_the_noise_of_all_and_cost_a_party_twice_the_sensitivity() -> None:
    made = seated(Board(), 2.0)
    mu = made.setting.mu(0.5)
    asked = [replace(c, weight=1.0, bias=0.0) for c in candidates()]
    found = made.setting.distances(asked, mu)
    events = made.setting._budget.run.events
    assert len(events) == len(asked)
    (event,) = set(events)
    assert isinstance(event, DistributedDiscreteGaussian)
    each = mu / math.sqrt(2 * len(asked))
    assert event.sigma == pytest.approx(1024 / each, rel=0.02)  # in units of 2^-10
    assert event.sensitivity == 1024
    for run in made.runs:
        assert set(run.events) == {replace(event, sensitivity=2 * 1024)}
    away = np.abs(found - [score(c) for c in asked])
    assert 0 < away.max() < 8 * math.sqrt(1.5) / each
    assert made.setting.remaining == pytest.approx(0.5, abs=0.01)


def test_indices_that_differ_are_not_taken() -> None:
    board = Board(found=lambda rank, result: result + (rank == 2))
    with pytest.raises(FederationError, match="the parties opened different indices of one selection"):
        seated(board).setting.select(candidates(), math.inf)


def test_an_index_of_no_candidate_is_not_taken() -> None:
    board = Board(found=lambda rank, result: result * 0 + 99)
    with pytest.raises(FederationError, match="an index that no candidate has"):
        seated(board).setting.select(candidates(), math.inf)


def test_where_an_engine_is_lost_the_others_end_and_all_have_paid() -> None:
    board = Board()
    made = seated(board, 2.0)

    def gone(rank: int) -> None:
        if rank == 1:
            board.barrier.abort()
            raise EngineError("the process of this party's engine ended with status -9")

    board.before = gone
    with pytest.raises(FederationError, match=r"nothing was selected; .*; site party-1: its engine: the process"):
        made.setting.select(candidates(), 0.1)
    assert [len(run.events) for run in made.runs] == [1, 1, 1]
    assert made.rounds.opened_rounds == 0


def request(question: Selection, epsilon: float = 0.1, round_: int = 7) -> bytes:
    return SumRequest(RoundNumber(round_), question, (epsilon,)).data


def asking(made: Parties, pairs: list[tuple[int, ...]], **changed) -> Selection:
    asked = [Candidate(Query(pair), np.zeros(DOMAIN.shape(pair))) for pair in pairs]
    return replace(selection_of(asked, len(PEOPLE), 1, 10.0, DOMAIN), **changed)


def wrapping(made: Parties, estimate: int = 0, **changed) -> Selection:
    """Scores that noise wraps around, beside a number whose absolute value is negative: it would hide that they do."""
    asked = asking(made, [(0, 1)], weights=np.array([2**20]), **changed)
    estimates = np.where(np.arange(len(asked.distances.estimates)) == 0, estimate, 0)
    return replace(asked, distances=replace(asked.distances, estimates=estimates))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: request(asking(made, [(0, 2), (1, 3)])), "nothing is dealt before the parties were told"),
        (lambda made: request(asking(made, [(0, 2, 3)])), "are of two columns"),
        (lambda made: request(asking(made, [(0, 1)]), math.inf), "a selection without noise"),
        (lambda made: request(asking(made, [(0, 1)]), 1e-5), "parties select at"),
        (lambda made: request(asking(made, [(0, 1)], weights=np.array([2**19]))), "could pass 2.30"),
        (lambda made: request(asking(made, [(0, 1)], weights=np.array([0]))), "whole numbers from 1"),
        (lambda made: request(wrapping(made, biases=np.array([LEAST]))), "a bias is larger"),
        (lambda made: request(wrapping(made, estimate=LEAST)), "an estimate is larger"),
        (lambda made: SumRequest(RoundNumber(7), Marginals((Query((0,)),)), (0.1,)).data, "asked for by candidates"),
    ],
    ids=[
        "not dealt",
        "three columns",
        "no noise",
        "too much noise",
        "too large",
        "no weight",
        "least bias",
        "least estimate",
        "no selection",
    ],
)
def test_a_candidate_outside_the_plan_is_refused_before_anything_is_charged(
    change: Callable[[Parties], bytes], said: str
) -> None:
    board = Board()
    made = seated(board, 2.0)
    with pytest.raises(FederationError, match=said):
        made.sites[0].call("select", change(made))
    assert made.runs[0].events == ()
    assert board.given == []


def test_a_column_that_the_plan_has_not_is_refused() -> None:
    made = seated(Board(), 2.0)
    good = asking(made, [(0, 1)])
    tables = Marginals((Query((0, 9)),))
    with pytest.raises(FederationError, match="a table is of columns in ascending order among the 5"):
        made.sites[0].call("select", request(replace(good, distances=replace(good.distances, tables=tables))))
    assert made.runs[0].events == ()


def test_a_selection_is_no_sum() -> None:
    made = seated(Board(), 2.0)
    with pytest.raises(FederationError, match="a selection is no sum"):
        made.sites[0].call("masked", request(asking(made, [(0, 1)])))
    assert made.runs[0].events == ()


def test_a_plan_without_engines_answers_no_comparison() -> None:
    made = Parties(PEOPLE, Budget(run_of(2.0)), rounds=8)
    assert not made.setting.compares
    for ask in (
        lambda: made.setting.select(candidates(), 0.1),
        lambda: made.setting.distances(candidates(), 0.1),
    ):
        with pytest.raises(FederationError, match="names no engine, and without one parties do not compare"):
            ask()
    with pytest.raises(FederationError, match="no such method"):
        made.sites[0].call("select", request(asking(made, [(0, 1)])))


def test_nothing_is_compared_before_the_engines_have_met() -> None:
    made = seated(Board(), 2.0)
    first = made.sites[0]
    assert isinstance(first, EngineSite)
    first.close()
    with pytest.raises(FederationError, match="before the engines have found each other"):
        first.call("select", request(asking(made, [(0, 1)])))
    assert made.runs[0].events == ()


def test_a_number_is_used_once() -> None:
    board = Board()
    made = seated(board, 2.0)
    made.setting.select(candidates(), 0.1)
    asked = request(asking(made, [(0, 1)]), round_=1)
    with pytest.raises(FederationError, match="that it was used, or passed over"):
        made.sites[0].call("select", asked)
    assert len(board.given) == 1
