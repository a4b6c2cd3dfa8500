"""The keys of one run: fresh X25519 keys (RFC 7748), what each pair of sites derives from them, and what names the run.

They live in memory only, and nobody ever rebuilds them: a site that restarts has new ones, and sets up anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sfumato.errors import FederationError
from sfumato.privacy.randomness import KEY_BYTES, Entropy
from sfumato.trust.secure_sum.identity import SignaturePurpose, check_signature
from sfumato.trust.secure_sum.masks import derived, root_key
from sfumato.trust.secure_sum.messages import ANSWERED_BYTES, write_sites
from sfumato.trust.secure_sum.one_use import opened_once, sealed_once
from sfumato.trust.secure_sum.terms import RoundNumber, SumTerms


class RunKey:
    """A site's X25519 key of one run."""

    def __init__(self, entropy: Entropy) -> None:
        self._key = X25519PrivateKey.from_private_bytes(entropy.take(KEY_BYTES))
        self.public = self._key.public_key().public_bytes_raw()

    def pair(self, own: int, other: int, public: bytes, run: bytes) -> PairKeys:
        """What this site at ``own`` shares with the one at ``other``; FederationError for a key that is none."""
        try:
            secret = self._key.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:
            raise FederationError("a site sent a key under which every secret is the same; refuse its run") from None
        return PairKeys(root_key(secret, run, b"pair" + _places(min(own, other), max(own, other))), own, other)


class PairKeys:
    """What two sites share in one run: a key for each direction, and a seed for each round."""

    def __init__(self, root: bytes, own: int, other: int) -> None:
        self._root, self._own, self._other = root, own, other

    @property
    def subtracts(self) -> bool:
        """Whether this site takes the pair's mask off, where the other one adds it."""
        return self._own > self._other

    def seed(self, number: RoundNumber, subject: bytes) -> bytes:
        """Of the pair's mask for one number and question; it tells nothing of other numbers or of the root.

        Two sites that were asked different things under one number have different masks: their sum stays closed.
        """
        return derived(self._root, b"mask" + packed(number) + subject)

    def secret(self, purpose: bytes) -> bytes:
        """A key of 256 bits that these two alone can derive, for one ``purpose`` of whoever builds on the sum."""
        return derived(self._root, b"secret " + purpose)

    def seal(self, text: bytes, run: bytes) -> bytes:
        """``text`` for the other site alone, once a run."""
        return sealed_once(self._direction(self._own, self._other), text, run)

    def unseal(self, sealed: bytes, run: bytes) -> bytes:
        """What the other site sealed for this one; FederationError for anything else."""
        return opened_once(self._direction(self._other, self._own), sealed, run, "shares of another site")

    def _direction(self, sender: int, receiver: int) -> bytes:
        return derived(self._root, b"shares" + _places(sender, receiver))


def packed(number: RoundNumber) -> bytes:
    """A round's number in 8 bytes."""
    return number.round.to_bytes(4, "little") + number.attempt.to_bytes(4, "little")


def _places(*places: int) -> bytes:
    return b"".join(place.to_bytes(2, "little") for place in places)


@dataclass(frozen=True)
class KeyEntry:
    """A site's key of a run, as it signs it.

    Attributes:
        public: the X25519 key.
        answered: how many numbers of the plan the site has used by its ledger.
        signature: over both.
    """

    public: bytes
    answered: int
    signature: bytes = b""

    def payload(self, terms: SumTerms, place: int) -> bytes:
        """What is signed."""
        return terms.digest + _places(place) + self.public + self.answered.to_bytes(ANSWERED_BYTES, "little")

    def to_bytes(self) -> bytes:
        """As it stands in a message."""
        return self.public + self.answered.to_bytes(ANSWERED_BYTES, "little") + self.signature

    @classmethod
    def of(cls, entry: bytes) -> KeyEntry:
        """From ``KEY_ENTRY_BYTES`` bytes."""
        answered, end = entry[KEY_BYTES : KEY_BYTES + ANSWERED_BYTES], KEY_BYTES + ANSWERED_BYTES
        return cls(entry[:KEY_BYTES], int.from_bytes(answered, "little"), entry[end:])


def consent_payload(run: bytes, number: RoundNumber, subject: bytes, survivors: tuple[int, ...]) -> bytes:
    """What a site signs of a list of survivors."""
    return run + packed(number) + subject + write_sites(survivors)


def check_keys(terms: SumTerms, signed: Mapping[int, KeyEntry]) -> bytes:
    """The hash that names a run with these keys by site; FederationError unless all are genuine.

    It depends on every key, and each honest site draws its own anew, so no two runs have one hash: what was said in
    one is refused in every other, and so are the messages of sites that were told of different keys.
    """
    if len(signed) < max(terms.roster.fewest, terms.roster.threshold):
        raise FederationError(
            f"{len(signed)} of {terms.sites} sites are there, fewer than the"
            f" {max(terms.roster.fewest, terms.roster.threshold)} that the plan needs; wait for more"
        )
    if len({entry.public for entry in signed.values()}) < len(signed):
        raise FederationError("two sites sent the same key of this run; one has copied the other's")
    running = hashlib.sha256(b"sfumato secure sum run 1" + terms.digest)
    for place in sorted(signed):
        entry, member = signed[place], terms.roster.members[place]
        payload = entry.payload(terms, place)
        check_signature(member.public_key, SignaturePurpose.KEYS, payload, entry.signature, f"site {member.name}")
        running.update(payload)
    return running.digest()


def check_answered(terms: SumTerms, signed: Mapping[int, KeyEntry], seen: Mapping[int, int]) -> None:
    """FederationError where a site says that it has used fewer numbers than it was seen to.

    Its ledger is then an older copy, whose charges are fewer than what left the site.
    """
    for place, entry in signed.items():
        if entry.answered < seen.get(place, 0):
            name = terms.roster.members[place].name
            raise FederationError(
                f"site {name} says that it has used {entry.answered} numbers of the plan, but took part in number"
                f" {seen[place]}: its ledger is an older copy; bring the newest back, or make a new plan"
            )
