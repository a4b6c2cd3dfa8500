"""A site's side of a federation: keys, whom it trusts, a dry run, and the run itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from sfumato.errors import FederationError
from sfumato.extras import require
from sfumato.federation.address import Address
from sfumato.federation.comparing_engine import engine_start
from sfumato.federation.defaults import SILENCE
from sfumato.federation.documents import Invitation
from sfumato.federation.judging import invited, judge, judge_owner, place_of
from sfumato.federation.outsourced_run import serve_shares, share_rows
from sfumato.federation.own_rows import OwnRows, own_schema
from sfumato.federation.sealed_shares import outsourced_of
from sfumato.federation.share_file import ShareFile
from sfumato.federation.site_check import SiteCheck
from sfumato.federation.site_folder import SiteFolder
from sfumato.federation.site_run import Said, SiteRun
from sfumato.fitting.dataset_ledger import ledger_of
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Progress, Silent
from sfumato.schema.site_draft import draft_mapping
from sfumato.tables.source import RowSource
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.mpc.engine.engine import Engine
from sfumato.trust.secure_sum.accounts import SiteAccount


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
        return draft_mapping(own_schema(plan, place_of(self._folder, plan)), source)

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
        asked = invited(invitation)
        owner = asked.plan.outsourced is not None
        place = judge_owner(self._folder, asked) if owner else judge(self._folder, asked, honest)
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
        asked = invited(invitation)
        plan = asked.plan
        if plan.outsourced is not None:
            raise FederationError(
                "the plan names servers, who compute: an owner of columns takes part by sfumato party share, and a"
                " server by sfumato party serve"
            )
        place, seen = judge(self._folder, asked, honest), progress or Silent()
        start = engine_start(self._folder, plan, place, engine)
        own = OwnRows.of(plan, place, source, mapping, persons, seen)
        taking_part = SiteRun(self._folder, asked, patience, seen, said)
        if plan.encrypted is not None:
            from sfumato.federation.training_party import TrainingParty  # imports jax

            party = TrainingParty(self._folder, plan, place, engine or Engine(), output)
            taking_part.train(party.answering(own, seen))
            if output is not None:
                said(f"{os.fspath(output)}: the model, without a certificate")
            return
        if output is not None:
            raise FederationError("the coordinator saves the model of this plan: leave output out")
        book = ledger_of(source, ledger, plan.guarantee.private)
        kept = None
        if plan.split is not None:
            kept = ShareFile(self._folder.path, plan.digest.hex(), self._folder.share_key)

        def site(account: SiteAccount) -> FederatedSite:
            if own.brought is not None:
                self._folder.keep_persons(plan.digest.hex(), own.brought)
            return own.site(self._folder.identity, account, kept, said, start)

        taking_part.answer(place, book, site, () if kept is None else (kept.delete,))

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
        plan, place = asked.plan, judge_owner(self._folder, asked)
        book = ledger_of(source, ledger, plan.guarantee.private)
        own = OwnRows.of(plan, place, source, mapping, persons, progress or Silent())
        return share_rows(self._folder, own, book, Path(output), said)

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
        outsourced_of(asked.plan)
        place, seen = judge(self._folder, asked), progress or Silent()
        taking_part = SiteRun(self._folder, asked, patience, seen, said)
        serve_shares(self._folder, asked, place, [Path(path) for path in shares], seen, taking_part)
