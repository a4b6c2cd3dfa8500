"""Models in settings that only add ask three questions; the last of AIM is for pairs that are worth it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from tests.models.marginals.population import DELTA, DOMAIN, NAMES, distance, people

from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.models.marginals.association import pairs_of
from sfumato.models.model import FittedModel
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.randomness import Entropy, SeededEntropy
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import Marginals
from sfumato.trust.records import Records


class Adding(Central):
    """A curator who does not compare, whose noise is fixed, and who keeps the pairs of each question."""

    compares = False

    def __init__(self, records: Any, budget: Budget, entropy: Entropy, asked: list[list[tuple[int, ...]]]) -> None:
        super().__init__(records, budget, entropy=entropy)
        self.asked = asked

    def ask(self, question: Any, mu: Sequence[float]) -> Any:
        self.asked.append([q.clique for q in question.queries] if isinstance(question, Marginals) else [])
        return super().ask(question, mu)

    def coarsened(self, recode: Sequence[np.ndarray]) -> Adding:
        return Adding(self._records.coarsened(recode), self._budget, self._entropy, self.asked)


def fitted(
    codes: np.ndarray, domain: Domain, epsilon: float, target: int | None, name: str = "aim"
) -> tuple[Adding, FittedModel]:
    run = Ledger.open(cap=Guarantee(math.inf, DELTA)).begin(Guarantee(epsilon, DELTA), "fit")
    setting = Adding(Records.of(codes, domain), Budget(run), SeededEntropy(1), [])
    return setting, MODELS[name, "table"].recipe().fit(setting, target=target, progress=Silent())


@pytest.mark.parametrize("target", [None, 1])
@pytest.mark.parametrize("epsilon", [0.1, 2.0, math.inf])
@pytest.mark.parametrize("columns", [(0, 1, 2, 3), (0, 1), (2,), ()])
def test_three_questions_at_most_spend_the_budget(columns: tuple[int, ...], epsilon: float, target: int | None) -> None:
    """Every pair is asked in the second."""
    domain = Domain(tuple(DOMAIN.axes[i] for i in columns))
    target = None if target is None or not columns else min(target, len(columns) - 1)
    setting, model = fitted(people(600)[:, list(columns)], domain, epsilon, target)
    assert len(setting.asked) <= (3 if len(columns) > 1 else 1)
    if len(columns) > 1:
        assert len(setting.asked[1]) == len(columns) * (len(columns) - 1) // 2
    assert setting.remaining == (1 if math.isinf(epsilon) else pytest.approx(0, abs=1e-6))
    assert model.sample(30, np.random.default_rng(0)).shape == (30, len(columns))


@pytest.mark.parametrize("target", [None, 1])
@pytest.mark.parametrize("name", [n for n in NAMES if n != "independent"])
def test_dependence_is_learnt_from_three_questions(name: str, target: int | None) -> None:
    codes = people(5000)
    setting, model = fitted(codes, DOMAIN, 2.0, target, name)
    assert len(setting.asked) == 3
    assert setting.remaining == pytest.approx(0, abs=1e-6)
    drawn = model.sample(20_000, np.random.default_rng(0))
    for pair in ((0, 1), (1, 2), (0, 2)):
        assert distance(drawn, codes, pair) < 0.06
    assert distance(drawn, codes, (0, 3)) < 0.04


def test_a_pair_that_follows_from_others_is_not_measured_again() -> None:
    """A chain of eight columns: a neighbour of a neighbour agrees by as much as two links let it."""
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 4, 8000)]
    for _ in range(7):
        columns.append(np.where(rng.random(8000) < 0.7, columns[-1], rng.integers(0, 4, 8000)))
    domain = Domain.of(list("abcdefgh"), [4] * 8)
    setting, model = fitted(np.column_stack(columns).astype(np.uint8), domain, 1.0, 3)
    chosen = setting.asked[2]
    assert {(0, 1), (1, 2), (4, 5), (5, 6), (6, 7)} <= set(chosen)
    assert len(chosen) < 14  # 8 or 9 of 21
    drawn = model.sample(20_000, np.random.default_rng(0))
    assert (drawn[:, 0] == drawn[:, 2]).mean() > 0.55  # of 0.62; 0.25 by chance


def test_what_is_left_is_not_lost_where_no_pair_is_worth_it() -> None:
    """Columns that have nothing to do with each other: those with the target are asked again, or all."""
    coins = np.random.default_rng(0).integers(0, 2, (4000, 4)).astype(np.uint8)
    domain = Domain.of(list("abcd"), [2] * 4)
    for target, again in ((2, [(0, 2), (1, 2), (2, 3)]), (None, pairs_of(4))):
        setting, _ = fitted(coins, domain, 0.5, target)
        assert setting.asked[2] == again
        assert setting.remaining == pytest.approx(0, abs=1e-6)
