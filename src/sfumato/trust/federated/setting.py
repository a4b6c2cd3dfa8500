"""The trust setting of sites that keep their rows: each noises its own sums, and only their masked total is opened."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError, UnsupportedUnit
from sfumato.privacy.events import Event
from sfumato.progress import Progress
from sfumato.trust.asking import Asking
from sfumato.trust.budget import Budget
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.questions import Answer, Count, Distances, Marginals, Measurement, Query, SumQuestion
from sfumato.trust.records import coarser
from sfumato.trust.setting import Candidate, Setting

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters


@dataclass
class _Outside:
    """The count of rows outside the facts, which waits for the first tables: a round costs more than a number more.

    Attributes:
        mu: what it may cost; 0: nobody asked.
        found: the noisy number and the scale of its noise, once it was opened.
    """

    mu: float = 0.0
    found: tuple[float, float] | None = None

    @property
    def waits(self) -> bool:
        """Whether it is still to be asked."""
        return self.mu > 0 and self.found is None


class Federated(Asking):
    """The setting of sites that keep their rows.

    Args:
        rounds: opens sums over the sites.
        domain: the encoded columns at every site.
        budget: what may be spent toward whoever gets the model; each site keeps a ledger of its own beside it.
        recode: maps code -> coarser code, one per column, through which tables are asked; None: none.

    *Formal guarantee.* Toward whoever sees opened sums alone: each is a sum over all records of the sites that took
    part, with the noise of at least k - c - d honest shares, whose event is charged before any site is asked. A unit's
    rows lie at one site; with rows at several, it counts as often.
    """

    compares = False

    def __init__(
        self, rounds: SecureRounds, domain: Domain, budget: Budget, recode: Sequence[np.ndarray] | None = None
    ) -> None:
        self._rounds, self._fine, self._budget, self._recode = rounds, domain, budget, recode
        self.domain = domain if recode is None else coarser(domain, recode)
        self._outside = _Outside()

    def __repr__(self) -> str:
        return f"<federated setting over {len(self.domain)} columns>"

    def mu(self, share: float) -> float:
        """The GDP cost that uses ``share`` of the run's squared budget."""
        return self._budget.mu(share)

    def sigma(self, mu: float) -> float:
        """Noise of a count at this cost: all sites add shares, and what is charged is that of the honest ones alone."""
        roster = self._rounds.plan.roster
        return math.sqrt(len(roster.members) / roster.honest_shares) / mu

    @property
    def remaining(self) -> float:
        """Share of the squared budget that is left, but for what is promised already."""
        left = self._budget.remaining
        if not (self._outside.waits and self._budget.private):
            return left
        return max(0.0, left - (self._outside.mu / self._budget.total) ** 2)

    def ask(self, question: SumQuestion[Answer], mu: Sequence[float]) -> Answer:
        """The opened sum over the sites; see ``trust.questions``."""
        noise, opened, sites = self._opened(self._through(question), mu)
        return noise.answer(question, opened, sites, self.domain)

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy tables; the first bring along the count of rows outside the facts, where it was asked for."""
        if not (queries and self._outside.waits):
            return super().marginals(queries, mu)
        count, *tables = self.ask(Marginals(tuple(queries), outside=True), [self._outside.mu, *mu])
        self._outside.found = float(count.values), count.sigma
        return tables

    def outside(self, mu: float) -> Callable[[], tuple[float, float]]:
        """See ``Asking``; asked together with the first tables, and by itself where none were asked for."""
        self._outside.mu = mu
        return self._told_outside

    def _told_outside(self) -> tuple[float, float]:
        if self._outside.found is None:
            question = Count(outside=True)
            noise, opened, sites = self._opened(question, [self._outside.mu])
            scale = noise.parts[0].deviation(sites) if noise.parts else 0.0
            self._outside.found = noise.answer(question, opened, sites, self.domain), scale
        return self._outside.found

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """Refused: a comparison is no sum."""
        raise FederationError("sites add, they do not compare: a model asks for all tables at once instead")

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """Refused: a comparison is no sum."""
        raise FederationError("sites add, they do not compare: a model asks for all tables at once instead")

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """DP-SGD with one secure sum a step, or by averages where the plan says so.

        UnsupportedUnit where a unit may hold several records.
        """
        if self._rounds.plan.max_rows != 1:
            raise UnsupportedUnit("gradients are clipped per row, but a unit may hold several: declare max_rows 1")
        if self._recode is not None:
            raise FederationError("gradients are asked of the records as they are, not through coarser codes")
        averaging = self._rounds.plan.averaging
        if averaging is not None:
            from sfumato.trust.federated.averaging_trainer import AveragingTrainer

            return AveragingTrainer(self._rounds, self._fine, self._budget, averaging).dp_sgd(training, share, progress)
        from sfumato.trust.federated.trainer import FederatedTrainer  # imports jax, which sums do without

        return FederatedTrainer(self._rounds, self._fine, self._budget).dp_sgd(training, share, progress)

    def coarsened(self, recode: Sequence[np.ndarray]) -> Setting:
        """The same records through public maps code -> coarser code; tables alone can be asked of it."""
        maps = recode if self._recode is None else [r[m] for m, r in zip(self._recode, recode, strict=True)]
        view = type(self)(self._rounds, self._fine, self._budget, maps)
        view._outside = self._outside
        return view

    def _prepare(self, question: SumQuestion) -> None:
        """What has to be done before ``question`` is asked of the sites; nothing, where each adds up its own rows."""

    def _cost(self, question: SumQuestion, events: Sequence[Event]) -> float | None:
        """What an answer takes off the squared total; None: what its events cost."""
        return None

    def _opened(self, question: SumQuestion, mu: Sequence[float]) -> tuple[SharedNoise, np.ndarray, int]:
        """The noise of a question to the sites, the opened numbers, and how many sites are in them."""
        plan = self._rounds.plan
        self._budget.check(mu)
        noise = SharedNoise.of(question, mu, plan.moved_by(question), plan.roster, self._fine)
        noise.check(plan)
        asked = False

        def opened() -> np.ndarray:
            nonlocal asked
            asked = True
            self._prepare(question)
            total, sites = self._rounds.opened(question, mu, sum(noise.sizes))
            return np.append(total, sites)

        cost = self._cost(question, noise.events)
        kept = self._budget.answer([question.digest, self._fine.sizes], noise.events, opened, cost)
        if not asked:
            self._rounds.go_on(1)
        return noise, kept[:-1], int(kept[-1])

    def _through(self, question: SumQuestion) -> SumQuestion:
        """The question as it is asked of the finer records that the sites hold."""
        if self._recode is None or isinstance(question, Count):
            return question
        if not isinstance(question, Marginals | Distances):
            raise FederationError("only counts and tables can be asked through coarser codes")
        return question.through(self._recode)
