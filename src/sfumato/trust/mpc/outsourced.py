"""Owners of rows who do not compute: they share their columns to three servers, which have none of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.results.plain import Json
from sfumato.trust.secure_sum.identity import (
    KEY_BYTES,
    SIGNATURE_BYTES,
    SignaturePurpose,
    SiteIdentity,
    check_signature,
)
from sfumato.trust.secure_sum.masks import root_key
from sfumato.trust.secure_sum.roster import MOST_SITES, Member, Roster

DAYS = 30
"""That servers keep what they were sent, at most: a study is a matter of weeks."""
MOST_DAYS = 366
"""Rows that are kept for longer are shared for no one study."""


@dataclass(frozen=True)
class SealingKey:
    """An X25519 key to which shares are sealed for its holder, signed by the holder's own signing key.

    Attributes:
        public: raw, 32 bytes.
        signature: whoever writes the plan could put a key of its own in its place, and read what is sealed to it.
    """

    public: bytes
    signature: bytes

    @classmethod
    def signed(cls, private: bytes, identity: SiteIdentity) -> SealingKey:
        """The public part of a ``private`` key (32 bytes)."""
        public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
        return cls(public, identity.sign(SignaturePurpose.SEALING, public))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SealingKey:
        """The inverse of ``to_dict``; ValueError for bytes that are none."""
        made = cls(bytes.fromhex(data["public"]), bytes.fromhex(data["signature"]))
        if (len(made.public), len(made.signature)) != (KEY_BYTES, SIGNATURE_BYTES):
            raise ValueError("no sealing key")
        return made

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return {"public": self.public.hex(), "signature": self.signature.hex()}

    def check(self, holder: Member) -> None:
        """FederationError unless the ``holder`` signed it, and something can be sealed to it."""
        whose = f"{holder.name} under its key for shares"
        check_signature(holder.public_key, SignaturePurpose.SEALING, self.public, self.signature, whose)
        try:
            self.secret()
        except ValueError:
            raise FederationError(
                f"{holder.name}: nothing can be sealed to its key for shares; it makes a new folder, and all a new plan"
            ) from None

    def secret(self, entropy: Entropy = SYSTEM) -> tuple[bytes, bytes]:
        """A fresh public key, and the secret that its maker and the holder alone can tell of it."""
        drawn = X25519PrivateKey.from_private_bytes(entropy.take(KEY_BYTES))
        shared = drawn.exchange(X25519PublicKey.from_public_bytes(self.public))
        public = drawn.public_key().public_bytes_raw()
        return public, root_key(shared, public + self.public, b"sealed shares")


def opened_secret(private: bytes, public: bytes) -> bytes:
    """What the holder of a ``private`` sealing key tells of the ``public`` key of a sender; ValueError for no key."""
    own = X25519PrivateKey.from_private_bytes(private)
    shared = own.exchange(X25519PublicKey.from_public_bytes(public))
    return root_key(shared, public + own.public_key().public_bytes_raw(), b"sealed shares")


@dataclass(frozen=True)
class Outsourced:
    """Who owns the rows, where the three sites of a plan are servers that own none.

    Attributes:
        owners: each holds the columns at its place of the split; none of them is asked anything in a run.
        sealing: of each server, in the order of the roster.
        days: that servers keep what they were sent, at most.
    """

    owners: tuple[Member, ...]
    sealing: tuple[SealingKey, ...]
    days: int = DAYS

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return {
            "owners": [{"name": owner.name, "key": owner.public_key.hex()} for owner in self.owners],
            "sealing": [key.to_dict() for key in self.sealing],
            "days": self.days,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Outsourced:
        """The inverse of ``to_dict``."""
        owners = tuple(Member(owner["name"], bytes.fromhex(owner["key"])) for owner in data["owners"])
        return cls(owners, tuple(map(SealingKey.from_dict, data["sealing"])), data["days"])

    @classmethod
    def awaited(cls, owners: Sequence[str], servers: int) -> Outsourced:
        """Before anybody has made a key: their names are fixed, and nothing else."""
        unknown = SealingKey(bytes(KEY_BYTES), bytes(SIGNATURE_BYTES))
        members = tuple(Member(name, (1 << 16 | i).to_bytes(KEY_BYTES, "little")) for i, name in enumerate(owners))
        return cls(members, (unknown,) * servers)

    def check(self, roster: Roster) -> None:
        """FederationError unless owners and servers all have names and keys of their own."""
        everybody = (*roster.members, *self.owners)
        if not 1 <= len(self.owners) <= MOST_SITES or len(self.sealing) != len(roster.members):
            raise FederationError("a plan with servers names the owners of all columns, and a key of each server")
        if len({m.name for m in everybody}) < len(everybody) or len({m.public_key for m in everybody}) < len(everybody):
            raise FederationError(
                "an owner and a server share a name or a key: each has a folder of its own, also where both are of one"
                " institution"
            )
        if type(self.days) is not int or not 1 <= self.days <= MOST_DAYS:
            raise FederationError(f"days: {self.days!r}; servers keep shares for 1 to {MOST_DAYS} days")

    def check_keys(self, roster: Roster) -> None:
        """FederationError unless each server signed the key to which its shares are sealed."""
        for server, key in zip(roster.members, self.sealing, strict=True):
            key.check(server)

    def position(self, public_key: bytes) -> int | None:
        """Place of the owner with this key; None for nobody who owns columns."""
        places = [place for place, owner in enumerate(self.owners) if owner.public_key == public_key]
        return places[0] if places else None

    def words(self, servers: Sequence[str]) -> list[str]:
        """What each of them reads before it signs."""
        named = ", ".join(servers)
        return [
            f"The owners ({', '.join(o.name for o in self.owners)}) do not compute: each shares its columns to three"
            f" servers ({named}) before the run. ANY TWO OF THE SERVERS TOGETHER CAN READ EVERYTHING that was shared to"
            " them, at any time until they delete it; one by itself, also together with any owners, reads nothing of"
            " the other owners. Where an owner runs a server, it is one of the three.",
            f"Servers answer what the plan says and nothing else, and add the noise. They keep what they were sent"
            f" until the run is over, and take nothing that was shared more than {self.days} days before; what was sent"
            " and the key to read it are deleted then. That they do so nobody else can see.",
            "An owner's ledger is charged with the whole plan, attempts that fail included, before anything leaves it:"
            " it is not asked again.",
        ]
