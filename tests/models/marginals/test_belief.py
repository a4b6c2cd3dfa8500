"""What weighted draws expect of tables, before and after they are scaled to one."""

from __future__ import annotations

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.marginals.belief import Belief
from sfumato.models.marginals.columns import Columns
from sfumato.trust.setting import Measurement, Query


def small() -> Columns:
    """Two columns of 3 and 2 codes, 600 records."""
    fine = (np.array([300.0, 200.0, 100.0]), np.array([400.0, 200.0]))
    return Columns(Domain.of(["a", "b"], [3, 2]), fine, (np.arange(3), np.arange(2)), 600.0)


def belief(n: int = 5400) -> Belief:
    """The columns independent, as draws in exact proportion."""
    flat = np.repeat(np.arange(6), (np.outer([3, 2, 1], [2, 1]).ravel() * n) // 18)
    return Belief(small(), [flat // 2, flat % 2])


def test_a_belief_counts_its_draws_in_records() -> None:
    expected = np.outer([300, 200, 100], [2, 1]) / 3
    np.testing.assert_allclose(belief()(Query((0, 1))), expected)
    groups = (np.array([0, 1, 1]), np.array([0, 0]))
    np.testing.assert_allclose(belief()(Query((0, 1), groups)), [[300.0], [300.0]])


def test_a_belief_is_scaled_to_a_clear_table_and_not_to_noise() -> None:
    wanted = np.array([[250.0, 50.0], [100.0, 100.0], [50.0, 50.0]])
    scaled = belief()
    scaled.scale(Measurement(Query((0, 1)), wanted, 0.0))
    np.testing.assert_allclose(scaled(Query((0, 1))), wanted, rtol=1e-6)
    unmoved = belief()
    unmoved.scale(Measurement(Query((0, 1)), wanted, 1000.0))
    np.testing.assert_allclose(unmoved(Query((0, 1))), belief()(Query((0, 1))))


def test_cells_with_few_draws_are_left_alone() -> None:
    few = belief(18)
    few.scale(Measurement(Query((0, 1)), np.full((3, 2), 100.0), 0.0))
    np.testing.assert_allclose(few(Query((0, 1))), belief()(Query((0, 1))), rtol=1e-6)
