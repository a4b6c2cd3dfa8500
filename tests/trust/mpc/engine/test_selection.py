"""Comparisons on shares, as plain JAX runs them: parts of tables and noise in, an index or distances out."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.domains import run_within
from sfumato.trust.mpc.engine.selection import check_scores, measured, measuring, selected, selecting

SIZES = [7, 1, 4, 7, 2]


def wrapped(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sum of three parts modulo 2^32, each from 0 to 2^32: as whole numbers they wrapped up to twice."""
    one, other = rng.integers(0, 2**32, (2, *values.shape))
    return one + other + (values - one - other) % 2**32


@pytest.mark.parametrize("seed", range(4))
def test_the_index_is_that_of_the_largest_noised_weighted_distance(seed):
    rng = np.random.default_rng(seed)
    cells, weights, noise = rng.integers(-90, 90, sum(SIZES)), rng.integers(1, 9, 5), rng.integers(-900, 900, 5)
    distances = np.array([np.abs(table).sum() for table in np.split(cells, np.cumsum(SIZES)[:-1])])
    parts = wrapped(cells, rng), wrapped(noise, rng)
    (found,) = run_within(selected(SIZES, weights.tolist()), *parts)
    assert found.tolist() == [int(np.argmax(distances * weights + noise))]
    (each,) = run_within(measured(SIZES), parts[0])
    assert (each % 2**32).tolist() == distances.tolist()


@pytest.mark.parametrize("many", [1, 2, 3, 6, 7])
def test_of_several_that_are_largest_it_is_the_first(many):
    for first in range(many):
        noise = np.full(many, -5)
        noise[first:] = -3
        (found,) = run_within(selected([1] * many, [1] * many), np.zeros(many, int), noise)
        assert found.tolist() == [first]


def test_scores_at_their_bound_are_compared():
    """The difference of the two is 2^31, and is not taken for -2^31."""
    (found,) = run_within(selected([1, 1], [1, 1]), np.array([0, 0]), np.array([-(2**30) + 1, 2**30]))
    assert found.tolist() == [1]
    check_scores(2**30)
    with pytest.raises(EngineError, match="could pass 2\\^30"):
        check_scores(2**30 + 1)


def test_they_may_run_on_shares():
    program = selecting(SIZES, [1] * 5)
    assert program is selecting(tuple(SIZES), (1,) * 5)  # lowered once
    assert program.outputs == (((1,), "int32"),)
    assert measuring(SIZES).outputs == (((5,), "int64"),)


@pytest.mark.parametrize(("sizes", "weights"), [([2], [0]), ([0], [1]), ([], []), ([2], [1, 1])])
def test_what_is_no_candidate_is_refused(sizes, weights):
    with pytest.raises(ValueError, match="each candidate has a table, and a weight"):
        selecting(sizes, weights)
