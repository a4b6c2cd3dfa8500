"""One trusted curator: sums are made in memory and noised with the operating system's entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import UnsupportedUnit
from sfumato.privacy.events import DiscreteGaussian, Exponential
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.mechanisms.exponential import select
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.progress import Progress
from sfumato.results.plain import Json
from sfumato.trust import noising, summing
from sfumato.trust.asking import Asking
from sfumato.trust.budget import Budget
from sfumato.trust.questions import Answer, Count, Price, SumQuestion
from sfumato.trust.records import ExactRecords
from sfumato.trust.setting import Candidate, Setting

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters

_GRID = 2.0**-10  # of a record


class Central(Asking):
    """The setting of one curator who holds all rows.

    Args:
        records: the encoded rows.
        budget: what may be spent.
        max_rows: how many records one protected unit may hold; the caller has enforced it.
        entropy: source of noise.
        saved: where a training keeps its checkpoint, one file per training; None: beside the answer log, if any.

    *Formal guarantee.* Each answer is a mechanism of ``privacy.mechanisms`` applied to a function of the records that
    one unit (at most ``max_rows`` records) moves by at most the sensitivity used, under adding or removing the unit;
    its event is charged to the run's ledger before the noise is drawn.
    """

    compares = True

    def __init__(
        self,
        records: ExactRecords,
        budget: Budget,
        max_rows: int = 1,
        entropy: Entropy = SYSTEM,
        saved: Path | None = None,
    ) -> None:
        self._records, self._budget, self._max_rows, self._entropy = records, budget, max_rows, entropy
        self._saved = saved if budget.answer_log is None else budget.answer_log.training

    def __repr__(self) -> str:
        return f"<central setting over {len(self.domain)} columns>"

    @property
    def domain(self) -> Domain:
        """The encoded columns; public."""
        return self._records.domain

    def mu(self, share: float) -> float:
        """The GDP cost that uses ``share`` of the run's squared budget."""
        return self._budget.mu(share)

    @property
    def remaining(self) -> float:
        """Share of the squared budget that is left."""
        return self._budget.remaining

    def ask(self, question: SumQuestion[Answer], mu: Sequence[float]) -> Answer:
        """The exact sum in whole numbers, with the noise that the price says; see ``trust.questions``.

        A question is checked and priced first, then charged, and only then are records looked at.
        """
        whole, price = self._answered(question, mu)
        return question.answer(whole, price, self.domain)

    def outside(self, mu: float) -> Callable[[], tuple[float, float]]:
        """See ``Asking``; asked now."""
        whole, price = self._answered(Count(outside=True), [mu])
        return lambda: (float(whole[0]), price.scales[0])

    def _answered(self, question: SumQuestion, mu: Sequence[float]) -> tuple[np.ndarray, Price]:
        question.check(self.domain)
        self._budget.check(mu)
        price = question.price(mu, self._max_rows)

        def noised() -> np.ndarray:
            whole = summing.exact(question, self._records)
            return noising.noised(question, whole, price.scales, self.domain, self._entropy)

        asked = [question.digest, self.domain.sizes]  # a view of the same records has other sizes
        return self._budget.answer(asked, price.events, noised), price

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """Exponential mechanism over the candidates' scores; one unit moves each by at most weight x ``max_rows``."""
        sensitivity = max(c.weight for c in candidates) * self._max_rows
        if not self._budget.private:
            return int(np.argmax([self._score(c) for c in candidates]))

        def chosen() -> np.ndarray:
            scores = np.array([self._score(c) for c in candidates])
            return np.array(select(scores, epsilon, sensitivity, self._entropy))

        return int(self._budget.answer(["select", _cliques(candidates)], [Exponential(epsilon)], chosen))

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """All scores, rounded down to integers and given integer noise.

        Rounding down keeps the sensitivity: scores within an integer distance stay within it. ``weight`` must be 1.
        """
        if any(c.weight != 1 for c in candidates):
            raise ValueError("distances are unweighted; divide the answer instead")
        sigma = self._budget.integer_sigma(mu / math.sqrt(len(candidates)), self._max_rows)
        events = [DiscreteGaussian(sigma, self._max_rows, len(candidates))] if sigma else []

        def noised() -> np.ndarray:
            scores = np.array([math.floor(self._score(c)) for c in candidates])
            return add_discrete_gaussian(scores, sigma, self._entropy) if sigma else scores

        return self._budget.answer(["distances", _cliques(candidates)], events, noised).astype(np.float64)

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """DP-SGD over the records; see ``training.Trainer``. UnsupportedUnit when a unit may hold several records."""
        if self._max_rows != 1:
            raise UnsupportedUnit(
                f"gradients are clipped per row, but a unit may hold {self._max_rows} rows: declare max_rows 1, or take"
                " a model over marginals"
            )
        from sfumato.trust.training import Trainer  # imports jax, which models over marginals do without

        return Trainer(self._records, self._budget, self._entropy, self._saved).dp_sgd(training, share, progress)

    def coarsened(self, recode: Sequence[np.ndarray]) -> Setting:
        """The same records through public maps code -> coarser code."""
        return Central(self._records.coarsened(recode), self._budget, self._max_rows, self._entropy, self._saved)

    def _score(self, candidate: Candidate) -> float:
        """The score with public guesses rounded to ``_GRID``: sums are then exact, and sensitivity holds to the bit."""
        guess = np.rint(np.asarray(candidate.estimate) / _GRID) * _GRID
        distance = float(np.abs(self._records.table(candidate.query) - guess).sum())
        return candidate.weight * (distance - float(np.rint(candidate.bias / _GRID)) * _GRID)


def _cliques(candidates: Sequence[Candidate]) -> list[Json]:
    return [c.query.clique for c in candidates]
