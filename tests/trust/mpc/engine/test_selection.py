"""A selection on shares, as plain JAX runs it: tables and noise in, an index out."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.domains import run_within
from sfumato.trust.mpc.engine.lowering import lower
from sfumato.trust.mpc.engine.selection import selecting


@pytest.mark.parametrize("seed", range(3))
def test_the_index_is_that_of_the_largest_noised_weighted_distance(seed):
    rng = np.random.default_rng(seed)
    tables, weights = rng.integers(-90, 90, (5, 7)), rng.integers(1, 9, 5)
    noise = rng.integers(-900, 900, 5)
    scores = np.abs(tables).sum(1) * weights + noise
    program = selecting(weights, 90 * 7)
    (found,) = run_within(program, tables, noise)
    assert found.tolist() == [int(np.argmax(scores))]


def test_noise_alone_can_decide_for_the_last_or_a_negative_score():
    noise, tables = np.array([-5, -9, -4]), np.zeros((3, 2), dtype=int)
    (found,) = run_within(selecting(np.ones(3, dtype=int), 1), tables, noise)
    assert found.tolist() == [2]


def test_it_may_run_on_shares():
    table, noise = jax.ShapeDtypeStruct((5, 7), "int64"), jax.ShapeDtypeStruct((5,), "int64")
    program = lower(selecting(np.ones(5, dtype=int), 100), table, noise)
    assert program.outputs == (((1,), "int32"),)
    assert {form[1] for form in program.inputs} == {"int64"}


@pytest.mark.parametrize("weights", [np.array([0.5, 1.0]), np.array([0, 1]), np.array([], dtype=int)])
def test_weights_that_are_no_whole_numbers_are_refused(weights):
    with pytest.raises(ValueError, match="whole numbers from 1 on"):
        selecting(weights, 1)


def test_scores_that_could_not_be_compared_are_refused():
    with pytest.raises(EngineError, match="could pass 2\\^30"):
        selecting(np.array([1, 8]), 2**27)
