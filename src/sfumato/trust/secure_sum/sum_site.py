"""A site's part of the secure sum: what it sends, and all that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.identity import SIGNATURE_BYTES, SignaturePurpose, check_signature
from sfumato.trust.secure_sum.masks import SEED_BYTES, WORDS, add_mask, commitment, derived, in_ring
from sfumato.trust.secure_sum.messages import (
    COORDINATOR,
    KEY_ENTRY_BYTES,
    NO_RUN,
    SET_UP,
    Head,
    MaskedVector,
    MessageKind,
    read,
    read_sites,
    sealed_bytes,
    whole_table,
    write,
    write_table,
)
from sfumato.trust.secure_sum.numbered_site import NumberedSite
from sfumato.trust.secure_sum.run_keys import (
    KeyEntry,
    PairKeys,
    RunKey,
    check_answered,
    check_keys,
    consent_payload,
)
from sfumato.trust.secure_sum.shamir import SHARE_BYTES, read_share, split
from sfumato.trust.secure_sum.terms import HASH_BYTES, RoundNumber


@dataclass
class _Pending:
    """The one round that this site has answered and not closed."""

    number: RoundNumber
    subject: bytes
    survivors: tuple[int, ...] | None = None


class SumSite(NumberedSite):
    """One site in one run, under masks; arguments as of ``NumberedSite``.

    Its methods are called in the order in which they stand; the last four, once a round.

    *Formal guarantee.* Whatever the coordinator and up to c other sites do together, they learn of this site's vectors
    no more than sums over at least k - c - d honest sites that were all asked the same, one for each number at most, if
    X25519, HKDF, ChaCha20, AES-GCM and Ed25519 hold (the argument of Bonawitz et al. 2017, Section 6, with their
    consistency check). In each round a site's vector is hidden by a mask of its own and by one for every pair. Given
    to the coordinator are the own masks of survivors, and the pairs' masks of lost sites; never both of one site, for

    - a site gives them once a number, for one list of survivors that it and T - 1 others signed;
    - two different lists would need 2 T signatures, and there are at most k + c.

    Seeds are of one number. So what is given in one round opens no other, and no key of a run or of a site is ever
    rebuilt. The noise must be in the vector before it comes here: this is no differential privacy by itself.
    """

    _key: RunKey | None = None
    _pairs: Mapping[int, PairKeys] = MappingProxyType({})  # by place of the other site
    _seeds: list[bytes]  # of this site's own masks, by slot
    _shares: dict[int, bytes]  # of every site's own masks, all slots in a row, by place
    _run = NO_RUN
    _ready = False
    _pending: _Pending | None = None

    @property
    def calls(self) -> Mapping[str, Callable[[bytes], bytes]]:
        """See ``NumberedSite``."""
        return {
            "key": lambda _: self.key(),
            "shares": self.shares,
            "receive": self.receive,
            "consent": self.consent,
            "unmask": self.unmask,
        }

    @property
    def run(self) -> bytes:
        """What names the run, the same at every site; 32 zeros before there is one."""
        return self._run

    def pair(self, place: int) -> PairKeys:
        """What this site and the one at ``place`` alone know in this run; FederationError before it is set up."""
        if not self._ready:
            raise FederationError("the run is not set up; nothing is answered")
        return self._pairs[place]

    def key(self) -> bytes:
        """Set-up 1: this site's key of the run, signed."""
        if self._key is not None:
            raise FederationError("this site has sent its key already; a new run takes a new site object")
        self._key = RunKey(self._entropy)
        entry = KeyEntry(self._key.public, self._last + 1)
        signature = self._identity.sign(SignaturePurpose.KEYS, entry.payload(self.terms, self.place))
        return write(self._head(MessageKind.KEY), replace(entry, signature=signature).to_bytes())

    def shares(self, keys: bytes) -> bytes:
        """Set-up 2: from everybody's keys, the shares of this site's masks of all rounds, sealed for each."""
        if self._key is None or self._pairs:
            raise FederationError("keys are taken once, after this site has sent its own; set up anew")
        body = read(keys, self._expected(MessageKind.KEYS), self.terms)
        table = whole_table(body, KEY_ENTRY_BYTES, self.terms.sites)
        signed = {place: KeyEntry.of(entry) for place, entry in table.items()}
        if self.place not in signed or signed[self.place].public != self._key.public:
            raise FederationError("the coordinator's list of keys lacks this site's, or holds another in its place")
        run = check_keys(self.terms, signed)
        check_answered(self.terms, signed, self._answered)
        others = {place: entry.public for place, entry in signed.items() if place != self.place}
        self._pairs = {place: self._key.pair(self.place, place, public, run) for place, public in others.items()}
        self._run = run
        return write(self._head(MessageKind.SHARES), write_table(self._sealed_shares()))

    def receive(self, delivery: bytes) -> bytes:
        """Set-up 3: the other sites' shares for this one; then it is ready, and says nothing."""
        if self._ready or not self._pairs:
            raise FederationError("shares are taken once, after this site has sent its own; set up anew")
        body = read(delivery, self._expected(MessageKind.DELIVERY), self.terms)
        table = whole_table(body, sealed_bytes(self.terms), self.terms.sites)
        if table.keys() != self._pairs.keys():
            raise FederationError("shares of some site are missing; set up anew without it")
        for place, sealed in table.items():
            self._shares[place] = self._pairs[place].unseal(sealed, self._run)
            for slot in range(self.terms.slots):
                read_share(self._share(place, slot))
        self._ready = True
        return b""

    def masked(self, number: RoundNumber, subject: bytes, values: np.ndarray) -> bytes:
        """Round 1: the masked vector; see ``NumberedSite``."""
        if not self._ready:
            raise FederationError("the run is not set up; nothing is answered")
        if len(subject) != HASH_BYTES:
            raise FederationError(f"a subject is a hash of {HASH_BYTES} bytes, not {len(subject)}")
        if values.ndim != 1 or not 1 <= values.size <= self.terms.longest:
            raise FederationError(f"a vector has 1 to {self.terms.longest} numbers by the plan, not {values.shape}")
        total = in_ring(values, self.terms.bits)
        slot = self._begin(number, subject)
        scratch = np.empty(total.size, WORDS[self.terms.bits])
        add_mask(total, derived(self._seeds[slot], b"own mask"), scratch)
        for pair in self._pairs.values():
            add_mask(total, pair.seed(number, subject), scratch, minus=pair.subtracts)
        vector = MaskedVector(subject, commitment(self._seeds[slot]), total)
        self._seeds[slot] = b""  # of no use to this site any more
        return write(self._head(MessageKind.VECTOR, number), vector.body())

    def consent(self, survivors: bytes) -> bytes:
        """Round 2: this site's signature under the list of survivors, one list a number."""
        with self._lock:
            pending = self._asked()
            if pending.survivors is not None:
                raise FederationError(f"{pending.number}: this site has signed a list of survivors; it signs no second")
            pending.survivors = self._survivors(survivors, pending)
        payload = consent_payload(self._run, pending.number, pending.subject, pending.survivors)
        signature = self._identity.sign(SignaturePurpose.SURVIVORS, payload)
        return write(self._head(MessageKind.CONSENT, pending.number), signature)

    def unmask(self, consents: bytes) -> bytes:
        """Round 3: once T sites have signed the list that this one signed, what takes the masks off. It closes it."""
        pending = self._asked()
        if pending.survivors is None:
            raise FederationError(f"{pending.number}: nothing is unmasked before this site has signed who survived")
        body = read(consents, self._expected(MessageKind.CONSENTS, pending.number), self.terms)
        table = whole_table(body, SIGNATURE_BYTES, self.terms.sites)
        if len(table) < self.terms.roster.threshold or not table.keys() <= set(pending.survivors):
            raise FederationError(
                f"{pending.number}: {len(table)} signatures; {self.terms.roster.threshold} are needed, all of survivors"
            )
        payload = consent_payload(self._run, pending.number, pending.subject, pending.survivors)
        for place, signature in table.items():
            member = self.terms.roster.members[place]
            check_signature(member.public_key, SignaturePurpose.SURVIVORS, payload, signature, f"site {member.name}")
        self._saw(table, self.terms.slot(pending.number))
        return self._opened(pending, pending.survivors)

    def _begin(self, number: RoundNumber, subject: bytes) -> int:
        """Use a number up, before anything of it leaves; its slot."""
        with self._lock:
            slot = self._use(number)
            self._pending = _Pending(number, subject)
        return slot

    def _asked(self) -> _Pending:
        if self._pending is None:
            raise FederationError("no round is open at this site: it has been unmasked, or was never answered")
        return self._pending

    def _survivors(self, message: bytes, pending: _Pending) -> tuple[int, ...]:
        body = read(message, self._expected(MessageKind.SURVIVORS, pending.number), self.terms)
        found = read_sites(body, self.terms.sites)
        self.terms.check_survivors(found)
        if self.place not in found or not set(found) <= {self.place, *self._pairs}:
            raise FederationError("the list of survivors lacks this site, or names one that was not set up")
        return found

    def _opened(self, pending: _Pending, survivors: tuple[int, ...]) -> bytes:
        """Shares of the survivors' own masks, and this site's pair seeds with the lost, of this number alone."""
        with self._lock:
            if self._pending is not pending:
                raise FederationError(f"{pending.number}: no round is open at this site; it has been unmasked")
            self._pending = None
        slot = self.terms.slot(pending.number)
        shares = {place: self._share(place, slot) for place in survivors}
        lost = self._pairs.keys() - set(survivors)
        seeds = {place: self._pairs[place].seed(pending.number, pending.subject) for place in lost}
        return write(self._head(MessageKind.UNMASK, pending.number), write_table(shares) + write_table(seeds))

    def _sealed_shares(self) -> dict[int, bytes]:
        """Draw the seeds of this site's own masks; what each other site gets of them, keeping this one's part."""
        threshold, sites = self.terms.roster.threshold, self.terms.sites
        self._seeds = [self._entropy.take(SEED_BYTES) for _ in range(self.terms.slots)]
        by_slot = [split(seed, threshold, sites, self._entropy) for seed in self._seeds]
        texts = {place: b"".join(shares[place] for shares in by_slot) for place in (self.place, *self._pairs)}
        self._shares = {self.place: texts.pop(self.place)}
        return {place: self._pairs[place].seal(text, self._run) for place, text in texts.items()}

    def _share(self, place: int, slot: int) -> bytes:
        return self._shares[place][slot * SHARE_BYTES : (slot + 1) * SHARE_BYTES]

    def _head(self, kind: MessageKind, number: RoundNumber = SET_UP) -> Head:
        return Head(kind, self.place, self.terms.digest, self._run if kind != MessageKind.KEY else NO_RUN, number)

    def _expected(self, kind: MessageKind, number: RoundNumber = SET_UP) -> Head:
        return Head(kind, COORDINATOR, self.terms.digest, self._run, number)
