"""A training at one party: coins that all of them make, its own part of each batch, and its part of each sum."""

from __future__ import annotations

import hashlib
import hmac

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.errors import EngineError, FederationError, QuestionError
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.mpc.counting import PARTIES, Codes
from sfumato.trust.mpc.engine.run_order import Additive, Argument, OwnSecret, PeerSecret, PublicInput
from sfumato.trust.mpc.party_session import Session
from sfumato.trust.mpc.secret_descent import ROWS, CoinBatches, SecretDescent, training_of
from sfumato.trust.questions import Descent, GradientStep, from_bytes
from sfumato.trust.secure_sum.masks import SEED_BYTES, commitment
from sfumato.trust.secure_sum.one_use import TAG_BYTES, opened_once, sealed_once
from sfumato.trust.secure_sum.sum_site import SumSite

_SEALED = SEED_BYTES + TAG_BYTES
"""Bytes of a seed that is sealed."""
_COMMITTED = len(commitment(bytes(SEED_BYTES)))
"""Bytes of a commitment to one."""


class PartyDescent:
    """One training of one party.

    Args:
        body: of the call that begins it: the ``Descent``.
        plan: what the party signed.
        session: with the engines of the others.
        sums: of this run, for what two parties alone know.

    FederationError for a training that is not that of the plan.

    *Formal guarantee.* The coins of the batches, and of what the recipe draws for them, are a hash of a seed of each
    party. Each party is held to its seed by what it committed to before it saw another, and seals it for the other
    parties: whoever carries the seeds neither chooses the coins nor learns them. What this party gives to the engine
    are secrets of its own rows; what it takes out is one of three parts of a clipped sum, to which it adds its share of
    the noise.
    """

    def __init__(self, body: bytes, plan: FederationPlan, session: Session, sums: SumSite) -> None:
        try:
            asked = from_bytes(body)
        except QuestionError as error:
            raise FederationError(str(error)) from None
        if not isinstance(asked, Descent):
            raise FederationError("a request for a training that is none")
        self.secret = SecretDescent(asked, plan)
        self._plan, self._session, self._sums, self._seed = plan, session, sums, SYSTEM.take(SEED_BYTES)
        self._committed = b""
        self._batches: CoinBatches | None = None
        self._next = 0

    @property
    def commitment(self) -> bytes:
        """What holds this party to its seed, and tells nothing of it."""
        return commitment(self._seed)

    def reveal(self, committed: bytes) -> bytes:
        """Its seed for each other party alone, once all have committed to theirs, by place."""
        place = self._sums.place
        if self._committed or len(committed) != PARTIES * _COMMITTED:
            raise FederationError("seeds are revealed once, when all parties have committed to theirs")
        if _at(committed, place, _COMMITTED) != self.commitment:
            raise FederationError("this party committed to another seed: the coins would not be those of all")
        self._committed = committed
        others = [p for p in range(PARTIES) if p != place]
        return b"".join(sealed_once(self._key(place, p), self._seed, committed) for p in others)

    def toss(self, sealed: bytes) -> None:
        """Take the seeds of the others, by place, and make the coins of all."""
        if not self._committed or self._batches is not None or len(sealed) != (PARTIES - 1) * _SEALED:
            raise FederationError("coins are tossed once, when all parties have revealed their seeds")
        seeds, place = {self._sums.place: self._seed}, self._sums.place
        for number, other in enumerate(p for p in range(PARTIES) if p != place):
            own, key = _at(sealed, number, _SEALED), self._key(other, place)
            seed = opened_once(key, own, self._committed, "a seed of another party")
            if not hmac.compare_digest(commitment(seed), _at(self._committed, other, _COMMITTED)):
                raise FederationError(
                    "a party revealed another seed than it had committed to: the coins are its choice"
                )
            seeds[other] = seed
        told = b"".join(seeds[p] for p in range(PARTIES))
        coins = hashlib.sha256(b"sfumato coins 1" + self._plan.digest + self._committed + told).digest()
        split = self._plan.split
        assert split is not None
        self._batches = CoinBatches(coins, training_of(self._plan), split.number)

    def check(self, step: GradientStep) -> None:
        """FederationError unless it is the next step, and coins were tossed; it is run on simulated rows."""
        if self._batches is None:
            raise FederationError("a step of a training whose coins were not tossed")
        self.secret.check(step, self._next)
        self.secret.rehearse(step)

    def noised(self, step: GradientStep, codes: Codes, entropy: Entropy) -> np.ndarray:
        """(numbers,) int64, modulo 2^64: its part of the sum of the next batch, with its share of the noise."""
        assert self._batches is not None
        self._next += 1
        places = self._batches.next()
        network = self.secret.program.objective.tree(jnp.asarray(step.parameters))
        total = np.zeros(self.secret.numbers, np.uint64)
        subject = hashlib.sha256(step.to_bytes()).digest()
        for number, start in enumerate(range(0, self.secret.drawn, ROWS)):
            key = jax.random.fold_in(self._batches.key, number)
            total += self._part(places[start : start + ROWS], codes, network, key, subject)
        return self.secret.noise.add(total.view(np.int64), entropy)

    def _part(self, places: np.ndarray, codes: Codes, network: object, key: jax.Array, subject: bytes) -> np.ndarray:
        """This party's part of the sum over persons at these places, at most ``ROWS``, modulo 2^64."""
        program, rank = self.secret.program, self._sums.place
        own = np.zeros((len(codes.columns), ROWS), np.int64)
        own[:, : len(places)] = [column[places] for column in codes.columns]
        present = np.zeros(ROWS, bool)
        present[: len(places)] = codes.present[places]
        mine = program.own(rank, list(own), present, network, key)
        secrets: list[Argument] = [
            OwnSecret(array) if p == rank else PeerSecret(p) for p in range(PARTIES) for array in mine
        ]
        try:
            known = [PublicInput(array) for array in program.public(network, key)]
            (part,) = self._session.run(program.program, [*known, *secrets], [Additive()], subject)
        except EngineError as error:
            raise FederationError(f"a step of a training on shares: {error}") from None
        assert part is not None
        return part

    def _key(self, sender: int, receiver: int) -> bytes:
        """By which a seed is sealed."""
        other = receiver if sender == self._sums.place else sender
        return self._sums.pair(other).secret(b"parties coins" + bytes([sender]))


def _at(data: bytes, place: int, size: int) -> bytes:
    return data[place * size : (place + 1) * size]
