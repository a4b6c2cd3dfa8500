"""Membership by a classifier that tells synthetic from reference rows: members look synthetic.

Source: Houssiau et al. 2022 (TAPAS), the classifier attack without shadow models.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from sfumato.auditing.attacks.game import Game

_ROWS = 20_000
"""Of each side that the forest is trained on: more make it slower and hardly sharper."""


def classifier(game: Game, rng: np.random.Generator) -> np.ndarray:
    """Probability of "synthetic", (n,), from a forest grown to small leaves on balanced samples of both tables."""
    population = game.population
    n = min(len(game.synthetic), len(population.reference), _ROWS)
    tables = [t[rng.permutation(len(t))[:n]] for t in (game.synthetic, population.reference)]
    forest = RandomForestClassifier(n_estimators=50, min_samples_leaf=2, random_state=int(rng.integers(2**31)))
    forest.fit(np.concatenate(tables).astype(np.float32), np.repeat([1, 0], n))
    return forest.predict_proba(population.candidates.astype(np.float32))[:, 1]
