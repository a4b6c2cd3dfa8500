"""What a run may spend, in units of Gaussian differential privacy, and the ledger it is charged to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import CheckpointError
from sfumato.privacy import gdp
from sfumato.privacy.accounting import discrete_gaussian_sigma, mu_for
from sfumato.privacy.events import DistributedGaussian, Event, PoissonSampledGaussian, is_training
from sfumato.privacy.ledger import Run
from sfumato.privacy.mechanisms.discrete_gaussian import planned
from sfumato.privacy.spending import TAIL_SHARE, mu_squared

if TYPE_CHECKING:
    from sfumato.progress import Progress
    from sfumato.results.plain import Json
from sfumato.trust.answer_log import AnswerLog

ROUNDING = 1e-9
"""Of shares of a budget that were added up."""


class Budget:
    """What a run may spend in GDP units, and its ledger: shared by all views of one setting.

    A run without a guarantee (epsilon = inf) has an infinite ``mu`` and charges nothing.

    Args:
        run: what is charged.
        answer_log: keeps the answers; with those of an interrupted run, it gives them again.
        progress: told what has been spent; None: nobody is, and nothing is computed for it.

    *Formal guarantee.* Each charge of the run pays for one answer that is ever given: a kept answer is given again as
    it was, and a charge whose answer was lost before anyone saw it pays for that answer drawn anew. An answer is kept
    under the run's lease before it is given, so of two holders of one run only one can give it.
    """

    def __init__(
        self,
        run: Run,
        answer_log: AnswerLog | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.run = run
        self.answer_log = answer_log
        self._progress = progress
        self.private = run.guarantee.private
        self.total = math.inf if not self.private else mu_for(run.guarantee)
        self._spent = 0.0
        self._paid = [] if answer_log is None else self._charged_before(answer_log)

    def mu(self, share: float) -> float:
        """The cost that uses ``share`` of the squared total."""
        if not 0 <= share <= 1:
            raise ValueError(f"a share of the budget lies between 0 and 1, got {share}")
        return math.sqrt(share) * self.total

    @property
    def remaining(self) -> float:
        """Share of the squared total not yet charged."""
        return 1.0 if not self.private else max(0.0, 1.0 - self._spent / self.total**2)

    def answer(
        self,
        question: Sequence[Json],
        events: Sequence[Event],
        make: Callable[[], np.ndarray],
        squared: float | None = None,
    ) -> np.ndarray:
        """Charge ``events``, then ``make()``; or the answer that an interrupted run got to the same ``question``.

        ``question`` is public and can be written as JSON. ``squared`` is what is taken off the squared total, where the
        events cost somebody else more than they cost whom the budget is for. Raises Overdraft, or CheckpointError where
        the interrupted run asked something else.
        """
        cost = [[type(e).__name__, *astuple(e)] for e in events]
        kept = None
        if self.answer_log is not None:
            with self.run.held():
                kept = self.answer_log.recall([question, cost], len(events))
        if kept is None and self._paid and len(self._paid) != len(events):  # each is kept before the next is paid for
            raise CheckpointError("the run paid for answers that its checkpoint lacks: it is an older copy, or damaged")
        self.charge(events, squared)
        if kept is not None:
            return kept
        made = make()
        if self.answer_log is not None:
            with self.run.held():
                self.answer_log.keep([question, cost], len(events), made)
        return made

    def charge(self, events: Sequence[Event], squared: float | None = None) -> None:
        """Charge the ledger with what an interrupted run has not paid already; Overdraft if it does not allow it."""
        if not self.private:
            return
        if self._paid:
            if self._paid[: len(events)] != list(events):
                raise CheckpointError("the interrupted run paid for another question; delete its checkpoint")
            del self._paid[: len(events)]
        else:
            self.run.charge(*events)
        self._spend(sum(mu_squared(e) for e in events) if squared is None else squared)

    def tail(self, share: float) -> float:
        """The part of delta that a training of ``share`` of the squared total may take for the tail of its loss."""
        return share * TAIL_SHARE * self.run.guarantee.delta

    def charge_training(self, event: PoissonSampledGaussian | DistributedGaussian, paid: bool) -> None:
        """Charge a DP-SGD, whole, before its first step, unless the run ``paid`` for it before it was interrupted.

        Raises Overdraft if the ledger does not allow it.
        """
        if not self.private:
            return
        if not paid:
            self.run.charge(event)
        self._spend(mu_squared(event))

    def check(self, mu: Sequence[float]) -> None:
        """ValueError where an answer would be free under a guarantee."""
        for cost in mu:
            self._free(cost)

    def integer_sigma(self, mu: float, sensitivity: int) -> float:
        """Integer noise for one answer at cost ``mu``, a little wider than real noise; 0 without a guarantee.

        ValueError for a free answer under one; TooMuchNoise where whole numbers do not hold it.
        """
        return 0.0 if self._free(mu) else planned(discrete_gaussian_sigma(mu, sensitivity))

    def _spend(self, squared: float) -> None:
        self._spent += squared
        if self._progress is None:
            return
        delta = gdp.delta(self.run.guarantee.epsilon, self.total)
        self._progress.spent(gdp.epsilon(math.sqrt(self._spent), delta))

    def _charged_before(self, answer_log: AnswerLog) -> list[Event]:
        """What an interrupted run has charged, but for DP-SGD, which accounts for itself."""
        paid: list[Event] = [e for e in self.run.events if not is_training(e)]
        if len(paid) < answer_log.charges:
            raise CheckpointError(f"run {self.run.id} of this ledger is not the one that the checkpoint was kept by")
        return paid

    def _free(self, mu: float) -> bool:
        if not mu > 0 or (self.private and math.isinf(mu)):
            raise ValueError(f"an answer about private records costs a positive finite mu, got {mu}")
        return math.isinf(mu)
