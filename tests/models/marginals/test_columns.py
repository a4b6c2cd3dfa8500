"""The first question, and how finely pairs are asked after it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.models.marginals.population import DOMAIN, curator, frequencies, people

from sfumato.encoding.domain import Axis, Domain
from sfumato.models.marginals.columns import MOST_GROUPS, Resolution, measure_columns
from sfumato.progress import Silent

LONG = Domain((Axis("a", 500, ordered=True, missing=499), Axis("b", 40), Axis("c", 2)))


def long_rows(n: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    a = np.where(rng.random(n) < 0.1, 499, rng.binomial(498, 0.3, n))
    return np.stack([a, rng.geometric(0.2, n).clip(1, 40) - 1, rng.integers(0, 2, n)], axis=1).astype(np.uint16)


def test_without_a_guarantee_columns_are_exact_but_for_a_trace() -> None:
    codes = people(3000)
    known = measure_columns(curator(codes, epsilon=math.inf), 0.5, Silent())
    assert known.total == 3000
    for i, fine in enumerate(known.fine):
        assert fine.min() > 0
        assert fine.sum() == pytest.approx(3000)
        np.testing.assert_allclose(fine / 3000, frequencies(codes, (i,)), atol=1e-4)


def test_groups_stand_above_the_noise_and_are_not_too_many() -> None:
    setting = curator(long_rows(20_000), LONG)
    known = measure_columns(setting, 0.5, Silent())
    assert setting.remaining == pytest.approx(0.5)
    sigma = 1 / setting.mu(0.5 / 3)
    for mass in known.masses:
        assert mass.size <= MOST_GROUPS + 1
        assert mass.size <= 2 or np.sort(mass)[1] >= 0.99 * 3 * sigma
    missing = known.maps[0][499]
    assert (known.maps[0] == missing).sum() == 1
    assert known.grouped.axes[0] == Axis("a", known.masses[0].size, ordered=True, missing=missing)


def test_more_noise_asks_more_coarsely_and_no_noise_asks_all() -> None:
    known = measure_columns(curator(long_rows(20_000), LONG, epsilon=math.inf), 0.5, Silent())
    resolution = Resolution(known)
    cells = [resolution.query((0, 1), sigma).cells(known.grouped) for sigma in (0.0, 1.0, 10.0, 100.0, 1e4)]
    assert cells == sorted(cells, reverse=True)
    assert cells[0] == math.prod(known.grouped.sizes[:2])
    assert cells[-1] <= 12
    for sigma in (1.0, 10.0):
        query = resolution.query((0, 1), sigma)
        table = resolution.independent(query)
        assert table.shape == query.shape(known.grouped)
        assert table.sum() == pytest.approx(known.total)
        assert table.mean() > sigma


@pytest.mark.parametrize("size", [0, 1])
def test_where_there_is_no_pair_the_columns_take_all(size: int) -> None:
    setting = curator(np.zeros((50, size), np.uint8), Domain(DOMAIN.axes[:size]))
    assert measure_columns(setting, 0.25, Silent()).total >= 1
    assert setting.remaining < 1e-9
