"""The probability-flow equation of diffusion, solved as in Karras et al. 2022 (EDM, arXiv 2206.00364)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jax import Array, lax
from jaxtyping import Float

_CURVE = 7.0
"""rho of EDM, eq. 5."""
MIDDLE, DEVIATION = -0.5, 1.2
"""Of the logarithm of noise levels in training, in units of the spread of the data: EDM's -1.2 and 1.2 at 0.5."""
LEVEL_UNIT = 4.0
"""A network is told the logarithm of a noise level over this (EDM, table 1)."""


def schedule(high: float, low: float, steps: int) -> np.ndarray:
    """Noise levels from high to low, (steps,): EDM, eq. 5."""
    first, last = (v ** (1 / _CURVE) for v in (high, low))
    return (np.linspace(first, last, steps) ** _CURVE).astype(np.float32)


def integrate(
    slope: Callable[[Array, Array], Array], start: Float[Array, "batch width"], levels: Float[Array, " steps"]
) -> Float[Array, "batch width"]:
    """Follow ``slope(x, level)`` along ``levels`` by Heun's method (EDM, algorithm 1, but for its step to zero)."""

    def step(x: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
        here, there = pair
        one = slope(x, here)
        other = slope(x + (there - here) * one, there)
        return x + (there - here) * (one + other) / 2, None

    return lax.scan(step, start, (levels[:-1], levels[1:]))[0]
