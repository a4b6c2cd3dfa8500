"""Three parties in this process that find who is common to them, and what is sent while they do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.mpc.intersection.intersecting import Intersecting
from sfumato.trust.mpc.intersection.steps import find_common
from sfumato.trust.secure_sum.run_keys import RunKey

PLAN = bytes(32)
Change = Callable[[str, int, bytes], bytes]
"""Of what a party answers to a call, by the call and its place."""


@dataclass
class Trio:
    """Parties with these keys, each of whom brings ``most``.

    Attributes:
        parties: by place.
        most: keys of each.
        sent: of each answer, the call, the place of the party and the answer.
        change: what becomes of an answer on its way.
    """

    parties: list[Intersecting]
    most: int
    sent: list[tuple[str, int, bytes]] = field(default_factory=list)
    change: Change = lambda method, place, answer: answer

    @classmethod
    def of(cls, keys: Sequence[Sequence[str]], most: int, entropy: Entropy = SYSTEM) -> Trio:
        """With fresh keys of a run."""
        run = [RunKey(entropy) for _ in keys]

        def pairs(place: int) -> Callable[[int], object]:
            made = {o: run[place].pair(place, o, run[o].public, b"run") for o in range(3) if o != place}
            return made.__getitem__

        return cls([Intersecting(p, pairs(p), most, own, PLAN, entropy) for p, own in enumerate(keys)], most)

    def ask(self, method: str, requests: Mapping[int, bytes]) -> dict[int, bytes]:
        """The answers of these parties."""
        answers = {}
        for place, body in requests.items():
            answer = self.answer(place, method, body)
            self.sent.append((method, place, answer))
            answers[place] = self.change(method, place, answer)
        return answers

    def answer(self, place: int, method: str, body: bytes) -> bytes:
        """Of one of them."""
        party = self.parties[place]
        calls = {"pass": party.passed, "store": lambda _: party.store(), "read": party.read, "common": party.common}
        return calls[method](body)

    def found(self) -> bytes:
        """Let them find who is common; the hash that all have."""
        return find_common(self.ask, self.most)
