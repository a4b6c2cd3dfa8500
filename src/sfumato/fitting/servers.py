"""Three servers to which owners have shared their columns, simulated in one process, for one fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from sfumato.errors import Overdraft
from sfumato.federation.defaults import DEADLINE
from sfumato.fitting.agreed import Agreed
from sfumato.fitting.dataset_ledger import DatasetLedger
from sfumato.fitting.fit import begin
from sfumato.fitting.plan import Plan
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.randomness import KEY_BYTES, SYSTEM
from sfumato.progress import Progress
from sfumato.tables import Rows
from sfumato.trust.federated.agreement import sign_plan
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.mpc.outsourced import Outsourced, SealingKey
from sfumato.trust.mpc.party_records import party_records
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.row_sharing import RowSharing
from sfumato.trust.mpc.server_site import ServerRecords, ServerSite, cuts
from sfumato.trust.mpc.whole_plan import at_servers, charge_whole
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member


def fresh_outsourced(
    owners: Sequence[str], servers: Sequence[SiteIdentity]
) -> tuple[Outsourced, tuple[SiteIdentity, ...]]:
    """Owners and keys of servers that are drawn for one fit, and the owners' signing keys."""
    identities = tuple(SiteIdentity.fresh() for _ in owners)
    members = tuple(Member(name, i.public_key) for name, i in zip(owners, identities, strict=True))
    sealing = tuple(SealingKey.signed(SYSTEM.take(KEY_BYTES), server) for server in servers)
    return Outsourced(members, sealing), identities


@dataclass(frozen=True)
class SimulatedServers:
    """Owners and servers in this process; see ``federated_fit.OpenSites``.

    Attributes:
        tables: the opened tables of the owners, of which no row was read.
        books: the ledger of each owner.
        owners: their signing keys, drawn for this fit.
        servers: those of the servers.
        agreed: the plan and the model.
        persons: the list that the plan holds the hash of.
    """

    tables: tuple[Rows, ...]
    books: tuple[DatasetLedger, ...]
    owners: tuple[SiteIdentity, ...]
    servers: tuple[SiteIdentity, ...]
    agreed: Agreed
    persons: Persons
    rows = None
    book = DatasetLedger(None)
    log = None
    simulated = True
    deadline = DEADLINE

    def keep_signed(self, signatures: Mapping[int, bytes]) -> None:
        """Nothing is kept: their keys are of this fit alone."""

    @contextmanager
    def answering(self, plan: Plan, progress: Progress) -> Iterator[InProcess]:
        """The servers, once each owner has paid for the whole plan and shared its rows.

        Raises:
            Overdraft: the cap of an owner leaves no room for the whole plan; nothing was charged to any.
            TableError: a table is malformed, or has no row of anybody on the list; nothing was charged.
        """
        with ExitStack() as stack:
            sharings = self._shared(stack, plan, progress)
            endpoints = []
            for place, server in enumerate(self.servers):
                run = stack.enter_context(Ledger.open(None)).begin(at_servers(self.agreed.plan), "server")
                account = SiteAccount(run, self.agreed.plan.terms, place)
                received = [sharing.received(place) for sharing in sharings]
                signed = [sign_plan(self.agreed.plan, owner) for owner in self.owners]
                records = ServerRecords.of(self.agreed.plan, received, signed, progress)
                endpoints.append(ServerSite(self.agreed.plan, server, records, account))
            yield InProcess(endpoints)

    def _shared(self, stack: ExitStack, plan: Plan, progress: Progress) -> list[RowSharing]:
        """What each owner makes of its rows, once all have paid."""
        shared = self.agreed.plan
        split, outsourced = shared.split, shared.outsourced
        assert split is not None
        assert outsourced is not None
        runs = []
        for owner, book in zip(outsourced.owners, self.books, strict=True):
            try:
                opened = begin(replace(plan, guarantee=shared.at_a_site), book, None)
            except Overdraft as error:
                raise Overdraft(f"owner {owner.name}, with room for attempts that fail: {error}") from None
            stack.callback(opened.finish)
            runs.append(opened.run)
        sharings = []
        for place, (table, cut) in enumerate(zip(self.tables, cuts(shared), strict=True)):
            records = party_records(table, shared.schema, split, place, self.persons, progress)
            sharings.append(RowSharing(cut, records.codes, records.outside))
        for run in runs:
            charge_whole(run, shared)
        return sharings
