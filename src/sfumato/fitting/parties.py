"""Parties that hold different columns of the same persons, simulated in one process, as a source of one fit."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sfumato.errors import FederationError
from sfumato.extras import require
from sfumato.federation.defaults import USUAL_STEPS
from sfumato.fitting.agreed import agreed
from sfumato.fitting.encrypted_for import EncryptedFor
from sfumato.fitting.plan import Plan
from sfumato.fitting.servers import SimulatedServers, fresh_outsourced
from sfumato.fitting.simulated import Simulated, fresh_members
from sfumato.fitting.sites import books_of, named
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress
from sfumato.release.release import Release
from sfumato.tables import Rows
from sfumato.tables.source import RowSource
from sfumato.trust.federated.transport import InProcess, InThreads
from sfumato.trust.mpc.aligning_party import AligningParty
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.mpc.engine.engine import Engine
from sfumato.trust.mpc.engine.local_engines import LocalEngines
from sfumato.trust.mpc.engine_site import EngineSite
from sfumato.trust.mpc.keys import own_keys
from sfumato.trust.mpc.outsourced import Outsourced
from sfumato.trust.mpc.party_records import party_records
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import CURIOUS, LOST, VerticalSplit
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Roster


@dataclass(frozen=True, eq=False)
class PartiesSource:
    """The parties of a simulated count on shares; made by :func:`parties`.

    Attributes:
        sources: the table of each party.
        key: the column by which all of them know a person.
        persons: the list of persons, declared public; None: they are found by intersection.
        number: of persons on the list, or the most that a party may have.
        names: of the parties.
        ledgers: of each party; None: beside its rows.
        servers: names of those who compute in the parties' place; none: the parties do.
        engine: for programs on secret shares, by which they compare; None: they only count.
        encrypted: what is trained on their shares without a promise; None: they count, with one.
    """

    sources: tuple[RowSource, ...]
    key: str
    persons: Persons | None
    number: int
    names: tuple[str, ...]
    ledgers: tuple[Ledger | str | os.PathLike[str] | None, ...]
    servers: tuple[str, ...] = ()
    engine: Engine | None = None
    encrypted: EncryptedFor | None = None

    def trained(self, plan: Plan, progress: Progress) -> Release:
        """What is trained on their shares; see ``encrypted_parties.trained``."""
        from sfumato.fitting.encrypted_parties import trained  # imports jax

        assert self.encrypted is not None, "they train"
        if self.persons is None or self.servers:
            raise FederationError(
                "a training on shares is of persons of a public list, by their parties: give persons, and no servers"
            )
        tables, split = self._split(plan)
        return trained(plan, self.encrypted, tables, self.names, split, self.persons, progress)

    def _split(self, plan: Plan, outsourced: Outsourced | None = None) -> tuple[tuple[Rows, ...], VerticalSplit]:
        """The opened tables, and who holds what."""
        tables = tuple(Rows.open(table, plan.schema.dialect) for table in self.sources)
        columns = tuple(tuple(n for n in table.columns if n != self.key) for table in tables)
        listed = None if self.persons is None else self.persons.digest
        return tables, VerticalSplit(self.key, columns, listed, self.number, outsourced)

    def opened(self, plan: Plan) -> SimulatedParties | SimulatedServers:
        """Open the tables and find the ledger of each party; no row is read.

        Raises:
            MissingExtra: persons are to be found by intersection, and ``openmined.psi`` is not installed.
            FederationError: columns at two parties, or at none, or what is asked for is nothing that parties answer.
            SfumatoError: a table cannot be opened, or has no place for its ledger.
        """
        if self.persons is None:
            require("mpc", "to find the common persons of parties")
        books = books_of(self, plan.guarantee.private)
        identities, members = fresh_members(self.servers or self.names)
        outsourced, owners = fresh_outsourced(self.names, identities) if self.servers else (None, ())
        tables, split = self._split(plan, outsourced)
        engines = None if self.engine is None else LocalEngines.fresh(self.engine.folder, self.names)
        met = () if engines is None else engines.parties
        roster = Roster(members, CURIOUS, LOST)
        made = agreed(plan.schema, plan.model, plan.guarantee, roster, split=split, engine=met)
        if self.servers:
            assert self.persons is not None, "a plan with servers has a list"
            return SimulatedServers(tables, books, made, owners, identities, self.persons)
        return SimulatedParties(tables, books, made, identities, self.persons, engines)


def parties(
    sources: Sequence[RowSource],
    *,
    key: str,
    persons: Sequence[str] | str | os.PathLike[str] | None = None,
    most_persons: int | None = None,
    names: Sequence[str] | None = None,
    ledgers: Sequence[Ledger | str | os.PathLike[str] | None] | None = None,
    servers: Sequence[str] = (),
    encrypted_for: str | None = None,
    steps: int = USUAL_STEPS,
    engine: Engine | None = None,
) -> PartiesSource:
    r"""Columns of the same persons at three parties, simulated in this process: what ``Synthesizer.fit`` takes.

    Tables are counted on secret shares, so that no party sees another's columns; only noised tables are opened. In one
    process this protects nobody from whoever runs it: it shows what three real parties would get. Parties that have the
    same columns of different persons need no shares: that is :func:`sfumato.federated`.

    Args:
        sources: the table of each party: paths or frames with a header. Each column but the key is at one of them.
        key: the column of kind identifier by which all of them know a person; each person has one row.
        persons: the keys of the persons, or a file with one on each line. It is declared public: that somebody is on
            it is hidden from nobody. Who has no row at some party is in no table with its columns; rows of others are
            left out.
        most_persons: in its place, how many persons a party may have at most, a public number that is not read off the
            rows: the persons are then those of whom all three have a row, found by private set intersection (extra
            ``[mpc]``), and known to the parties alone.
        names: of the parties; default: the names of their files, or ``site-1`` and so on.
        ledgers: of each party; default: ``PATH.ledger`` beside its rows.
        servers: names of three who compute in the place of the parties, which are then any number, share their columns
            to them before, and do nothing else: each one's ledger is charged with the whole plan at once.
        encrypted_for: train ``vae`` on their secret shares, WITHOUT differential privacy, for the party of this name:
            the model may reveal rows. The synthesizer's guarantee is then one of epsilon inf.
        steps: of such a training, in multiples of 25.
        engine: for programs on secret shares, in three processes of this machine. With it parties also compare tables
            with what the model believes, so that ``aim`` selects round by round; without, it asks for all at once. And
            they learn ``vae``, ``gan`` and ``diffusion`` by gradients on secret shares, in the form ``shares``. What
            is trained for one of them runs on it too, or without one in the open, as its plain twin.

    Raises:
        FederationError: not three parties or servers, names or ledgers that are not as many, a key that stands twice,
            or neither a list of persons nor how many there are at most.

    >>> import pyarrow as pa
    >>> import sfumato as sf
    >>> schema = sf.Schema.parse(
    ...     "sfumato: schema/1\ncolumns:\n  id: {kind: identifier, source: public}\n"
    ...     + "".join(f"  {name}: {{kind: boolean, source: public}}\n" for name in ("ill", "poor", "old"))
    ... )
    >>> keys = [f"person {i}" for i in range(100)]
    >>> tables = [pa.table({"id": keys, name: [True, False] * 50}) for name in ("ill", "poor", "old")]
    >>> ledgers = [sf.Ledger.open(None) for _ in tables]
    >>> source = sf.parties(tables, key="id", persons=keys, ledgers=ledgers)
    >>> synthesizer = sf.Synthesizer(schema, "mst", sf.Guarantee(5, 1e-6)).fit(source)
    >>> synthesizer.sample(3).arrow.column_names
    ['id', 'ill', 'poor', 'old']
    """
    given = tuple(sources)
    called = tuple(names) if names is not None else named(given)
    kept = tuple(ledgers) if ledgers is not None else (None,) * len(given)
    if servers and (len(servers) != PARTIES or not len(given) == len(called) == len(kept) >= 1):
        raise FederationError(
            f"{len(servers)} servers for {len(given)} tables, {len(called)} names and {len(kept)} ledgers: name"
            f" {PARTIES} servers, and owners each with its own"
        )
    if not servers and not len(given) == len(called) == len(kept) == PARTIES:
        raise FederationError(
            f"{len(given)} tables, {len(called)} names and {len(kept)} ledgers: counting on shares is of {PARTIES}"
            " parties, each with its own"
        )
    wanted = None if encrypted_for is None else EncryptedFor(encrypted_for, steps, engine)
    if engine is not None and (persons is None or servers):
        raise FederationError("parties compare by themselves: give the list of persons and no servers, or no engine")
    if persons is None:
        if most_persons is None:
            raise FederationError(
                "neither persons nor most_persons: give a public list, or how many persons a party may have (who is"
                " common is then found by intersection)"
            )
        return PartiesSource(given, key, None, most_persons, called, kept, tuple(servers), encrypted=wanted)
    if most_persons is not None:
        raise FederationError("persons and most_persons: a list says how many there are; leave most_persons out")
    known = Persons.load(Path(persons)) if isinstance(persons, str | os.PathLike) else Persons.of(persons)
    return PartiesSource(given, key, known, len(known), called, kept, tuple(servers), engine, wanted)


@dataclass(frozen=True)
class SimulatedParties(Simulated):
    """Parties in this process; see ``Simulated``.

    Attributes:
        identities: their signing keys, drawn for this fit.
        persons: the list that the plan holds the hash of; None: they are found by intersection.
        engines: of the three, where they compare.
    """

    identities: tuple[SiteIdentity, ...]
    persons: Persons | None
    engines: LocalEngines | None = None

    @contextmanager
    def answering(self, plan: Plan, progress: Progress) -> Iterator[InProcess]:
        """The parties, each with a run of its own ledger while the fit lasts; see ``SimulatedSites.answering``."""
        shared = self.agreed.plan
        split = shared.split
        assert split is not None
        with ExitStack() as stack:
            runs = self.runs(stack, plan, "site", shared.roster.members)
            starts = None if self.engines is None else stack.enter_context(self.engines.ready(shared.engine_plan))
            endpoints = []
            for place, (table, identity, run) in enumerate(zip(self.tables, self.identities, runs, strict=True)):
                account = SiteAccount(run, shared.terms, place)
                persons = self.persons or own_keys(table, shared.schema, split, progress).persons
                records = party_records(table, shared.schema, split, place, persons, progress)
                if starts is not None:
                    made = EngineSite(shared, identity, records, account, starts[place])
                    stack.callback(made.close)
                elif self.persons is not None:
                    made = PartySite(shared, identity, records, account)
                else:
                    made = AligningParty(shared, identity, persons, records, account)
                endpoints.append(made)
            yield InProcess(endpoints) if starts is None else InThreads(endpoints)
