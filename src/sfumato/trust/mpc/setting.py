"""The trust setting of parties that hold different columns of the same persons, none of whom sees another's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.trust.asking import Asking
from sfumato.trust.budget import Budget
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.dealing import blocks, maps_bytes
from sfumato.trust.mpc.split import layout
from sfumato.trust.questions import Marginals, Measurement, Query, SumQuestion


class _Dealt:
    """Through which maps the parties have dealt their columns last; shared by all views of one setting."""

    maps = b""


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
        self._persons, self._owners = split.number, split.owners(first_codec(rounds.plan.schema))
        self._dealt = _Dealt()

    def __repr__(self) -> str:
        return f"<setting of parties over {len(self.domain)} columns>"

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy tables alone: rows outside the facts are counted by every party by itself, under other noise."""
        return Asking.marginals(self, queries, mu)

    def coarsened(self, recode: Sequence[np.ndarray]) -> Mpc:
        """The same records through public maps code -> coarser code; columns are dealt through them."""
        view = super().coarsened(recode)
        assert isinstance(view, Mpc)
        view._dealt = self._dealt
        return view

    def _prepare(self, question: SumQuestion) -> None:
        if not isinstance(question, Marginals) or not any(map(self._apart, question.queries)):
            return
        maps = self._recode or [np.arange(size) for size in self._fine.sizes]
        told = maps_bytes(maps)
        if told != self._dealt.maps:
            made = layout(self._owners, [int(m.max()) + 1 for m in maps])
            self._rounds.deal(told, blocks(made, self._persons))
            self._dealt.maps = told

    def _apart(self, query: Query) -> bool:
        """Whether its columns lie at several parties."""
        return len({self._owners[i][0] for i in query.clique}) > 1
