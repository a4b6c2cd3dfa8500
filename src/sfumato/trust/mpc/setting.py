"""The trust setting of parties that hold different columns of the same persons, none of whom sees another's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError
from sfumato.privacy import gdp
from sfumato.privacy.events import Event
from sfumato.privacy.mechanisms import noisy_max
from sfumato.privacy.spending import mu_squared
from sfumato.progress import Progress
from sfumato.trust.asking import Asking
from sfumato.trust.budget import Budget
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.comparing import TOWARD_A_PARTY, distances_of, selected_event, selection_of
from sfumato.trust.mpc.counting import OneHotLayout
from sfumato.trust.mpc.dealing import check_degree, maps_bytes
from sfumato.trust.mpc.split import layout
from sfumato.trust.questions import Distances, Marginals, Measurement, Query, SumQuestion
from sfumato.trust.setting import Candidate

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters


class Mpc(Federated):
    """The setting of three parties with a vertical split; see ``Federated`` for the arguments.

    Columns are dealt once for all tables of columns at two parties, or once for each set of coarser codes. A table of
    columns at one party needs no dealing.

    *Formal guarantee.* As of ``Federated``, toward whoever gets opened sums alone, for k = 3 parties of which one may
    be curious: the noise of each sum is sqrt(3 / 2) times as wide as one curator's. Toward a party: see ``PartySite``.
    Where the plan names engines, parties also compare, and add gradients (``EngineSite``).
    """

    def __init__(
        self, rounds: SecureRounds, domain: Domain, budget: Budget, recode: Sequence[np.ndarray] | None = None
    ) -> None:
        super().__init__(rounds, domain, budget, recode)
        split = rounds.plan.split
        assert split is not None, "parties are asked by a plan that says who has which columns"
        self._owners = split.owners(first_codec(rounds.plan.schema))
        self.compares = rounds.plan.compares

    def __repr__(self) -> str:
        return f"<setting of parties over {len(self.domain)} columns>"

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy tables alone: rows outside the facts are counted by every party by itself, under other noise."""
        return Asking.marginals(self, queries, mu)

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """DP-SGD with one sum on secret shares a step; FederationError where the plan has no training."""
        if self._recode is not None:
            raise FederationError("gradients are asked of the records as they are, not through coarser codes")
        from sfumato.trust.mpc.secret_trainer import SecretTrainer  # imports jax, which counts do without

        return SecretTrainer(self._rounds, self._budget).dp_sgd(training, share, progress)

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """Index of a candidate with a nearly largest score, by noise of all parties (``NoisyMax``).

        It may cost as much as a selection of ``epsilon``-bounded range: the noise is wider for it.
        """
        persons, private = self._check_compares(), self._budget.private
        plan = self._rounds.plan
        event = selected_event(epsilon, plan.roster.honest_shares) if private else None
        scale = 0.0 if event is None else noisy_max.scale(event.epsilon)
        question = selection_of(candidates, persons, plan.max_rows, scale, self.domain)
        asked = question if self._recode is None else question.through(self._recode)
        answered = False

        def chosen() -> np.ndarray:
            nonlocal answered
            answered = True
            self._prepare(asked.distances)
            return np.array(self._rounds.selected(asked, math.inf if event is None else event.epsilon))

        events = [] if event is None else [event]
        squared = gdp.exponential_mu(epsilon) ** 2 if private else None
        index = self._budget.answer([asked.digest, self._fine.sizes], events, chosen, squared)
        if not answered:
            self._rounds.go_on(1)
        return int(index)

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """Noisy distances of all candidates, opened by a secure sum; see ``Setting``. ``weight`` must be 1."""
        persons = self._check_compares()
        if any(candidate.weight != 1 for candidate in candidates):
            raise ValueError("distances are unweighted; divide the answer instead")
        each = mu / (TOWARD_A_PARTY * math.sqrt(len(candidates)))
        deviation = 0.0 if math.isinf(mu) else self.sigma(each) * self._rounds.plan.max_rows
        question = distances_of(candidates, persons, deviation, self.domain)
        found = self.ask(question, [each] * len(candidates))
        return found - np.array([candidate.bias for candidate in candidates])

    def _check_compares(self) -> int:
        """How many persons there are; FederationError where parties do not compare."""
        split = self._rounds.plan.split
        if not self.compares or split is None:
            raise FederationError("the plan names no engine, and without one parties do not compare: ask for tables")
        return split.number

    def _cost(self, question: SumQuestion, events: Sequence[Event]) -> float | None:
        """Of the squared total: a comparison costs toward another party what a table of twice its cost does."""
        if not isinstance(question, Distances):
            return None
        return TOWARD_A_PARTY**2 * sum(mu_squared(event) for event in events)

    def _opened(self, question: SumQuestion, mu: Sequence[float]) -> tuple[SharedNoise, np.ndarray, int]:
        if self._needs_dealing(question):  # refused before anything is charged
            self._layout().check()
        return super()._opened(question, mu)

    def _prepare(self, question: SumQuestion) -> None:
        if self._needs_dealing(question):
            self._rounds.deal(maps_bytes(self._maps()), self._layout())

    def _maps(self) -> Sequence[np.ndarray]:
        """Code -> coarser code of each column, through which columns are dealt."""
        return self._recode or [np.arange(size) for size in self._fine.sizes]

    def _layout(self) -> OneHotLayout:
        return layout(self._owners, self.domain.sizes)

    def _needs_dealing(self, question: SumQuestion) -> bool:
        """Whether tables of columns at two parties are asked; FederationError where these are of more columns."""
        tables = question.tables if isinstance(question, Distances) else question
        if not isinstance(tables, Marginals):
            return False
        apart = [query for query in tables.queries if len({self._owners[i][0] for i in query.clique}) > 1]
        for query in apart:
            check_degree(query)
        return bool(apart)


class MpcOfServers(Mpc):
    """The setting of three servers to which owners have shared their columns; see ``Mpc``.

    All tables of one or of two columns are on shares, also those of one owner's columns.
    """

    def __repr__(self) -> str:
        return f"<setting of servers over {len(self.domain)} columns>"

    def _prepare(self, question: SumQuestion) -> None:
        self._rounds.find_sharings()

    def _needs_dealing(self, question: SumQuestion) -> bool:
        """Never; FederationError for tables of more than two columns, before anything is charged."""
        if isinstance(question, Marginals):
            for query in question.queries:
                check_degree(query)
        return False
