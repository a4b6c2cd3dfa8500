"""Three servers to which owners have shared their columns, simulated in one process, for one fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from sfumato.fitting.plan import Plan
from sfumato.fitting.simulated import Simulated, fresh_members
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.randomness import KEY_BYTES, SYSTEM
from sfumato.progress import Progress
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


def fresh_outsourced(
    owners: Sequence[str], servers: Sequence[SiteIdentity]
) -> tuple[Outsourced, tuple[SiteIdentity, ...]]:
    """Owners and keys of servers that are drawn for one fit, and the owners' signing keys."""
    identities, members = fresh_members(owners)
    sealing = tuple(SealingKey.signed(SYSTEM.take(KEY_BYTES), server) for server in servers)
    return Outsourced(members, sealing), identities


@dataclass(frozen=True)
class SimulatedServers(Simulated):
    """Owners and servers in this process; tables and books are those of the owners; see ``Simulated``.

    Attributes:
        owners: signing keys of the owners, drawn for this fit.
        servers: those of the servers.
        persons: the list that the plan holds the hash of.
    """

    owners: tuple[SiteIdentity, ...]
    servers: tuple[SiteIdentity, ...]
    persons: Persons

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
        runs = self.runs(stack, plan, "owner", outsourced.owners)
        sharings = []
        for place, (table, cut) in enumerate(zip(self.tables, cuts(shared), strict=True)):
            records = party_records(table, shared.schema, split, place, self.persons, progress)
            sharings.append(RowSharing(cut, records.codes, records.outside))
        for run in runs:
            charge_whole(run, shared)
        return sharings
