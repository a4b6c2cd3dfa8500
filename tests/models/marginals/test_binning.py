"""Groups of codes: heavy enough, missing alone, spikes kept apart, neighbours together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.encoding.domain import Axis
from sfumato.models.marginals.binning import merge

MASSES = st.lists(st.floats(0, 100), min_size=1, max_size=40).map(np.array)


@given(mass=MASSES, ordered=st.booleans(), threshold=st.floats(0.01, 200), missing=st.booleans())
def test_groups_are_numbered_without_gaps_and_missing_is_alone(
    mass: np.ndarray, ordered: bool, threshold: float, missing: bool
) -> None:
    code = mass.size // 2 if missing else None
    groups = merge(mass, Axis("a", mass.size, ordered, code), threshold)
    assert groups.shape == mass.shape
    assert set(groups.tolist()) == set(range(int(groups.max()) + 1))
    if code is not None:
        assert (groups == groups[code]).sum() == 1


@given(mass=MASSES, threshold=st.floats(0.01, 200))
def test_ordered_groups_are_runs_of_neighbours_that_reach_the_threshold(mass: np.ndarray, threshold: float) -> None:
    groups = merge(mass, Axis("a", mass.size, ordered=True), threshold)
    assert set(np.diff(groups).tolist()) <= {0, 1}
    weights = np.bincount(groups, weights=mass)
    assert weights.size == 1 or weights.min() >= threshold * (1 - 1e-9)


@given(mass=MASSES, threshold=st.floats(0.01, 200))
def test_unordered_codes_stay_apart_when_heavy_and_pool_when_light(mass: np.ndarray, threshold: float) -> None:
    groups = merge(mass, Axis("a", mass.size), threshold)
    sizes, weights = np.bincount(groups), np.bincount(groups, weights=mass)
    light = mass < threshold
    assert (sizes > 1).sum() <= 1
    assert len(set(groups[light].tolist())) <= 1
    assert weights.size <= 2 or weights.min() >= threshold * (1 - 1e-9)


@pytest.mark.parametrize(
    ("mass", "threshold", "expected"),
    [
        ([5, 5, 100, 5, 5], 10, [0, 0, 1, 2, 2]),  # a spike keeps its edges where both sides can stand alone
        ([100, 3, 3, 3, 3], 10, [0, 1, 1, 1, 1]),  # as zero does
        ([100, 3, 90], 10, [0, 1, 1]),  # a sliver between spikes joins the lighter
        ([4, 4, 4, 4, 4], 8, [0, 0, 1, 1, 1]),  # what is left at the end joins its neighbour
        ([1, 1, 1], 10, [0, 0, 0]),
        ([10, 10, 10], 10, [0, 1, 2]),
        ([0, 0, 0], 1, [0, 0, 0]),
    ],
)
def test_neighbours(mass: list[float], threshold: float, expected: list[int]) -> None:
    groups = merge(np.array(mass, float), Axis("a", len(mass), ordered=True), threshold)
    assert groups.tolist() == expected


@pytest.mark.parametrize(
    ("mass", "threshold", "expected"),
    [
        ([2, 50, 30, 9], 10, [2, 0, 1, 2]),  # the light ones together reach the threshold
        ([2, 50, 30, 3], 10, [1, 0, 1, 1]),  # they do not: the lightest of the heavy takes them in
        ([2, 50, 3], 10, [1, 0, 1]),  # two groups stay two
        ([1, 2], 10, [0, 0]),
    ],
)
def test_pools(mass: list[float], threshold: float, expected: list[int]) -> None:
    assert merge(np.array(mass, float), Axis("a", len(mass)), threshold).tolist() == expected


@pytest.mark.parametrize("ordered", [True, False])
def test_the_missing_code_parts_no_neighbours_and_may_be_all_there_is(ordered: bool) -> None:
    groups = merge(np.array([1.0, 0.0, 1.0]), Axis("a", 3, ordered, missing=1), 2.0)
    assert groups.tolist() == [0, 1, 0]
    assert merge(np.array([7.0]), Axis("a", 1, ordered, missing=0), 2.0).tolist() == [0]
