"""One party's part in finding who is common: it answers each call once, in order, and opens what the others sealed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from sfumato.errors import FederationError
from sfumato.privacy.randomness import Entropy, expand
from sfumato.trust.mpc.counting import PARTIES, after
from sfumato.trust.mpc.intersection.points import POINT_BYTES, fresh_secret, hashed, multiplied, quotient
from sfumato.trust.mpc.intersection.steps import (
    HOPS,
    NAME_BYTES,
    NONCE_BYTES,
    READER,
    block_keys,
    key_blocks,
    sealed_list,
    sealed_points,
    sealed_store,
)
from sfumato.trust.mpc.intersection.store import read, written
from sfumato.trust.secure_sum.one_use import opened_once, sealed_once
from sfumato.trust.secure_sum.run_keys import PairKeys

_KEY, _NOBODY = "k", "n"
"""Before the keys of persons, and before those that fill a party's number up: no person has one of these."""
_NOBODY_BYTES = 32
"""Of a key that nobody has."""
_STORE, _LIST = HOPS, HOPS + 1
"""Numbers of the messages after those of points."""
_PROOF_BYTES = 8
"""Of what proves that a key is in both stores, and of what shows that it was read: half of a value each. Of a million
keys in one store alone one is taken for common with probability 2^-44."""
_ORDER = 4  # nonce of ChaCha20; the key of an order has no other use
_ORDER_BYTES = 32
"""Of such a key."""


class Intersecting:
    """A party that brings its keys, and learns which of them both others bring.

    Args:
        place: of the party.
        pair: what it shares with the party at a place, in this run.
        most: keys that each party brings, with those that nobody has.
        keys: of its persons, each once.
        plan: SHA-256 of the signed plan.
        entropy: source of secrets.

    Attributes:
        places: (most,) of each position of the common list the number of the person among ``keys``, and -1 of nobody;
            None until it is found. All parties have the same person at a position; positions are drawn anew for a run.
        hash: of who is common, and of a number that the parties alone know.

    *Formal guarantee.* Beside what it brings itself, a party that follows the protocol learns who is common, and so how
    many. The points that it is sent are to it as drawn anew: each party's own go round under a cover that it alone
    knows, so that points of two parties never have one form for a third to compare. From the stores it can tell who is
    in both, for keys that it brought: all else in them is random to who lacks the secret of their two writers. Nor can
    a reader that deviates name a person whom one of the others lacks, and learn of who has whom by what they answer: a
    name is made of a proof that two stores share out. All
    secrets are of one run. What the coordinator carries is sealed, and as long for any keys. Points go round in an
    order that the party alone knows: who spoils some of them, and sees who is then missing, learns no key's rank, nor
    how many keys are of nobody.
    """

    def __init__(
        self,
        place: int,
        pair: Callable[[int], PairKeys],
        most: int,
        keys: Sequence[str],
        plan: bytes,
        entropy: Entropy,
    ) -> None:
        self._place, self._pair, self._most, self._plan, self._entropy = place, pair, most, plan, entropy
        self._brought = len(keys)
        nobody = [_NOBODY + entropy.take(_NOBODY_BYTES).hex() for _ in range(most - len(keys))]
        self._keys = [_KEY + key for key in keys] + nobody
        self._sent = _order(entropy.take(_ORDER_BYTES), most)  # of each point that goes round, which key it is of
        self._cover, self._secret = fresh_secret(entropy), fresh_secret(entropy)
        self._values: list[bytes] = []
        self._proofs: dict[bytes, bytes] = {}  # by value of a person: that it is in both stores
        self._step, self._stage = 0, "pass"
        self._told: bytes | None = None
        self.places: np.ndarray | None = None
        self.hash = b""

    def passed(self, sealed: bytes) -> bytes:
        """The next step of a block of points: begin with its own, multiply another's twice, take its own back."""
        self._at("pass")
        block, hop = divmod(self._step, HOPS + 1)
        self._step += 1
        if hop == 0:
            keys = [self._keys[i] for i in self._sent[block_keys(self._most, block)]]
            return self._sealed(hashed(keys, self._cover), 0, block)
        points = self._opened(sealed, after(self._place, 2), hop - 1, block, sealed_points(self._most, block))
        if hop < HOPS:
            return self._sealed(multiplied(points, self._secret), hop, block)
        whole = multiplied(points, quotient(self._secret, self._cover))
        self._values += [whole[start : start + POINT_BYTES] for start in range(0, len(whole), POINT_BYTES)]
        if block + 1 == key_blocks(self._most):
            self._values = [self._values[i] for i in np.argsort(self._sent)]
            self._stage = "read" if self._place == READER else "store"
        return b""

    def store(self) -> bytes:
        """The store of this party's values, sealed for the reader."""
        self._at("store")
        self._stage = "common"
        (other,) = {0, 1, 2} - {READER, self._place}
        shared = self._pair(other).secret(b"parties common values" + self._plan)
        self._proofs = {value: _proof(shared, value) for value in self._values[: self._brought]}
        values = _words(hashlib.sha256(shared + value).digest()[: 2 * _PROOF_BYTES] for value in self._values)
        if self._place > other:
            values = values ^ _words(_shown(_proof(shared, value)) for value in self._values)
        return self._sealed(written(self._values, values, self._entropy), _STORE)

    def read(self, sealed: bytes) -> bytes:
        """Read the stores of the two others: who is in both, in a sealed list for each."""
        self._at("read")
        self._stage = "common"
        size, others = sealed_store(self._most), [place for place in range(PARTIES) if place != READER]
        parts = [sealed[:size], sealed[size:]]
        stores = [self._opened(part, place, _STORE, 0, size) for part, place in zip(parts, others, strict=True)]
        mine = self._values[: self._brought]
        one, other = (read(store, mine, self._most) for store in stores)
        nonce = self._entropy.take(NONCE_BYTES)
        found = ((value, _proven(words.tobytes())) for value, words in zip(mine, one ^ other, strict=True))
        self._proofs = {value: proof for value, proof in found if proof is not None}
        names = [_name(nonce, value, proof) for value, proof in self._proofs.items()]
        names += [self._entropy.take(NAME_BYTES) for _ in range(self._most - len(names))]
        self._told = nonce + b"".join(sorted(names))
        return b"".join(self._sealed(self._told, _LIST, receiver=place) for place in others)

    def common(self, sealed: bytes) -> bytes:
        """Learn who is common; the hash by which all parties know it."""
        self._at("common")
        self._stage = "over"
        told = self._told or self._opened(sealed, READER, _LIST, 0, sealed_list(self._most))
        nonce, listed = told[:NONCE_BYTES], told[NONCE_BYTES:]
        names = {listed[start : start + NAME_BYTES] for start in range(0, len(listed), NAME_BYTES)}
        named = {value for value, proof in self._proofs.items() if _name(nonce, value, proof) in names}
        mine = {value: i for i, value in enumerate(self._values[: self._brought]) if value in named}
        found = sorted(mine)
        self.places = np.full(self._most, -1)
        whole = b"".join(found)
        positions = _order(hashlib.sha256(b"parties common order" + nonce + whole).digest(), self._most)[: len(found)]
        self.places[positions] = [mine[value] for value in found]
        self.hash = hashlib.sha256(b"parties common" + nonce + whole).digest()
        return self.hash

    def _at(self, stage: str) -> None:
        """FederationError unless this is what comes next: a message is made once, and a key seals one."""
        if self._stage != stage:
            raise FederationError("who is common is found once, step by step; set up anew")

    def _sealed(self, text: bytes, message: int, block: int = 0, receiver: int | None = None) -> bytes:
        to = receiver if receiver is not None else READER if message == _STORE else after(self._place)
        return sealed_once(self._key(to, self._place, message, block), text, self._plan)

    def _opened(self, sealed: bytes, sender: int, message: int, block: int, size: int) -> bytes:
        if len(sealed) != size:
            raise FederationError("a message of another party has another length than the plan says")
        key = self._key(sender, sender, message, block)
        return opened_once(key, sealed, self._plan, "a message of another party")

    def _key(self, other: int, sender: int, message: int, block: int) -> bytes:
        """By which a message of ``sender`` is sealed, which this party and the ``other`` know."""
        purpose = b"parties common" + bytes([message, sender]) + block.to_bytes(4, "little")
        return self._pair(other).secret(purpose)


def _order(key: bytes, number: int) -> np.ndarray:
    """(number,) of 0, 1 and so on, in the order that a key stands for."""
    drawn = np.empty(2 * number, np.uint32)
    expand(key, _ORDER, drawn)
    return np.argsort(drawn.view(np.uint64), kind="stable")


def _name(nonce: bytes, value: bytes, proof: bytes) -> bytes:
    """What stands for a common person in a list: to those who have the value and the proof alone."""
    return hashlib.sha256(b"parties common name" + nonce + value + proof).digest()[:NAME_BYTES]


def _proof(shared: bytes, value: bytes) -> bytes:
    """That a key of this ``value`` is in both stores: two writers know it, and who reads the key in both."""
    return hashlib.sha256(b"parties common proof" + shared + value).digest()[:_PROOF_BYTES]


def _shown(proof: bytes) -> bytes:
    """A proof with what shows that it is one."""
    return proof + hashlib.sha256(b"parties common proof read" + proof).digest()[:_PROOF_BYTES]


def _proven(read: bytes) -> bytes | None:
    """The proof in what two stores have at a key together; None where it is in one of them at most."""
    return read[:_PROOF_BYTES] if _shown(read[:_PROOF_BYTES]) == read else None


def _words(values: Iterable[bytes]) -> np.ndarray:
    """(n, 2) uint64, as a store takes them."""
    return np.frombuffer(b"".join(values), np.uint64).reshape(-1, 2)
