"""Nearest neighbours are those that a comparison with every point finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from sfumato.auditing.attacks import neighbours
from sfumato.auditing.attacks.neighbours import nearest
from sfumato.encoding.domain import Axis, Domain
from sfumato.evaluation.features import metric_features

DOMAIN = Domain(
    (
        *(Axis(name, 40, ordered=True) for name in ("age", "height", "weight")),
        Axis("wage", 9, ordered=True, missing=8),
        Axis("job", 5),
        Axis("town", 90),
    )
)


def points(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.integers(0, min(axis.size, 40), n) for axis in DOMAIN.axes], axis=1)
    return metric_features(codes, DOMAIN)


def largest_error(k: int) -> float:
    known, asked = points(400, 0), points(300, 1)
    gaps, index = nearest(known, asked, k)
    every = cdist(asked.astype(float), known.astype(float))
    assert np.allclose(np.take_along_axis(every, index, 1), gaps)
    return float(np.abs(np.sort(every, axis=1)[:, :k] - gaps).max())


@pytest.mark.parametrize("k", [1, 5])
def test_they_are_the_nearest_of_all(k):
    assert largest_error(k) < 1e-6
    settled = neighbours._with_equal_flags(points(400, 0), points(300, 1), 1)[:, 0] >= 0
    assert 0.1 < settled.mean() < 1  # both ways are gone


def test_a_bound_that_is_too_wide_is_seen(monkeypatch):
    """Planted bug: points with other categories are thought to be further than they are."""
    monkeypatch.setattr(neighbours, "_APART", 100.0)
    assert largest_error(1) > 1e-3


def test_points_without_categories_and_few_points():
    rng = np.random.default_rng(2)
    known, asked = rng.random((50, 3), np.float32), rng.random((20, 3), np.float32)
    gaps, _ = nearest(known, asked, 2)
    assert np.allclose(gaps, np.sort(cdist(asked, known), axis=1)[:, :2])
    assert nearest(known[:2], asked, 5)[0].shape == (20, 2)
