"""Real Gaussian noise, for sums of real vectors."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from sfumato.privacy.randomness import SYSTEM, Entropy, uniforms

_SUMMANDS = 4


def add_gaussian(values: np.ndarray, sigma: float, entropy: Entropy = SYSTEM) -> np.ndarray:
    """``values`` plus independent Gaussian noise of standard deviation ``sigma``, as float64 of the same shape.

    Each draw is the scaled sum of four independent normal numbers, so that the rounding pattern of one cannot be
    solved for (Holohan and Braghin 2021).

    *Formal guarantee.* If one unit moves ``values`` by at most ``s`` in l2 norm, the release is the event
    ``Gaussian(sigma / s)``: ``s / sigma``-GDP under add/remove of that unit, for ideal real numbers. Limit: float64
    arithmetic is not ideal, and an observer of the last bits may learn more (Mironov 2012); counts therefore take
    integer noise (``discrete_gaussian``).
    """
    values = np.asarray(values, dtype=np.float64)
    if not 0 < sigma < np.inf:
        raise ValueError(f"sigma must be a positive finite number, got {sigma!r}")
    normal = ndtri(uniforms(_SUMMANDS * values.size, entropy)).reshape(_SUMMANDS, *values.shape).sum(0)
    return values + normal * (sigma / np.sqrt(_SUMMANDS))
