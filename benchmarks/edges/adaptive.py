"""Adversaries who choose each release after seeing the last: what 200 of them get out of one ledger.

A strategy spends shares of the cap one after the other, each on one of several kinds of release, and picks the kind
by the losses that it has seen. The best such choice is found by backward induction over the losses, and the delta that
it reaches is exact but for rounding against us. The planted bug is the filter that the ledger once had: it took
the list of events so far as if it had been fixed beforehand.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.edges.loss import Loss, sampled, worst_delta
from sfumato.privacy.accounting import mu_for, poisson_noise_multiplier
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.spending import DELTA_SHARE

Rounds = list[list[PoissonSampledGaussian]]
CAP = Guarantee(1.0, 1e-6)
STRATEGIES = 200
KINDS = ((1.0, 1), (0.2, 20), (0.05, 100), (0.01, 300), (0.01, 20), (0.001, 200), (0.001, 5))
"""Sampling probability and steps: from one look at all records to a few rare ones, whose loss is large or nothing."""

SPLITS = ((0.25, 0.75), (0.5, 0.5), (0.75, 0.25), (0.25, 0.25, 0.5), (0.5, 0.25, 0.25), (0.25, 0.25, 0.25, 0.25))
"""Shares of the cap's squared mu, and of its part of delta, that a strategy spends in turn."""


def figures(strategies: int = STRATEGIES) -> list[dict[str, Any]]:
    """The worst of so many strategies under the ledger's filter, and the seven choices that passed the old one."""
    worst = true_epsilon(worst_of(strategies)) / CAP.epsilon
    broken = true_epsilon(seven_choices()) / CAP.epsilon
    return [
        _figure(f"adaptive choices over one ledger, worst of {strategies}: true epsilon / cap", worst, worst <= 1),
        _figure("planted: seven choices that a filter of lists lets pass: true epsilon / cap", broken, broken > 1),
    ]  # fmt: skip


def _figure(name: str, value: float, met: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": 1.0, "met": met}


def worst_of(strategies: int, seed: int = 0) -> Rounds:
    """The rounds of the strategy that reaches the largest delta; each round chooses among two to all kinds."""
    draw = np.random.default_rng(seed)
    found: list[tuple[float, Rounds]] = []
    for _ in range(strategies):
        split = SPLITS[draw.integers(len(SPLITS))]
        kinds = [draw.permutation(len(KINDS))[: draw.integers(2, len(KINDS) + 1)] for _ in split]
        rounds = [[event(*KINDS[k], share) for k in some] for some, share in zip(kinds, split, strict=True)]
        found.append((true_delta(affordable(rounds), CAP.epsilon), rounds))
    return max(found, key=lambda one: one[0])[1]


@lru_cache(maxsize=256)
def event(probability: float, steps: int, share: float) -> PoissonSampledGaussian:
    """The least noised release of its kind that takes ``share`` of the cap, in mu and in delta."""
    tail = share * DELTA_SHARE * CAP.delta * (1 - 1e-9)
    noise = poisson_noise_multiplier(probability, steps, math.sqrt(share) * mu_for(CAP), tail)
    return PoissonSampledGaussian(probability, noise, steps, tail=tail)


def affordable(rounds: Rounds) -> Rounds:
    """The rounds, after a ledger was charged with ten ways through them (all cost the same) and refused none."""
    for path in itertools.islice(itertools.product(*rounds), 10):
        with Ledger.open(None, CAP) as ledger:
            run = ledger.begin(CAP, "attack")
            for one in path:
                run.charge(one)
    return rounds


def true_delta(rounds: Rounds, epsilon: float) -> float:
    """The delta that the best adversary over ``rounds`` reaches at ``epsilon``, for a removed or an added record."""
    return max(worst_delta([[loss(e, removed) for e in some] for some in rounds], epsilon) for removed in (True, False))


def true_epsilon(rounds: Rounds) -> float:
    """The epsilon that the best adversary over ``rounds`` leaves at the cap's delta; an upper end, to 1e-4."""
    low, high = 0.5 * CAP.epsilon, 2 * CAP.epsilon
    while high > low + 1e-4:
        middle = (low + high) / 2
        low, high = (middle, high) if true_delta(rounds, middle) > CAP.delta else (low, middle)
    return high


@lru_cache(maxsize=1024)
def loss(one: PoissonSampledGaussian, removed: bool) -> Loss:
    """The loss of one event for a record that is removed, or added."""
    return sampled(one.sampling_probability, one.noise_multiplier, one.count, removed)


def passes_as_a_list(path: list[PoissonSampledGaussian]) -> bool:
    """The planted filter: whether the events so far, composed as a list, keep the cap."""
    both = (math.prod((loss(e, removed) for e in path[1:]), start=loss(path[0], removed)) for removed in (True, False))
    return max(law.delta(CAP.epsilon) for law in both) <= CAP.delta


def seven_choices() -> Rounds:
    """One release, then the least noised of each kind that the planted filter lets pass after it."""
    first = PoissonSampledGaussian(1.0, math.sqrt(2) / mu_for(CAP), 1)
    return [[first], [_least_noised(first, *kind) for kind in KINDS]]


def _least_noised(first: PoissonSampledGaussian, probability: float, steps: int) -> PoissonSampledGaussian:
    low, high = 0.05, 100.0
    while high > low * 1.001:
        middle = math.sqrt(low * high)
        passes = passes_as_a_list([first, PoissonSampledGaussian(probability, middle, steps)])
        low, high = (low, middle) if passes else (middle, high)
    return PoissonSampledGaussian(probability, high, steps)
