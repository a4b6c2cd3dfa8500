"""A party whose plan has no list of persons: before it answers anything it finds who is common to all three."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.intersection.intersecting import Intersecting
from sfumato.trust.mpc.intersection.steps import MOST_SEARCHES, with_common
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity

Found = Callable[[int], None]
"""Is told how many persons are common; for the people of the party alone."""


class AligningParty(PartySite):
    """A party of a plan for an intersection; see ``PartySite``.

    Args:
        plan: what the party agreed to.
        identity: its signing key.
        persons: of its own table.
        records: theirs, in that order.
        account: over a run of its own ledger.
        found: is told how many are common.
        entropy: source of keys and noise.

    *Formal guarantee.* Toward the coordinator and whoever gets the model: as of ``PartySite``, whose sums have as many
    positions as a party may bring keys, most of them of nobody; a person more or less is one record of each party.
    Toward a party: who is common is an exact release, see ``Intersecting``; what is counted afterwards protects what a
    common person's cells say. Masks of all sums are made for who is common too: where two parties have other persons at
    a position, nothing is opened. Set-ups anew are no way to ever more guesses: what tells who is common leaves a party
    ``MOST_SEARCHES`` times, until its own people start it again.
    """

    def __init__(
        self,
        plan: FederationPlan,
        identity: SiteIdentity,
        persons: Persons,
        records: PartyRecords,
        account: SiteAccount,
        found: Found = lambda common: None,
        entropy: Entropy = SYSTEM,
    ) -> None:
        assert plan.split is not None, "a plan for parties"
        self._most, self._persons, self._own, self._say = plan.split.number, persons, records, found
        super().__init__(plan, identity, records.at(np.full(self._most, -1)), account, entropy)
        self._common, self._searches = self._fresh(), 0
        self._methods |= {
            "pass": lambda body: self._common.passed(body),
            "store": lambda _: self._search(self._common.store),
            "read": lambda body: self._search(lambda: self._common.read(body)),
            "common": self._take_common,
        }

    def _fresh(self) -> Intersecting:
        keys = self._persons.keys.to_pylist()
        return Intersecting(
            self._sums.place, lambda other: self._sums.pair(other), self._most, keys, self._plan.digest, self._entropy
        )

    def _agreed(self, body: bytes) -> bytes:
        answer = super()._agreed(body)
        self._common = self._fresh()
        return answer

    def _search(self, told: Callable[[], bytes]) -> bytes:
        """What is ``told`` of this party's keys; FederationError where such was told too often."""
        if self._searches >= MOST_SEARCHES:
            raise FederationError(
                f"common persons were looked for {MOST_SEARCHES} times since this party was started, and others may"
                " bring other keys each time: have its people see why, and start it again"
            )
        self._searches += 1
        return told()

    def _take_common(self, body: bytes) -> bytes:
        """Learn who is common, and put the records in the order that all parties have."""
        common = self._common.common(body)
        assert self._common.places is not None
        self._parts = self._own.at(self._common.places)
        self._say(int(np.count_nonzero(self._common.places >= 0)))
        return common

    @property
    def _codec(self) -> bytes:
        if not self._common.hash:
            raise FederationError("nothing is answered before the parties have found who is common to them")
        return with_common(super()._codec, self._common.hash)
