"""Chains fitted to exact and noisy tables of known distributions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from tests.models.marginals.exact import joint, random_chain

from sfumato.encoding.domain import Domain
from sfumato.models.marginals.chain import Chain
from sfumato.models.marginals.columns import Columns
from sfumato.models.marginals.fitting import fit
from sfumato.trust.setting import Clique, Measurement, Query

TOTAL = 50_000.0
SIZES = (3, 2, 4)


def marginal(law: np.ndarray, clique: Sequence[int]) -> np.ndarray:
    return law.sum(axis=tuple(i for i in range(law.ndim) if i not in clique))


def known(law: np.ndarray) -> Columns:
    """Each column alone, exactly; every code its own group."""
    domain = Domain.of([f"c{i}" for i in range(law.ndim)], law.shape)
    fine = tuple(TOTAL * marginal(law, [i]) for i in range(law.ndim))
    return Columns(domain, fine, tuple(np.arange(s) for s in law.shape), TOTAL)


def measured(law: np.ndarray, clique: Clique, sigma: float = 0.0, seed: int = 0) -> Measurement:
    noise = np.random.default_rng(seed).normal(0, sigma, [law.shape[i] for i in clique]) if sigma else 0.0
    return Measurement(Query(clique), TOTAL * marginal(law, clique) + noise, sigma)


def learn(law: np.ndarray, tables: list[Measurement], order: Sequence[int], redrawn: int | None = None) -> Chain:
    return fit(known(law), tables, order, 100_000, np.random.default_rng(0), redrawn)[0]


def tree_law() -> np.ndarray:
    """Column 0 in the middle; 1 and 2 depend on it alone."""
    rng = np.random.default_rng(4)
    root, first, second = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(2), 3), rng.dirichlet(np.ones(4), 3)
    return np.einsum("a,ab,ac->abc", root, first, second)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1)])
def test_a_tree_is_recovered_from_exact_tables(order: tuple[int, ...]) -> None:
    """In whatever order the tree is drawn: it is one distribution. 100,000 draws stand between."""
    law = tree_law()
    chain = learn(law, [measured(law, (0, 1)), measured(law, (0, 2))], order)
    assert np.abs(joint(chain, SIZES) - law).sum() / 2 < 0.01


def test_a_log_linear_conditional_is_recovered_from_exact_tables() -> None:
    """Columns 0 and 1 depend on each other, 2 on both without an interaction: the tables suffice."""
    chain = random_chain(SIZES, np.random.default_rng(2))
    first, second = chain.conditionals[:2]
    last = random_chain(SIZES, np.random.default_rng(3), redrawn=2).conditionals[-1]
    law = joint(Chain((first, second, last)), SIZES)
    tables = [measured(law, c) for c in ((0, 1), (0, 2), (1, 2))]
    assert np.abs(joint(learn(law, tables, (0, 1, 2)), SIZES) - law).sum() / 2 < 0.01


def test_a_redrawn_column_meets_all_its_tables() -> None:
    """Drawn first as the root, then again given both others."""
    law = joint(random_chain(SIZES, np.random.default_rng(7), redrawn=1), SIZES)
    tables = [measured(law, c) for c in ((0, 1), (1, 2))]
    model = joint(learn(law, tables, (1, 0, 2), redrawn=1), SIZES)
    for clique in ((0, 1), (1, 2)):
        assert np.abs(marginal(model, clique) - marginal(law, clique)).sum() / 2 < 0.01


def test_siblings_are_independent_given_the_parent() -> None:
    """mbi 1.1.0 ranks rows without a shuffle, so that children rise together. Here their correlation given the
    parent is zero, in exact probabilities and in 50,000 draws, within six standard errors."""
    law = tree_law()
    chain = learn(law, [measured(law, (0, 1)), measured(law, (0, 2))], (0, 1, 2))
    model = joint(chain, SIZES)
    apart = np.einsum("ab,ac,a->abc", marginal(model, [0, 1]), marginal(model, [0, 2]), 1 / marginal(model, [0]))
    np.testing.assert_allclose(model, apart, atol=1e-9)
    parent, first, second = chain.sample(50_000, np.random.default_rng(0))
    assert max_correlation(parent, first, second) < 6
    assert max_correlation(parent, *(ranked(parent, child) for child in (first, second))) > 6


def max_correlation(parent: np.ndarray, first: np.ndarray, second: np.ndarray) -> float:
    """Largest correlation of the children within a group of the parent, in standard errors."""
    return max(
        abs(np.corrcoef(first[own], second[own])[0, 1]) * own.sum() ** 0.5
        for own in (parent == value for value in range(SIZES[0]))
    )


def ranked(parent: np.ndarray, child: np.ndarray) -> np.ndarray:
    """The planted bug: each parent's rows get its child's codes in rising order."""
    out = child.copy()
    for value in range(SIZES[0]):
        out[parent == value] = np.sort(child[parent == value])
    return out


def test_noise_beyond_the_signal_changes_little() -> None:
    """Independent columns seen through heavy noise stay nearly independent."""
    law = np.full((3, 2, 4), 1 / 24)
    tables = [measured(law, c, sigma=800.0, seed=i) for i, c in enumerate([(0, 1), (0, 2), (1, 2)])]
    seen = np.mean([np.abs(t.values / TOTAL - marginal(law, t.query.clique)).sum() / 2 for t in tables])
    model = joint(learn(law, tables, (0, 1, 2)), SIZES)
    learnt = np.mean(
        [np.abs(marginal(model, t.query.clique) - marginal(law, t.query.clique)).sum() / 2 for t in tables]
    )
    assert learnt < 0.8 * seen


def test_tables_over_groups_shape_the_codes_inside_alike() -> None:
    """A pair asked with two groups of column 2: what is known of the groups is met, the inside stays as it was."""
    law = joint(random_chain(SIZES, np.random.default_rng(7), redrawn=2), SIZES)
    groups = (np.arange(3), np.array([0, 0, 1, 1]))
    values = TOTAL * np.add.reduceat(marginal(law, [0, 2]), [0, 2], axis=1)
    model = joint(learn(law, [Measurement(Query((0, 2), groups), values, 0.0)], (0, 1, 2)), SIZES)
    pair = marginal(model, [0, 2])
    np.testing.assert_allclose(np.add.reduceat(pair, [0, 2], axis=1), values / TOTAL, atol=0.005)
    np.testing.assert_allclose(marginal(model, [2]), marginal(law, [2]), atol=0.005)
    odds = pair[:, 0] * pair[:, 3] / (pair[:, 1] * pair[:, 2])
    np.testing.assert_allclose(odds, odds[0], rtol=1e-6)


def test_draws_that_come_back_follow_the_chain() -> None:
    law = tree_law()
    _, draws = fit(known(law), [measured(law, (0, 1))], (0, 1, 2), 60_000, np.random.default_rng(0))
    counts = np.bincount(np.ravel_multi_index(draws[:2], SIZES[:2]), minlength=6).reshape(3, 2) / 60_000
    np.testing.assert_allclose(counts, marginal(law, [0, 1]), atol=0.015)
