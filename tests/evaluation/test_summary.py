"""The summary stands between its anchors and flags memorisation."""

from __future__ import annotations

import json

import numpy as np
import pytest
from tests.evaluation.population import DOMAIN, people, shuffled

from sfumato.errors import TooFewRows
from sfumato.evaluation.summary import utility


@pytest.fixture(scope="module")
def of_fresh(real, fresh):
    return utility(real, fresh, people(1500, 3), DOMAIN, 4)


def test_fresh_rows_score_one(of_fresh):
    for name in ("tvd2_b32", "query3", "detection_auc", "tstr_auc_gradient_boosting"):
        assert of_fresh["measures"][name]["score"] == pytest.approx(1, abs=0.15), name
    assert not of_fresh["memorisation"]["flag"]
    json.dumps(of_fresh, allow_nan=False)


def test_independent_columns_score_zero(real, fresh):
    found = utility(real, fresh, shuffled(real, 5), DOMAIN, 4)
    for name in ("tvd2_b32", "tvd3_b32", "query3", "detection_auc", "association"):
        assert abs(found["measures"][name]["score"]) < 0.15, name
    assert found["learning"]["task"] == "binary"


def test_copies_are_flagged(real, fresh):
    copied = real[np.random.default_rng(0).permutation(len(real))]
    assert utility(real, fresh, copied, DOMAIN)["memorisation"]["flag"]


def test_same_seed_same_answer(real, fresh, of_fresh):
    again = utility(real, fresh, people(1500, 3), DOMAIN, 4)
    assert again["measures"] == of_fresh["measures"]


def test_too_few_rows_is_said(real, fresh):
    with pytest.raises(TooFewRows, match="the test table has 3 rows"):
        utility(real, fresh[:3], real, DOMAIN)


def test_quick_gives_the_same_figures_but_fewer(of_fresh, real, fresh):
    quick = utility(real, fresh, people(1500, 3), DOMAIN, 4, quick=True)
    assert all(of_fresh["measures"][name] == figure for name, figure in quick["measures"].items())
    assert {"tvd3", "query3", "tstr_auc_gradient_boosting", "tstr_auc_linear"} <= set(quick["measures"])
    assert "detection" not in quick
