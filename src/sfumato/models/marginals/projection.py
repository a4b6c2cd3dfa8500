"""From noisy tables to tables that could be counts: projection on the simplex, and how much noise explains."""

from __future__ import annotations

import numpy as np

NO_MASS = 1e-9
"""Counts that stand for none, to divide by or take the logarithm of."""
_MOST = 10.0
"""Largest factor of one scaling step, and one over the smallest: a step that overshoots is undone by the next."""
_NO_RESIDUAL = 1e-300
"""In place of zero, to divide by."""


def project(values: np.ndarray, total: float) -> np.ndarray:
    """The nearest non-negative table with sum ``total`` in l2 (Duchi et al. 2008), of the shape of ``values``."""
    flat = np.sort(values, axis=None)[::-1]
    excess = (np.cumsum(flat) - total) / np.arange(1, flat.size + 1)
    last = np.flatnonzero(flat > excess)[-1]
    return np.maximum(values - excess[last], 0.0)


def part_kept(residual: np.ndarray, sigma: float, slack: float = 1.0) -> float:
    """How much of a residual is signal (0..1): positive-part James-Stein with the noise level known.

    ``slack`` is the part of the expected noise that is held against the residual.
    """
    noise = slack * residual.size * sigma**2
    return max(0.0, 1.0 - noise / max(float((residual**2).sum()), _NO_RESIDUAL))


def noise_deviation(sigma: float, cells: int) -> float:
    """Standard deviation of the l1 norm of ``cells`` independent Gaussians of scale ``sigma``."""
    return sigma * float(np.sqrt((1 - 2 / np.pi) * cells))


def expected_noise(sigma: float, cells: int) -> float:
    """Mean l1 norm of ``cells`` independent Gaussians of scale ``sigma``."""
    return sigma * float(np.sqrt(2 / np.pi)) * cells


def scaling(expected: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Factors of one step of iterative scaling, from expected counts towards wanted ones, which may be negative."""
    return np.clip(wanted / np.maximum(expected, NO_MASS), 1 / _MOST, _MOST)
