"""Draws of a chain against exact enumeration, with and without evidence.

Frequencies of N draws are compared by a chi-square test at ``ERROR``.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from tests.models.marginals.exact import joint, random_chain

from sfumato.models.marginals.chain import Chain, Conditional, softmax
from sfumato.models.model import ImpossibleCondition

ERROR = 1e-6
N = 40_000
SIZES = (3, 2, 4)


def table(draws: list[np.ndarray]) -> np.ndarray:
    flat = np.ravel_multi_index(draws, SIZES)
    return np.bincount(flat, minlength=int(np.prod(SIZES)))


def fits(counts: np.ndarray, law: np.ndarray) -> bool:
    """Chi-square goodness of fit over cells expected at least 5 times, the others as one; none where none can be."""
    expected = law.ravel() * counts.sum()
    if counts[expected == 0].any():
        return False
    often = expected >= 5
    seen = np.append(counts[often], counts[~often].sum())
    wanted = np.append(expected[often], expected[~often].sum())
    kept = wanted > 0
    statistic = ((seen - wanted)[kept] ** 2 / wanted[kept]).sum()
    return bool(stats.chi2.sf(statistic, kept.sum() - 1) > ERROR)


EVIDENCE = {
    "none": {},
    "a mask": {2: np.array([0.0, 1.0, 0.0, 1.0])},
    "one group": {0: np.array([0.0, 0.0, 1.0])},
    "part of a group": {1: np.array([0.2, 0.9])},
    "several columns": {0: np.array([1.0, 0.3, 0.0]), 2: np.array([0.0, 0.5, 1.0, 0.0])},
    "everything": {0: np.ones(3), 1: np.ones(2), 2: np.ones(4)},
}


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("redrawn", [None, 0, 1])
def test_draws_follow_the_exact_distribution(evidence: str, redrawn: int | None) -> None:
    chain = random_chain(SIZES, np.random.default_rng(1), redrawn)
    draws = chain.sample(N, np.random.default_rng(2), EVIDENCE[evidence])
    assert [len(d) for d in draws] == [N] * 3
    assert fits(table(draws), joint(chain, SIZES, EVIDENCE[evidence]))


@pytest.mark.parametrize("redrawn", [None, 0, 1])
def test_log_likelihoods_are_those_of_the_exact_distribution(redrawn: int | None) -> None:
    chain = random_chain(SIZES, np.random.default_rng(1), redrawn)
    every = [g.ravel() for g in np.meshgrid(*(np.arange(s) for s in SIZES), indexing="ij")]
    np.testing.assert_allclose(np.exp(chain.log_likelihood(every)), joint(chain, SIZES).ravel(), atol=1e-12)


def test_the_check_notices_evidence_that_is_only_clamped() -> None:
    """The planted bug: the condition is forced, but does not weigh what was drawn before it."""
    chain = random_chain(SIZES, np.random.default_rng(1))
    evidence = EVIDENCE["a mask"]
    clamped, _ = chain._draw(N, np.random.default_rng(2), evidence)
    assert set(clamped[2].tolist()) == {1, 3}
    assert not fits(table(clamped), joint(chain, SIZES, evidence))


def test_rare_evidence_holds_and_nearly_follows_the_law() -> None:
    """One in three thousand: resampled rather than awaited; the others' frequencies are near the exact ones."""
    rare = np.array([[-9.0, 0.0], [-8.0, 0.0], [-7.0, 0.0]])
    chain = Chain(
        (
            Conditional(0, (), np.log([0.5, 0.3, 0.2]), ()),
            Conditional(1, (0,), np.zeros(2), (rare,)),
            Conditional(2, (0,), np.zeros(4), (np.arange(12.0).reshape(3, 4) % 5,)),
        )
    )
    evidence = {1: np.array([1.0, 0.0])}
    draws = chain.sample(2000, np.random.default_rng(0), evidence)
    assert set(draws[1].tolist()) == {0}
    law = joint(chain, SIZES, evidence)
    assert np.abs(table(draws).reshape(SIZES) / 2000 - law).sum() / 2 < 0.06


@pytest.mark.parametrize("n", [1, 1000])
def test_impossible_evidence_says_so(n: int) -> None:
    chain = random_chain(SIZES, np.random.default_rng(1))
    with pytest.raises(ImpossibleCondition):
        chain.sample(n, np.random.default_rng(0), {1: np.zeros(2)})


@pytest.mark.parametrize("evidence", [None, {1: np.array([1.0, 0.0])}])
def test_any_number_of_draws(evidence: dict[int, np.ndarray] | None) -> None:
    chain = random_chain(SIZES, np.random.default_rng(1))
    for n in (0, 1, 17):
        assert [d.shape for d in chain.sample(n, np.random.default_rng(0), evidence)] == [(n,)] * 3


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column without parents, too, is drawn anew for every record."""
    monkeypatch.setattr("sfumato.models.marginals.chain._BLOCK", 1000)
    chain = random_chain(SIZES, np.random.default_rng(3))
    assert fits(table(chain.sample(N, np.random.default_rng(0))), joint(chain, SIZES))


def test_probabilities_of_huge_log_potentials_stay_numbers() -> None:
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4], [-1e4, 0.0]])), [[0.5, 0.5], [0.0, 1.0]])
    np.testing.assert_allclose(softmax(np.array([[1e4], [1e4]]), axis=0), [[0.5], [0.5]])


class Highest:
    """A generator whose draws are the largest below one."""

    def random(self, size: tuple[int, ...], dtype: type) -> np.ndarray:
        return np.full(size, np.nextafter(dtype(1), dtype(0)))


def test_a_forbidden_last_group_is_never_drawn() -> None:
    """Also where the draw comes nearest to the top of the ladder."""
    rng = np.random.default_rng(0)
    for size in rng.integers(2, 50, 1000):
        codes = [np.empty(0, np.int64)]
        allowed = np.append(np.full(size - 1, 0.9), 0.0)
        conditional = Conditional(0, (), rng.normal(size=size), ())
        conditional.draw(codes, 1, Highest(), allowed)  # type: ignore[arg-type]
        assert codes[0] < size - 1
