"""A planted leak is found, fresh rows are not accused, and the words are those that may be said.

Error rates: an audit of fresh rows shows a bound above 0 with probability at most 5 % (all attacks together); the seeds
are fixed, so the tests are deterministic.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from sfumato.auditing.attacks.attribute_inference import attribute_inference
from sfumato.auditing.attacks.game import Game, Population
from sfumato.auditing.attacks.linkability import linkability
from sfumato.auditing.attacks.nearest_neighbour import nearest_neighbour_calibrated
from sfumato.auditing.attacks.outliers import outlier_shadow, vulnerable_rows
from sfumato.auditing.attacks.rates import auc, bound_of_halves, rate_interval, tpr_at
from sfumato.auditing.attacks.reconstruction import linear_reconstruction, secret_bit
from sfumato.auditing.attacks.result import Terms, ceiling, verdict
from sfumato.auditing.attacks.singling_out import singling_out
from sfumato.auditing.suite import run_attacks
from sfumato.encoding.domain import Domain
from sfumato.errors import TooFewRows
from sfumato.privacy.guarantee import Guarantee

WIDE = Domain.of([f"c{i}" for i in range(8)], (20, 12, 9, 30, 6, 15, 8, 2), ordered=("c0", "c3"))


def people(n: int, seed: int) -> np.ndarray:
    """Rows of weakly dependent columns, mostly distinct."""
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.integers(0, s, n) for s in WIDE.sizes], axis=1)
    rows[:, 7] = rows[:, 0] > 10
    return rows.astype(np.uint8)


REAL, HOLDOUT, FRESH = people(1500, 0), people(1500, 1), people(1500, 2)
POPULATION = Population(REAL, HOLDOUT[:750], HOLDOUT[750:], WIDE)


@pytest.fixture(scope="module")
def copied():
    mixed = FRESH.copy()
    mixed[:300] = REAL[:300]
    return mixed


def test_copied_rows_are_a_violation(copied):
    found = run_attacks(REAL, HOLDOUT, copied, WIDE, Guarantee(1.0, 1e-6))
    assert found.violation
    assert found.epsilon_lower_bound > 2
    assert "VIOLATION" in found.verdict
    assert found.self_tests.null.passed
    assert found.self_tests.copy.passed
    best = next(a for a in found.attacks if a.attack == "nearest_neighbour_calibrated")
    assert best.tpr_at_fpr["0.001"] > best.ceiling["0.001"]
    assert best.real > 10 * best.holdout
    json.dumps(found.to_dict(), allow_nan=False)
    assert set(found.to_dict()["attacks"]) == {a.attack for a in found.attacks}
    assert repr(found).startswith(f"AuditReport({found.verdict}")
    assert all(a.attack[:33] in str(found) and a.attack in found._repr_html_() for a in found.attacks)


def test_without_a_claim_it_is_a_leak_not_a_violation(copied):
    found = run_attacks(REAL, HOLDOUT, copied, WIDE)
    assert found.verdict.startswith("LEAK")
    assert not found.violation


def test_fresh_rows_are_not_accused():
    found = run_attacks(REAL, HOLDOUT, FRESH, WIDE, Guarantee(1.0, 1e-6), suite="full")
    assert found.epsilon_lower_bound == 0
    assert found.verdict.startswith("no evidence of a leak beyond")
    assert "safe" not in json.dumps(found.to_dict())
    for attack in found.attacks:
        if attack.auc_interval is not None:
            assert attack.auc_interval[0] - 0.02 < 0.5 < attack.auc_interval[1] + 0.02


def test_a_suite_without_power_says_so():
    constant = np.zeros((400, 8), np.uint8)
    assert run_attacks(constant, constant, constant, WIDE).verdict.startswith("powerless")


def test_too_few_rows_is_said():
    with pytest.raises(TooFewRows, match="the holdout table has 7 rows"):
        run_attacks(REAL, HOLDOUT[:7], FRESH, WIDE)


def test_false_alarms_of_the_bound():
    """200 null audits by one attack at 5 %: more than 20 alarms have probability below 2 %."""
    rng = np.random.default_rng(0)
    draws = [[(rng.normal(size=200), rng.normal(size=200)) for _ in range(2)] for _ in range(200)]
    assert sum(bound_of_halves(*d, 0.0, 0.05)[0] > 0 for d in draws) <= 20


def test_the_bound_stays_below_the_truth():
    """Randomised response of epsilon 1: the bound may exceed it in 5 % of 200 runs; 20 alarms are below 2 %."""
    rng = np.random.default_rng(1)
    p = np.e / (1 + np.e)
    draws = [[(rng.random(500) < p, rng.random(500) < 1 - p) for _ in range(2)] for _ in range(200)]
    found = [bound_of_halves(*[tuple(np.asarray(s, float) for s in d) for d in pair], 0.0, 0.05)[0] for pair in draws]
    assert sum(e > 1 for e in found) <= 20
    assert np.mean(found) > 0.5


def test_rates_by_hand():
    inside, outside = np.array([3.0, 2, 2, 1]), np.array([2.0, 1, 0, 0])
    assert auc(inside, outside)[0] == pytest.approx(13.5 / 16)
    assert tpr_at(inside, outside, 0.0) == 0.25
    assert tpr_at(inside, outside, 0.25) == 0.75
    low, high = rate_interval(0, 100)
    assert low == 0
    assert high == pytest.approx(1 - 0.025 ** (1 / 100))


def test_words():
    claimed = Guarantee(2.0, 1e-6)
    assert verdict(2.5, claimed) == "VIOLATION: epsilon is at least 2.50, claimed was 2"
    assert verdict(1.5, claimed) == "no evidence of a leak beyond the claimed epsilon = 2"
    assert ceiling(claimed)["0.01"] == pytest.approx(np.exp(2) * 0.01 + 1e-6)


def test_attribute_inference_profits_from_copies():
    right = attribute_inference(POPULATION, REAL, 5)
    assert right.members.mean() > 0.9
    assert right.controls.mean() < 0.3
    assert right.cap[0] == pytest.approx(1, abs=0.1)
    assert attribute_inference(POPULATION, FRESH, 5).members.mean() < 0.3


def test_linear_reconstruction_profits_from_copies():
    column, bit = secret_bit(POPULATION)
    assert column == 7
    hidden = Population(
        *(t[:, [1, 2, 4, 5, 6, 7]] for t in (REAL, HOLDOUT[:750], HOLDOUT[750:])),
        Domain(WIDE.axes[1:3] + WIDE.axes[4:]),
    )
    train, control = linear_reconstruction(hidden, REAL[:, [1, 2, 4, 5, 6, 7]], 5, bit)
    assert train.mean() > 0.9
    assert control.mean() < 0.6


def test_singling_out_and_linkability_profit_from_copies():
    rng = np.random.default_rng(0)
    train, control, naive = singling_out(REAL, HOLDOUT, REAL, WIDE, rng, attempts=300)
    assert train.mean() > 0.9
    assert control.mean() < 0.3
    assert naive < 0.5
    linked, apart, base = linkability(POPULATION, REAL, rng)
    assert linked.mean() > apart.mean() + 0.5
    assert base < 0.1


def test_scores_rank_members_first():
    game = Game(POPULATION, REAL)
    inside, outside = game.split(nearest_neighbour_calibrated(game, np.random.default_rng(0)))
    assert auc(inside, outside)[0] > 0.95


def test_the_outlier_is_found_where_averages_show_nothing():
    rows = people(4000, 5)
    rows[0] = [19, 11, 8, 0, 5, 14, 7, 0]
    rows[1:, 1] = rows[1:, 1] % 3
    rows[1:, 5] = rows[1:, 5] % 3
    assert 0 in vulnerable_rows(rows, WIDE, 5)

    def marginals(sample: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return rng.permuted(sample, axis=0)

    found = outlier_shadow(marginals, rows[1:], rows[0], WIDE, Terms(None, 0.05, 0), rows=100, shadows=60)
    assert found.auc is not None
    assert found.auc > 0.8
    ordinary = outlier_shadow(marginals, rows[2:], rows[1], WIDE, Terms(None, 0.05, 0), rows=100, shadows=60)
    assert ordinary.auc is not None
    assert ordinary.auc < found.auc - 0.1
