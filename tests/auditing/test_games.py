"""One run of canaries and worst-case games: right mechanisms are not accused, halved noise is."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.auditing.attacks.one_run import one_run
from sfumato.auditing.attacks.worst_case import audit_mechanism
from sfumato.privacy.accounting import mu_for
from sfumato.privacy.guarantee import Guarantee

CLAIMED = Guarantee(2.0, 1e-5)


@pytest.mark.parametrize(("noise", "violates"), [(1.0, False), (0.5, True)])
def test_worst_case_games(noise, violates):
    rng = np.random.default_rng(3)
    sigma = noise / mu_for(CLAIMED)
    found = audit_mechanism(lambda inside: inside + rng.normal(0, sigma, 1000), CLAIMED, 20_000)
    assert found.violation == violates
    if not violates:
        assert 0.85 < found.tightness <= 1
        assert found.epsilon_from_mu <= CLAIMED.epsilon


@pytest.mark.parametrize(("noise", "violates"), [(1.0, False), (0.4, True)])
def test_one_run_of_canaries(noise, violates):
    claimed = Guarantee(4.0, 1e-5)
    rng = np.random.default_rng(5)
    canaries = np.arange(2000)[:, None]
    sigma = noise / mu_for(claimed)

    def release(rows: np.ndarray) -> np.ndarray:
        return np.bincount(rows[:, 0], minlength=2000) + rng.normal(0, sigma, 2000)

    found = one_run(release, lambda counts, c: counts[c[:, 0]], canaries[:0], canaries, claimed.delta, rng)
    assert (found.epsilon_fdp > claimed.epsilon) == violates
    assert found.epsilon_fdp > 0.5
    assert found.inside + found.outside == 2000
