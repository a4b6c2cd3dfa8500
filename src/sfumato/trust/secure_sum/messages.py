"""Every message of the secure sum as bytes: a fixed layout, checked in full before anything is done with it.

Numbers are little-endian. A message is a head of 84 bytes and a body whose length follows from the terms or from the
counts in it; anything else is refused, and a message longer than its kind can be is refused unread.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from sfumato.errors import FederationError
from sfumato.trust.secure_sum.identity import KEY_BYTES, SIGNATURE_BYTES
from sfumato.trust.secure_sum.masks import SEED_BYTES, WORDS
from sfumato.trust.secure_sum.one_use import TAG_BYTES
from sfumato.trust.secure_sum.shamir import SHARE_BYTES
from sfumato.trust.secure_sum.terms import HASH_BYTES, RoundNumber, SumTerms

_MAGIC = b"sfsum"
VERSION = 1
"""Of the form of messages; another is refused."""
_HEAD = struct.Struct("<5sBBBII32s32sI")
HEAD_BYTES = _HEAD.size
_COUNT = struct.Struct("<H")
_VECTOR = struct.Struct("<BI")
COORDINATOR = 255
"""Stands for the coordinator where a head names the sender; sites have smaller positions."""
ANSWERED_BYTES = 4
"""How many numbers a site says that it has used."""
KEY_ENTRY_BYTES = KEY_BYTES + ANSWERED_BYTES + SIGNATURE_BYTES
NO_RUN = bytes(HASH_BYTES)
"""In the place of a run's hash before there is one."""
SET_UP = RoundNumber(0, 0)
"""In the place of a round's number at set-up."""


class MessageKind(IntEnum):
    """What a message says."""

    KEY = 1
    KEYS = 2
    SHARES = 3
    DELIVERY = 4
    VECTOR = 5
    SURVIVORS = 6
    CONSENT = 7
    CONSENTS = 8
    UNMASK = 9


@dataclass(frozen=True)
class Head:
    """What every message begins with.

    Attributes:
        kind: of the message.
        sender: position of a site, or ``COORDINATOR``.
        terms: hash of what was agreed on, the signed plan with it.
        run: hash of all keys of the run.
        number: of the round and attempt.
    """

    kind: MessageKind
    sender: int
    terms: bytes
    run: bytes = NO_RUN
    number: RoundNumber = SET_UP


def write(head: Head, body: bytes | bytearray) -> bytes:
    """The message."""
    number = head.number
    packed = _HEAD.pack(
        _MAGIC, VERSION, head.kind, head.sender, number.round, number.attempt, head.terms, head.run, len(body)
    )
    return packed + body


def read(message: bytes, expected: Head, terms: SumTerms) -> memoryview:
    """The body of a message that has exactly the head expected; FederationError for any other."""
    who = "the coordinator" if expected.sender == COORDINATOR else terms.roster.members[expected.sender].name
    if len(message) > HEAD_BYTES + _most(expected.kind, terms):
        raise FederationError(f"a message of {who} has {len(message)} bytes, more than any of its kind: not read")
    if len(message) < HEAD_BYTES:
        raise FederationError(f"a message of {who} is cut off")
    magic, version, kind, sender, round_, attempt, plan, run, length = _HEAD.unpack_from(message)
    if magic != _MAGIC or version != VERSION:
        raise FederationError(f"a message of {who} is none of version {VERSION}: use one sfumato everywhere")
    if kind != expected.kind:
        raise FederationError(f"a message of {who} is of kind {kind}, not {expected.kind.name.lower()}")
    if sender != expected.sender:
        raise FederationError(f"a message that came as from {who} names another sender")
    if plan != expected.terms:
        raise FederationError(f"a message of {who} belongs to another plan; compare the plans' hashes")
    if run != expected.run:
        raise FederationError(f"a message of {who} belongs to another run, or it was told of other keys; set up anew")
    if (round_, attempt) != (expected.number.round, expected.number.attempt):
        raise FederationError(f"a message of {who} is of round {round_}, attempt {attempt}, not of {expected.number}")
    if length != len(message) - HEAD_BYTES:
        raise FederationError(f"a message of {who} is cut off, or longer than it says")
    return memoryview(message)[HEAD_BYTES:]


def _most(kind: MessageKind, terms: SumTerms) -> int:
    """Bytes of the longest body of a kind."""
    k, word = terms.sites, _COUNT.size
    entries = {
        MessageKind.KEY: KEY_ENTRY_BYTES,
        MessageKind.KEYS: word + k * (word + KEY_ENTRY_BYTES),
        MessageKind.SHARES: word + k * (word + sealed_bytes(terms)),
        MessageKind.DELIVERY: word + k * (word + sealed_bytes(terms)),
        MessageKind.VECTOR: HASH_BYTES + SEED_BYTES + _VECTOR.size + terms.longest * terms.bits // 8,
        MessageKind.SURVIVORS: word + k * word,
        MessageKind.CONSENT: SIGNATURE_BYTES,
        MessageKind.CONSENTS: word + k * (word + SIGNATURE_BYTES),
        MessageKind.UNMASK: 2 * word + k * (word + SHARE_BYTES),  # a site is in one of the two tables
    }
    return entries[kind]


def sealed_bytes(terms: SumTerms) -> int:
    """Bytes of one site's encrypted shares for another: one share for each number of the run."""
    return terms.slots * SHARE_BYTES + TAG_BYTES


def write_table(entries: Mapping[int, bytes]) -> bytes:
    """Entries of one length by position of a site, in order."""
    parts = [_COUNT.pack(len(entries))]
    for place in sorted(entries):
        parts += [_COUNT.pack(place), entries[place]]
    return b"".join(parts)


def read_table(body: memoryview, size: int, sites: int) -> tuple[dict[int, bytes], memoryview]:
    """A table of entries of ``size`` bytes, and what follows it; FederationError unless it is written as it should."""
    if len(body) < _COUNT.size:
        raise FederationError("a table of a message is cut off")
    (count,) = _COUNT.unpack_from(body)
    step = _COUNT.size + size
    end = _COUNT.size + count * step
    if count > sites or end > len(body):
        raise FederationError("a table of a message is longer than the plan has sites, or cut off")
    found: dict[int, bytes] = {}
    for start in range(_COUNT.size, end, step):
        (place,) = _COUNT.unpack_from(body, start)
        if place >= sites or (found and place <= max(found)):
            raise FederationError("a table of a message names sites that the plan has not, twice, or out of order")
        found[place] = bytes(body[start + _COUNT.size : start + step])
    return found, body[end:]


def whole_table(body: memoryview, size: int, sites: int) -> dict[int, bytes]:
    """A table that is all of a body."""
    found, rest = read_table(body, size, sites)
    if len(rest):
        raise FederationError("a message is longer than it says")
    return found


def whole(body: memoryview, size: int) -> bytes:
    """A body of exactly ``size`` bytes."""
    if len(body) != size:
        raise FederationError(f"the body of a message has {len(body)} bytes, not {size}")
    return bytes(body)


def write_sites(places: Sequence[int]) -> bytes:
    """Positions of sites."""
    return write_table(dict.fromkeys(places, b""))


def read_sites(body: memoryview, sites: int) -> tuple[int, ...]:
    """Positions of sites, ascending."""
    return tuple(whole_table(body, 0, sites))


@dataclass(frozen=True)
class MaskedVector:
    """What a site sends first in a round.

    Attributes:
        subject: hash of what is asked; the masks are bound to it.
        commitment: to the site's own mask.
        values: masked, in the ring of the terms.
    """

    subject: bytes
    commitment: bytes
    values: np.ndarray

    def body(self) -> bytes:
        """As bytes."""
        head = _VECTOR.pack(8 * self.values.itemsize, self.values.size)
        return b"".join((self.subject, self.commitment, head, self.values.tobytes()))

    @classmethod
    def of(cls, body: memoryview, terms: SumTerms) -> MaskedVector:
        """From bytes; FederationError unless they are exactly that."""
        start = HASH_BYTES + SEED_BYTES + _VECTOR.size
        if len(body) < start:
            raise FederationError("a masked vector is cut off")
        bits, length = _VECTOR.unpack_from(body, HASH_BYTES + SEED_BYTES)
        if bits != terms.bits or length > terms.longest or len(body) != start + length * bits // 8:
            raise FederationError("a masked vector has another ring or length than it says, or than the plan allows")
        subject, commitment = bytes(body[:HASH_BYTES]), bytes(body[HASH_BYTES : HASH_BYTES + SEED_BYTES])
        return cls(subject, commitment, np.frombuffer(body[start:], WORDS[bits]))
