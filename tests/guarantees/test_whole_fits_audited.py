"""Worst-case audits of whole fits of marginal models: their answers stay below the claim, and bugs are caught.

Error rates: a right build is accused with probability at most ``ACCUSED``; halved noise nearly doubles mu, which 500
fits a side missed in none of 2,000 simulations.
"""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.whole_fits import CLAIMS, DRAWS, games

from sfumato.auditing.attacks.audit_bounds import mu_lower_bound
from sfumato.models.marginals.aim import Aim
from sfumato.models.marginals.mst import Mst
from sfumato.privacy.accounting import mu_for
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust import noising

ACCUSED = 1e-3
FITS = 500


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("recipe", [Mst(draws=DRAWS), Aim(draws=DRAWS)], ids=["mst", "aim"])
def test_a_whole_fit_stays_below_its_claim_and_halved_noise_is_caught(
    monkeypatch: pytest.MonkeyPatch, recipe: Mst | Aim, halved: bool
) -> None:
    if halved:
        monkeypatch.setattr(
            noising, "add_discrete_gaussian", lambda counts, sigma, _=SYSTEM: add_discrete_gaussian(counts, sigma / 2)
        )
    play = games(recipe, CLAIMS[0])
    inside, outside = (np.concatenate([play(side) for _ in range(FITS)]) for side in (True, False))
    bound = mu_lower_bound(inside, outside, np.random.default_rng(0), ACCUSED)
    assert (bound > mu_for(CLAIMS[0])) == halved
