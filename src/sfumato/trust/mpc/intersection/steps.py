"""The calls by which three parties find who is common to all, and how long each message is: by the plan alone.

Block by block the points of each party's keys go once round: to the next party, to the one behind it, and back. Then
two of the three write stores, the first reads who is in both, and tells the two in lists of a fixed length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

from sfumato.errors import FederationError
from sfumato.trust.mpc.counting import PARTIES, after
from sfumato.trust.mpc.intersection.points import POINT_BYTES
from sfumato.trust.mpc.intersection.store import store_bytes
from sfumato.trust.secure_sum.one_use import TAG_BYTES

MOST_COMMON = 1 << 20
"""Keys that a party may bring: a million of them take each party five minutes of a processor, and messages of 22 MB."""
BLOCK_KEYS = 1 << 13
"""Of a call: half a second of a processor, far within the patience for an answer, and 270 kB."""
MOST_SEARCHES = 16
"""How often a party that was started once says who is common: each time another may bring other keys, as guesses."""
HOPS = 3
"""Of a party's points: out, on and back."""
READER = 0
"""Place of the party that reads the stores of the two others."""
NAME_BYTES, COMMON_BYTES, NONCE_BYTES = 16, 32, 32
"""Of what names a common person in a list, of the hash of all of them, and of a number that is drawn for a run."""
Ask = Callable[[str, Mapping[int, bytes]], Mapping[int, bytes]]
"""Calls parties, each with its bytes; what all of them answer."""


def key_blocks(most: int) -> int:
    """How many there are of the keys of a party that brings ``most``."""
    return -(-most // BLOCK_KEYS)


def block_keys(most: int, block: int) -> slice:
    """The keys of a block."""
    return slice(block * BLOCK_KEYS, min((block + 1) * BLOCK_KEYS, most))


def sealed_points(most: int, block: int) -> int:
    """Bytes of a sealed block of points."""
    keys = block_keys(most, block)
    return (keys.stop - keys.start) * POINT_BYTES + TAG_BYTES


def sealed_store(most: int) -> int:
    """Bytes of a sealed store."""
    return store_bytes(most) + TAG_BYTES


def sealed_list(most: int) -> int:
    """Bytes of a sealed list of who is common: as many names as there may be, those of nobody among them."""
    return NONCE_BYTES + most * NAME_BYTES + TAG_BYTES


def find_common(ask: Ask, most: int) -> bytes:
    """Let the parties find who is common to them, each of whom brings ``most`` keys; the hash by which all know it.

    The hash is of a number too that the parties alone know: it tells nothing of how many are common. FederationError
    where they do not agree, or one answers at another length than the plan says.

    *Formal guarantee.* Which parties are called, in which order, and how long each message is hangs on ``most`` alone.
    """
    everybody = range(PARTIES)
    others = [place for place in everybody if place != READER]
    for block in range(key_blocks(most)):
        passed: Mapping[int, bytes] = dict.fromkeys(everybody, b"")
        for _ in range(HOPS):
            given = _of_length(ask("pass", passed), sealed_points(most, block))
            passed = {after(place): given[place] for place in everybody}
        _of_length(ask("pass", passed), 0)
    stores = _of_length(ask("store", dict.fromkeys(others, b"")), sealed_store(most))
    lists = ask("read", {READER: b"".join(stores[place] for place in others)})
    told = _of_length(lists, len(others) * sealed_list(most))[READER]
    each = {place: told[i * sealed_list(most) :][: sealed_list(most)] for i, place in enumerate(others)}
    found = _of_length(ask("common", {READER: b"", **each}), COMMON_BYTES)
    if len(set(found.values())) > 1:
        raise FederationError("the parties do not agree on who is common to them: nothing is counted")
    return found[READER]


def with_common(codec: bytes, common: bytes) -> bytes:
    """SHA-256 of what records are encoded by, and of who is common: masks of every sum are made for both."""
    return hashlib.sha256(codec + common).digest()


def _of_length(answers: Mapping[int, bytes], size: int) -> Mapping[int, bytes]:
    if any(len(answer) != size for answer in answers.values()):
        raise FederationError("a party's answer has another length than the plan says: nothing is passed on")
    return answers
