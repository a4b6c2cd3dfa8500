"""The two files that are handed over: a site's request to take part, and the invitation that it gets back.

Both are JSON, and public: no private key and nothing of any row is in them. Neither is believed: a request is signed by
its site, and what an invitation says of the other sites each site compares out of band.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sfumato.atomic import atomic_new, sync_folder
from sfumato.bounded import read_bounded
from sfumato.errors import FederationError
from sfumato.federation.address import Address
from sfumato.federation.authority import signing_request
from sfumato.results.plain import Json, sorted_json
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.outsourced import SealingKey
from sfumato.trust.secure_sum.identity import SIGNATURE_BYTES, SignaturePurpose, SiteIdentity, check_signature
from sfumato.trust.secure_sum.roster import Member

_REQUEST, _INVITATION = "sfumato site request/1", "sfumato federation invitation/1"
_MOST_BYTES = 4 << 20
"""Of such a file: a schema of a thousand columns, and the certificates of a hundred sites."""


@dataclass(frozen=True)
class SiteRequest:
    """What a site asks to be taken in with.

    Attributes:
        member: its name and signing key.
        certificate_request: for the key of its connection, in PEM.
        capacity: records that it may hold at most, as it tells everybody; None: the plan's default.
        sealing: key to which shares of rows are sealed for it, where a plan makes it a server.
        engine: where other parties reach its engine for secret shares, and the certificate it shows there; None: it has
            none.
        signature: of its signing key, over all of this.
    """

    member: Member
    certificate_request: str
    capacity: int | None
    sealing: SealingKey
    engine: EngineParty | None = None
    signature: bytes = field(default=b"", repr=False)

    @classmethod
    def signed(
        cls,
        name: str,
        identity: SiteIdentity,
        connection_key: bytes,
        capacity: int | None,
        sealing_key: bytes,
        engine: EngineParty | None = None,
    ) -> SiteRequest:
        """A request of the site ``name``."""
        member, sealing = Member(name, identity.public_key), SealingKey.signed(sealing_key, identity)
        made = cls(member, signing_request(connection_key, name), capacity, sealing, engine)
        return replace(made, signature=identity.sign(SignaturePurpose.REQUEST, made._payload()))

    def _payload(self) -> bytes:
        return sorted_json({**self.to_dict(), "signature": ""})

    def to_dict(self) -> dict[str, Json]:
        """As it is written."""
        return {
            "format": _REQUEST,
            "site": self.member.name,
            "key": self.member.public_key.hex(),
            "certificate_request": self.certificate_request,
            "capacity": self.capacity,
            "sealing": self.sealing.to_dict(),
            **({} if self.engine is None else {"engine": asdict(self.engine)}),
            "signature": self.signature.hex(),
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SiteRequest:
        """Read the file of a request; FederationError unless it is one that its site signed."""
        data = _read(path, _REQUEST, "a request of a site")
        try:
            member = Member(data["site"], bytes.fromhex(data["key"]))
            sealing, signature = SealingKey.from_dict(data["sealing"]), bytes.fromhex(data["signature"])
            engine = EngineParty(**data["engine"]) if "engine" in data else None
            made = cls(member, data["certificate_request"], data["capacity"], sealing, engine, signature)
            known = made.to_dict() == data and len(made.signature) == SIGNATURE_BYTES
            known = known and (engine is None or engine.name == member.name)
        except (KeyError, TypeError, ValueError, AttributeError):
            known = False
        if not known:
            raise FederationError(f"{os.fspath(path)}: no request of a site, or a damaged one; ask for it again")
        whose = f"site {made.member.name} under its request"  # type: ignore[possibly-unbound]
        check_signature(made.member.public_key, SignaturePurpose.REQUEST, made._payload(), made.signature, whose)
        return made


@dataclass(frozen=True)
class Invitation:
    """The plan, and how its sites reach the coordinator: one file for all of them.

    Attributes:
        plan: what each site reads, and signs.
        address: of the coordinator's server.
        authority: certificate of who signed all others, in PEM.
        certificates: by name of the site, that of its connection, in PEM.
    """

    plan: FederationPlan
    address: Address
    authority: str
    certificates: Mapping[str, str]

    @property
    def connection(self) -> str:
        """SHA-256 of the address and the authority, as the plan holds it."""
        return connection_hash(self.address, self.authority)

    def to_dict(self) -> dict[str, Json]:
        """As it is written."""
        return {
            "format": _INVITATION,
            "plan": self.plan.to_dict(),
            "address": str(self.address),
            "authority": self.authority,
            "certificates": dict(self.certificates),
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Invitation:
        """Read the file of an invitation; FederationError unless it is one whose plan can be kept."""
        data = _read(path, _INVITATION, "a plan")
        plan = FederationPlan.from_dict(data.get("plan", {}))
        try:
            made = cls(plan, Address.parse(data["address"]), data["authority"], dict(data["certificates"]))
            known = made.to_dict() == data and set(made.certificates) == {m.name for m in plan.roster.members}
            known = known and all(isinstance(text, str) for text in (made.authority, *made.certificates.values()))
        except (KeyError, TypeError, ValueError, AttributeError):
            known = False
        if not known:
            raise FederationError(f"{os.fspath(path)}: no plan of a federation, or a damaged one; ask for it again")
        return made  # type: ignore[possibly-unbound]


def connection_hash(address: Address, authority: str) -> str:
    """SHA-256 of where the coordinator is reached, and of the certificate of who lets sites in."""
    return hashlib.sha256(f"{address}\n{authority}".encode()).hexdigest()


def _read(path: str | os.PathLike[str], form: str, what: str) -> dict[str, Any]:
    """The JSON object of a file, whose ``format`` is ``form``."""
    name = os.fspath(path)
    try:
        text = read_bounded(path, _MOST_BYTES, FederationError(f"{name}: larger than {what} ever is"))
        data = json.loads(text)
    except OSError as error:
        raise FederationError(f"cannot read {name}: {error.strerror or error}") from None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict) or data.get("format") != form:
        raise FederationError(f"{name} is not {what}, or was written by another version of sfumato")
    return data


def written(document: SiteRequest | Invitation) -> bytes:
    """A document as the bytes of its file."""
    return json.dumps(document.to_dict(), indent=1).encode() + b"\n"


def save_new(folder: Path, name: str, data: bytes) -> Path:
    """Write a file that was not there, for its owner's eyes alone."""
    with atomic_new(folder / name, 0o600) as stream:
        stream.write(data)
    return folder / name


def replace_file(path: Path, data: bytes) -> None:
    """Write a file of ours over the last, whole or not at all; FederationError where that fails."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        raise FederationError(f"cannot write {path}: {error.strerror or error}") from None
