"""The same definitions as the evaluation script that lies beside the repository."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from sfumato.encoding.domain import Domain
from sfumato.evaluation.learning import predict
from sfumato.evaluation.marginals import Binning, cliques, tvds
from sfumato.evaluation.queries import query_errors, random_queries

TOOL = Path(__file__).resolve().parents[3] / "shared" / "tools" / "evaluate_table.py"
NAMES, SIZES, NUMERIC = ("a", "b", "c", "y"), (50, 4, 9, 2), [True, False, True, False]
DOMAIN = Domain.of(NAMES, SIZES, ordered=("a", "c"))


@pytest.fixture(scope="module")
def tool():
    if not TOOL.exists():
        pytest.skip("the evaluation script does not lie beside the repository")
    pytest.importorskip("pandas")
    spec = importlib.util.spec_from_file_location("evaluate_table", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tables() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    first, second = (np.stack([rng.integers(0, s, 800) for s in SIZES], 1) for _ in range(2))
    first[:, 3] = first[:, 0] > 25
    return first, second


def test_total_variation(tool, tables):
    expected = tool.marg(*tables, list(SIZES), n3=3)
    for order, limit, values in zip((1, 2, 3), (None, None, 3), expected, strict=True):
        np.testing.assert_allclose(tvds(*tables, DOMAIN, cliques(DOMAIN, order, limit)), values)


def test_binning_to_32(tool, tables):
    cut = np.stack([t * 32 // s if n and s > 32 else t for t, s, n in zip(tables[0].T, SIZES, NUMERIC, strict=True)], 1)
    np.testing.assert_array_equal(Binning.of(DOMAIN, 32).apply(tables[0]), cut)


def test_queries(tool, tables):
    expected = tool.query3(*tables, list(SIZES), NUMERIC, q=200)
    assert query_errors(tables[0], tables[1:], DOMAIN, random_queries(DOMAIN, 200))[0].mean() == pytest.approx(expected)


def test_learning(tool, tables):
    expected = tool.tstr(*tables, list(NAMES), "y", NUMERIC, seeds=1)
    for learner, name in (("gradient_boosting", "hgb"), ("linear", "logreg")):
        found = predict(*tables, DOMAIN, 3, learner).scores()
        assert found["auc"] == pytest.approx(expected[name]["auc"], abs=2e-3)
        assert found["accuracy"] == pytest.approx(expected[name]["acc"], abs=2e-3)
        assert found["f1"] == pytest.approx(expected[name]["f1"], abs=2e-3)
