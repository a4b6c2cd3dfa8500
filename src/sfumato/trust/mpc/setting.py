"""The trust setting of parties that hold different columns of the same persons, none of whom sees another's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.trust.asking import Asking
from sfumato.trust.budget import Budget
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.counting import OneHotLayout
from sfumato.trust.mpc.dealing import check_degree, maps_bytes
from sfumato.trust.mpc.split import layout
from sfumato.trust.questions import Marginals, Measurement, Query, SumQuestion


class Mpc(Federated):
    """The setting of three parties with a vertical split; see ``Federated`` for the arguments.

    Columns are dealt once for all tables of columns at two parties, or once for each set of coarser codes. A table of
    columns at one party needs no dealing.

    *Formal guarantee.* As of ``Federated``, toward whoever gets opened sums alone, for k = 3 parties of which one may
    be curious: the noise of each sum is sqrt(3 / 2) times as wide as one curator's. Toward a party: see ``PartySite``.
    """

    def __init__(
        self, rounds: SecureRounds, domain: Domain, budget: Budget, recode: Sequence[np.ndarray] | None = None
    ) -> None:
        super().__init__(rounds, domain, budget, recode)
        split = rounds.plan.split
        assert split is not None, "parties are asked by a plan that says who has which columns"
        self._owners = split.owners(first_codec(rounds.plan.schema))

    def __repr__(self) -> str:
        return f"<setting of parties over {len(self.domain)} columns>"

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy tables alone: rows outside the facts are counted by every party by itself, under other noise."""
        return Asking.marginals(self, queries, mu)

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
        if not isinstance(question, Marginals):
            return False
        apart = [query for query in question.queries if len({self._owners[i][0] for i in query.clique}) > 1]
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
