"""What a site keeps in its folder: its keys, whom it has confirmed, and how far it is with each plan.

FOLDER/site.json            name
FOLDER/signing.key          Ed25519: what the site is, to the others
FOLDER/connection.key       RSA: what NVFlare shows to the coordinator's server
FOLDER/engine.key           what its engine for secret shares shows to the other parties, and FOLDER/engine.pem; of a
                            party that has one
FOLDER/NAME.request.json    to be given to the coordinator
FOLDER/sealing.key          X25519: to which owners seal what they share, where a plan makes it a server
FOLDER/shares.key           what a party encrypts the shares by that it keeps while its run goes on (shares/)
FOLDER/confirmed.json       fingerprints that other sites told this one
FOLDER/runs.json            by plan, the run of the ledger that pays for it
FOLDER/persons.json         by plan of parties without a list, what names the persons that this party brings to it
FOLDER/certificate.json     the last that this site signed
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sfumato.atomic import atomic_folder
from sfumato.errors import FederationError
from sfumato.federation.address import Address
from sfumato.federation.authority import fresh_key
from sfumato.federation.documents import SiteRequest, replace_file, save_new, written
from sfumato.federation.kept_files import KeptFiles
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.engine.identities import identity as engine_identity
from sfumato.trust.mpc.engine.mesh import PartyKeys
from sfumato.trust.secure_sum.identity import KEY_BYTES, SiteIdentity, check_fingerprint
from sfumato.trust.secure_sum.roster import Member

_ENGINE_KEY, _ENGINE = "engine.key", "engine.pem"
_HERE = ("localhost", "127.0.0.1")
_NAME, _SIGNING, _CONNECTION, _SEALING, _SHARES, _CONFIRMED, _RUNS, _CERTIFICATE = (
    "site.json",
    "signing.key",
    "connection.key",
    "sealing.key",
    "shares.key",
    "confirmed.json",
    "runs.json",
    "certificate.json",
)
_PERSONS = "persons.json"


@dataclass(frozen=True)
class PaidRun:
    """The run of a site's ledger that pays for a plan.

    Attributes:
        ledger: what names the ledger.
        run: number of the run in it.
        done: whether the plan has been carried out.
    """

    ledger: str
    run: int
    done: bool = False


class SiteFolder:
    """The folder of one site.

    Attributes:
        path: of the folder.
        name: of the site.
        identity: its signing key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()  # processes that work elsewhere are told of it
        self._files = KeptFiles(self.path, "restore it from a copy")
        if not self._files.has(_NAME):
            raise FederationError(f"{path} is no folder of a site: make one with sfumato site init {path} --name NAME")
        name = self._files.facts(_NAME).get("name")
        if not isinstance(name, str):
            raise self._files.damaged(_NAME)
        self.name = name
        key = self._files.data(_SIGNING)
        if len(key) != KEY_BYTES:
            raise FederationError(f"{path / _SIGNING}: no signing key of a site; restore it from a copy")
        self.identity = SiteIdentity(key)

    @classmethod
    def make(
        cls, path: Path, name: str, capacity: int | None, engine: Address | None = None
    ) -> tuple[SiteFolder, Path]:
        """A new folder with fresh keys, and the request in it; OutputError where there is one already."""
        identity, connection, sealing = SiteIdentity.fresh(), fresh_key(), SYSTEM.take(KEY_BYTES)
        Member(name, identity.public_key)  # its name is one
        engine_key, certificate = engine_identity(name)
        reached = None if engine is None else EngineParty(name, engine.host, engine.port, certificate)
        request = SiteRequest.signed(name, identity, connection, capacity, sealing, reached)
        with atomic_folder(path) as part:
            part.chmod(0o700)
            save_new(part, _NAME, json.dumps({"name": name}).encode())
            save_new(part, _SIGNING, identity.private_bytes())
            save_new(part, _CONNECTION, connection)
            save_new(part, _SEALING, sealing)
            if reached is not None:
                save_new(part, _ENGINE_KEY, engine_key)
                save_new(part, _ENGINE, certificate.encode())
            save_new(part, request_name(name), written(request))
        return cls(path), path / request_name(name)

    @property
    def connection_key(self) -> bytes:
        """Private, in PEM."""
        return self._files.data(_CONNECTION)

    def engine_keys(self, rank: int, host: str) -> PartyKeys:
        """What its engine shows as the party of this rank, which the others reach at ``host``.

        FederationError where this party was made without one.
        """
        if not self._files.has(_ENGINE_KEY):
            raise FederationError(
                f"{self.path}: this party has no engine for secret shares: make it anew with --engine HOST:PORT"
            )
        listen = host if host in _HERE else ""
        return PartyKeys(rank, self.path / _ENGINE, self.path / _ENGINE_KEY, listen)

    @property
    def sealing_key(self) -> bytes:
        """Private; FederationError where it was deleted with what was sealed to it."""
        if not self._files.has(_SEALING):
            raise FederationError(
                f"{self.path} has no key for shares any more: it was deleted at the end of a run; make a new folder for"
                " another plan (sfumato party init)"
            )
        key = self._files.data(_SEALING)
        if len(key) != KEY_BYTES:
            raise self._files.damaged(_SEALING)
        return key

    def delete_sealing_key(self) -> None:
        """So that nobody reads any more what was sealed to it, also of copies on the way."""
        (self.path / _SEALING).unlink(missing_ok=True)

    @property
    def share_key(self) -> bytes:
        """Of the shares that are kept while a run goes on; drawn when it is asked for first."""
        if not self._files.has(_SHARES):
            save_new(self.path, _SHARES, SYSTEM.take(KEY_BYTES))
        key = self._files.data(_SHARES)
        if len(key) != KEY_BYTES:
            raise self._files.damaged(_SHARES)
        return key

    @property
    def confirmed(self) -> dict[str, str]:
        """By name of the site, the fingerprint that it told this one, and its own."""
        stored = self._files.facts(_CONFIRMED)
        return {**{str(k): str(v) for k, v in stored.items()}, self.name: self.identity.fingerprint}

    def confirm(self, told: Mapping[str, str]) -> None:
        """Add fingerprints that were told; FederationError for what is none, or another than was told before."""
        known = self.confirmed
        for name, fingerprint in told.items():
            check_fingerprint(name, fingerprint)
            if known.get(name, fingerprint) != fingerprint:
                raise FederationError(
                    f"{name}: another fingerprint was confirmed before; if it has a new key, and told you so itself,"
                    f" take the old one out of {self.path / _CONFIRMED}"
                )
        self._files.save(_CONFIRMED, {k: v for k, v in {**known, **told}.items() if k != self.name})

    def keep_persons(self, plan: str, persons: str) -> None:
        """Keep what names the persons that are brought to a plan; FederationError where others were brought before.

        All tries of a plan are one run, in which nobody comes or goes: else the other parties would see who.
        """
        named = hashlib.blake2b(persons.encode(), key=self.share_key).hexdigest()
        stored = self._files.facts(_PERSONS)
        if stored.get(plan, named) != named:
            raise FederationError(
                "the table has other persons than when this plan was first run, and the other parties would see who"
                " came or went: take the table of then, or ask for a new plan"
            )
        self._files.save(_PERSONS, {**stored, plan: named})

    def keep_certificate(self, data: bytes) -> None:
        """Keep what this site signs, in place of the last."""
        replace_file(self.path / _CERTIFICATE, data)

    def run_of(self, plan: str) -> PaidRun | None:
        """The run that pays for the plan of this hash; None where none was begun."""
        stored = self._files.facts(_RUNS).get(plan)
        if stored is None:
            return None
        match stored:
            case {"ledger": str(ledger), "run": int(run), "done": bool(done)}:
                return PaidRun(ledger, run, done)
        raise self._files.damaged(_RUNS)

    def note(self, plan: str, run: PaidRun) -> None:
        """Keep it, durably."""
        stored = self._files.facts(_RUNS)
        self._files.save(_RUNS, {**stored, plan: {"ledger": run.ledger, "run": run.run, "done": run.done}})


def request_name(site: str) -> str:
    """What the file of a site's request is called."""
    return f"{site}.request.json"
