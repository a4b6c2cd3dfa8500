"""The coordinator's side of a federation: who is asked to take part, the plan, and the run. It has no row."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from sfumato.errors import CheckpointError, FederationError, SchemaError, SfumatoError
from sfumato.extras import require
from sfumato.federation.address import Address
from sfumato.federation.coordinator_folder import CoordinatorFolder, Over, Study
from sfumato.federation.defaults import ADDRESS, CURIOUS, DEADLINE, LOST, MAX_SITES, PATIENCE, USUAL_STEPS
from sfumato.federation.documents import Invitation, SiteRequest, connection_hash, replace_file, written
from sfumato.federation.reached import ReachedSites
from sfumato.federation.run_status import KeptProgress
from sfumato.fitting.agreed import agreed
from sfumato.fitting.connected import ConnectedSource
from sfumato.fitting.encrypted_rounds import train
from sfumato.folder_lock import FolderLock
from sfumato.models.choose import check_suits
from sfumato.privacy.guarantee import Guarantee, check_promise
from sfumato.progress import Progress, Silent
from sfumato.release.artifact import canonical_json
from sfumato.release.certificate import Certificate
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.schema.review import open_in_words
from sfumato.synthesizer import Synthesizer, keep_certified, load
from sfumato.trust.federated.averaging import averaging_of
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.outsourced import Outsourced
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.secure_sum.roster import Member, Roster


class Federation:
    """A federation, by its coordinator's folder.

    Args:
        folder: that :meth:`make` made.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = CoordinatorFolder(Path(folder))

    @classmethod
    def make(
        cls,
        folder: str | os.PathLike[str],
        schema: Schema | str | os.PathLike[str],
        sites: Sequence[str],
        guarantee: Guarantee,
        *,
        model: str = "auto",
        target: str | None = None,
        curious: int = CURIOUS,
        lost: int = LOST,
        address: str = ADDRESS,
        max_sites: int = MAX_SITES,
        local_steps: int | None = None,
        proximal: float = 0.0,
        secure: bool = True,
        columns: Mapping[str, Sequence[str]] | None = None,
        key: str | None = None,
        persons: str | os.PathLike[str] | None = None,
        most_persons: int | None = None,
        encrypted_for: str | None = None,
        steps: int = USUAL_STEPS,
        servers: Sequence[str] = (),
    ) -> Federation:
        """Fix what is to be fitted, and draw the keys of the connections.

        Args:
            folder: new; for the coordinator's eyes alone.
            schema: the public schema of all sites, all facts of which are settled, or its path.
            sites: their names.
            guarantee: what is promised toward whoever gets the model; its unit is taken from the schema.
            model: its name, or ``"auto"``.
            target: a column of interest; default: the schema's.
            curious: how many sites may collude with the coordinator.
            lost: how many may be lost in a round.
            address: ``HOST:PORT`` under which the sites will reach the coordinator.
            max_sites: at how many sites one person may have rows and be protected as promised: the noise is as many
                times as wide.
            local_steps: train a network by averages, with few messages: so many steps at each site by itself, then the
                mean of the sites' parameters (FedAvg). None: one secure sum a step, which is as good as one curator.
            proximal: with ``local_steps``, how strongly each step pulls back to the last mean, mu of FedProx; 0 is
                FedAvg.
            secure: with ``local_steps``, whether what a site changed is opened in a secure sum alone.
            columns: for three parties that hold different columns of the same persons: by name of the party, which.
            key: of these, the column of kind identifier by which all parties know a person.
            persons: of these, path of the list of persons, with a key on each line; it is declared public.
            most_persons: in its place, how many persons a party may have at most, a public number: the persons are then
                those of whom all three have a row, found by private set intersection.
            encrypted_for: train ``vae`` wholly on secret shares, without differential privacy, for this one of them: it
                obtains the model, which may reveal rows, and nobody else does. ``guarantee`` is one of epsilon inf.
            steps: of such a training, in multiples of 25.
            servers: names of three who compute in the place of the parties (``sites``), which are then any number,
                share their columns to them before, and do nothing else.

        Raises:
            SfumatoError: what cannot be kept, with the fix; nothing is left behind.
        """
        known = schema if isinstance(schema, Schema) else Schema.load(schema)
        known = known if target is None else known.with_target(target)
        if known.unreviewed():
            raise SchemaError(open_in_words(known.open_facts()))
        check_suits(model, known.content)
        unit = known.unit.column if known.unit.kind == "id" else "row"
        promised = replace(guarantee, unit=unit)
        check_promise(promised)
        named = tuple(servers or sites)
        made = _split(tuple(sites), columns, key, persons, most_persons, servers)
        if encrypted_for is not None:
            return cls._make_encrypted(folder, known, promised, named, made, model, address, encrypted_for, steps)
        if not promised.private:
            raise FederationError("without a promise sums are opened as they are: give a finite epsilon")
        averaging = averaging_of(local_steps, proximal, secure)
        study = Study(known, model, promised, named, curious, lost, Address.parse(address), max_sites, made, averaging)
        roster = Roster(_placeholders(named), curious, lost)
        more = {"averaging": averaging, "max_sites": max_sites, "split": made}
        agreed(known, model, promised, roster, **more)  # what it refuses, it refuses now
        return cls(CoordinatorFolder.make(Path(folder), study).path)

    @classmethod
    def _make_encrypted(
        cls,
        folder: str | os.PathLike[str],
        schema: Schema,
        guarantee: Guarantee,
        parties: tuple[str, ...],
        split: VerticalSplit | None,
        model: str,
        address: str,
        receiver: str,
        steps: int,
    ) -> Federation:
        """Fix a training on shares."""
        require("networks", "a training on secret shares")
        if guarantee.private or model not in ("auto", "vae"):
            raise FederationError(
                "what is trained on shares without noise is vae, and promises nothing: give epsilon inf, and no model"
                " or vae"
            )
        if split is None or split.outsourced is not None:
            raise FederationError(
                "three parties train on shares of columns that they hold: give columns, key and persons, and no servers"
            )
        study = Study(schema, "vae", guarantee, parties, CURIOUS, 0, Address.parse(address), 1, split)
        study = replace(study, receiver=receiver, steps=steps)
        roster = Roster(_placeholders(parties), CURIOUS, 0)
        _encrypted_plan(study, roster)  # what it refuses, it refuses now
        return cls(CoordinatorFolder.make(Path(folder), study).path)

    @property
    def encrypted_for(self) -> str | None:
        """Who obtains what is trained on shares without a promise; None where what is fitted keeps one."""
        return self._folder.study.receiver

    @property
    def sites(self) -> tuple[str, ...]:
        """Names of the sites."""
        return self._folder.study.sites

    @property
    def commands(self) -> tuple[str, str]:
        """Names of the commands of whoever makes the plan, and of those who take part: of sites or of parties."""
        return self._folder.study.commands

    def invite(self, requests: Sequence[str | os.PathLike[str]] = ()) -> Path:
        """Write the plan for all sites, from their requests; the path of the file that each of them gets.

        Args:
            requests: files that the sites sent; those in ``FOLDER/requests`` are taken too.

        Raises:
            FederationError: a request is damaged, of nobody who was asked, or missing; or there is a plan already, with
                other keys.
        """
        found: dict[str, SiteRequest] = {}
        everybody = self.sites + self._folder.study.owners
        for path in (*self._folder.requests(), *map(Path, requests)):
            request = SiteRequest.load(path)
            name = request.member.name
            if name not in everybody:
                raise FederationError(f"{path}: site {name} is none of this federation ({', '.join(everybody)})")
            if found.setdefault(name, request) != request:
                raise FederationError(f"{path}: another request of site {name} than the one that was taken in before")
        missing = [name for name in everybody if name not in found]
        if missing:
            raise FederationError(
                f"no request yet of {', '.join(missing)}: each makes one (sfumato {self.commands[1]} init) and sends"
                " its file"
            )
        owners = tuple(found[name].member for name in self._folder.study.owners)
        invitation = self._invitation([found[name] for name in self.sites], owners)
        if self._folder.invitation.exists():
            self._check_same(invitation)
        else:
            for name, request in found.items():
                replace_file(self._folder.path / "requests" / f"{name}.request.json", written(request))
            replace_file(self._folder.invitation, written(invitation))
        return self._folder.invitation

    def _invitation(self, requests: Sequence[SiteRequest], owners: tuple[Member, ...]) -> Invitation:
        study, authority = self._folder.study, self._folder.authority
        roster = Roster(tuple(r.member for r in requests), study.curious, study.lost)
        made = self._agreed(roster, requests, owners) if study.receiver is None else _encrypted_plan(study, roster)
        engines = _engines(requests) if study.split is not None else ()
        if study.receiver is not None and not engines:
            raise FederationError(
                "a training on shares needs the engine of each party: make the parties with --engine HOST:PORT"
            )
        plan = replace(made, server=connection_hash(study.address, authority.certificate), engine=engines)
        certificates = {r.member.name: authority.certify_site(r.certificate_request, r.member.name) for r in requests}
        return Invitation(plan, study.address, authority.certificate, certificates)

    def _agreed(self, roster: Roster, requests: Sequence[SiteRequest], owners: tuple[Member, ...]) -> FederationPlan:
        study = self._folder.study
        facts = study.schema, study.model, study.guarantee, roster
        split = study.split
        if split is not None and split.outsourced is not None:
            known = replace(split.outsourced, owners=owners, sealing=tuple(r.sealing for r in requests))
            split = replace(split, outsourced=known)
        more = {"averaging": study.averaging, "max_sites": study.max_sites, "split": split}
        plan = agreed(*facts, **more).plan
        declared = tuple(r.capacity or usual for r, usual in zip(requests, plan.capacity, strict=True))
        return agreed(*facts, declared, **more, engine=_engines(requests) if study.split is not None else ()).plan

    def _check_same(self, made: Invitation) -> None:
        if Invitation.load(self._folder.invitation).plan != made.plan:
            raise FederationError(
                f"{self._folder.invitation} is the plan of these sites already, with other keys or facts: take it away"
                " if no site has signed it, or make a new federation"
            )

    @property
    def plan(self) -> FederationPlan:
        """The plan; FederationError before there is one."""
        return self._invited().plan

    def _invited(self) -> Invitation:
        if not self._folder.invitation.exists():
            raise FederationError(
                f"there is no plan yet: make it with sfumato {self.commands[0]} plan {self._folder.path} REQUEST..."
                " once all have sent their requests"
            )
        return Invitation.load(self._folder.invitation)

    def fit(
        self,
        output: str | os.PathLike[str],
        *,
        key: str | os.PathLike[str] | None = None,
        patience: float = PATIENCE,
        deadline: float = DEADLINE,
        progress: Progress | None = None,
    ) -> Synthesizer:
        """Run the plan over all sites, learn, and save the model with its certificate.

        A run that was interrupted goes on with the sums that were opened; the sites need not do anything. One whose
        model was saved tells those sites that it is over which have not heard it.

        Args:
            output: where the model goes.
            key: path of an Ed25519 private key that signs the certificate.
            patience: seconds to wait for all sites to be there.
            deadline: seconds that a site has for each answer.
            progress: receives stages, rounds and what was spent.

        Raises:
            MissingExtra: NVFlare is not installed.
            FederationError: a site is not there, does not agree, or is lost where the plan does not allow it.
            SfumatoError: what else stands against it, with the fix.
        """
        require("federated", "a run over real sites")
        invited, folder = self._invited(), self._folder
        plan = invited.plan
        if plan.encrypted is not None:
            raise FederationError(f"{plan.encrypted.receiver} alone obtains the model of this plan: train it")
        kept = KeptProgress(progress or Silent(), folder.keep_status, plan.digest.hex(), plan.guarantee.epsilon)
        synthesizer = Synthesizer(plan.schema, plan.model, plan.guarantee, key=key)
        model = Path(output).absolute()
        with self._alone(), ReachedSites(folder, invited, patience, kept) as reached:
            if (over := self._over()) is not None:
                return self._told_again(over, model, reached, deadline, kept)
            places = folder.path / "coordinator.ledger", folder.path / "answers"
            source = ConnectedSource(plan, reached.connect, *places, deadline, self._signed)
            try:
                synthesizer.fit(source, kept, output=output)
                folder.keep_over(Over(model, self.sites))
                synthesizer.save(output)
            except BaseException as error:
                kept.ended(f"stopped: {error}" if isinstance(error, SfumatoError) else "stopped")
                raise
            self._tell(synthesizer, Over(model, self.sites), reached, deadline, kept)
        kept.ended("done")
        return synthesizer

    def train(
        self, *, patience: float = PATIENCE, deadline: float = DEADLINE, progress: Progress | None = None
    ) -> None:
        """Run a training on shares: its receiver's own process writes the model, and nothing of it comes here.

        Args:
            patience: seconds to wait for all parties to be there.
            deadline: seconds that a party has for each answer; more where it takes steps.
            progress: receives stages and steps.

        Raises:
            MissingExtra: NVFlare is not installed.
            FederationError: the plan is of no such training, or a party is not there, does not agree, or is lost. The
                same commands begin anew.
        """
        require("federated", "a run over real sites")
        invited, folder = self._invited(), self._folder
        if invited.plan.encrypted is None:
            raise FederationError("the plan keeps a promise, by sums that are opened here: fit it")
        plan = invited.plan
        kept = KeptProgress(progress or Silent(), folder.keep_status, plan.digest.hex(), plan.guarantee.epsilon)
        with self._alone(), ReachedSites(folder, invited, patience, kept) as reached:
            try:
                signed = train(plan, reached.connect(kept), deadline, kept)
                self._signed(signed)
                reached.finish(b"", deadline)
            except BaseException as error:
                kept.ended(f"stopped: {error}" if isinstance(error, SfumatoError) else "stopped")
                raise
        kept.ended("done")

    @property
    def untold(self) -> tuple[str, ...]:
        """Names of the sites that have not heard that the run is over; none before it is."""
        over = self._over()
        return () if over is None else over.untold

    def _over(self) -> Over | None:
        """The end of the run; None while its model was not saved, or sites are untold of one that is gone."""
        over = self._folder.over
        if over is None or not over.untold:
            return over
        with suppress(SfumatoError):
            stated = load(over.model).certificate
            sites = stated.federation if isinstance(stated, Certificate) else None
            if sites is not None and sites.plan == self.plan.digest.hex():
                return over
        return None

    def _told_again(
        self, over: Over, model: Path, reached: ReachedSites, deadline: float, kept: KeptProgress
    ) -> Synthesizer:
        """Tell the sites that have not heard it that the run is over; the model that was saved then."""
        if model != over.model or not over.untold:
            raise FederationError(
                f"this plan has been carried out, and its model is {over.model}: make a new federation for another"
            )
        synthesizer = load(model)
        reached.connect(kept, over.untold)
        self._tell(synthesizer, over, reached, deadline, kept)
        kept.ended("done")
        return synthesizer

    def _tell(
        self, synthesizer: Synthesizer, over: Over, reached: ReachedSites, deadline: float, kept: KeptProgress
    ) -> None:
        """Tell sites that the run is over; keep what they sign under the certificate, and who has heard it."""
        told = reached.finish(canonical_json(synthesizer.certificate.to_dict()), deadline)
        kept.certified(keep_certified(synthesizer, told))
        synthesizer.save(over.model)
        self._folder.keep_over(replace(over, untold=tuple(name for name in over.untold if name not in told)))

    def _signed(self, signatures: Mapping[int, bytes]) -> None:
        members = self.plan.roster.members
        self._folder.keep_signatures({members[place].name: given.hex() for place, given in signatures.items()})

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            lock = FolderLock.take(self._folder.path)
        except CheckpointError:
            raise FederationError(f"another run goes on in {self._folder.path}; end that first") from None
        try:
            yield
        finally:
            lock.give_back()

    def status(self) -> dict[str, Json]:
        """How far it is: ``stage`` and, once it runs, what was reported last."""
        if not self._folder.invitation.exists():
            there = {SiteRequest.load(path).member.name for path in self._folder.requests()}
            everybody = self.sites + self._folder.study.owners
            return {"stage": "waiting for requests", "sites": {name: name in there for name in everybody}}
        return self._folder.status or {"stage": "planned", "plan": self.plan.digest.hex()}


def _placeholders(sites: Sequence[str]) -> tuple[Member, ...]:
    """Members whose keys are not known yet."""
    return tuple(Member(name, i.to_bytes(32, "little")) for i, name in enumerate(sites))


def _encrypted_plan(study: Study, roster: Roster) -> FederationPlan:
    """The plan of a training on shares."""
    from sfumato.fitting.encrypted_fit import EncryptedFit  # imports jax

    assert study.split is not None, study.sites
    assert study.receiver is not None, study.sites
    return EncryptedFit.of(study.schema, roster, study.split, study.receiver, study.steps).plan


def _engines(requests: Sequence[SiteRequest]) -> tuple[EngineParty, ...]:
    """Where each reaches the engines of the others; nothing where one has none."""
    engines = tuple(request.engine for request in requests if request.engine is not None)
    return engines if len(engines) == len(requests) else ()


def _split(
    parties: Sequence[str],
    columns: Mapping[str, Sequence[str]] | None,
    key: str | None,
    persons: str | os.PathLike[str] | None,
    most: int | None,
    servers: Sequence[str],
) -> VerticalSplit | None:
    """Who holds which columns, where three parties do; FederationError where something of it is not told."""
    if columns is None and key is None and persons is None and most is None and not servers:
        return None
    if columns is None or key is None or (persons is None) == (most is None):
        raise FederationError(
            "parties that hold different columns of the same persons: give columns, key, and either persons (a public"
            " list; --persons) or most_persons (they are found by intersection; --most-persons)"
        )
    if set(parties) != set(columns):
        raise FederationError(f"columns are given of {', '.join(columns)}, and the parties are {', '.join(parties)}")
    held = tuple(tuple(columns[name]) for name in parties)
    outsourced = Outsourced.awaited(parties, len(servers)) if servers else None
    if persons is None:
        assert most is not None
        return VerticalSplit(key, held, None, most, outsourced)
    known = Persons.load(Path(persons))
    return VerticalSplit(key, held, known.digest, len(known), outsourced)
