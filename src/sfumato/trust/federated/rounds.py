"""The coordinator's way through a federation: set-up, then rounds, each over the sites that are left."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import numpy as np

from sfumato.errors import FederationError
from sfumato.federation.defaults import DEADLINE
from sfumato.trust.federated.agreement import check_signed, write_signatures
from sfumato.trust.federated.attendance import Attendance, RoundStage
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.site_facts import codec_digest, first_codec
from sfumato.trust.federated.transport import Replies, Transport
from sfumato.trust.mpc.counting import OneHotLayout, after
from sfumato.trust.mpc.dealing import block_bytes, blocks, dealing_id, dealing_label, sealed_block, sealed_for
from sfumato.trust.mpc.intersection.steps import find_common, with_common
from sfumato.trust.mpc.row_sharing import read_sharings, sharing_label
from sfumato.trust.questions import GradientStep, LocalRun, Question, Selection, SumQuestion
from sfumato.trust.secure_sum.identity import SignaturePurpose, check_signature
from sfumato.trust.secure_sum.masks import WORDS, centred
from sfumato.trust.secure_sum.sum_coordinator import Opening, SumCoordinator
from sfumato.trust.secure_sum.terms import RoundNumber

LOCAL_STEP = 5.0
"""Seconds that it has for each step of a local run: one of ``vae`` took 0.2 on two busy cores."""
ENCODING = 180.0
"""Seconds that a site has to encode its rows anew: ten million rows of fifteen columns take up to a minute."""


STARTING = 40.0
"""Seconds that parties have to find each other's engines: most take one, and a peer is waited for for thirty."""


class SecureRounds:
    """Opens sums over the sites of a plan, one round after the other.

    Args:
        plan: what the sites signed.
        transport: reaches them.
        deadline: seconds that a site has for each answer.

    Attributes:
        lost: names of the sites that did not answer when they were asked last, with what they said.
        attendance: who was missing from which round.
        opened_rounds: sums that were opened.
        codec: SHA-256 of what the sites encode their records by; empty before the set-up.
        signatures: by place, of each site under the plan; empty before the set-up.
        owners_signed: by place, of each owner under a plan with servers; empty before one of these was asked.
    """

    def __init__(self, plan: FederationPlan, transport: Transport, deadline: float = DEADLINE) -> None:
        self.plan, self._transport, self._deadline = plan, transport, deadline
        self._coordinator = SumCoordinator(plan.terms)
        self._round = self.opened_rounds = 0
        self.lost: dict[str, str] = {}
        self.attendance = Attendance()
        self.signatures: Mapping[int, bytes] = {}
        self.owners_signed: tuple[bytes, ...] = ()
        self.codec = self._dealt = self._dealing = b""

    def set_up(self) -> None:
        """Have all sites sign the plan, then exchange the keys and the shares of a run, whose rounds are new ones.

        FederationError where a site does not take part.
        """
        everybody = range(self.plan.terms.sites)
        self.codec = codec_digest(first_codec(self.plan.schema))  # sites forget what they were told of facts
        self._dealt = self._dealing = b""  # and parties what they dealt, but for what each keeps
        self.signatures = self._all("agree", dict.fromkeys(everybody, self.plan.digest))
        for place, signature in self.signatures.items():
            check_signed(self.plan, place, signature)
        self._all("begin", dict.fromkeys(everybody, write_signatures(self.signatures)))
        self._round = max(self._round, -(-self._set_up_sums() // self.plan.attempts))
        split = self.plan.split
        if split is not None and split.persons is None:
            common = find_common(lambda method, asked: self._all(method, asked, ENCODING), split.number)
            self.codec = with_common(self.codec, common)
        if self.plan.compares:
            self._all("engine", dict.fromkeys(everybody, b""), STARTING)

    @property
    def _present(self) -> tuple[int, ...]:
        """Places of the sites that were set up; empty before."""
        return self._coordinator.present

    def _set_up_sums(self) -> int:
        """Exchange the keys and the shares of a run; the most numbers of the plan that a site has used."""
        everybody = range(self.plan.terms.sites)
        keys = self._coordinator.keys(self._all("key", dict.fromkeys(everybody, b"")))
        deliveries = self._coordinator.deliveries(self._all("shares", dict.fromkeys(everybody, keys)))
        self._all("receive", deliveries)
        return self._coordinator.used

    def check_left(self, rounds: int) -> None:
        """FederationError unless so many ``rounds`` are left of those of the plan."""
        left = self.plan.rounds - self._round
        if rounds > left:
            raise FederationError(f"{rounds} rounds are needed, and {left} of the plan are left: make a new plan")

    def go_on(self, opened: int) -> None:
        """Count sums that were opened before the coordinator was started again, and are not asked for now."""
        self.opened_rounds += opened

    def deal(self, maps: bytes, layout: OneHotLayout) -> None:
        """Let parties make shares of the tables of their columns, seen through ``maps``; see ``trust.mpc.dealing``.

        Nothing is dealt anew where these are the maps that were dealt last, or where all parties kept one dealing of
        them. FederationError where a block is of another length than its ``layout`` says: it is not passed on.
        """
        assert self.plan.split is not None, "columns are dealt by parties"
        persons = self.plan.split.number
        label = dealing_label(self.plan.digest, self.codec, maps)
        if label == self._dealt:
            return
        everybody = range(self.plan.terms.sites)
        kept = set(self._all("count", dict.fromkeys(everybody, maps), ENCODING).values())
        if len(kept) == 1 and all(kept):  # of one dealing that was complete at all of them
            (self._dealing,) = kept
            self._all("kept", dict.fromkeys(everybody, self._dealing))
        else:
            self._dealing = dealing_id(label, self._coordinator.run)
            for block in range(blocks(layout, persons)):
                dealt = self._all("deal", dict.fromkeys(everybody, block_bytes(block)))
                for place, data in dealt.items():
                    if len(data) != sealed_block(layout, persons, place, block):
                        raise FederationError(f"site {self._name(place)} deals a block of another length than it has")
                self._all("dealt", {place: dealt[after(place)] for place in everybody})
        self._dealt = label

    def find_sharings(self) -> None:
        """Learn by which names servers know the rows that were shared to them, and that their owners signed the plan.

        FederationError unless all three have shares of the same sharings.
        """
        if self._dealing:
            return
        outsourced = self.plan.outsourced
        assert outsourced is not None, "servers are asked by a plan that names the owners of the rows"
        told = set(self._all("sharings", dict.fromkeys(range(self.plan.terms.sites), b"")).values())
        if len(told) > 1:
            raise FederationError(
                "the servers have shares of different sharings, of which nothing can be opened: let each owner share"
                " its rows once more, and give all three servers what it made then"
            )
        names, self.owners_signed = read_sharings(told.pop(), len(outsourced.owners))
        for owner, signature in zip(outsourced.owners, self.owners_signed, strict=True):
            check_signature(owner.public_key, SignaturePurpose.PLAN, self.plan.data, signature, f"owner {owner.name}")
        self._dealing = sharing_label(self.codec, names)

    def opened(self, question: SumQuestion, mu: Sequence[float], values: int) -> tuple[np.ndarray, int]:
        """The noised sum of ``values`` whole numbers, int64, in a new round, and over how many sites it is.

        An attempt that cannot be opened is made again as the plan allows; every site is charged for each.
        """
        return self._in_a_new_round(question, tuple(mu), values)

    def selected(self, question: Selection, epsilon: float) -> int:
        """The index of a selection by parties, in a new round: it is tried once, since engines are lost together.

        FederationError where a party does not answer, or they do not all say the same.
        """
        self._round += 1
        request = SumRequest(RoundNumber(self._round), question, (epsilon,))
        asked = dict.fromkeys(range(self.plan.terms.sites), request.data)
        answers = self._ask("select", asked).answers
        if len(answers) < len(asked):  # who is lost takes the engines of the others along: all say what they saw
            raise FederationError(f"nothing was selected{self._said()}")
        found = set(answers.values())
        if len(found) != 1:
            raise FederationError("the parties opened different indices of one selection: nothing is taken from it")
        index = int.from_bytes(found.pop(), "little")
        if index >= len(question.weights):
            raise FederationError("the parties opened an index that no candidate has")
        self.opened_rounds += 1
        return index

    def tell_facts(self, facts: bytes) -> Mapping[str, bytes]:
        """Tell every site what was found of the facts left open; by name, what each made of it."""
        told = self._all("facts", dict.fromkeys(self._present, facts), ENCODING)
        return {self._name(place): made for place, made in told.items()}

    def begin_descent(self, asked: bytes) -> None:
        """Let every site pay for a training; FederationError where one does not."""
        self._all("descent", dict.fromkeys(self._present, asked))

    def begin_secret_descent(self, asked: bytes) -> None:
        """Let every party pay for a training, and toss the coins of its batches with the others."""
        everybody = range(self.plan.terms.sites)
        committed = self._all("descent", dict.fromkeys(everybody, asked))
        sealed = self._all("reveal", dict.fromkeys(everybody, b"".join(committed[p] for p in everybody)))
        self._all("toss", {place: sealed_for(sealed, place) for place in everybody})

    def opened_step(self, step: GradientStep, numbers: int) -> np.ndarray:
        """The noised sum of a step of the training that was begun, (numbers,) int64."""
        return self._in_a_new_round(step, (), numbers)[0]

    def begin_averaging(self, asked: bytes) -> None:
        """Let every site pay for a training by averages; FederationError where one does not."""
        self._all("averaging", dict.fromkeys(self._present, asked))

    def added_changes(self, run: LocalRun, numbers: int, secure: bool) -> tuple[np.ndarray, int]:
        """What a local run changed at all sites together, (numbers,) int64, and at how many.

        In the clear, those that do not answer are left out; FederationError where nobody does.
        """
        if secure:
            return self._in_a_new_round(run, (), numbers)
        self._round += 1
        request = SumRequest(RoundNumber(self._round), run)
        asked = dict.fromkeys(self._present, request.data)
        answers = self._ask("clear", asked, self._patience(run)).answers
        whole = {place: a for place, a in answers.items() if len(a) == WORDS[32].itemsize * numbers}
        self.attendance.saw(self._round, "change", asked, whole)
        vectors = [np.frombuffer(a, WORDS[32]) for a in whole.values()]
        if not vectors:
            raise FederationError(f"no site sent what a local run changed{self._said()}")
        self.opened_rounds += 1
        return np.sum([centred(vector) for vector in vectors], axis=0), len(vectors)

    def _in_a_new_round(
        self, question: SumQuestion | GradientStep | LocalRun, mu: tuple[float, ...], values: int
    ) -> tuple[np.ndarray, int]:
        self._round += 1
        for attempt in range(1, self.plan.attempts + 1):
            request = SumRequest(RoundNumber(self._round, attempt), question, mu)
            try:
                total, sites = self._attempt(request, values)
            except FederationError as error:
                if attempt == self.plan.attempts:
                    raise FederationError(f"nothing was opened: {error}{self._said()}") from None
            else:
                self.opened_rounds += 1
                return centred(total), sites
        raise AssertionError("a plan has at least one attempt")

    def _attempt(self, request: SumRequest, values: int) -> tuple[np.ndarray, int]:
        opening = self._coordinator.opening(request.number, request.subject(self._dealing or self.codec), values)
        asked = dict.fromkeys(self._present, request.data)
        masked = self._ask("masked", asked, self._patience(request.question)).answers
        with self._noted(opening, "vector", asked, masked):
            for place, answer in masked.items():
                opening.add(place, answer)
            survivors = opening.listed()
        assert opening.survivors is not None
        signed = self._ask("consent", dict.fromkeys(opening.survivors, survivors)).answers
        with self._noted(opening, "consent", opening.survivors, signed):
            consents = opening.consents(signed)
        unmasking = self._ask("unmask", dict.fromkeys(signed, consents)).answers
        with self._noted(opening, "unmasking", signed, unmasking):
            total = opening.opened(unmasking)
        return total, len(opening.survivors)

    @contextmanager
    def _noted(
        self, opening: Opening, stage: RoundStage, asked: Collection[int], answers: Mapping[int, bytes]
    ) -> Iterator[None]:
        """Note who was missing from a stage once its answers were read, also where they open nothing."""
        try:
            yield
        finally:
            self.attendance.saw(opening.number.round, stage, asked, answers.keys() - opening.refused.keys())

    def _patience(self, question: Question) -> float:
        """Seconds that its answer may take; 0: no more than any."""
        averaging = self.plan.averaging
        return LOCAL_STEP * averaging.local_steps if isinstance(question, LocalRun) and averaging is not None else 0.0

    def _ask(self, method: str, requests: Mapping[int, bytes], deadline: float = 0.0) -> Replies:
        replies = self._transport.call(method, requests, max(deadline, self._deadline))
        for place in requests:
            self.lost.pop(self._name(place), None)
        for place, said in replies.failures.items():
            self.lost[self._name(place)] = said
        return replies

    def _all(self, method: str, requests: Mapping[int, bytes], deadline: float = 0.0) -> Mapping[int, bytes]:
        """The answers of all sites; FederationError with what the first that failed said."""
        replies = self._ask(method, requests, deadline)
        for place in requests:
            if place not in replies.answers:
                said = replies.failures.get(place, "no answer in time")
                raise FederationError(f"site {self._name(place)} does not take part: {said}")
        return replies.answers

    def _name(self, place: int) -> str:
        return self.plan.roster.members[place].name

    def _said(self) -> str:
        """What the sites that failed said, each once."""
        return "".join(f"; site {name}: {said}" for name, said in self.lost.items())
