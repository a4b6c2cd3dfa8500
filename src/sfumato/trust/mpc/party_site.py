"""One party: it deals its masked one-hots, and answers tables with its additive shares of them, noised and masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import sparse

from sfumato.errors import FederationError
from sfumato.privacy.events import DistributedDiscreteGaussian, Event
from sfumato.privacy.randomness import SYSTEM, Entropy, expand
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.counting import Codes, ProductShares, after, masked
from sfumato.trust.mpc.dealing import (
    block_of,
    check_counted,
    check_degree,
    dealing_id,
    dealing_label,
    maps_of,
    sealed_block,
    through,
)
from sfumato.trust.mpc.own_dealing import KeepsShares, OwnDealing
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.ring import BITS, WORD
from sfumato.trust.mpc.split import layout
from sfumato.trust.questions import Count, Marginals, Query, SumQuestion
from sfumato.trust.records import through_groups
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.one_use import opened_once, sealed_once
from sfumato.trust.secure_sum.sum_site import SumSite
from sfumato.trust.secure_sum.terms import HASH_BYTES

_MASK = 3  # nonce of ChaCha20; the key of a mask has no other use


class PartySite(FederatedSite):
    """A party of a plan with a split; see ``FederatedSite``.

    FederationError where the ring of the plan is not that of counting.

    *Formal guarantee.* As of a site, for sums over all parties; beside these a party sends its one-hots under masks
    that are drawn for one dealing of one run, sealed for the one party that does not know them. Of its answer each
    number is a share that is uniform to whoever lacks a share (``ProductShares``), before it is masked anew. It is
    charged as toward another party, which knows who is on the list: each table twice, for the two cells that change
    where a person's cells are others.

    A complete dealing may be ``kept`` for a set-up anew, of this process or of the next. What is opened of it is noised
    and masked anew, and paid for, as what was opened before; its masks covered one version of the rows, and shares are
    found again for the same plan, maps and rows alone. Shares of two dealings are never in one opened sum.
    """

    def __init__(
        self,
        plan: FederationPlan,
        identity: SiteIdentity,
        records: PartyRecords,
        account: SiteAccount,
        entropy: Entropy = SYSTEM,
        kept: KeepsShares | None = None,
    ) -> None:
        if plan.split is None or plan.bits != BITS:
            raise FederationError(f"parties count in a ring of {BITS} bits, by a plan that says who has which columns")
        if len(records.codes.present) != plan.split.number:
            raise FederationError("the plan is for a list of another number of persons")
        super().__init__(plan, identity, records, account, entropy)
        self._sums: SumSite
        self._parts = records
        self._owners = plan.split.owners(first_codec(plan.schema))
        self._dealing: OwnDealing | None = None
        self._kept, self._found = kept, b""
        self._methods |= {"count": self._begin, "kept": self._go_on, "deal": self._deal, "dealt": self._take}

    def _agreed(self, body: bytes) -> bytes:
        self._dealing = None
        return super()._agreed(body)

    def _paid(self, body: bytes) -> bytes:
        """Refused: no party adds gradients of its rows by itself, for it has some of their columns alone."""
        raise FederationError("a training of parties is on secret shares, and this party has no engine")

    def _begin(self, body: bytes) -> bytes:
        """Be told of the maps, and forget what was dealt before; what names the dealing of these that was kept."""
        domain = self._parts.domain
        maps = maps_of(body, domain)
        made = layout(self._owners, [int(m.max()) + 1 for m in maps])
        made.check()
        label = dealing_label(self._plan.digest, self._codec, body)
        if self._dealing is not None and self._dealing.label == label:
            raise FederationError("these columns were dealt, or are being dealt, through the same maps")
        self._dealing = None  # what was dealt before is forgotten first: both need not be held
        small = [m.astype(np.min_scalar_type(int(m.max()))) for m in maps]
        columns = zip(self._parts.positions, self._parts.codes.columns, strict=True)
        own = Codes(tuple(small[i][codes] for i, codes in columns), self._parts.codes.present)
        id_, place = dealing_id(label, self._sums.run), self._sums.place
        self._dealing = OwnDealing(label, id_, maps, own, ProductShares(place, made))
        found = None if self._kept is None else self._kept.find(self._bound(label), self._dealing.kept_bytes)
        self._found = found or b""
        return self._found[:HASH_BYTES]

    def _go_on(self, body: bytes) -> bytes:
        """With the dealing that was kept, where the coordinator names that one."""
        dealing = self._begun_dealing()
        if not self._found or body != self._found[:HASH_BYTES] or dealing.dealt:
            raise FederationError("no dealing of that name was kept; deal anew")
        dealing.restore(self._found)
        self._found = b""
        return b""

    def _bound(self, label: bytes) -> bytes:
        """What shares are kept for: these maps of this plan, and these very rows."""
        return label + bytes([self._sums.place]) + self._parts.digest

    def _deal(self, body: bytes) -> bytes:
        """A block of its masked one-hots, sealed for the party behind the next."""
        dealing, place = self._begun_dealing(), self._sums.place
        block = block_of(body)
        if block != dealing.dealt or block >= dealing.blocks:
            raise FederationError("blocks are dealt once, in order; deal anew")
        dealing.dealt, self._found = dealing.dealt + 1, b""
        data = masked(self._one_hots(dealing, block), self._mask(dealing, place, block))
        return sealed_once(self._key(dealing, place, block), data.tobytes(), dealing.label)

    def _take(self, sealed: bytes) -> bytes:
        """The block of the next party, which this one lacks the mask of; all three products of it."""
        dealing, place = self._begun_dealing(), self._sums.place
        block = dealing.taken
        if block >= dealing.dealt:
            raise FederationError("a block is taken once this party has dealt its own; deal anew")
        if len(sealed) != sealed_block(dealing.layout, len(dealing.own.present), after(place), block):
            raise FederationError("a block of another party has another length than its columns have")
        key = self._key(dealing, after(place), block)
        data = opened_once(key, sealed, dealing.label, "a block of another party", "dealing")
        shape = -1, dealing.layout.widths[after(place)]
        mask, before = (self._mask(dealing, p, block) for p in (place, after(place, 2)))
        masked_next = np.frombuffer(data, WORD).reshape(shape)
        dealing.shares.add(self._one_hots(dealing, block), mask, before, masked_next)
        dealing.taken += 1
        if self._kept is not None and dealing.taken == dealing.blocks:
            self._kept.keep(self._bound(dealing.label), dealing.to_bytes())
        return b""

    def _begun_dealing(self) -> OwnDealing:
        if self._dealing is None:
            raise FederationError("nothing is dealt before the parties were told of the maps")
        return self._dealing

    def _one_hots(self, dealing: OwnDealing, block: int) -> sparse.csr_array:
        rows, own = dealing.rows(block), dealing.own
        part = Codes(tuple(c[rows] for c in own.columns), own.present[rows])
        return part.one_hots(dealing.layout.sizes[self._sums.place])

    def _mask(self, dealing: OwnDealing, place: int, block: int) -> np.ndarray:
        """The mask of the party at ``place``, which is this one or the one before it: the two know it."""
        other = after(place) if place == self._sums.place else place
        rows = dealing.rows(block)
        out = np.empty((rows.stop - rows.start, dealing.layout.widths[place]), WORD)
        expand(self._sums.pair(other).secret(_purpose(b"mask", dealing, place, block)), _MASK, out)
        return out

    def _key(self, dealing: OwnDealing, sender: int, block: int) -> bytes:
        """By which the block of ``sender`` is sealed for the party behind the next."""
        receiver = after(sender, 2)
        other = receiver if sender == self._sums.place else sender
        return self._sums.pair(other).secret(_purpose(b"block", dealing, sender, block))

    @property
    def _label(self) -> bytes:
        return self._codec if self._dealing is None else self._dealing.id

    @property
    def _codec(self) -> bytes:
        """Hash of what records are encoded by, to which every mask is bound."""
        return self._facts.codec

    def _noise(self, request: SumRequest, question: SumQuestion) -> SharedNoise:
        noise = super()._noise(request, question)
        check_counted(question, "parties")
        if isinstance(question, Marginals):
            for query in filter(self._apart, question.queries):
                self._check_dealt(query)  # before anything is charged
        return noise

    def _exact(self, question: SumQuestion) -> np.ndarray:
        """This party's additive shares of the counts, modulo 2^32."""
        if isinstance(question, Count):
            counts = self._parts.outside if question.outside else len(self._parts)
            return np.array([counts if question.outside or self._sums.place == 0 else 0])
        assert isinstance(question, Marginals)
        return np.concatenate([self._share(query).ravel() for query in question.queries])

    def _share(self, query: Query) -> np.ndarray:
        """Of one table: all of it at the one party that has all of its columns, or a share at each."""
        owners = [self._owners[i] for i in query.clique]
        if not self._apart(query):
            mine = owners[0][0] == self._sums.place
            return self._parts.table(query) if mine else np.zeros(query.shape(self._parts.domain), np.int64)
        maps = self._check_dealt(query)
        one, other = owners
        return through_groups(self._begun_dealing().shares.table(one, other).astype(np.int64), maps)

    def _apart(self, query: Query) -> bool:
        """Whether its columns lie at several parties."""
        return len({self._owners[i][0] for i in query.clique}) > 1

    def _check_dealt(self, query: Query) -> tuple[np.ndarray, ...]:
        """Of each column of a table, the map from dealt codes to its own; FederationError where it was not dealt."""
        check_degree(query)
        dealing = self._begun_dealing()
        if dealing.taken < dealing.blocks:
            raise FederationError("a table of columns at two parties, before all of them were dealt")
        asked = query.groups or tuple(np.arange(size) for size in self._parts.domain.shape(query.clique))
        return tuple(through(groups, dealing.maps[i]) for i, groups in zip(query.clique, asked, strict=True))

    def _charged(self, noise: SharedNoise) -> Sequence[Event]:
        return tuple(map(twice, noise.events))


def twice(event: Event) -> Event:
    """What a person with other cells costs: two cells of a table, each with noise of its own."""
    assert isinstance(event, DistributedDiscreteGaussian)
    return replace(event, count=2 * event.count)


def _purpose(what: bytes, dealing: OwnDealing, place: int, block: int) -> bytes:
    return b"parties " + what + dealing.label + bytes([place]) + block.to_bytes(4, "little")
