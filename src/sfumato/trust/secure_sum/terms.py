"""What a secure sum takes from the signed plan, and how its rounds are numbered."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.masks import WORDS
from sfumato.trust.secure_sum.roster import Roster

HASH_BYTES = 32
"""Of SHA-256."""
MOST_SLOTS = 1 << 12
"""Rounds times attempts of a run: each costs 33 bytes a pair of sites at set-up."""
MOST_VALUES = 1 << 28
"""Numbers of one vector: two gigabytes in the wide ring, and far below what a mask's counter holds."""
REACH = 12.0
"""Standard deviations of noise that a ring leaves room for: it is exceeded with probability 2**-107."""


@dataclass(frozen=True, order=True)
class RoundNumber:
    """Which opening is meant: its round, from 1, and the attempt at it, from 1.

    A site answers each number once, and none below one that it has answered. A retry is a new attempt: it has new
    masks, new noise and a charge of its own.
    """

    round: int
    attempt: int = 1

    def __str__(self) -> str:
        return f"round {self.round}, attempt {self.attempt}"


@dataclass(frozen=True)
class SumTerms:
    """All that the sites and the coordinator of a secure sum must agree on; every message is bound to it.

    Attributes:
        plan: SHA-256 of the signed plan.
        roster: its sites, and what the sum must withstand.
        rounds: openings of the whole run.
        attempts: how often each may be tried.
        longest: numbers of the longest vector.
        bits: of the ring, 32 or 64; see :func:`ring_bits`.
    """

    plan: bytes
    roster: Roster
    rounds: int
    attempts: int = 3
    longest: int = 1 << 20
    bits: int = 32

    def __post_init__(self) -> None:
        if len(self.plan) != HASH_BYTES:
            raise FederationError(f"the hash of a plan has {HASH_BYTES} bytes, not {len(self.plan)}")
        if self.bits not in WORDS:
            raise FederationError(f"bits: {self.bits!r}; a secure sum is made modulo 2^32 or 2^64, write 32 or 64")
        for name, value, most in (("rounds", self.rounds, MOST_SLOTS), ("attempts", self.attempts, MOST_SLOTS)):
            if type(value) is not int or not 1 <= value <= most:
                raise FederationError(f"{name}: {value!r}; write a whole number from 1 to {most}")
        if self.slots > MOST_SLOTS:
            raise FederationError(f"{self.rounds} rounds of {self.attempts} attempts: at most {MOST_SLOTS} in all")
        if type(self.longest) is not int or not 1 <= self.longest <= MOST_VALUES:
            raise FederationError(f"longest: {self.longest!r}; a vector has 1 to {MOST_VALUES} numbers")

    @property
    def sites(self) -> int:
        """k, all sites of the plan."""
        return len(self.roster.members)

    @property
    def slots(self) -> int:
        """How many numbers there are."""
        return self.rounds * self.attempts

    def slot(self, number: RoundNumber) -> int:
        """Place of a number among all, from 0, ascending; FederationError for one that the plan does not have."""
        if not (1 <= number.round <= self.rounds and 1 <= number.attempt <= self.attempts):
            raise FederationError(
                f"{number}: the plan has {self.rounds} rounds of {self.attempts} attempts; nothing is answered"
            )
        return (number.round - 1) * self.attempts + number.attempt - 1

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over everything here."""
        numbers = (self.rounds, self.attempts, self.longest, self.bits)
        packed = b"".join(value.to_bytes(4, "little") for value in numbers)
        return hashlib.sha256(b"sfumato sum terms 1" + self.plan + self.roster.digest() + packed).digest()

    def check_survivors(self, survivors: Sequence[int]) -> None:
        """FederationError unless a sum may be opened over these sites: ascending positions, not too many lost."""
        if list(survivors) != sorted(set(survivors)) or not all(0 <= s < self.sites for s in survivors):
            raise FederationError("a list of survivors names sites of the plan, each once, in order")
        if len(survivors) < self.roster.threshold:
            raise FederationError(
                f"{len(survivors)} sites are left, fewer than the {self.roster.threshold} that an opening needs;"
                " nothing is opened"
            )
        if len(survivors) < self.roster.fewest:
            raise FederationError(
                f"{self.sites - len(survivors)} sites are lost, more than the {self.roster.lost} that the plan allows;"
                " nothing is opened"
            )


def ring_bits(largest: float, sigma: float) -> int:
    """32 or 64: the ring of a sum whose exact value is at most ``largest`` in size, and its noise of scale ``sigma``.

    Both are public: ``largest`` is a declared bound on rows times what one of them adds, ``sigma`` counts the noise of
    all sites. A sum outside the ring would be a wrong answer; it would tell no more. FederationError where 64 bits do
    not hold it.
    """
    most = largest + REACH * sigma
    for bits in WORDS:
        if most < 2.0 ** (bits - 1):
            return bits
    raise FederationError(f"a sum of up to {most:.3g} fits no ring of 64 bits: take a coarser step, or fewer rows")
