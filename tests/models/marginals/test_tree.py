"""Spanning trees against brute force, and orders in which they can be drawn."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfumato.models.marginals.tree import drawing_order, spanning_tree


def connected(edges: tuple[tuple[int, int], ...], columns: int) -> bool:
    reached, grown = {0}, True
    while grown:
        more = {j for e in edges for j in e if reached & set(e)} | reached
        reached, grown = more, more != reached
    return len(reached) == columns


@pytest.mark.parametrize("columns", [2, 3, 4, 5])
def test_no_spanning_tree_is_heavier(columns: int) -> None:
    pairs = list(combinations(range(columns), 2))
    trees = [t for t in combinations(pairs, columns - 1) if connected(t, columns)]
    for seed in range(20):
        scores = dict(zip(pairs, np.random.default_rng(seed).normal(0, 9, len(pairs)).tolist(), strict=True))
        found = spanning_tree(scores, columns)
        assert connected(tuple(found), columns)
        assert len(found) == columns - 1
        best = max(sum(scores[e] for e in t) for t in trees)
        assert sum(scores[e] for e in found) == pytest.approx(best)


def test_small_cases() -> None:
    assert spanning_tree({}, 0) == []
    assert spanning_tree({}, 1) == []
    assert spanning_tree({(0, 1): 1.0}, 3) == [(0, 1)]  # no pair with column 2 is known: a forest
    assert drawing_order([], 0) == []
    assert drawing_order([], 3, root=2) == [2, 0, 1]
    assert drawing_order([(0, 1), (1, 2), (1, 3)], 4)[0] == 1


@given(columns=st.integers(1, 9), seed=st.integers(0, 500), keep=st.floats(0, 1), data=st.data())
def test_every_column_is_drawn_once_after_its_neighbour(
    columns: int, seed: int, keep: float, data: st.DataObject
) -> None:
    """In a forest: each column but the first of its part has exactly one neighbour among those before it."""
    rng = np.random.default_rng(seed)
    edges = [(int(rng.integers(0, j)), j) for j in range(1, columns) if rng.random() < keep]
    root = data.draw(st.none() | st.integers(0, columns - 1))
    order = drawing_order(edges, columns, root)
    assert sorted(order) == list(range(columns))
    if root is not None:
        assert order[0] == root
    place = {c: k for k, c in enumerate(order)}
    before = [sum(place[i] < place[c] for e in edges if c in e for i in e if i != c) for c in order]
    assert max(before) <= 1
    assert before.count(0) == columns - len(edges)
