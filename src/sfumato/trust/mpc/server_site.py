"""One of three servers, which answers tables with its additive shares of them, noised and masked; it has no rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError, QuestionError
from sfumato.privacy.events import Event
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.progress import Progress
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.dealing import check_counted, check_degree
from sfumato.trust.mpc.party_site import twice
from sfumato.trust.mpc.replicated import TableShares, check_width
from sfumato.trust.mpc.ring import BITS
from sfumato.trust.mpc.row_sharing import Cut, ReceivedRows, sharing_label, write_sharings
from sfumato.trust.mpc.split import layout
from sfumato.trust.questions import Count, Marginals, Query, SumQuestion
from sfumato.trust.records import ExactRecords, through_groups
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity


def cuts(plan: FederationPlan) -> tuple[Cut, ...]:
    """How the one-hots of each owner of a plan are cut; FederationError for more than servers multiply."""
    split, codec = plan.split, first_codec(plan.schema)
    assert split is not None
    made = layout(split.owners(codec), codec.domain.sizes)
    check_width(made)
    return tuple(Cut(made, owner, split.number) for owner in range(len(split.columns)))


@dataclass(frozen=True, repr=False)
class ServerRecords:
    """What a server has in place of records: additive shares of all tables.

    Attributes:
        domain: the encoded columns of all owners; public.
        tables: its shares of them.
        counted: its part of the number of persons with a cell outside the facts.
        names: of the sharings, in the order of the owners.
        agreed: of each owner, its signature under the plan.
    """

    domain: Domain
    tables: TableShares
    counted: int
    names: tuple[bytes, ...]
    agreed: tuple[bytes, ...]
    outside = 0

    @classmethod
    def of(
        cls, plan: FederationPlan, received: Sequence[ReceivedRows], agreed: Sequence[bytes], progress: Progress
    ) -> ServerRecords:
        """Multiply what was received of each owner, block by block; FederationError for shares of another size."""
        first = received[0].cut
        tables = TableShares(first.layout)
        progress.stage("multiplying shares", first.blocks)
        for pairs in zip(*(one.pairs() for one in received), strict=True):
            own, following = (np.concatenate([pair[at] for pair in pairs], axis=1) for at in (0, 1))
            tables.add(own, following)
            progress.step()
        counted = sum(one.outside for one in received)
        names = tuple(one.name for one in received)
        return cls(first_codec(plan.schema).domain, tables, counted, names, tuple(agreed))

    def __len__(self) -> int:
        return 0

    def table(self, query: Query) -> np.ndarray:
        """Refused: a server has no counts."""
        raise QuestionError("a server has shares of tables, and no table")

    def matrix(self) -> np.ndarray:
        """Refused: a server has no records."""
        raise QuestionError("a server has shares of tables, and no record")

    def coarsened(self, recode: Sequence[np.ndarray]) -> ExactRecords:
        """Refused: tables are asked through groups."""
        raise QuestionError("servers answer tables through groups")


class ServerSite(FederatedSite):
    """A server of a plan with owners; see ``FederatedSite``.

    *Formal guarantee.* As of a site, for sums over all servers: each number of an answer is an additive share of a
    table, with this server's share of the noise, masked. Questions outside the plan are refused, and so is whatever the
    owners did not pay for: the account is of ``whole_plan.at_servers``, more than which each owner's ledger was charged
    with before anything left it. Each table counts twice, as toward whoever knows who is on the list.
    """

    def __init__(
        self,
        plan: FederationPlan,
        identity: SiteIdentity,
        records: ServerRecords,
        account: SiteAccount,
        entropy: Entropy = SYSTEM,
    ) -> None:
        split = plan.split
        if split is None or plan.outsourced is None or plan.bits != BITS:
            raise FederationError(
                f"servers count in a ring of {BITS} bits, by a plan that names the owners of the rows"
            )
        super().__init__(plan, identity, records, account, entropy)
        self._shares, self._owners = records, split.owners(first_codec(plan.schema))
        self._methods |= {"sharings": self._sharings}

    def _sharings(self, body: bytes) -> bytes:
        """By what names the sharings of all owners are known, and the owners' signatures under the plan."""
        return write_sharings(self._shares.names, self._shares.agreed)

    @property
    def _label(self) -> bytes:
        return sharing_label(self._facts.codec, self._shares.names)

    def _noise(self, request: SumRequest, question: SumQuestion) -> SharedNoise:
        noise = super()._noise(request, question)
        check_counted(question, "servers")
        if isinstance(question, Marginals):
            for query in question.queries:
                check_degree(query)  # before anything is charged
        return noise

    def _exact(self, question: SumQuestion) -> np.ndarray:
        """This server's additive shares of the counts, modulo 2^32."""
        if isinstance(question, Count):
            present = self._shares.tables.table((0, 0)).sum(dtype=np.int64)
            return np.array([self._shares.counted if question.outside else present])
        assert isinstance(question, Marginals)
        return np.concatenate([self._share(query).ravel() for query in question.queries])

    def _share(self, query: Query) -> np.ndarray:
        table = self._shares.tables.table(*(self._owners[i] for i in query.clique)).astype(np.int64)
        return table if query.groups is None else through_groups(table, query.groups)

    def _charged(self, noise: SharedNoise) -> Sequence[Event]:
        return tuple(map(twice, noise.events))
