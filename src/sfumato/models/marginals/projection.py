"""From noisy tables to tables that could be counts: projection on the simplex, shrinkage toward a guess."""

from __future__ import annotations

import numpy as np


def project(values: np.ndarray, total: float) -> np.ndarray:
    """The nearest non-negative table with sum ``total`` in l2 (Duchi et al. 2008), of the shape of ``values``."""
    flat = np.sort(values, axis=None)[::-1]
    excess = (np.cumsum(flat) - total) / np.arange(1, flat.size + 1)
    last = np.flatnonzero(flat > excess)[-1]
    return np.maximum(values - excess[last], 0.0)


def shrink(values: np.ndarray, guess: np.ndarray, sigma: float) -> np.ndarray:
    """Pull a noisy table toward ``guess`` as far as noise explains the difference, then project.

    Positive-part James-Stein estimate with the noise level known: the better the guess, the less the noise stays.
    """
    residual = values - guess
    size = float((residual**2).sum())
    keep = 1.0 if sigma == 0 else max(0.0, 1.0 - values.size * sigma**2 / max(size, 1e-300))
    return project(guess + keep * residual, float(guess.sum()))


def expected_noise(sigma: float, cells: int) -> float:
    """Mean l1 norm of ``cells`` independent Gaussians of scale ``sigma``."""
    return sigma * float(np.sqrt(2 / np.pi)) * cells
