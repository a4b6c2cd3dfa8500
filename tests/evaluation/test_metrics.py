"""Each measure tells a table of independent columns from holdout rows, and says where."""

from __future__ import annotations

import numpy as np
import pytest
from tests.evaluation.population import DOMAIN, people, shuffled

from sfumato.encoding.domain import Axis, Domain
from sfumato.evaluation.associations import associations
from sfumato.evaluation.coverage import coverage
from sfumato.evaluation.detection import detect
from sfumato.evaluation.learning import LEARNERS, majority, predict, task_of
from sfumato.evaluation.marginals import Binning, tvd
from sfumato.evaluation.queries import query_errors, random_queries
from sfumato.evaluation.regression import coefficient_overlap, interval_overlap
from sfumato.evaluation.subgroups import subgroups


def test_missing_keeps_its_own_bin():
    binning = Binning.of(Domain((Axis("x", 101, ordered=True, missing=0),)), 10)
    assert binning.domain.axes[0] == Axis("x", 11, ordered=True, missing=10)
    assert binning.maps[0][[0, 1, 100]].tolist() == [10, 0, 9]


def test_wide_cliques_agree_with_dense_ones():
    rng = np.random.default_rng(0)
    wide = Domain.of(("a", "b"), (3000, 3000))
    a, b = (rng.integers(0, 40, (500, 2)) for _ in range(2))
    assert tvd(a, b, wide, (0, 1)) == pytest.approx(tvd(a, b, Domain.of(("a", "b"), (40, 40)), (0, 1)))


def test_queries_never_count_missing_values():
    queries = random_queries(DOMAIN, 300)
    missing = np.zeros((10, len(DOMAIN)), np.uint8)
    missing[:, 0] = 40
    assert all(q.share(missing, DOMAIN) == 0 for q in queries if 0 in q.columns)
    assert (query_errors(missing, [missing], DOMAIN, queries)[0] == 0).all()


def test_associations_are_found_and_lost(real):
    whole, apart = associations(real, DOMAIN), associations(shuffled(real), DOMAIN)
    job, score, member = 1, 3, 4
    assert whole[job, score] > 0.3
    assert whole[score, member] > 0.5
    assert np.abs(apart - np.eye(5)).max() < 0.06
    assert np.allclose(whole, whole.T)


@pytest.mark.parametrize("learner", LEARNERS)
def test_learners_need_the_dependence(learner, real, holdout):
    good = predict(real, holdout, DOMAIN, 4, learner).scores()
    poor = predict(shuffled(real), holdout, DOMAIN, 4, learner).scores()
    assert good["auc"] > 0.85
    assert poor["auc"] < good["auc"] - 0.1


@pytest.mark.parametrize(("target", "task", "score"), [(1, "multiclass", "auc"), (3, "regression", "r2")])
def test_other_targets(target, task, score, real, holdout):
    assert task_of(DOMAIN.axes[target]) == task
    base = majority(real, holdout, DOMAIN, target)[score]
    assert predict(real, holdout, DOMAIN, target, "gradient_boosting").scores()[score] > base + 0.3


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_column_that_is_missing_in_each_row_to_learn_from_is_no_error(learner, holdout):
    nothing = holdout.copy()
    nothing[:, 0] = DOMAIN.axes[0].missing
    assert len(predict(nothing, holdout, DOMAIN, 4, learner).values) == len(holdout)
    assert detect(nothing, nothing[::-1], DOMAIN).auc < 0.7


def test_a_single_class_teaches_nothing(real, holdout):
    constant = real.copy()
    constant[:, 4] = 1
    found = predict(constant, holdout, DOMAIN, 4, "forest").scores()
    assert found["auc"] == 0.5
    assert found["accuracy"] == pytest.approx(holdout[:, 4].mean())


def test_rows_without_a_target_are_left_out(real, holdout):
    prediction = predict(real, holdout, DOMAIN, 0, "linear")
    assert (prediction.truth < 40).all()
    assert len(prediction.rows) == (holdout[:, 0] < 40).sum()


def test_detection_says_where(real, holdout):
    assert detect(real, holdout, DOMAIN).auc == pytest.approx(0.5, abs=0.05)
    spoilt = holdout.copy()
    spoilt[:, 2] = 3
    found = detect(real, spoilt, DOMAIN)
    assert found.auc > 0.9
    assert found.columns[0][0] == "region"
    box = max(found.regions, key=lambda r: r.synthetic)
    assert ("region", 3, 3) in box.conditions
    assert box.synthetic > 0.5 > 0.2 > box.real


def test_coverage_falls_when_a_part_is_lost(real, holdout):
    whole = coverage(real, holdout, DOMAIN)
    half = coverage(real, holdout[holdout[:, 3] < 30], DOMAIN)
    assert whole["coverage"] > 0.85
    assert half["coverage"] < whole["coverage"] - 0.2
    assert half["precision"] > 0.8
    assert half["beta_recall"] < whole["beta_recall"] - 0.05
    assert whole["alpha_precision"] > 0.95


def test_subgroups_name_the_one_that_is_wrong(real, holdout):
    synthetic = people(1000, 9)
    wrong = synthetic[:, 1] == 2
    synthetic[wrong] = shuffled(synthetic)[wrong] * (np.arange(5) != 1) + np.uint8(2) * (np.arange(5) == 1)
    worst = subgroups(real, holdout, synthetic, DOMAIN)[0]
    assert (worst.column, worst.code) == ("job", 2)
    assert worst.holdout_tvd is not None
    assert worst.tvd > 2 * worst.holdout_tvd


def test_interval_overlap_by_hand():
    assert interval_overlap((0, 2), (1, 3)) == pytest.approx(0.5)
    assert interval_overlap((0, 1), (2, 3)) == 0
    assert interval_overlap((0, 4), (1, 2)) == pytest.approx(0.625)


def test_coefficients_agree_for_fresh_rows_only(real, holdout):
    same = coefficient_overlap(real, holdout, DOMAIN, 4)
    apart = coefficient_overlap(real, shuffled(real), DOMAIN, 4)
    score = next(c for c in same if c.name == "score")
    assert score.real[1] > 0
    assert score.overlap > 0.3
    assert next(c for c in apart if c.name == "score").overlap == 0


def test_columns_that_others_determine_are_left_out(real):
    doubled = np.concatenate([real, real[:, :1]], axis=1)
    twice = Domain((*DOMAIN.axes, Axis("again", 41, ordered=True, missing=40)))
    names = [c.name for c in coefficient_overlap(doubled, doubled, twice, 4)]
    assert len({"age", "again"} & set(names)) == 1
