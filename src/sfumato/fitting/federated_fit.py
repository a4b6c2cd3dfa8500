"""A fit over several sites in one process: a plan, the sites with their ledgers, a secure sum for every question."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from sfumato.encoding.site_rows import site_rows
from sfumato.errors import SchemaError
from sfumato.fitting.agreed import Agreed, agreed
from sfumato.fitting.dataset_ledger import DatasetLedger
from sfumato.fitting.fit import Log, OpenRun, taught
from sfumato.fitting.plan import Plan
from sfumato.fitting.preflight import Together
from sfumato.fitting.simulated import Simulated, fresh_members
from sfumato.fitting.sites import FederatedSource, books_of
from sfumato.fitting.stated_sites import final_statement, planned_statement
from sfumato.models.settings import SHARES
from sfumato.privacy.accounting import mu_for
from sfumato.progress import Progress
from sfumato.release.federation import FederationStatement
from sfumato.release.release import Release
from sfumato.release.site_signatures import SiteSignatures
from sfumato.schema.site_mapping import SiteMapping
from sfumato.tables import Rows
from sfumato.tables.source import RowSource
from sfumato.trust.budget import Budget
from sfumato.trust.federated.encrypted_rounds import EncryptedRounds
from sfumato.trust.federated.facts import settled_codec
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.plan_checks import check_measurable
from sfumato.trust.federated.plan_facts import MASKED
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.federated.transport import CountingTransport, InProcess
from sfumato.trust.gathering import gather
from sfumato.trust.mpc.setting import Mpc, MpcOfServers
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.noise import CountNoise
from sfumato.trust.secure_sum.roster import Roster


class OpenSites(Protocol):
    """The sites of a fit, before anything was charged."""

    @property
    def agreed(self) -> Agreed:
        """The plan and the model."""
        ...

    @property
    def rows(self) -> Rows | None:
        """The opened table of a site that is here; None where all are elsewhere."""
        ...

    @property
    def book(self) -> DatasetLedger:
        """What the opened sums are charged to, toward whoever gets the model."""
        ...

    @property
    def log(self) -> Log | None:
        """Where opened sums are kept for another try of the fit; None: nowhere."""
        ...

    @property
    def simulated(self) -> bool:
        """Whether all sites are in this process."""
        ...

    @property
    def deadline(self) -> float:
        """Seconds that a site has for each answer."""
        ...

    def keep_signed(self, signatures: Mapping[int, bytes]) -> None:
        """Keep the signatures of the sites under the plan, by place."""
        ...

    def answering(self, plan: Plan, progress: Progress) -> AbstractContextManager[CountingTransport]:
        """The sites, ready to answer, while the fit lasts."""
        ...


def together(sites: OpenSites) -> Together | None:
    """What a preflight needs to know of them; None without a guarantee, where nothing is certified."""
    plan = sites.agreed.plan
    if not plan.guarantee.private:
        return None
    whole = CountNoise.of_cost(mu_for(plan.guarantee), plan.roster, plan.max_rows)
    return Together(planned_statement(plan, sites.simulated), whole.event())


@dataclass(frozen=True)
class SimulatedSites(Simulated):
    """Sites in this process; see ``Simulated``.

    Attributes:
        identities: their signing keys, drawn for this fit.
    """

    identities: tuple[SiteIdentity, ...]

    @property
    def rows(self) -> Rows:
        """The table of the first: all have the same columns."""
        return self.tables[0]

    @contextmanager
    def answering(self, plan: Plan, progress: Progress) -> Iterator[InProcess]:
        """The sites, each with a run of its own ledger while the fit lasts.

        Raises:
            Overdraft: the cap of a site leaves no room for what the plan may cost it.
            TableError: a table is malformed, or has no row; nothing was charged.
        """
        shared = self.agreed.plan
        with ExitStack() as stack:
            endpoints = []
            runs = self.runs(stack, plan, "site", shared.roster.members)
            for place, (table, identity, run) in enumerate(zip(self.tables, self.identities, runs, strict=True)):
                encode, account = partial(gather, table, progress=progress), SiteAccount(run, shared.terms, place)
                records = encode(first_codec(shared.schema))
                endpoints.append(FederatedSite(shared, identity, records, account, encode=encode))
            yield InProcess(endpoints)


def opened_sites(source: FederatedSource, plan: Plan) -> SimulatedSites:
    """Open the tables and find the ledger of each site; no row is read.

    Raises:
        FederationError: what is asked for is nothing that sites can answer, or two have the same rows or ledger.
        SfumatoError: a table cannot be opened, lacks a column, or has no place for its ledger.
    """
    check_measurable(plan.schema)
    books = books_of(source, plan.guarantee.private)
    tables = zip(source.names, source.sources, source.mappings, strict=True)
    rows = tuple(_site_table(name, table, mapping, plan) for name, table, mapping in tables)
    identities, members = fresh_members(source.names)
    roster = Roster(members, source.curious, source.lost)
    made = agreed(
        plan.schema,
        plan.model,
        plan.guarantee,
        roster,
        source.capacity,
        source.averaging,
        source.max_sites,
        sums=source.sums,
    )
    return SimulatedSites(rows, books, made, identities)


def _site_table(name: str, table: RowSource, mapping: str | os.PathLike[str] | None, plan: Plan) -> Rows:
    """The rows of one site in the columns of the schema; SchemaError with its name where they do not fit."""
    try:
        own = None if mapping is None else SiteMapping.load(mapping, plan.schema)
        return site_rows(table, plan.schema, own)
    except SchemaError as error:
        raise SchemaError(f"site {name}: {error}") from None


def learn_federated(
    plan: Plan, sites: OpenSites, transport: CountingTransport, opened: OpenRun, progress: Progress
) -> tuple[Release, tuple[float, float], FederationStatement]:
    """Ask the sites all questions and learn.

    Returns:
        The model without its certificate, the noisy number of rows outside the facts and the scale of that noise, and
        what a certificate says of the sites.

    *Formal guarantee.* Every question is charged to ``opened``, and by every site to its own ledger, before it is
    answered; see ``Federated``. What it keeps of an earlier try is neither asked nor charged again.
    """
    progress.stage("keys of the sites")
    made = SecureRounds if sites.agreed.plan.sums == MASKED else EncryptedRounds
    rounds = made(sites.agreed.plan, transport, sites.deadline)
    rounds.set_up()
    sites.keep_signed(rounds.signatures)
    budget = Budget(opened.run, opened.answer_log, progress)
    codec = settled_codec(plan.schema, rounds, budget)
    setting = _setting(sites.agreed.plan)(rounds, codec.domain, budget)
    split = sites.agreed.plan.split
    form = None if split is None or split.training is None else SHARES
    release, outside = taught(plan, codec, setting, progress, form)
    if plan.guarantee.private and not sites.simulated:
        release = replace(release, sites=_signatures(rounds).to_dict())
    return release, outside, final_statement(rounds, transport, sites.simulated, opened.resumed > 0)


def _setting(plan: FederationPlan) -> type[Federated]:
    """Of sites, of parties, or of servers."""
    if plan.split is None:
        return Federated
    return Mpc if plan.outsourced is None else MpcOfServers


def _signatures(rounds: SecureRounds) -> SiteSignatures:
    """The plan of real sites with what each gave under it, and each owner of what servers have."""
    members, outsourced = rounds.plan.roster.members, rounds.plan.outsourced
    given = {members[place].name: signature for place, signature in rounds.signatures.items()}
    if outsourced is not None:
        named = zip(outsourced.owners, rounds.owners_signed, strict=True)
        given |= {owner.name: signature for owner, signature in named}
    return SiteSignatures(rounds.plan.to_dict(), given)
