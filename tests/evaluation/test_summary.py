"""The summary stands between its anchors and flags memorisation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.evaluation.population import DOMAIN, people, shuffled

from sfumato.errors import TooFewRows
from sfumato.evaluation.summary import utility


@pytest.fixture(scope="module")
def of_holdout(real, holdout):
    return utility(real, holdout, people(1500, 3), DOMAIN, 4)


def test_holdout_like_rows_score_one(of_holdout):
    for name in ("tvd2_b32", "query3", "detection_auc", "tstr_auc_gradient_boosting"):
        assert of_holdout.measures[name].score == pytest.approx(1, abs=0.15), name
    assert not of_holdout.memorisation.flag
    json.dumps(of_holdout.to_dict(), allow_nan=False)


def test_independent_columns_score_zero(real, holdout):
    found = utility(real, holdout, shuffled(real, 5), DOMAIN, 4)
    for name in ("tvd2_b32", "tvd3_b32", "query3", "detection_auc", "association"):
        assert abs(found.measures[name].score) < 0.15, name
    assert found.learning.task == "binary"


def test_copies_are_flagged(real, holdout):
    copied = real[np.random.default_rng(0).permutation(len(real))]
    assert utility(real, holdout, copied, DOMAIN).memorisation.flag


def test_same_seed_same_answer(real, holdout, of_holdout):
    again = utility(real, holdout, people(1500, 3), DOMAIN, 4)
    assert again.measures == of_holdout.measures


def test_too_few_rows_is_said(real, holdout):
    with pytest.raises(TooFewRows, match="the holdout table has 3 rows"):
        utility(real, holdout[:3], real, DOMAIN)


def test_quick_gives_the_same_figures_but_fewer(of_holdout, real, holdout):
    quick = utility(real, holdout, people(1500, 3), DOMAIN, 4, quick=True)
    assert all(of_holdout.measures[name] == figure for name, figure in quick.measures.items())
    assert {"tvd3", "query3", "tstr_auc_gradient_boosting", "tstr_auc_linear"} <= set(quick.measures)
    assert quick.detection is None


def test_it_shows_itself_in_a_line_a_table_and_a_notebook(of_holdout):
    assert repr(of_holdout).startswith("Utility(")
    assert len(repr(of_holdout)) < 100
    assert "tvd2_b32" in str(of_holdout)
    assert "internal" in str(of_holdout)
    assert of_holdout._repr_html_().count("<tr>") <= 14
    assert f"{of_holdout.measures['tvd1'].holdout:.4f}" in of_holdout._repr_html_()
