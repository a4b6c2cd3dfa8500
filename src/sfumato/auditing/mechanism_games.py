"""Games against the two kinds of mechanism on the worst neighbours: noisy counts, and clipped sums of vectors.

Many games are played in one run: each target has a cell, or a coordinate, of its own, so its noise is its own too.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sfumato.auditing.attacks.worst_case import Play
from sfumato.encoding.domain import Domain
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import VECTORS, Feature, FeatureSum, PublicArrays
from sfumato.trust.records import Records
from sfumato.trust.setting import Query

_BOUND, _FAR = 0.7, 1e6
"""A bound that is no power of two, and a vector far beyond it: clipping has to act."""
_SHARES = (2 / 3, 1 / 3)
"""Of the budget, for the first and the second table: unequal, so that a share that is mixed up shows."""
_COORDINATES = 1000
"""Games that are played in one sum, each in a coordinate of its own."""


def marginal_games(claimed: Guarantee, games: int) -> Play:
    """Two tables, a target alone in each cell: every cell is a game; the budget is spent two to one."""
    domain = Domain.of(("a", "b"), (games, games))

    def play(inside: bool) -> np.ndarray:
        rows = np.repeat(np.arange(games)[:, None], 2, axis=1)[: games if inside else 0]
        setting = _setting(rows, domain, claimed)
        mus = [setting.mu(share) for share in _SHARES]
        answers = setting.marginals([Query((0,)), Query((1,))], mus)
        first, second = (a.values / a.sigma**2 for a in answers)
        return first + second

    return play


def gradient_games(claimed: Guarantee, games: int) -> Play:
    """A sum of vectors, each a target's own coordinate far beyond the clipping bound: every coordinate is a game."""
    chunk = min(games, _COORDINATES)
    domain = Domain.of(("a",), (chunk,))
    question = FeatureSum("a coordinate each", chunk, _BOUND)

    def play(inside: bool) -> np.ndarray:
        rows = np.arange(chunk)[:, None] if inside else np.zeros((0, 1), int)
        setting = _setting(rows, domain, claimed)
        return setting.feature_sum(question, setting.mu(1.0))

    return play


def _coordinates(domain: Domain, arrays: PublicArrays) -> Feature:
    """The installed feature "a coordinate each": far out along the coordinate that the only column says."""
    return lambda codes: _FAR * (codes[:, :1] == np.arange(domain.sizes[0]))


VECTORS.add("a coordinate each", _coordinates)


def _setting(rows: np.ndarray, domain: Domain, claimed: Guarantee) -> Central:
    """A curator with a budget of its own."""
    run = Ledger.open(None, replace(claimed, delta=2 * claimed.delta)).begin(claimed, "audit")
    return Central(Records.of(rows, domain), Budget(run))
