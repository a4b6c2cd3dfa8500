"""A fit over several sites in one process: a plan, the sites with their ledgers, a secure sum for every question."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import widest
from sfumato.encoding.site_rows import site_rows
from sfumato.errors import FederationError, Overdraft, SchemaError
from sfumato.fitting.dataset_ledger import DatasetLedger, ledger_of
from sfumato.fitting.fit import OpenRun, begin, taught
from sfumato.fitting.plan import Plan
from sfumato.fitting.preflight import Together
from sfumato.fitting.sites import FederatedSource, check_apart
from sfumato.models import MODELS
from sfumato.models.choose import Choice, chosen
from sfumato.privacy.accounting import mu_for
from sfumato.progress import Progress
from sfumato.release.federation import FederationStatement, StatedAveraging, StatedSite
from sfumato.release.release import Release
from sfumato.schema.site_mapping import SiteMapping
from sfumato.tables import Rows
from sfumato.tables.source import RowSource
from sfumato.trust.budget import Budget
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.facts import settled_codec
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan, check_measurable
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.gathering import gather
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.noise import CountNoise
from sfumato.trust.secure_sum.roster import MOST_SITES, Member, Roster
from sfumato.trust.secure_sum.terms import ring_bits

_KINDS = {"marginals": "marginals", "feature_sum": "feature sum", "scatter": "scatter", "gradients": "descent"}
"""Kinds of questions, by what a model's entry says that it asks."""
_NARROW, _WIDE = 32, 64
"""Bits of the ring: counts and their noise mostly fit the narrow one; sums of vectors lie on a fine grid."""


@dataclass(frozen=True)
class Sites:
    """The sites of a simulated federation, before anything was charged.

    Attributes:
        rows: the opened tables, of which no row was read.
        books: the ledger of each.
        identities: their signing keys, drawn for this fit.
        plan: what they agree to.
        codec: of the public schema, with the widest bounds where they are left to be measured; what is chosen hangs on
            no bounds.
        choice: the model.
    """

    rows: tuple[Rows, ...]
    books: tuple[DatasetLedger, ...]
    identities: tuple[SiteIdentity, ...]
    plan: FederationPlan
    codec: Codec
    choice: Choice

    def together(self) -> Together | None:
        """What is known of them before the fit; None without a guarantee, where nothing is certified."""
        if not self.plan.guarantee.private:
            return None
        whole = CountNoise.of_cost(mu_for(self.plan.guarantee), self.plan.roster, self.plan.max_rows)
        return Together(self.statement(), whole.event())

    def statement(self, rounds: int = 1, transport: InProcess | None = None) -> FederationStatement:
        """What a certificate says of them."""
        roster = self.plan.roster
        return FederationStatement(
            plan=self.plan.digest.hex(),
            sites=tuple(StatedSite(name=m.name, fingerprint=m.fingerprint) for m in roster.members),
            curious=roster.curious,
            lost=roster.lost,
            threshold=roster.threshold,
            simulated=True,
            rounds=rounds,
            bytes_sent=0 if transport is None else max(transport.sent),
            bytes_received=0 if transport is None else max(transport.received),
            averaging=_stated(self.plan.averaging),
        )


def opened_sites(source: FederatedSource, plan: Plan) -> Sites:
    """Open the tables and find the ledger of each site; no row is read.

    Raises:
        FederationError: what is asked for is nothing that sites can answer, or two have the same rows or ledger.
        SfumatoError: a table cannot be opened, lacks a column, or has no place for its ledger.
    """
    check_measurable(plan.schema)
    books = tuple(
        ledger_of(table, ledger, plan.guarantee.private)
        for table, ledger in zip(source.sources, source.ledgers, strict=True)
    )
    check_apart(source, books)
    tables = zip(source.names, source.sources, source.mappings, strict=True)
    rows = tuple(_site_table(name, table, mapping, plan) for name, table, mapping in tables)
    identities = tuple(SiteIdentity.fresh() for _ in rows)
    members = tuple(Member(name, i.public_key) for name, i in zip(source.names, identities, strict=True))
    roster = Roster(members, source.curious, source.lost)
    codec = Codec.from_schema(plan.schema, widest(plan.schema))
    choice = chosen(plan.model, codec.domain, _target(plan, codec), plan.guarantee)
    agreed = _agreed(plan, roster, codec, choice, source.capacity, source.averaging)
    return Sites(rows, books, identities, agreed, codec, choice)


def _stated(averaging: Averaging | None) -> StatedAveraging | None:
    if averaging is None:
        return None
    return StatedAveraging(
        local_steps=averaging.local_steps,
        proximal=averaging.proximal,
        secure=averaging.secure,
        level=averaging.level,
    )


def _site_table(name: str, table: RowSource, mapping: str | os.PathLike[str] | None, plan: Plan) -> Rows:
    """The rows of one site in the columns of the schema; SchemaError with its name where they do not fit."""
    try:
        own = None if mapping is None else SiteMapping.load(mapping, plan.schema)
        return site_rows(table, plan.schema, own)
    except SchemaError as error:
        raise SchemaError(f"site {name}: {error}") from None


def _target(plan: Plan, codec: Codec) -> int | None:
    return None if plan.schema.target is None else codec.position(plan.schema.target)


def _agreed(
    plan: Plan, roster: Roster, codec: Codec, choice: Choice, capacity: tuple[int, ...], averaging: Averaging | None
) -> FederationPlan:
    """What the sites agree to: the kinds of questions that the model asks, and no other."""
    asks = MODELS[choice.name, codec.domain.content].asks
    if averaging is not None:
        if "gradients" not in asks:
            raise FederationError(
                f"model {choice.name!r} is learnt from sums, not by steps: leave local_steps out, or name a network"
            )
        averaging = replace(averaging, level="record" if plan.guarantee.private else "none")
    asks |= {"marginals"} if plan.schema.measured() else frozenset()  # of which the search for bounds is made
    known = _KINDS if averaging is None else {**_KINDS, "gradients": "local run"}
    kinds = ("count", *(kind for asked, kind in known.items() if asked in asks))
    narrow = FederationPlan(
        plan.schema, choice.name, plan.guarantee, roster, kinds, bits=_NARROW, capacity=capacity, averaging=averaging
    )
    fits = not {"feature_sum", "scatter"} & asks and _fits_counts(narrow)
    return narrow if fits else replace(narrow, bits=_WIDE)


def _fits_counts(plan: FederationPlan) -> bool:
    """Whether the ring holds counts at any cost: their finest parts are those of one that costs the whole promise."""
    if not plan.guarantee.private:
        return True
    finest = CountNoise.of_cost(mu_for(plan.guarantee), plan.roster, plan.max_rows)
    most = plan.most_rows * finest.multiple
    return ring_bits(most, finest.deviation(MOST_SITES) * finest.multiple) <= plan.bits


@contextmanager
def answering(sites: Sites, plan: Plan, progress: Progress) -> Iterator[InProcess]:
    """The sites, each with a run of its own ledger while the fit lasts.

    Raises:
        Overdraft: the cap of a site leaves no room for what the plan may cost it.
        TableError: a table is malformed, or has no row; nothing was charged.
    """
    own = replace(plan, guarantee=sites.plan.at_a_site)
    with ExitStack() as stack:
        endpoints = []
        runs = []
        for member, book in zip(sites.plan.roster.members, sites.books, strict=True):
            try:
                opened = begin(own, book, None)
            except Overdraft as error:
                raise Overdraft(f"site {member.name}, with room for attempts that fail: {error}") from None
            stack.callback(opened.finish)
            runs.append(opened.run)
        for place, (rows, identity, run) in enumerate(zip(sites.rows, sites.identities, runs, strict=True)):
            encode, account = partial(gather, rows, progress=progress), SiteAccount(run, sites.plan.terms, place)
            records = encode(first_codec(sites.plan.schema))
            endpoints.append(FederatedSite(sites.plan, identity, records, account, encode=encode))
        yield InProcess(endpoints)


def learn_federated(
    plan: Plan, sites: Sites, transport: InProcess, opened: OpenRun, progress: Progress
) -> tuple[Release, tuple[float, float], FederationStatement]:
    """Ask the sites all questions and learn.

    Returns:
        The model without its certificate, the noisy number of rows outside the facts and the scale of that noise, and
        what a certificate says of the sites.

    *Formal guarantee.* Every question is charged to ``opened``, and by every site to its own ledger, before it is
    answered; see ``Federated``.
    """
    progress.stage("keys of the sites")
    rounds = SecureRounds(sites.plan, transport)
    rounds.set_up()
    budget = Budget(opened.run, opened.answer_log, progress)
    codec = settled_codec(plan.schema, rounds, budget)
    release, outside = taught(plan, codec, Federated(rounds, codec.domain, budget), progress)
    return release, outside, sites.statement(rounds.opened_rounds, transport)
