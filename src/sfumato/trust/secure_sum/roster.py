"""Who takes part in a federation, and how many of them may be curious or lost: public facts of the signed plan."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.identity import KEY_BYTES, fingerprint

FEWEST_SITES = 3
"""With two, each would learn the other's part from the sum."""
MOST_SITES = 100
"""Twice what the figures are for; a position fits the two bytes of a message many times over."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def is_site_name(text: str) -> bool:
    """Whether a site may be called so.

    >>> is_site_name("north-2"), is_site_name("north 2")
    (True, False)
    """
    return _NAME.fullmatch(text) is not None


@dataclass(frozen=True)
class Member:
    """A site of the plan.

    Attributes:
        name: what people call it.
        public_key: its raw Ed25519 key, 32 bytes, whose fingerprint was confirmed out of band.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        if not is_site_name(self.name):
            raise FederationError(f"site {self.name!r}: a name has up to 64 of the characters A-Z a-z 0-9 . _ -")
        if len(self.public_key) != KEY_BYTES:
            raise FederationError(f"site {self.name}: a public key has {KEY_BYTES} bytes, not {len(self.public_key)}")

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that people compare."""
        return fingerprint(self.public_key)


@dataclass(frozen=True)
class Roster:
    """All sites of the plan, in order, and what the sum must withstand.

    Attributes:
        members: k of them, named by their positions 0 .. k - 1 in every message.
        curious: c, sites that may collude with the coordinator.
        lost: d, sites that may be lost in a round.

    FederationError for numbers that the secure sum cannot keep.
    """

    members: tuple[Member, ...]
    curious: int = 1
    lost: int = 0

    def __post_init__(self) -> None:
        k = len(self.members)
        if not FEWEST_SITES <= k <= MOST_SITES:
            raise FederationError(f"a federation has {FEWEST_SITES} to {MOST_SITES} sites, not {k}")
        if len({m.name for m in self.members}) < k or len({m.public_key for m in self.members}) < k:
            raise FederationError("two sites of the plan share a name or a key: each has its own")
        if type(self.curious) is not int or not 0 <= self.curious < k:
            raise FederationError(f"curious: {self.curious!r} of {k} sites; write a whole number from 0 to {k - 1}")
        most = k - self.threshold
        if type(self.lost) is not int or not 0 <= self.lost <= most:
            raise FederationError(
                f"lost: {self.lost!r}, but of {k} sites with {self.curious} curious ones at most {most} may be lost;"
                f" write a whole number from 0 to {most}, or take more sites"
            )

    @property
    def threshold(self) -> int:
        """T, the least number of sites that must consent to an opening: floor((k + c) / 2) + 1.

        Two openings of one round that tell honest sites of different survivors would need 2 T consents, but there are
        only k + c: one of each honest site, two of each curious one.
        """
        return (len(self.members) + self.curious) // 2 + 1

    @property
    def honest_shares(self) -> int:
        """k - c - d: shares of noise that every opened sum holds for certain."""
        return len(self.members) - self.curious - self.lost

    @property
    def fewest(self) -> int:
        """The least number of sites in a sum."""
        return len(self.members) - self.lost

    def confirm_fingerprints(self, confirmed: Mapping[str, str]) -> None:
        """FederationError unless each site has the fingerprint that was ``confirmed``, out of band, under its name.

        Whoever writes a plan may invent sites: their shares of the noise would then be known, and count all the same.
        """
        check_confirmed(self.members, confirmed)

    def check_floor(self, honest: int) -> None:
        """FederationError where the plan needs more honest sites than the ``honest`` that a site relies on."""
        needed = len(self.members) - self.curious
        if needed > honest:
            raise FederationError(
                f"the plan protects rows only if {needed} of its sites are honest, and you rely on {honest}: ask for a"
                f" plan with {len(self.members) - honest} curious sites"
            )

    def position(self, public_key: bytes) -> int:
        """Where the site with this key stands; FederationError where the plan does not name it."""
        for place, member in enumerate(self.members):
            if member.public_key == public_key:
                return place
        raise FederationError(f"the plan does not name the site with the key {fingerprint(public_key)}")

    def digest(self) -> bytes:
        """SHA-256 over everything here."""
        parts = [b"sfumato roster 1", _number(len(self.members)), _number(self.curious), _number(self.lost)]
        for member in self.members:
            parts += [_number(len(member.name)), member.name.encode("ascii"), member.public_key]
        return hashlib.sha256(b"".join(parts)).digest()

    def words(self) -> list[str]:
        """What a site is to read before it signs."""
        k, c, d = len(self.members), self.curious, self.lost
        return [
            f"Your rows are hidden only if at least {k - c} of these {k} institutions are honest: up to {c} may collude"
            " with the coordinator.",
            f"Up to {d} may be lost in a round. The noise of each sum is sized so that the shares of"
            f" {self.honest_shares} honest sites are enough.",
            f"A sum is opened only with the consent of {self.threshold} sites, and over at least {self.fewest}.",
            *(f"{m.name}: {m.fingerprint}" for m in self.members),
        ]


def check_confirmed(members: Sequence[Member], confirmed: Mapping[str, str]) -> None:
    """FederationError unless each of ``members`` has the fingerprint that was ``confirmed`` under its name."""
    strangers = [m for m in members if confirmed.get(m.name) != m.fingerprint]
    if strangers:
        named = ", ".join(f"{m.name} ({m.fingerprint})" for m in strangers)
        raise FederationError(
            f"not confirmed: {named}; ask each of them, not the coordinator, for its fingerprint, and add it to"
            " those that you confirmed"
        )


def _number(value: int) -> bytes:
    return value.to_bytes(4, "little")
