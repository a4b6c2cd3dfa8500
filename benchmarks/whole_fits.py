"""Whole fits of marginal models audited in the worst case: every noisy answer is seen, both tables are known.

The neighbours: forty people in one cell, and one more who is alone in another. Post-processing is cut short (256 draws
in place of 50,000): it changes what is made of the answers, not what they cost, and a fit then takes milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from sfumato.auditing.attacks.transcript import Witness
from sfumato.auditing.attacks.worst_case import MechanismAudit, audit_mechanism
from sfumato.encoding.domain import Domain
from sfumato.models import Model
from sfumato.models.marginals.aim import Aim
from sfumato.models.marginals.mst import Mst
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

DOMAIN = Domain.of(["a", "b"], [2, 2])
OTHERS = np.zeros((40, 2), int)
WITH_TARGET = np.concatenate([OTHERS, [[1, 1]]])
DRAWS = 256
"""Post-processing on few: only what was answered is looked at."""
CLAIMS = (Guarantee(4.0, 1e-5), Guarantee(1.0, 1e-2))


def central(rows: np.ndarray, guarantee: Guarantee) -> Central:
    """A curator with a budget of its own."""
    cap = Guarantee(2 * guarantee.epsilon, 2 * guarantee.delta)
    return Central(Records.of(rows, DOMAIN), Budget(Ledger.open(None, cap).begin(guarantee, "audit")))


def games(recipe: Model, claimed: Guarantee) -> Callable[[bool], np.ndarray]:
    """A game is a whole fit; its score the likelihood ratio of all that was answered."""
    exact = central(WITH_TARGET, Guarantee(math.inf)), central(OTHERS, Guarantee(math.inf))

    def play(inside: bool) -> np.ndarray:
        witness = Witness(central(WITH_TARGET if inside else OTHERS, claimed), exact)
        recipe.fit(witness, target=None, progress=Silent())  # type: ignore[arg-type]
        return witness.ratio

    return play


def measure(fits: int = 20_000) -> dict[str, Any]:
    """How much of the claimed mu is shown, for the tree model and the default one."""
    found = {}
    for recipe in (Mst(draws=DRAWS), Aim(draws=DRAWS)):
        for claimed in CLAIMS:
            result = audit_mechanism(games(recipe, claimed), claimed, fits)
            found[f"{recipe.name}, epsilon {claimed.epsilon:g}, delta {claimed.delta:g}"] = shown(result)
    return found


def shown(result: MechanismAudit) -> dict[str, Any]:
    """The figures of one audit, rounded."""
    return {
        "mu_claimed": round(result.claimed_mu, 4),
        "mu_lower_bound": round(result.mu_lower_bound, 4),
        "tightness": round(result.tightness, 3),
        "epsilon_from_mu": round(result.epsilon_from_mu, 3),
        "violation": result.violation,
        "seconds": round(result.seconds, 1),
    }
