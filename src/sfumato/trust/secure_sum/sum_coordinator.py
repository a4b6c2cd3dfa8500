"""The coordinator's part of the secure sum: it forwards what it cannot read, and opens the sum."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.identity import SIGNATURE_BYTES, SignaturePurpose, check_signature
from sfumato.trust.secure_sum.masks import SEED_BYTES, WORDS, add_mask, commitment, derived
from sfumato.trust.secure_sum.messages import (
    COORDINATOR,
    KEY_ENTRY_BYTES,
    NO_RUN,
    Head,
    MaskedVector,
    MessageKind,
    read,
    read_table,
    sealed_bytes,
    whole,
    whole_table,
    write,
    write_sites,
    write_table,
)
from sfumato.trust.secure_sum.run_keys import KeyEntry, check_keys, consent_payload
from sfumato.trust.secure_sum.shamir import SHARE_BYTES, join, read_share, weights
from sfumato.trust.secure_sum.terms import HASH_BYTES, RoundNumber, SumTerms

_Tables = dict[int, dict[int, bytes]]
"""What each site gave of each other one."""


class SumCoordinator:
    """Sets one run up, and opens its sums one after the other. It holds no secret: the sites guard against it.

    Attributes:
        present: places of the sites that were set up; empty before.
        run: what names the run.
        used: how many numbers of the plan some site has used, as their signed keys say: openings begin above them.
    """

    def __init__(self, terms: SumTerms) -> None:
        self.terms = terms
        self.present: tuple[int, ...] = ()
        self.run = NO_RUN
        self.used = 0
        self._last = -1

    def keys(self, answers: Mapping[int, bytes]) -> bytes:
        """From each site's signed key, by its place, the message with all of them that goes to each."""
        signed = {place: self._key(place, message) for place, message in sorted(answers.items())}
        self.run = check_keys(self.terms, signed)
        self.present = tuple(signed)
        self.used = max(entry.answered for entry in signed.values())
        if self.used >= self.terms.slots:
            raise FederationError("a site has used all numbers of the plan; make a new plan")
        self._last = max(self._last, self.used - 1)
        body = write_table({place: entry.to_bytes() for place, entry in signed.items()})
        return write(Head(MessageKind.KEYS, COORDINATOR, self.terms.digest), body)

    def deliveries(self, answers: Mapping[int, bytes]) -> dict[int, bytes]:
        """From each site's sealed shares, what goes to each. All that sent a key must have sent shares."""
        if set(answers) != set(self.present):
            missing = [self.terms.roster.members[place].name for place in self.present if place not in answers]
            raise FederationError(f"no shares of {', '.join(missing)} came; set up anew without")
        tables = {place: self._sealed(place, message) for place, message in answers.items()}
        head = Head(MessageKind.DELIVERY, COORDINATOR, self.terms.digest, self.run)
        return {
            place: write(head, write_table({other: tables[other][place] for other in self.present if other != place}))
            for place in self.present
        }

    def opening(self, number: RoundNumber, subject: bytes, length: int) -> Opening:
        """Begin with a number that was not used: ``length`` numbers, which answer what ``subject`` is the hash of."""
        slot = self.terms.slot(number)
        if slot <= self._last:
            raise FederationError(f"{number} was begun, or passed over; take a new attempt")
        if len(subject) != HASH_BYTES or not 1 <= length <= self.terms.longest:
            raise FederationError(
                f"{number}: a subject has {HASH_BYTES} bytes, a vector 1 to {self.terms.longest} numbers"
            )
        self._last = slot
        return Opening(self, number, subject, length)

    def _key(self, place: int, message: bytes) -> KeyEntry:
        body = read(message, Head(MessageKind.KEY, place, self.terms.digest), self.terms)
        return KeyEntry.of(whole(body, KEY_ENTRY_BYTES))

    def _sealed(self, place: int, message: bytes) -> dict[int, bytes]:
        body = read(message, Head(MessageKind.SHARES, place, self.terms.digest, self.run), self.terms)
        table = whole_table(body, sealed_bytes(self.terms), self.terms.sites)
        if set(table) != set(self.present) - {place}:
            raise FederationError(
                f"site {self.terms.roster.members[place].name} sealed shares for others than all present"
            )
        return table


class Opening:
    """One round of a run. A message that is not what it should be counts as none: its site is lost.

    Attributes:
        refused: by place, why a message was not taken.
        survivors: places of the sites whose vectors are in the sum, once :meth:`listed` has fixed them.
    """

    def __init__(self, coordinator: SumCoordinator, number: RoundNumber, subject: bytes, length: int) -> None:
        self.number, self.subject = number, subject
        self.refused: dict[int, str] = {}
        self.survivors: tuple[int, ...] | None = None
        self._terms, self._run, self._present = coordinator.terms, coordinator.run, coordinator.present
        self._total = np.zeros(length, WORDS[self._terms.bits])
        self._commitments: dict[int, bytes] = {}

    def add(self, place: int, message: bytes) -> None:
        """A site's masked vector, in any order; those that come after the list was fixed are not taken."""
        try:
            self._add(place, message)
        except FederationError as error:
            self.refused[place] = str(error)

    def _add(self, place: int, message: bytes) -> None:
        if self.survivors is not None or place in self._commitments:
            raise FederationError("a vector that came too late, or twice")
        vector = MaskedVector.of(self._read(MessageKind.VECTOR, place, message), self._terms)
        if vector.subject != self.subject or vector.values.size != self._total.size:
            raise FederationError("a vector that answers something else, or has another length")
        np.add(self._total, vector.values, out=self._total)
        self._commitments[place] = vector.commitment

    def listed(self) -> bytes:
        """The list of survivors that goes to each of them; FederationError where they are too few."""
        survivors = tuple(sorted(self._commitments))
        self._terms.check_survivors(survivors)
        self.survivors = survivors
        return write(self._head(MessageKind.SURVIVORS), write_sites(survivors))

    def consents(self, answers: Mapping[int, bytes]) -> bytes:
        """From the survivors' signatures, the message that goes to each who signed."""
        found: dict[int, bytes] = {}
        for place, message in sorted(answers.items()):
            try:
                found[place] = self._consent(place, message)
            except FederationError as error:
                self.refused[place] = str(error)
        self._enough(found)
        return write(self._head(MessageKind.CONSENTS), write_table(found))

    def opened(self, answers: Mapping[int, bytes]) -> np.ndarray:
        """The sum over the survivors, in the ring; see ``masks.centred``.

        FederationError, and nothing is opened, for fewer than T answers, for fewer than all survivors' where a site was
        lost before, and for shares that do not give the masks that were committed to.
        """
        shares, seeds = self._unmasking(answers)
        self._enough(shares)
        lost = [place for place in self._present if place not in self._survivors]
        missing = set(self._survivors) - shares.keys()
        if lost and missing:
            raise FederationError(
                f"{self.number}: sites were lost before and after their vectors; nothing is opened, try a new attempt"
            )
        scratch, total = np.empty_like(self._total), self._total.copy()
        for seed in self._own_seeds(shares):
            add_mask(total, derived(seed, b"own mask"), scratch, minus=True)
        for survivor in self._survivors if lost else ():
            for other in lost:
                add_mask(total, seeds[survivor][other], scratch, minus=survivor < other)
        return total

    @property
    def _survivors(self) -> tuple[int, ...]:
        if self.survivors is None:
            raise FederationError(f"{self.number}: the survivors are not fixed yet")
        return self.survivors

    def _own_seeds(self, shares: Mapping[int, Mapping[int, bytes]]) -> list[bytes]:
        """Seeds of the survivors' own masks, each compared with what its site committed to."""
        givers = sorted(shares)[: self._terms.roster.threshold]
        weight = weights(givers)
        seeds = [join({giver: shares[giver][place] for giver in givers}, weight) for place in self._survivors]
        for place, seed in zip(self._survivors, seeds, strict=True):
            if commitment(seed) != self._commitments[place]:
                name = self._terms.roster.members[place].name
                raise FederationError(f"{self.number}: the shares of site {name}'s mask are wrong; nothing is opened")
        return seeds

    def _unmasking(self, answers: Mapping[int, bytes]) -> tuple[_Tables, _Tables]:
        """By site, its shares of the survivors' masks and its seeds with the lost."""
        shares, seeds = {}, {}
        lost = set(self._present) - set(self._survivors)
        for place, message in sorted(answers.items()):
            try:
                given, rest = read_table(self._read(MessageKind.UNMASK, place, message), SHARE_BYTES, self._terms.sites)
                pairs = whole_table(rest, SEED_BYTES, self._terms.sites)
                if set(given) != set(self._survivors) or set(pairs) != lost:
                    raise FederationError("shares and seeds of other sites than were asked for")
                for share in given.values():
                    read_share(share)
                shares[place], seeds[place] = given, pairs
            except FederationError as error:
                self.refused[place] = str(error)
        return shares, seeds

    def _consent(self, place: int, message: bytes) -> bytes:
        signature = whole(self._read(MessageKind.CONSENT, place, message), SIGNATURE_BYTES)
        payload = consent_payload(self._run, self.number, self.subject, self._survivors)
        member = self._terms.roster.members[place]
        check_signature(member.public_key, SignaturePurpose.SURVIVORS, payload, signature, f"site {member.name}")
        return signature

    def _enough(self, answers: Mapping[int, object]) -> None:
        if len(answers) < self._terms.roster.threshold:
            raise FederationError(
                f"{self.number}: {len(answers)} sites are left, fewer than the {self._terms.roster.threshold} that an"
                " opening needs; nothing is opened"
            )

    def _read(self, kind: MessageKind, place: int, message: bytes) -> memoryview:
        if place not in (self._present if kind == MessageKind.VECTOR else self._survivors):
            raise FederationError("a message of a site that was not set up, or is not among the survivors")
        return read(message, Head(kind, place, self._terms.digest, self._run, self.number), self._terms)

    def _head(self, kind: MessageKind) -> Head:
        return Head(kind, COORDINATOR, self._terms.digest, self._run, self.number)
