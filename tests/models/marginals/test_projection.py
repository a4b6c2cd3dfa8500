"""The nearest table that could be counts, and how much of a difference noise explains."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from sfumato.models.marginals.projection import expected_noise, part_kept, project

VALUES = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30).map(np.array)


@given(values=VALUES, total=st.floats(0.5, 1e5))
def test_a_projection_is_non_negative_keeps_its_sum_and_order(values: np.ndarray, total: float) -> None:
    out = project(values, total)
    assert out.min() >= 0
    assert out.sum() == pytest.approx(total, rel=1e-6)
    assert np.all(np.diff(out[np.argsort(values, kind="stable")]) >= -1e-9)
    np.testing.assert_allclose(project(out, total), out, atol=1e-6)


@given(values=VALUES, total=st.floats(0.5, 1e5), seed=st.integers(0, 1000))
def test_no_other_table_is_nearer(values: np.ndarray, total: float, seed: int) -> None:
    """For a projection on a convex set, every direction into the set points away: <v - p, q - p> <= 0."""
    out = project(values, total)
    other = np.random.default_rng(seed).dirichlet(np.ones(values.size)) * total
    assert np.dot(values - out, other - out) <= 1e-6 * total * (1 + np.abs(values).max() + total)


def test_it_agrees_with_a_general_solver_and_keeps_the_shape() -> None:
    values = np.random.default_rng(0).normal(1, 3, (2, 3))
    found = minimize(
        lambda p: ((p - values.ravel()) ** 2).sum(),
        np.full(6, 10 / 6),
        bounds=[(0, None)] * 6,
        constraints={"type": "eq", "fun": lambda p: p.sum() - 10},
        options={"ftol": 1e-12},
    )
    np.testing.assert_allclose(project(values, 10.0), found.x.reshape(2, 3), atol=1e-4)


def test_pure_noise_is_dropped_and_signal_is_kept() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 5, 2000)
    assert part_kept(noise, 5.0) < 0.1
    assert part_kept(noise + 100, 5.0) > 0.99
    assert part_kept(noise, 0.0) == 1.0
    assert part_kept(np.zeros(4), 5.0) == 0.0
    assert part_kept(np.zeros(4), 0.0) == 1.0


def test_shrinking_brings_a_noisy_table_nearer_to_the_truth() -> None:
    """James and Stein: in mean square error, at every strength of the signal."""
    rng = np.random.default_rng(1)
    for strength in (0.0, 2.0, 20.0):
        truth = rng.normal(0, strength, (400, 50))
        seen = truth + rng.normal(0, 5, truth.shape)
        shrunk = np.array([part_kept(s, 5.0) * s for s in seen])
        assert ((shrunk - truth) ** 2).mean() <= ((seen - truth) ** 2).mean()


def test_the_expected_noise_is_the_mean_l1_norm() -> None:
    norms = np.abs(np.random.default_rng(2).normal(0, 3, (4000, 25))).sum(axis=1)
    assert expected_noise(3.0, 25) == pytest.approx(norms.mean(), abs=6 * norms.std() / 4000**0.5)
