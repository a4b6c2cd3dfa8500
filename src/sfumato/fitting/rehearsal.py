"""A fit without rows: its questions are planned, so that one which asks for too much noise is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.fitting.plan import Plan
from sfumato.models import GradientModel, Model
from sfumato.privacy.accounting import mu_for, poisson_noise_multiplier
from sfumato.privacy.spending import TAIL_SHARE
from sfumato.progress import Progress, Silent
from sfumato.trust.questions import FeatureSum, Measurement, Query, Scatter, SumQuestion

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import DpSgd

_RECORDS = 2.0**16
"""Of which a training is planned: how many there are is not known, and hardly matters to whether it can be."""
_ENOUGH = 0.01
"""A GDP cost at which any training of up to 10^4 steps can be planned, even on all records: 10^4 times a gradient."""


class Asked(Exception):  # noqa: N818 - ends a rehearsal, and no error
    """A model came as far as can be gone without rows, or without time."""


def rehearse(recipe: Model, domain: Domain, target: int | None, plan: Plan) -> None:
    """Let ``recipe`` ask, as far as its questions follow from public facts.

    Sums are planned and answered with zeros, until a model trains or asks for tables. Gradients are planned as if
    nothing had been asked before them, for the share of the budget that they get.

    Raises:
        TooMuchNoise: a question asks for more noise than whole numbers hold.
    """
    with suppress(Asked):
        recipe.fit(Rehearsal(domain, plan), target=target, progress=_Untrained())
    if isinstance(recipe, GradientModel) and recipe.gradients > 0 and plan.guarantee.private:
        alone = _TrainingAlone(domain, plan, recipe.gradients)
        if alone.mu(recipe.gradients) < _ENOUGH:
            with suppress(Asked):
                recipe.gradients_only().fit(alone, target=target, progress=Silent())


class _Untrained(Silent):
    def stage(self, name: str, total: int | None = None) -> None:
        """Ends the rehearsal where a training would begin."""
        if name.startswith("training"):
            raise Asked


class Rehearsal:
    """A setting without records: sums are planned, and are zero; any other question ends the rehearsal."""

    compares = True

    def __init__(self, domain: Domain, plan: Plan) -> None:
        self.domain, self._plan = domain, plan
        self._total = mu_for(plan.guarantee) if plan.guarantee.private else math.inf
        self.remaining = 1.0

    def mu(self, share: float) -> float:
        """The cost of a share of the squared budget."""
        return math.sqrt(share) * self._total

    def sigma(self, mu: float) -> float:
        """The noise of a count at a cost."""
        return 1 / mu

    def feature_sum(self, question: FeatureSum, mu: float) -> np.ndarray:
        """Zeros, if it can be planned."""
        return self._planned(question, mu)

    def scatter(self, question: Scatter, mu: float) -> np.ndarray:
        """Zeros, if it can be planned."""
        return self._planned(question, mu)

    def _planned(self, question: SumQuestion[np.ndarray], mu: float) -> np.ndarray:
        price = question.price([mu], self._plan.max_rows)
        return question.answer(np.zeros(question.values(self.domain), np.int64), price, self.domain)

    def _asked(self, *args: object, **options: object) -> NoReturn:
        raise Asked

    count = marginals = select = distances = dp_sgd = coarsened = _asked


class _TrainingAlone(Rehearsal):
    """A rehearsal of the training alone, at the ``share`` that it gets."""

    def __init__(self, domain: Domain, plan: Plan, share: float) -> None:
        super().__init__(domain, plan)
        self._share = share

    def count(self, mu: float) -> float:
        """Some number."""
        return _RECORDS

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """The same number, spread evenly."""
        shapes = [query.shape(self.domain) for query in queries]
        return [
            Measurement(query, np.full(shape, _RECORDS / math.prod(shape)), 1 / m)
            for query, shape, m in zip(queries, shapes, mu, strict=True)
        ]

    def dp_sgd(self, training: DpSgd, share: float, progress: Progress) -> NoReturn:
        """Plan it, with the share that it gets; ends the rehearsal."""
        from sfumato.privacy.groups import rooms
        from sfumato.privacy.sampling import PoissonSteps
        from sfumato.trust.steps import Planned, descent_of

        probability, tail = PoissonSteps(training.rate, 0).probability, self._share * TAIL_SHARE
        noise = poisson_noise_multiplier(
            probability, training.steps, self.mu(self._share), tail * self._plan.guarantee.delta
        )
        into = rooms(training.rate, training.total)
        _ = Planned(descent_of(training, noise, training.rate, into), self.domain).grid
        raise Asked
