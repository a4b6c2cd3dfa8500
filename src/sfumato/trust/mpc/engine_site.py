"""A party with an engine: on secret shares it also compares tables with estimates, and adds gradients."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from sfumato.errors import EngineError, FederationError, QuestionError, TooMuchNoise
from sfumato.privacy.events import DistributedDiscreteGaussian, Event, NoisyMax
from sfumato.privacy.mechanisms import noisy_max
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.mpc.comparing import furthest_noise, toward_a_party
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.mpc.engine.lowering import Program
from sfumato.trust.mpc.engine.run_order import Additive, Argument, Opened, Parts, Result
from sfumato.trust.mpc.engine.selection import check_scores, measuring, selecting
from sfumato.trust.mpc.own_dealing import KeepsShares
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.party_session import Session
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.ring import BITS
from sfumato.trust.questions import Distances, GradientStep, Selection, SumQuestion
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity

if TYPE_CHECKING:
    from sfumato.trust.mpc.party_descent import PartyDescent

_RING = 1 << BITS
"""Modulo which parts of tables are shared."""


class EngineSite(PartySite):
    """A party of a plan that names where each reaches the engines of the others; see ``PartySite``.

    Args:
        start: starts its session with the engine, anew for each run.

    *Formal guarantee.* As of a party. Of a selection the index alone is opened, with the parts of the noise of all
    three in the scores: the event ``NoisyMax``. Toward another party a person with other cells moves scores by twice as
    much, and so does it cost: the party charges that before it draws its part. Distances are not opened by the engine:
    each party gets a part of them, adds its share of the noise, and masks it. Of a training see ``PartyDescent``.
    """

    def __init__(
        self,
        plan: FederationPlan,
        identity: SiteIdentity,
        records: PartyRecords,
        account: SiteAccount,
        start: Callable[[], Session],
        entropy: Entropy = SYSTEM,
        kept: KeepsShares | None = None,
    ) -> None:
        super().__init__(plan, identity, records, account, entropy, kept)
        self._start = start
        self._session: Session | None = None
        self._training: PartyDescent | None = None
        self._methods |= {"engine": self._connected, "select": self._selected}
        self._methods |= {"reveal": lambda body: self._begun_training().reveal(body), "toss": self._toss}

    def close(self) -> None:
        """End the session with the engine; the other parties are told that this one is gone."""
        session, self._session = self._session, None
        if session is not None:
            session.kill()

    def _agreed(self, body: bytes) -> bytes:
        self.close()
        self._training = None
        return super()._agreed(body)

    def _connected(self, body: bytes) -> bytes:
        """Find the engines of the others, before anything is asked."""
        self.close()
        try:
            self._session = self._start()
            self._session.connect()
        except EngineError as error:
            raise FederationError(f"its engine: {error}") from None
        return b""

    def _paid(self, body: bytes) -> bytes:
        """Pay for a training, whole, before its first step, as toward another party; commit to a seed for its coins."""
        if "descent" not in self._plan.questions or self._session is None:
            raise FederationError("a training is outside the plan, or this party has no engine")
        from sfumato.trust.mpc.party_descent import PartyDescent  # imports jax, which counts do without

        training = PartyDescent(body, self._plan, self._session, self._sums)
        whole = training.secret.toward_a_party
        self._account.prepay_whole(whole, replace(whole, count=1), training.secret.descent.steps)
        self._training = training
        return training.commitment

    def _toss(self, body: bytes) -> bytes:
        self._begun_training().toss(body)
        return b""

    def _stepped(self, request: SumRequest, step: GradientStep) -> bytes:
        """Its part of the sum of a step, with its share of the noise."""
        training = self._begun_training()
        training.check(step)
        noised = partial(training.noised, step, self._parts.codes)
        one = replace(training.secret.toward_a_party, count=1)
        return self._account.answer(self._sums, request.number, self._subject(request), noised, training=one)

    def _begun_training(self) -> PartyDescent:
        if self._training is None:
            raise FederationError("a step of a training that was never begun")
        return self._training

    def _selected(self, body: bytes) -> bytes:
        """The index of a selection, four bytes: judged and priced here, charged, and then run with the two others."""
        request = SumRequest.of(body)
        question = request.question
        if not isinstance(question, Selection):
            raise FederationError("a selection is asked for by candidates")
        event, scale = self._priced(request, question)
        subject = self._subject(request)
        self._account.charge(request.number, () if event is None else (toward_a_party(event),))
        part = self._part(question, scale, self._sums.entropy(request.number, subject))
        cells = self._cells(question.distances)
        program = selecting(question.distances.tables.sizes(self._parts.domain), question.weights.tolist())
        found = self._run(program, [Parts(cells), Parts(part)], Opened(), subject)
        return int(found[0]).to_bytes(4, "little")

    def _priced(self, request: SumRequest, question: Selection) -> tuple[NoisyMax | None, float]:
        """What is opened, and the scale of its noise in steps, found from the question and the plan alone."""
        plan, (epsilon,) = self._plan, request.mu
        self._check(question, question.distances)
        try:
            if not plan.guarantee.private:
                event, scale = None, 0.0
            elif math.isinf(epsilon):
                raise FederationError("a selection without noise, in a plan that makes a promise; nothing is answered")
            else:
                event, scale = NoisyMax(epsilon, plan.roster.honest_shares), noisy_max.scale(epsilon)
            noise = PARTIES * furthest_noise(question, plan.max_rows, scale, plan.roster.honest_shares)
            check_scores(question.furthest(self._persons, self._parts.domain) + noise)
        except (TooMuchNoise, EngineError) as error:
            raise FederationError(str(error)) from None
        return event, scale

    def _check(self, question: Selection | Distances, distances: Distances) -> None:
        """FederationError for candidates that the plan, or what was dealt, does not have."""
        self._plan.check(question)
        try:
            question.check(self._parts.domain)
        except QuestionError as error:
            raise FederationError(str(error)) from None
        for query in filter(self._apart, distances.tables.queries):
            self._check_dealt(query)
        if self._session is None:
            raise FederationError("nothing is compared before the engines have found each other")

    def _part(self, question: Selection, scale: float, entropy: Entropy) -> np.ndarray:
        """What this party adds to the scores, (k,) int64 modulo 2^32: its noise, and the public biases at the first."""
        k = len(question.weights)
        part = np.zeros(k, np.int64)
        if scale:
            plan = self._plan
            step = noisy_max.step(question.moved_by(plan.max_rows))
            part = noisy_max.part(k, scale, step, plan.roster.honest_shares, entropy)
        return (part - (question.weights * question.biases if self._sums.place == 0 else 0)) % _RING

    def _cells(self, question: Distances) -> np.ndarray:
        """This party's parts of all cells less their estimates, in units, modulo 2^32."""
        shares = np.concatenate([self._share(query).ravel() for query in question.tables.queries])
        parts = (shares.astype(np.int64) % _RING) << question.fraction
        return (parts - (question.estimates if self._sums.place == 0 else 0)) % _RING

    def _run(self, program: Program, arguments: Sequence[Argument], result: Result, subject: bytes) -> np.ndarray:
        assert self._session is not None
        try:
            (found,) = self._session.run(program, arguments, [result], subject)
        except EngineError as error:
            raise FederationError(f"its engine: {error}") from None
        assert found is not None
        return found

    def _noise(self, request: SumRequest, question: SumQuestion) -> SharedNoise:
        if not isinstance(question, Distances):
            return super()._noise(request, question)
        self._check(question, question)
        return FederatedSite._noise(self, request, question)

    def _exact(self, question: SumQuestion) -> np.ndarray:
        if not isinstance(question, Distances):
            return super()._exact(question)
        program = measuring(question.tables.sizes(self._parts.domain))
        subject = hashlib.sha256(self._label + question.to_bytes()).digest()
        found = self._run(program, [Parts(self._cells(question))], Additive(), subject)
        return (found % np.uint64(_RING)).astype(np.int64)

    def _charged(self, noise: SharedNoise) -> Sequence[Event]:
        if not isinstance(noise.question, Distances):
            return super()._charged(noise)
        return tuple(map(_moved_twice, noise.events))

    @property
    def _persons(self) -> int:
        assert self._plan.split is not None
        return self._plan.split.number


def _moved_twice(event: Event) -> Event:
    """What a person with other cells costs, who moves a distance by twice as much."""
    assert isinstance(event, DistributedDiscreteGaussian)
    return DistributedDiscreteGaussian(event.scale, event.shares, 2 * event.sensitivity, event.multiple, event.count)
