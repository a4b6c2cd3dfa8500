"""What it costs parties to find whom they have in common: three in one process, without connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.simulated import MEGABYTE
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.mpc.counting import PARTIES
from sfumato.trust.mpc.intersection.intersecting import Intersecting
from sfumato.trust.mpc.intersection.steps import find_common
from sfumato.trust.secure_sum.run_keys import PairKeys, RunKey

_RUN, _PLAN = b"benchmark", bytes(32)
_HAD = 0.9
"""Share of the persons that a party may bring which it has; it brings keys of nobody for the rest."""


class Timed:
    """Three parties whose CPU seconds and bytes are added up, by place; one thread computes at a time."""

    def __init__(self, keys: list[list[str]], most: int) -> None:
        run = [RunKey(SYSTEM) for _ in range(PARTIES)]

        def pairs(place: int) -> Callable[[int], PairKeys]:
            others = [other for other in range(PARTIES) if other != place]
            return {other: run[place].pair(place, other, run[other].public, _RUN) for other in others}.__getitem__

        self.seconds, self.sent, self.calls = [0.0] * PARTIES, [0] * PARTIES, 0
        self.parties = []
        for place, own in enumerate(keys):
            began = time.process_time()
            self.parties.append(Intersecting(place, pairs(place), most, own, _PLAN, SYSTEM))
            self.seconds[place] += time.process_time() - began

    def ask(self, method: str, requests: Mapping[int, bytes]) -> dict[int, bytes]:
        """See ``intersection.steps.Ask``."""
        answers = {}
        self.calls += 1
        for place, body in requests.items():
            began, party = time.process_time(), self.parties[place]
            calls = {"pass": party.passed, "read": party.read, "common": party.common}
            answers[place] = party.store() if method == "store" else calls[method](body)
            self.seconds[place] += time.process_time() - began
            self.sent[place] += len(answers[place])
        return answers


def rows(most: int) -> Iterator[Row]:
    """Figures for parties that bring so many keys each."""
    rng = np.random.default_rng(most)
    whole = [f"{i:09d}" for i in range(most)]
    keys = [sorted(whole[i] for i in rng.permutation(most)[: int(_HAD * most)]) for _ in range(PARTIES)]
    made = Timed(keys, most)
    find_common(made.ask, most)
    common = set(keys[0]).intersection(*keys[1:])
    wrong = 0
    for party, own in zip(made.parties, keys, strict=True):
        assert party.places is not None
        wrong += len(common.symmetric_difference(own[i] for i in party.places if i >= 0))
    name = f"{most:,} keys a party, {len(common):,} of them common"
    yield figure(f"persons found wrongly, by all three: {name}", wrong, 0)
    yield figure(f"CPU seconds of the party that takes most: {name}", max(made.seconds))
    yield figure(f"MB sent by the largest party: {name}", max(made.sent) / MEGABYTE)
    yield figure(f"calls of the coordinator: {name}", made.calls)
