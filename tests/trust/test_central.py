"""A curator's answers: exact without a guarantee, of the noise that was paid under one, and scored rightly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.guarantees.boundless import boundless_run
from tests.trust.features import feature_sum
from tests.trust.training_case import case

from sfumato.encoding.domain import Domain
from sfumato.errors import UnsupportedUnit
from sfumato.privacy.accounting import exponential_epsilon
from sfumato.privacy.events import DiscreteGaussian, Exponential, Gaussian
from sfumato.privacy.guarantee import MOST_EPSILON, Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.privacy.randomness import SeededEntropy
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records
from sfumato.trust.setting import Candidate, Query

DOMAIN = Domain.of(["a", "b"], [3, 4])
ROWS = np.random.default_rng(0).integers(0, [3, 4], (500, 2)).astype(np.uint8)
PAIR = Query((0, 1))
EXACT = Records.of(ROWS, DOMAIN).table(PAIR)


def begin(epsilon: float = 1.0) -> Run:
    if epsilon > MOST_EPSILON:
        return boundless_run("answers", epsilon)
    return Ledger.open().begin(Guarantee(epsilon, 1e-6), "answers")


def curator(run: Run, max_rows: int = 1, seed: int | None = None) -> Central:
    records = Records.of(ROWS, DOMAIN)
    if seed is None:
        return Central(records, Budget(run), max_rows)
    return Central(records, Budget(run), max_rows, SeededEntropy(seed))


def test_without_a_guarantee_answers_are_exact_and_free() -> None:
    run = begin(math.inf)
    setting = curator(run)
    mu = setting.mu(0.1)
    assert math.isinf(mu)
    assert setting.count(mu) == 500
    (answer,) = setting.marginals([PAIR], [mu])
    np.testing.assert_array_equal(answer.values, EXACT)
    assert answer.sigma == 0
    near, far = Candidate(PAIR, EXACT + 0.5), Candidate(PAIR, EXACT + 2.0)
    assert setting.select([near, far, near], math.inf) == 1
    np.testing.assert_array_equal(setting.distances([near, far], mu), [6, 24])
    total = setting.feature_sum(feature_sum(lambda codes: codes.astype(float), 2, 100.0), mu)
    np.testing.assert_allclose(total, ROWS.sum(axis=0, dtype=float))
    assert (run.events, setting.remaining) == ((), 1.0)


def test_what_is_charged_is_what_was_asked() -> None:
    run = begin()
    setting = curator(run, max_rows=2)
    count, tables = setting.mu(0.1), [setting.mu(0.2), setting.mu(0.3)]
    setting.count(count)
    answers = setting.marginals([Query((0,)), PAIR], tables)
    setting.feature_sum(feature_sum(lambda codes: codes.astype(float), 2, 3.0), setting.mu(0.1))
    setting.select([Candidate(PAIR, EXACT)] * 2, exponential_epsilon(setting.mu(0.1)))
    setting.distances([Candidate(PAIR, EXACT)] * 7, setting.mu(0.2))
    kinds = [DiscreteGaussian] * 3 + [Gaussian, Exponential, DiscreteGaussian]
    assert [type(e) for e in run.events] == kinds
    assert [e.sigma for e in run.events[1:3]] == [a.sigma for a in answers]
    assert {e.sensitivity for e in run.events if isinstance(e, DiscreteGaussian)} == {2}
    assert run.events[-1].count == 7
    assert answers[0].sigma == pytest.approx(2 / tables[0], rel=0.01)
    assert run.events[3].noise_multiplier == pytest.approx(1 / setting.mu(0.1))
    assert setting.remaining == pytest.approx(0, abs=1e-9)


class Told(Silent):
    """Progress that keeps what it is told was spent."""

    def __init__(self) -> None:
        self.epsilons: list[float] = []

    def spent(self, epsilon: float) -> None:
        self.epsilons.append(epsilon)


def test_progress_is_told_what_was_spent_up_to_the_guarantee() -> None:
    told = Told()
    setting = Central(Records.of(ROWS, DOMAIN), Budget(begin(), progress=told))
    for _ in range(4):
        setting.count(setting.mu(0.25))
    assert told.epsilons == sorted(told.epsilons)
    assert told.epsilons[0] < 0.6  # a quarter of the squared budget is about half of epsilon
    assert told.epsilons[-1] == pytest.approx(1, abs=1e-6)


def test_noisy_answers_are_whole_numbers_about_the_truth() -> None:
    """Means of 4,000 answers, within six standard errors."""
    setting = curator(begin(1e6))
    answers = np.array([m.values for m in setting.marginals([PAIR] * 4000, [0.1] * 4000)])
    np.testing.assert_array_equal(answers, np.rint(answers))
    assert np.abs(answers.mean(axis=0) - EXACT).max() < 6 * 10 / 4000**0.5
    scores = setting.distances([Candidate(PAIR, EXACT + 1.75)] * 4000, 0.1 * 4000**0.5)
    np.testing.assert_array_equal(scores, np.rint(scores))
    assert abs(scores.mean() - 21) < 6 * 10 / 4000**0.5


def test_weight_and_bias_steer_the_selection() -> None:
    setting = curator(begin(math.inf))
    plain, heavy = Candidate(PAIR, EXACT + 1.0), Candidate(PAIR, EXACT + 0.5, weight=3.0)
    assert setting.select([plain, heavy], math.inf) == 1
    assert setting.select([plain, Candidate(PAIR, EXACT + 0.5, weight=3.0, bias=4.0)], math.inf) == 0
    with pytest.raises(ValueError, match="unweighted"):
        setting.distances([heavy], math.inf)


def test_selection_finds_a_clear_best_and_follows_its_law() -> None:
    """Odds of exp(epsilon / 2) between scores one apart: 3,000 picks, within five standard errors."""
    setting = curator(begin(1e6))
    far = [Candidate(PAIR, EXACT + 1.0), Candidate(PAIR, EXACT)]
    assert {setting.select(far, 20.0) for _ in range(50)} == {0}
    close = [Candidate(PAIR, EXACT + np.eye(3, 4) * 2 / 3), Candidate(PAIR, EXACT + np.eye(3, 4) / 3)]
    share = 1 - np.mean([setting.select(close, 1.0) for _ in range(3000)])
    assert abs(share - 1 / (1 + math.exp(-0.5))) < 5 * 0.5 / 3000**0.5


def test_a_selection_has_the_sensitivity_of_the_largest_weight() -> None:
    """Odds of exp(epsilon / 2) between scores two apart, weights 1 and 2: 3,000 picks, within five standard errors."""
    setting = curator(begin(1e6))
    both = [Candidate(PAIR, EXACT + np.eye(3, 4) * 2 / 3), Candidate(PAIR, EXACT, weight=2.0)]
    share = 1 - np.mean([setting.select(both, 1.0) for _ in range(3000)])
    assert abs(share - 1 / (1 + math.exp(-0.5))) < 5 * 0.5 / 3000**0.5


def test_features_are_clipped_row_by_row() -> None:
    setting = curator(begin(math.inf))
    total = setting.feature_sum(feature_sum(lambda codes: np.full((len(codes), 2), 30.0), 2, 2.0), math.inf)
    np.testing.assert_allclose(total, 500 * 2 / 2**0.5)


def test_a_view_asks_the_same_purse_about_the_same_rows() -> None:
    run = begin(math.inf)
    view = curator(run).coarsened([np.array([0, 1, 1]), np.array([0, 0, 1, 1])])
    assert view.domain.sizes == (2, 2)
    rows = np.add.reduceat(np.add.reduceat(EXACT, [0, 1], axis=0), [0, 2], axis=1)
    np.testing.assert_array_equal(view.marginals([PAIR], [math.inf])[0].values, rows)
    setting = curator(begin())
    setting.coarsened([np.arange(3), np.arange(4)]).count(setting.mu(0.5))
    assert setting.remaining == pytest.approx(0.5, abs=1e-3)


def test_a_view_protects_the_same_unit() -> None:
    """L18: what a unit of two rows costs, it costs through coarser codes too."""
    run = begin()
    view = curator(run, max_rows=2).coarsened([np.arange(3), np.arange(4)])
    (answer,) = view.marginals([PAIR], [view.mu(0.5)])
    assert run.events == (DiscreteGaussian(answer.sigma, 2),)
    assert answer.sigma == pytest.approx(2 / view.mu(0.5), rel=0.01)


def test_narrow_noise_is_noise() -> None:
    """L4: at a scale below one too: 53 % of draws at 0.85 are not zero; 12,000 cells, fifteen standard errors."""
    answers = curator(begin(1e6)).marginals([PAIR] * 1000, [1 / 0.8] * 1000)
    assert answers[0].sigma < 0.86
    moved = np.mean([a.values != EXACT for a in answers])
    assert 0.46 < moved < 0.6


def test_scores_move_by_exactly_one_record() -> None:
    """Sums of floats round: a guess that lies on no grid can move a score by more than the record that it is for."""
    shapes, rows = Domain.of(["a", "b"], [30, 30]), np.zeros((513, 2), np.uint8)
    one, other = (Central(Records.of(rows[:n], shapes), Budget(begin(math.inf))) for n in (512, 513))
    for seed in range(50):
        candidate = Candidate(PAIR, np.random.default_rng(seed).random((30, 30)))
        assert other._score(candidate) - one._score(candidate) == 1


@pytest.mark.parametrize("mu", [0.0, -1.0, math.nan, math.inf])
def test_a_free_or_negative_cost_is_refused_under_a_guarantee(mu: float) -> None:
    run = begin()
    with pytest.raises(ValueError, match="positive finite mu"):
        curator(run).marginals([PAIR], [mu])
    with pytest.raises(ValueError, match="positive finite mu"):
        curator(run).feature_sum(feature_sum(lambda codes: codes.astype(float), 2, 1.0), mu)
    assert run.events == ()


def test_a_seed_repeats_the_noise_and_nothing_else_does() -> None:
    first, again, system = (curator(begin(), seed=s).marginals([PAIR], [0.05])[0].values for s in (1, 1, None))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, system)


def test_gradients_need_units_of_one_row() -> None:
    run = begin()
    with pytest.raises(UnsupportedUnit, match="declare max_rows 1"):
        curator(run, max_rows=2).dp_sgd(case(1), 0.5, Silent())
    assert run.events == ()


def test_the_picture_of_a_setting_shows_no_rows() -> None:
    assert repr(curator(begin())) == "<central setting over 2 columns>"
