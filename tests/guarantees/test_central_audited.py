"""One curator's answers, audited through the setting itself on worst-case neighbours.

The target unit fills cells nobody else is in. Every audit runs the code that models run: charge, exact sum, noise.
A correct setting is accused with probability at most ``ACCUSED`` per test.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.guarantees.boundless import boundless_run
from tests.trust.features import feature_sum, scatter

from sfumato.auditing.attacks.audit_bounds import mu_lower_bound
from sfumato.encoding.domain import Domain
from sfumato.errors import Overdraft
from sfumato.privacy import accounting
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust import central, noising, summing
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records
from sfumato.trust.setting import Candidate, Query

ACCUSED = 1e-4
RUNS = 10_000
DOMAIN = Domain.of(["a", "b"], [3, 2])
OTHERS = np.array([[0, 0], [0, 1], [1, 0]])
TARGET = np.array([[2, 1]])
PAIR = Query((0, 1))
Game = Callable[[Central, float], np.ndarray]


def setting(rows: np.ndarray, max_rows: int = 1, run: Run | None = None, entropy: Entropy = SYSTEM) -> Central:
    run = run or boundless_run("audit")
    return Central(Records.of(rows.astype(np.uint8), DOMAIN), Budget(run), max_rows, entropy)


def tables(curator: Central, mu: float) -> np.ndarray:
    """The target's cell in RUNS tables of cost ``mu`` each, asked in one question."""
    return np.array([m.values[2, 1] for m in curator.marginals([PAIR] * RUNS, [mu] * RUNS)])


def scores(curator: Central, mu: float) -> np.ndarray:
    """RUNS noisy distances between the table and a guess without the target, each of cost ``mu``."""
    guess = np.zeros((3, 2)) + 0.3
    guess[2, 1] = 0.0
    return curator.distances([Candidate(PAIR, guess)] * RUNS, mu * RUNS**0.5)


def selections(curator: Central, mu: float) -> np.ndarray:
    """1,500 choices between a guess that the target's rows make worse and one that they make better."""
    worse, better = np.zeros((3, 2)), np.zeros((3, 2))
    better[2, 1] = 3.0
    both = [Candidate(PAIR, worse), Candidate(PAIR, better)]
    picks = [curator.select(both, accounting.exponential_epsilon(mu)) for _ in range(1500)]
    return 1.0 - np.array(picks)


def weighted_selections(curator: Central, mu: float) -> np.ndarray:
    """As `selections`, between tables that count twice, beside one of less weight that is never chosen."""
    worse, better = np.zeros((3, 2)), np.zeros((3, 2))
    better[2, 1] = 3.0
    never = Candidate(PAIR, worse, bias=1e6)
    three = [Candidate(PAIR, worse, weight=2.0), Candidate(PAIR, better, weight=2.0), never]
    picks = [curator.select(three, accounting.exponential_epsilon(mu)) for _ in range(1500)]
    return 1.0 - np.array(picks)


def sums(curator: Central, mu: float) -> np.ndarray:
    """1,500 sums of vectors that only the target has, each row's as long as the bound."""

    def feature(codes: np.ndarray) -> np.ndarray:
        return 7.0 * (codes[:, :1] == 2)

    question = feature_sum(feature, 1, 0.5)
    return np.concatenate([curator.feature_sum(question, mu) for _ in range(1500)])


def scatters(curator: Central, mu: float) -> np.ndarray:
    """1,500 sums of squares that only the target has, each row's as large as the squared bound."""

    def feature(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 7.0 * (codes[:, :1] == 2), np.zeros(len(codes), np.int64)

    question = scatter(feature, 1, 1, 0.5)
    return np.array([curator.scatter(question, mu)[0, 0, 0] for _ in range(1500)])


GAMES: dict[str, Game] = {
    "tables": tables,
    "scores": scores,
    "selections": selections,
    "weighted_selections": weighted_selections,
    "sums": sums,
    "scatters": scatters,
}


@pytest.mark.parametrize("max_rows", [1, 3])
@pytest.mark.parametrize("name", GAMES)
def test_answers_stay_below_the_claim(name: str, max_rows: int) -> None:
    """A unit of up to ``max_rows`` rows, all in one cell nobody else is in."""
    rng, mu = np.random.default_rng(1), accounting.mu_for(Guarantee(4.0, 1e-5))
    inside = GAMES[name](setting(np.concatenate([OTHERS, *[TARGET] * max_rows]), max_rows), mu)
    outside = GAMES[name](setting(OTHERS, max_rows), mu)
    assert mu_lower_bound(inside, outside, rng, ACCUSED) <= mu
    if name == "tables":
        assert mu_lower_bound(inside, outside, rng) > 0.8 * mu


def accused(name: str, inside: np.ndarray, outside: np.ndarray, max_rows: int = 1) -> bool:
    rng, mu = np.random.default_rng(2), accounting.mu_for(Guarantee(4.0, 1e-5))
    worlds = (GAMES[name](setting(rows, max_rows), mu) for rows in (inside, outside))
    return mu_lower_bound(*worlds, rng, ACCUSED) > mu


@pytest.mark.parametrize("name", GAMES)
def test_a_unit_with_more_rows_than_declared_is_caught(name: str) -> None:
    """L18: the bound on a unit's rows is not enforced."""
    assert accused(name, np.concatenate([OTHERS, *[TARGET] * 3]), OTHERS, max_rows=1)


def test_replace_one_under_an_add_remove_claim_is_caught() -> None:
    """L9: the two worlds differ by a replacement, which moves two cells; the score looks at both."""

    def both_cells(curator: Central, mu: float) -> np.ndarray:
        return np.array([m.values[2, 1] - m.values[2, 0] for m in curator.marginals([PAIR] * RUNS, [mu] * RUNS)])

    rng, mu = np.random.default_rng(3), accounting.mu_for(Guarantee(4.0, 1e-5))
    replaced = np.concatenate([OTHERS, [[2, 0]]])
    inside = both_cells(setting(np.concatenate([OTHERS, TARGET])), mu)
    assert mu_lower_bound(inside, both_cells(setting(replaced), mu), rng, ACCUSED) > mu
    assert mu_lower_bound(inside, both_cells(setting(OTHERS), mu), rng, ACCUSED) <= mu


@pytest.mark.parametrize("name", ["tables", "scores"])
def test_halved_noise_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def halved(values: np.ndarray, sigma: float, entropy: Entropy = SYSTEM) -> np.ndarray:
        return add_discrete_gaussian(values, sigma / 2, entropy)

    for module in (central, noising):
        monkeypatch.setattr(module, "add_discrete_gaussian", halved)
    assert accused(name, np.concatenate([OTHERS, TARGET]), OTHERS)


class Watching:
    """Entropy that notes, whenever noise is drawn, how many events the ledger holds."""

    def __init__(self, run: Run) -> None:
        self.run, self.charged = run, []

    def take(self, size: int) -> bytes:
        self.charged.append(len(self.run.events))
        return SYSTEM.take(size)


QUESTIONS: dict[str, Callable[[Central], object]] = {
    "count": lambda c: c.count(0.1),
    "marginals": lambda c: c.marginals([PAIR, Query((0,))], [0.1, 0.1]),
    "select": lambda c: c.select([Candidate(PAIR, np.zeros((3, 2)))] * 2, 0.1),
    "distances": lambda c: c.distances([Candidate(PAIR, np.zeros((3, 2)))] * 2, 0.1),
    "feature_sum": lambda c: c.feature_sum(feature_sum(lambda codes: codes.astype(float), 2, 1.0), 0.1),
    "scatter": lambda c: c.scatter(scatter(lambda codes: (codes.astype(float), codes[:, 0]), 2, 3, 1.0), 0.1),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_answer_is_charged_before_its_noise_is_drawn(question: str) -> None:
    """Invariant 1, L4, L13: nothing is released free, and nothing before its charge."""
    run = Ledger.open().begin(Guarantee(1.0, 1e-5), "questions")
    watching = Watching(run)
    QUESTIONS[question](setting(OTHERS, run=run, entropy=watching))
    assert watching.charged
    assert min(watching.charged) >= 1
    assert accounting.epsilon(run.events, 1e-5) > 0


@pytest.mark.parametrize("question", QUESTIONS)
def test_an_overdraft_releases_nothing(question: str) -> None:
    run = Ledger.open().begin(Guarantee(1e-3, 1e-9), "questions")
    watching = Watching(run)
    with pytest.raises(Overdraft):
        QUESTIONS[question](setting(OTHERS, run=run, entropy=watching))
    assert watching.charged == []
    assert run.events == ()


def test_the_watch_catches_an_answer_that_is_charged_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    run = Ledger.open().begin(Guarantee(1.0, 1e-5), "questions")
    watching = Watching(run)
    monkeypatch.setattr(Budget, "charge", lambda self, events, squared=None: None)
    QUESTIONS["marginals"](setting(OTHERS, run=run, entropy=watching))
    assert min(watching.charged) == 0


def test_shares_of_the_budget_sum_to_the_claim() -> None:
    """L13: asking for all shares spends the guarantee and not more, by two accountants."""
    for epsilon in (0.1, 1.0, 10.0):
        run = Ledger.open().begin(Guarantee(epsilon, 1e-9), "all of it")
        curator = setting(OTHERS, run=run)
        curator.count(curator.mu(0.05))
        curator.marginals([PAIR] * 30, [curator.mu(0.02)] * 30)
        curator.distances([Candidate(PAIR, np.zeros((3, 2)))] * 5, curator.mu(0.1))
        curator.feature_sum(feature_sum(lambda codes: codes.astype(float), 2, 1.0), curator.mu(0.15))
        curator.select([Candidate(PAIR, np.zeros((3, 2)))] * 2, accounting.exponential_epsilon(curator.mu(0.1)))
        assert curator.remaining < 1e-9
        assert 0.97 * epsilon < accounting.epsilon(run.events, 1e-9) <= epsilon
        assert accounting.epsilon_rdp(run.events, 1e-9) >= accounting.epsilon(run.events, 1e-9)
        with pytest.raises(Overdraft):
            curator.count(curator.mu(0.01))


@pytest.mark.parametrize("extreme", [1e308, -1e308, np.inf, -np.inf, np.nan, 1e-320])
def test_one_record_moves_a_sum_by_at_most_the_bound(extreme: float) -> None:
    """L8: features that overflow, vanish or are no numbers; without noise, so that the move is exact."""
    run = Ledger.open().begin(Guarantee(float("inf")), "exact")

    def feature(codes: np.ndarray) -> np.ndarray:
        return np.where(codes[:, :1] == 2, extreme, 0.5) * np.ones((len(codes), 4))

    def total(rows: np.ndarray) -> np.ndarray:
        return setting(rows, run=run).feature_sum(feature_sum(feature, 4, 1.5), float("inf"))

    with np.errstate(over="ignore"):
        moved = total(np.concatenate([OTHERS, TARGET])) - total(OTHERS)
    assert np.linalg.norm(moved) <= 1.5 * (1 + 1e-12)


@pytest.mark.parametrize("extreme", [1e308, -1e308, np.inf, -np.inf, np.nan, 1e-320, 1.0])
@pytest.mark.parametrize("bound", [1e-3, 1.5, 1e3])
def test_one_record_moves_a_scatter_by_at_most_the_squared_bound(extreme: float, bound: float) -> None:
    """L8, for outer products; the move is exact, as there is no noise."""
    assert _move(extreme, bound) <= bound**2 * (1 + 1e-12)


def test_outer_products_that_are_not_clipped_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: only the norm of z is taken for the sensitivity of z z^T, or nothing is clipped."""
    monkeypatch.setattr(summing, "clipped", lambda values, bound: values)
    assert _move(1e3, 1.5) > 1.5**2


def _move(extreme: float, bound: float) -> float:
    run = Ledger.open().begin(Guarantee(float("inf")), "exact")

    def feature(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.where(codes[:, :1] == 2, extreme, 0.5) * np.ones((len(codes), 4)), codes[:, 0]

    def total(rows: np.ndarray) -> np.ndarray:
        return setting(rows, run=run).scatter(scatter(feature, 4, 3, bound), float("inf"))

    with np.errstate(over="ignore"):
        return float(np.linalg.norm(total(np.concatenate([OTHERS, TARGET])) - total(OTHERS)))
