"""What a site or a party brings to a plan: its table, opened by the plan's schema and its own file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from sfumato.encoding.site_rows import site_rows
from sfumato.errors import FederationError, TableError
from sfumato.progress import Progress
from sfumato.schema import Schema
from sfumato.schema.site_mapping import SiteMapping
from sfumato.tables import Rows
from sfumato.tables.source import RowSource
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.gathering import gather
from sfumato.trust.mpc.aligning_party import AligningParty
from sfumato.trust.mpc.engine_site import EngineSite
from sfumato.trust.mpc.key_notes import key_notes, list_notes
from sfumato.trust.mpc.keys import OwnKeys, own_keys, raw_keys
from sfumato.trust.mpc.own_dealing import KeepsShares
from sfumato.trust.mpc.party_records import PartyRecords, party_records
from sfumato.trust.mpc.party_session import Session
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.records import ExactRecords
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity


def own_schema(plan: FederationPlan, place: int) -> Schema:
    """What the table of the site at ``place`` is described by: the plan's schema, or a party's part of it."""
    return plan.schema if plan.split is None else plan.split.schema_of(plan.schema, place)


@dataclass(frozen=True, repr=False)
class OwnRows:
    """The private rows of one site of a plan.

    Attributes:
        plan: that it takes part in.
        place: of the site.
        table: in the columns of its schema.
        persons: of a plan with a list of persons, that list; None in any other.
        progress: receives stages.
    """

    plan: FederationPlan
    place: int
    table: Rows
    persons: Persons | None
    progress: Progress

    @classmethod
    def of(
        cls,
        plan: FederationPlan,
        place: int,
        source: RowSource,
        mapping: str | os.PathLike[str] | None,
        persons: str | os.PathLike[str] | None,
        progress: Progress,
    ) -> OwnRows:
        """Open the table, and the list of persons where the plan has one; no row is read.

        Raises:
            FederationError: a list of persons that the plan does not want, wants, or wants another.
            SfumatoError: the table or the site's own file does not fit.
        """
        schema = own_schema(plan, place)
        own = None if mapping is None else SiteMapping.load(mapping, schema)
        return cls(plan, place, site_rows(source, schema, own), _listed(plan, persons), progress)

    def records(self) -> ExactRecords:
        """The records that take part at first."""
        if self.plan.split is None:
            return gather(self.table, first_codec(self.plan.schema), self.progress)
        return self._of_party(self.persons or self._keys.persons)

    def check(self) -> tuple[ExactRecords, tuple[str, ...]]:
        """The records that would take part, and notes on a party's keys; for the people of the site alone.

        TableError where a party's table has several rows of one person: in a run these are left out, without a word.
        """
        records = self.records()
        if isinstance(records, PartyRecords) and records.repeated:
            raise TableError("some persons have several rows under one key: a run leaves these persons out; keep one")
        return records, self._notes()

    def _notes(self) -> tuple[str, ...]:
        split = self.plan.split
        if split is None:
            return ()
        if self.persons is None:
            return key_notes(self._keys.raw)
        return list_notes(raw_keys(self.table, self.plan.schema, split, self.progress), self.persons)

    def site(
        self,
        identity: SiteIdentity,
        account: SiteAccount,
        kept: KeepsShares | None,
        said: Callable[[str], None],
        start: Callable[[], Session] | None = None,
    ) -> FederatedSite:
        """What answers for these rows.

        Args:
            identity: of the site.
            account: over a run of its ledger.
            kept: of a party with a list of persons, where its shares outlive a set-up; positions of an intersection are
                of one set-up, and so are shares of them.
            said: takes a line for the people of the site.
            start: of a party whose plan compares, starts its session with the engine.
        """
        if self.plan.split is None:
            encode = partial(gather, self.table, progress=self.progress)
            return FederatedSite(self.plan, identity, self.records(), account, encode=encode)
        if start is not None and self.persons is not None:
            return EngineSite(self.plan, identity, self._of_party(self.persons), account, start, kept=kept)
        if self.persons is not None:
            return PartySite(self.plan, identity, self._of_party(self.persons), account, kept=kept)
        persons = self._keys.persons
        return AligningParty(
            self.plan,
            identity,
            persons,
            self._of_party(persons),
            account,
            lambda common: said(f"for your eyes alone: {common:,} persons are common to all three parties"),
        )

    @property
    def brought(self) -> str | None:
        """SHA-256 of the persons that a party brings to an intersection; None where there is none. Private."""
        split = self.plan.split
        return None if split is None or split.persons is not None else self._keys.persons.digest

    @cached_property
    def _keys(self) -> OwnKeys:
        split = self.plan.split
        assert split is not None, "persons have keys in a plan for parties"
        return own_keys(self.table, self.plan.schema, split, self.progress)

    def _of_party(self, persons: Persons) -> PartyRecords:
        split = self.plan.split
        assert split is not None, "persons are of a plan for parties"
        return party_records(self.table, self.plan.schema, split, self.place, persons, self.progress)


def _listed(plan: FederationPlan, persons: str | os.PathLike[str] | None) -> Persons | None:
    """The list of persons of a plan for parties."""
    if plan.split is None:
        if persons is not None:
            raise FederationError("the plan is for sites, each with persons of its own: take part by sfumato site")
        return None
    if plan.split.persons is None:
        if persons is not None:
            raise FederationError("the plan is for an intersection, with no list of persons: leave --persons out")
        return None
    if persons is None:
        raise FederationError("the plan is for parties with a list of persons: give it (sfumato party, --persons)")
    known = Persons.load(Path(persons))
    if (known.digest, len(known)) != (plan.split.persons, plan.split.number):
        raise FederationError(
            f"{os.fspath(persons)}: another list of {len(known):,} persons than the {plan.split.number:,} of the plan:"
            " take the one that the plan was made with"
        )
    return known
