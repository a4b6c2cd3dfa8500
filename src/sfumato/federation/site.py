"""A site's side of a federation: keys, whom it trusts, a dry run, and the run itself."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sfumato.errors import CheckpointError, FederationError
from sfumato.extras import require
from sfumato.federation.address import Address
from sfumato.federation.authority import check_certificate
from sfumato.federation.certifying import certify
from sfumato.federation.credentials import Credentials
from sfumato.federation.defaults import SILENCE
from sfumato.federation.documents import Invitation, SiteRequest
from sfumato.federation.own_rows import OwnRows, own_schema
from sfumato.federation.sealed_shares import SealedShares, by_owner, check_new, outsourced_of, write_sealed
from sfumato.federation.share_file import ShareFile
from sfumato.federation.site_folder import SiteFolder, request_name
from sfumato.federation.site_ledger import paying
from sfumato.federation.site_service import SiteService
from sfumato.fitting.agreed import agreed
from sfumato.fitting.dataset_ledger import DatasetLedger, ledger_of
from sfumato.folder_lock import FolderLock
from sfumato.models import MODELS
from sfumato.models.choose import check_suits
from sfumato.privacy.guarantee import MOST_DELTA, MOST_EPSILON, Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress, Silent
from sfumato.results.plain import Json
from sfumato.schema.site_draft import draft_mapping
from sfumato.tables.source import RowSource
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.engine.engine import Engine
from sfumato.trust.mpc.engine.session import EngineSession
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.row_sharing import RowSharing
from sfumato.trust.mpc.server_site import ServerRecords, ServerSite, cuts
from sfumato.trust.mpc.whole_plan import at_servers, charge_whole
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.roster import check_confirmed

_MEETING = 30.0
"""Seconds for the engines of parties to find each other, which all are told to at once."""
Said = Callable[[str], None]
"""Takes a line for the people of the site."""


@dataclass(frozen=True)
class SiteCheck:
    """What a dry run found; for the people of the site alone.

    Attributes:
        site: its name.
        plan: SHA-256 of the plan.
        words: the plan in plain words.
        rows: records that the site would take part with.
        outside: rows with some cell that the schema's facts do not allow.
        keys: of a party, what it should know of the keys of its persons.
    """

    site: str
    plan: str
    words: tuple[str, ...]
    rows: int
    outside: int
    keys: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return {
            "site": self.site,
            "plan": self.plan,
            "words": list(self.words),
            "rows": self.rows,
            "rows_outside_facts": self.outside,
            "keys": list(self.keys),
        }

    def __str__(self) -> str:
        return "\n".join(
            (
                *self.words,
                f"for your eyes alone: {self.rows:,} rows would take part, {self.outside:,} have a cell outside the"
                " declared facts",
                *(f"for your eyes alone: {note}" for note in self.keys),
                "nothing stands against taking part; nothing was sent",
            )
        )


class Site:
    """One site, by its folder.

    Args:
        folder: that :meth:`make` made.

    >>> import tempfile
    >>> site, request = Site.make(f"{tempfile.mkdtemp()}/north", "north")
    >>> len(site.fingerprint), request.name
    (64, 'north.request.json')
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = SiteFolder(Path(folder))

    @classmethod
    def make(
        cls, folder: str | os.PathLike[str], name: str, capacity: int | None = None, *, engine: str | None = None
    ) -> tuple[Site, Path]:
        """Draw the keys of a new site; where its request lies, to be given to the coordinator.

        Args:
            folder: new; for its owner's eyes alone.
            name: of the site, up to 64 of the characters A-Z a-z 0-9 . _ -
            capacity: records that the site may ever hold: a public number, which must not be read off the rows.
                Default: millions for models over tables, 65,536 for networks.
            engine: of a party, ``HOST:PORT`` under which the two others reach its engine for secret shares; None where
                it has none.

        Raises:
            OutputError: the folder is not empty, or cannot be made.
        """
        made, request = SiteFolder.make(Path(folder), name, capacity, None if engine is None else Address.parse(engine))
        return cls(made.path), request

    @property
    def name(self) -> str:
        """Of the site."""
        return self._folder.name

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that its people tell those of the other sites."""
        return self._folder.identity.fingerprint

    def confirm(self, told: Mapping[str, str]) -> None:
        """Take in the fingerprints that other sites told, each by itself: by phone, on paper, not by the coordinator.

        Raises:
            FederationError: one is none, or another was confirmed for that site before.
        """
        self._folder.confirm(told)

    def draft_mapping(self, invitation: str | os.PathLike[str], source: RowSource) -> str:
        """A draft of this site's own file, which maps its table to the plan's schema; no value of a row is in it.

        Raises:
            SfumatoError: the plan or the heading of the table cannot be read.
        """
        plan = Invitation.load(invitation).plan
        place = self._place(plan) if plan.outsourced is None else self._owner_place(plan)
        return draft_mapping(own_schema(plan, place), source)

    def check(
        self,
        invitation: str | os.PathLike[str],
        source: RowSource,
        *,
        mapping: str | os.PathLike[str] | None = None,
        persons: str | os.PathLike[str] | None = None,
        honest: int | None = None,
        engine: Engine | None = None,
        progress: Progress | None = None,
    ) -> SiteCheck:
        """Try all that can be tried at this site alone; nothing is sent, and nothing charged.

        Args:
            invitation: the file with the plan.
            source: the rows of this site.
            mapping: path of the site's own file (``site.yaml``); None for a table as the schema says.
            persons: of a plan for parties with a list of persons, its path.
            honest: how many of the sites you rely on to be honest; default: as many as the plan needs.
            engine: of a plan for a training on shares; default: the one among the user's data.
            progress: receives stages.

        Raises:
            MissingExtra: the plan finds persons by intersection, and ``openmined.psi`` is not installed.
            SfumatoError: the first thing that stands against taking part, with the fix.
        """
        asked = _invited(invitation)
        owner = asked.plan.outsourced is not None
        place = self._judge_owner(asked) if owner else self._judge(asked, honest)
        own = OwnRows.of(asked.plan, place, source, mapping, persons, progress or Silent())
        records, keys = own.check()
        if not owner:  # who has no more rows than there are persons
            asked.plan.check_capacity(place, records)
        if asked.plan.encrypted is not None:
            from sfumato.fitting.encrypted_fit import EncryptedFit  # imports jax

            _ = engine or Engine()  # EngineError where there is none
            EncryptedFit(asked.plan).try_out(progress or Silent())
        words = tuple(asked.plan.words())
        return SiteCheck(self.name, asked.plan.digest.hex(), words, len(records), records.outside, keys)

    def run(
        self,
        invitation: str | os.PathLike[str],
        source: RowSource,
        *,
        ledger: Ledger | str | os.PathLike[str] | None = None,
        mapping: str | os.PathLike[str] | None = None,
        persons: str | os.PathLike[str] | None = None,
        honest: int | None = None,
        engine: Engine | None = None,
        output: str | os.PathLike[str] | None = None,
        patience: float = SILENCE,
        progress: Progress | None = None,
        said: Said = lambda line: None,
    ) -> None:
        """Take part in one run of the plan, until the coordinator says that it is done.

        Args:
            invitation: the file with the plan.
            source: the rows of this site; they never leave it.
            ledger: of the rows; default: beside them.
            mapping: path of the site's own file (``site.yaml``); None for a table as the schema says.
            persons: of a plan for parties with a list of persons, its path.
            honest: how many of the sites you rely on to be honest; default: as many as the plan needs.
            engine: of a plan for a training on shares, or one that compares on shares; default: the one among the
                user's data.
            output: of a training on shares, where the model goes, at the party that obtains it; None at any other.
            patience: seconds to wait for the coordinator, and to go on without a word of it.
            progress: receives stages, rounds and what was spent.
            said: takes the plan in plain words, and what happens.

        Raises:
            MissingExtra: NVFlare is not installed, or ``openmined.psi`` where persons are found by intersection.
            Overdraft: the ledger has no room for what the plan may cost.
            FederationError: the coordinator has said nothing for so long: it may have ended, or carried the plan out.
            SfumatoError: what else stands against it, with the fix; nothing was sent.

        *Formal guarantee.* See ``FederatedSite``: each question is judged, priced and paid here before it is answered.
        A run that was interrupted goes on with its run of the ledger, so that all tries of one plan together cost no
        more than ``FederationPlan.at_a_site``; a plan that was carried out is not carried out again.
        """
        require("federated", "a run over real sites")
        asked = _invited(invitation)
        plan = asked.plan
        if plan.outsourced is not None:
            raise FederationError(
                "the plan names servers, who compute: an owner of columns takes part by sfumato party share, and a"
                " server by sfumato party serve"
            )
        place, seen = self._judge(asked, honest), progress or Silent()
        start = self._engine(plan, place, engine)
        own = OwnRows.of(plan, place, source, mapping, persons, seen)
        if plan.encrypted is not None:
            self._train(asked, place, own, engine, output, seen, said, patience)
            return
        if output is not None:
            raise FederationError("the coordinator saves the model of this plan: leave output out")
        book = ledger_of(source, ledger, plan.guarantee.private)
        kept = None if plan.split is None else self._share_file(plan)

        def site(account: SiteAccount) -> FederatedSite:
            if own.brought is not None:
                self._folder.keep_persons(plan.digest.hex(), own.brought)
            return own.site(self._folder.identity, account, kept, said, start)

        self._take_part(asked, place, book, site, () if kept is None else (kept.delete,), patience, seen, said)

    def share(
        self,
        invitation: str | os.PathLike[str],
        source: RowSource,
        output: str | os.PathLike[str],
        *,
        persons: str | os.PathLike[str],
        ledger: Ledger | str | os.PathLike[str] | None = None,
        mapping: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
        said: Said = lambda line: None,
    ) -> list[Path]:
        """Share the columns of an owner to the three servers of the plan: a sealed file for each, to be carried there.

        Args:
            invitation: the file with the plan.
            source: the rows of the owner.
            output: folder for the files.
            persons: path of the list of persons.
            ledger: of the rows; default: beside them.
            mapping: path of the owner's own file (``site.yaml``); None for a table as the schema says.
            progress: receives stages.
            said: takes the plan in plain words.

        Raises:
            Overdraft: the ledger has no room for the whole plan.
            OutputError: there are such files already: they are not replaced.
            SfumatoError: what else stands against it, with the fix; nothing was charged or written.

        *Formal guarantee.* The ledger is charged with all that servers may answer of these rows by the plan, durably,
        before the first byte of a share is written, and once a plan: shared again, the servers answer no more than
        before. See ``RowSharing`` for what one server learns of its file.
        """
        asked = Invitation.load(invitation)
        plan, place = asked.plan, self._judge_owner(asked)
        book = ledger_of(source, ledger, plan.guarantee.private)
        records = OwnRows.of(plan, place, source, mapping, persons, progress or Silent()).records()
        assert isinstance(records, PartyRecords)
        folder = Path(output)
        check_new(folder, plan, place)
        with self._alone():
            for line in plan.words():
                said(line)
            with paying(self._folder, plan, book) as paid:
                charge_whole(paid.run, plan)
            sharing = RowSharing(cuts(plan)[place], records.codes, records.outside)
            return write_sealed(folder, plan, self._folder.identity, sharing)

    def serve(
        self,
        invitation: str | os.PathLike[str],
        shares: Sequence[str | os.PathLike[str]],
        *,
        patience: float = SILENCE,
        progress: Progress | None = None,
        said: Said = lambda line: None,
    ) -> None:
        """Compute, as a server of the plan, on what its owners shared; what was sent is deleted at the end.

        Args:
            invitation: the file with the plan.
            shares: the files that the owners sealed for this server, one of each.
            patience, progress, said: as of :meth:`run`.

        Raises:
            MissingExtra: NVFlare is not installed.
            SfumatoError: what stands against it, with the fix.

        *Formal guarantee.* See ``ServerSite``. The server's account of the plan is ``server.ledger`` in its folder.
        """
        require("federated", "a run over real servers")
        asked = Invitation.load(invitation)
        plan, files = asked.plan, [Path(path) for path in shares]
        outsourced_of(plan)
        place, seen = self._judge(asked, None), progress or Silent()
        opened = by_owner([SealedShares(file, plan, place, self._folder.sealing_key) for file in files], plan)

        def site(account: SiteAccount) -> FederatedSite:
            received = [one.received(cut) for one, cut in zip(opened, cuts(plan), strict=True)]
            records = ServerRecords.of(plan, received, [one.agreed for one in opened], seen)
            return ServerSite(plan, self._folder.identity, records, account)

        # without the key nobody reads a file, also where this process ends between the two
        over = [self._folder.delete_sealing_key, *(partial(file.unlink, missing_ok=True) for file in files)]
        book = DatasetLedger(self._folder.path / "server.ledger")
        if book.path is not None and not book.path.exists():  # its cap is no one's: owners have paid, each by its own
            Ledger.open(book.path, Guarantee(MOST_EPSILON, MOST_DELTA, plan.guarantee.unit)).close()
        self._take_part(asked, place, book, site, over, patience, seen, said, at_servers(plan))

    def _take_part(
        self,
        asked: Invitation,
        place: int,
        book: DatasetLedger,
        site: Callable[[SiteAccount], FederatedSite],
        over: Sequence[Callable[[], None]],
        patience: float,
        progress: Progress,
        said: Said,
        most: Guarantee | None = None,
    ) -> None:
        """Answer until the coordinator says that it is done; then do what is in ``over``. ``most``: see ``paying``."""
        plan = asked.plan
        with self._alone(), paying(self._folder, plan, book, most) as paid, _logged(self._folder.path / "site.log"):
            for line in plan.words():
                said(line)
            made = site(SiteAccount(paid.run, plan.terms, place, paid.prepaid))
            service = SiteService(plan, made, progress, said, partial(self._certify, plan), bool(paid.run.events))
            try:
                self._serve(asked, service, said, patience)
            finally:
                made.close()
            for end in over:
                end()
            paid.finish()

    def _engine(self, plan: FederationPlan, place: int, engine: Engine | None) -> Callable[[], EngineSession] | None:
        """What starts this party's session with the engine; None where the plan compares nothing by it."""
        if not plan.compares:
            return None
        here, keys = engine or Engine(), self._folder.engine_keys(place, plan.engine[place].host)
        folder = self._folder.path / "engine"
        folder.mkdir(mode=0o700, exist_ok=True)
        return partial(EngineSession.start, here.folder, folder, plan.engine_plan, keys, _MEETING)

    def _share_file(self, plan: FederationPlan) -> ShareFile:
        return ShareFile(self._folder.path, plan.digest.hex(), self._folder.share_key)

    def _train(
        self,
        asked: Invitation,
        place: int,
        own: OwnRows,
        engine: Engine | None,
        output: str | os.PathLike[str] | None,
        seen: Progress,
        said: Said,
        patience: float,
    ) -> None:
        """Take part in a training on shares."""
        from sfumato.federation.training_party import TrainingParty  # imports jax

        party = TrainingParty(self._folder, asked.plan, place, engine or Engine(), output)
        with self._alone(), _logged(self._folder.path / "site.log"):
            for line in asked.plan.words():
                said(line)
            with party.answering(own, seen) as answers:
                service = SiteService(asked.plan, answers, seen, said, None)
                self._serve(asked, service, said, patience)
        if output is not None:
            said(f"{os.fspath(output)}: the model, without a certificate")

    def _certify(self, plan: FederationPlan, data: bytes) -> bytes:
        """Sign a certificate of the plan, of which a copy is kept; SfumatoError where that is none."""
        signature = certify(data, plan, self._folder.identity)
        self._folder.keep_certificate(data)
        return signature

    def _serve(self, asked: Invitation, service: SiteService, said: Said, patience: float) -> None:
        """Let the coordinator call until it is done; FederationError where it says nothing for too long."""
        from sfumato.federation.nvflare.client import calling_out

        certificate = asked.certificates[self.name]
        credentials = Credentials(self._folder.connection_key, certificate, asked.authority)
        folder = self._folder.path / "connection"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        most = asked.plan.most_bytes
        with calling_out(folder, self.name, asked.address, credentials, said, patience, most) as client:
            client.serve(service, lambda: service.done)

    def _judge(self, asked: Invitation, honest: int | None) -> int:
        """This site's place in the plan; FederationError where it should not take part."""
        plan = asked.plan
        place = self._place(plan)
        if plan.roster.members[place].name != self.name:
            raise FederationError(f"the plan calls this site {plan.roster.members[place].name}, not {self.name}")
        plan.roster.confirm_fingerprints(self._folder.confirmed)
        self._check_outsourced(plan)
        if honest is not None:
            plan.roster.check_floor(honest)
        check_certificate(asked.certificates[self.name], asked.authority, self._folder.connection_key, self.name)
        check_suits(plan.model, plan.schema.content)
        self._check_plan(asked, place)
        MODELS[plan.model, plan.schema.content].recipe()  # imports what a site computes with, or says what is missing
        return place

    def _judge_owner(self, asked: Invitation) -> int:
        """This owner's place among those of the plan; FederationError where it should not share anything."""
        plan = asked.plan
        place, owners = self._owner_place(plan), outsourced_of(plan).owners
        if owners[place].name != self.name:
            raise FederationError(f"the plan calls this owner {owners[place].name}, not {self.name}")
        check_confirmed(plan.roster.members, self._folder.confirmed)
        self._check_outsourced(plan)
        self._check_made(asked)
        return place

    def _owner_place(self, plan: FederationPlan) -> int:
        place = outsourced_of(plan).position(self._folder.identity.public_key)
        if place is None:
            raise FederationError(
                "the plan names this folder as no owner of columns: a server takes part by sfumato party serve"
            )
        return place

    def _check_outsourced(self, plan: FederationPlan) -> None:
        """FederationError unless all owners are confirmed, and each server signed the key that shares are sealed to."""
        if plan.outsourced is not None:
            check_confirmed(plan.outsourced.owners, self._folder.confirmed)
            plan.outsourced.check_keys(plan.roster)

    def _check_plan(self, asked: Invitation, place: int) -> None:
        """FederationError unless this site's facts are in it, and a coordinator can have made this plan."""
        self._check_made(asked)
        self._check_declared(asked.plan, place)

    def _check_made(self, asked: Invitation) -> None:
        """FederationError unless a coordinator that follows the rules can have made this plan."""
        plan = asked.plan
        if not plan.guarantee.private and plan.encrypted is None:
            raise FederationError("the plan makes no promise: sums would be opened without noise; no site takes part")
        if plan.server != asked.connection:
            raise FederationError("the address or the authority in this file is not that of its plan: it was changed")
        if replace(_made(plan), server=plan.server, engine=plan.engine) != plan:
            raise FederationError("the plan allows other questions or numbers than its model needs: take no part")

    def _check_declared(self, plan: FederationPlan, place: int) -> None:
        """FederationError unless the plan holds what this site declared in its request."""
        asked_for = SiteRequest.load(self._folder.path / request_name(self.name))
        if plan.engine and plan.engine[place] != asked_for.engine:
            raise FederationError("the plan names another engine for this party than its request does: take no part")
        declared = asked_for.capacity
        usual = replace(plan, capacity=()).capacity[place]
        if plan.capacity[place] != (declared or usual):
            raise FederationError(
                f"the plan says that this site holds at most {plan.capacity[place]:,} records; it declared"
                f" {declared or usual:,}: ask for a plan with that"
            )

    def _place(self, plan: FederationPlan) -> int:
        return plan.roster.position(self._folder.identity.public_key)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            lock = FolderLock.take(self._folder.path)
        except CheckpointError:
            raise FederationError(f"another run of this site goes on in {self._folder.path}; end that first") from None
        try:
            yield
        finally:
            lock.give_back()


def _invited(path: str | os.PathLike[str]) -> Invitation:
    """The invitation in a file; MissingExtra where what its plan needs of this site is not installed."""
    asked = Invitation.load(path)
    split = asked.plan.split
    if split is not None and split.persons is None:
        require("mpc", "a plan that finds the persons by intersection")
    return asked


def _made(plan: FederationPlan) -> FederationPlan:
    """The plan as its own facts make it here, but for where anybody is reached."""
    if plan.encrypted is None or plan.split is None:
        stated = plan.capacity, plan.averaging, plan.max_sites, plan.split
        return agreed(plan.schema, plan.model, plan.guarantee, plan.roster, *stated, engine=plan.engine).plan
    from sfumato.fitting.encrypted_fit import EncryptedFit, check_program  # imports jax

    made = EncryptedFit.of(plan.schema, plan.roster, plan.split, plan.encrypted.receiver, plan.encrypted.steps)
    check_program(made, plan)
    return made.plan


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """What the site logs goes to a file of its own, for its owner's eyes alone."""
    path.touch(mode=0o600)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("sfumato.site")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True
        handler.close()
