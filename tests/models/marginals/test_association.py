"""Scores of pairs, asked of settings that compare and of settings that only add."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.models.marginals.population import DOMAIN, curator, people
from tests.trust.federation import federated

from sfumato.models.marginals.association import Associations, clear_of_noise, distance, pairs_of, worth
from sfumato.models.marginals.columns import Resolution, measure_columns
from sfumato.models.marginals.projection import expected_noise
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.setting import Measurement, Query


@pytest.mark.parametrize("adding", [False, True])
def test_dependent_pairs_score_above_independent_ones(adding: bool) -> None:
    """Whether the setting compares or only adds; an adding one is asked once, for the whole share."""
    codes = people(6000)
    run = Ledger.open().begin(Guarantee(2.0, 1e-6), "scores")
    setting = federated(codes, DOMAIN, Budget(run), 3) if adding else curator(codes, epsilon=2.0)
    known = measure_columns(setting, 0.3, Silent())
    resolution = Resolution(known)
    grouped = setting.coarsened(known.maps)
    scores = Associations(grouped, resolution, 0.2)
    found = scores.distances(pairs_of(4), resolution.independent, 15.0, 0.5)
    assert {c for c in found if found[c] > 600} == {(0, 1), (0, 2), (1, 2)}
    assert setting.remaining == pytest.approx(0.5 if adding else 0.6, abs=1e-6)
    scores.distances(pairs_of(4), resolution.independent, 15.0, 0.5)
    assert setting.remaining == pytest.approx(0.5, abs=1e-6)
    assert scores.distances([], resolution.independent, 15.0, 0.5) == {}


def test_tables_that_noise_does_not_explain_are_told_from_those_that_it_does() -> None:
    rng = np.random.default_rng(0)
    noise = [Measurement(Query((0, i)), 100 + rng.normal(0, 5, (6, 6)), 5.0) for i in range(1, 21)]
    signal = [replace(t, values=t.values + np.where(np.eye(6), 60, -12)) for t in noise]

    def belief(query: Query) -> np.ndarray:
        return np.full((6, 6), 100.0)

    assert clear_of_noise(noise, belief) == clear_of_noise([], belief) == {}
    assert clear_of_noise(signal, belief) == {t.query.clique: distance(t, belief) for t in signal}
    assert np.mean([distance(t, belief) for t in noise]) == pytest.approx(0, abs=20)  # of noise of 144 each


def test_only_pairs_clear_of_the_noise_they_would_bring_are_worth_it() -> None:
    scores = {(0, 1): 100.0, (0, 2): 60.0, (1, 2): 40.0, (0, 3): 1.0}
    assert worth(scores, lambda c, k: 20.0, 5.0, 9) == [(0, 1), (0, 2), (1, 2)]
    assert worth(scores, lambda c, k: 20.0 * k, 5.0, 9) == [(0, 1), (0, 2)]
    assert worth(scores, lambda c, k: 0.0, 50.0, 9) == [(0, 1), (0, 2)]
    assert worth(scores, lambda c, k: 0.0, 0.0, 1) == [(0, 1)]
    assert worth({}, lambda c, k: expected_noise(1.0, 4), 0.0, 5) == []
