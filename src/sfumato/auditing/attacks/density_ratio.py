"""Membership by the ratio of the synthetic density to the reference density, estimated from k nearest neighbours.

Source: van Breugel et al. 2023 (DOMIAS), eq. 3, with the k-nearest-neighbour density estimate.
"""

from __future__ import annotations

import numpy as np

from sfumato.auditing.attacks.game import Game

_FLOOR = 1e-3
"""Added to distances, so that the logarithm of none is finite."""


def density_ratio(game: Game, rng: np.random.Generator) -> np.ndarray:
    """Difference of the log distances to the k-th nearest reference and synthetic row, averaged over k = 1..5."""
    k = min(game.distances.shape[1], game.population.reference_distances.shape[1])
    outer = np.log(game.population.reference_distances[:, :k] + _FLOOR)
    return (outer - np.log(game.distances[:, :k] + _FLOOR)).mean(1)
