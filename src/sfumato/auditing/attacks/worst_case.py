"""Worst-case audit of a mechanism: many games on neighbouring data chosen by the attacker, against the claim.

Source: Nasr et al. 2023 (tight auditing); Annamalai, Ganev, De Cristofaro 2024 for the setting of synthetic data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from sfumato.auditing.attacks.audit_bounds import epsilon_lower_bound, mu_lower_bound
from sfumato.privacy import gdp
from sfumato.privacy.accounting import mu_for
from sfumato.privacy.guarantee import Guarantee

Play = Callable[[bool], np.ndarray]
"""Plays games with the target in (True) or out; returns one score per independent game, higher for "in"."""


@dataclass(frozen=True)
class MechanismAudit:
    """What the games show, both bounds together with the confidence of the audit.

    Attributes:
        claimed: the guarantee; ``claimed_mu`` its largest mu in Gaussian differential privacy.
        mu_lower_bound: no smaller mu fits, if the mechanism is Gaussian (all releases of this project's marginal and
            gradient mechanisms are at most that).
        epsilon_from_mu: the epsilon that ``mu_lower_bound`` needs at the claimed delta.
        epsilon_lower_bound: by Clopper-Pearson, assuming nothing about the noise.
        games: how many were played on each side.
    """

    claimed: Guarantee
    claimed_mu: float
    mu_lower_bound: float
    epsilon_from_mu: float
    epsilon_lower_bound: float
    games: int
    seconds: float

    @property
    def violation(self) -> bool:
        """Whether a bound exceeds the claim."""
        return self.mu_lower_bound > self.claimed_mu or self.epsilon_lower_bound > self.claimed.epsilon

    @property
    def tightness(self) -> float:
        """Share of the claimed mu that was shown."""
        return self.mu_lower_bound / self.claimed_mu


def audit_mechanism(
    play: Play, claimed: Guarantee, games: int, *, significance: float = 0.05, seed: int = 0
) -> MechanismAudit:
    """Play at least ``games`` games on each side and compare what they show with the claim.

    ``significance`` is halved between the two bounds. Only the split of the scores is seeded.
    """
    began = perf_counter()
    sides = []
    for inside in (True, False):
        scores: list[np.ndarray] = []
        while sum(map(len, scores)) < games:
            scores.append(np.atleast_1d(np.asarray(play(inside), float)))
        sides.append(np.concatenate(scores)[:games])
    inside_scores, outside_scores = sides
    rng = np.random.default_rng(seed)
    mu = mu_lower_bound(inside_scores, outside_scores, rng, significance=significance / 2)
    epsilon = epsilon_lower_bound(inside_scores, outside_scores, claimed.delta, rng, significance=significance / 2)
    return MechanismAudit(
        claimed,
        mu_for(claimed),
        mu,
        gdp.epsilon(mu, claimed.delta) if mu > 0 else 0.0,
        epsilon,
        games,
        perf_counter() - began,
    )
