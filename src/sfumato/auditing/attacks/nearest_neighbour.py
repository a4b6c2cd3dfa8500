"""Membership by distance to the nearest synthetic row, raw and calibrated by the distance to reference rows.

Source: Chen et al. 2020 (GAN-Leaks), sections 5.2 and 5.4. The raw distance is a weak attack, and no privacy measure.
"""

from __future__ import annotations

import numpy as np

from sfumato.auditing.attacks.game import Game

_FLOOR = 1e-3
"""Added to distances, so that the logarithm of none is finite."""


def nearest_neighbour(game: Game, rng: np.random.Generator) -> np.ndarray:
    """Minus the distance to the nearest synthetic row."""
    return -game.distances[:, 0]


def nearest_neighbour_calibrated(game: Game, rng: np.random.Generator) -> np.ndarray:
    """How many times nearer the nearest synthetic row is than the nearest reference row, in logarithms."""
    return np.log(game.population.reference_distances[:, 0] + _FLOOR) - np.log(game.distances[:, 0] + _FLOOR)
