"""Does the synthetic table cover the real one, and stay within it: PRDC, alpha-precision and beta-recall."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sfumato.encoding.domain import Domain
from sfumato.evaluation.features import metric_features

NEIGHBOURS = 5
"""To which a ball of a row reaches (Naeem et al. 2020, section 4)."""
_BLOCK = 1000
"""Rows whose distances to all others are held at a time."""
_ROUNDING = 1e-6
"""By which two distances of the same two rows may differ."""


def _nearest(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    return NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points).kneighbors(queries)


def prdc(real: np.ndarray, synthetic: np.ndarray, k: int = NEIGHBOURS) -> dict[str, float]:
    """Precision, recall, density and coverage of points (n, f) by balls to the ``k``-th neighbour.

    Source: Kynkäänniemi et al. 2019; Naeem et al. 2020, eq. 2 to 5.
    """
    real_radius = _nearest(real, real, k + 1)[0][:, -1]
    synthetic_radius = _nearest(synthetic, synthetic, k + 1)[0][:, -1]
    inside = np.zeros(len(synthetic))
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for start in range(0, len(real), _BLOCK):
        part = slice(start, start + _BLOCK)
        gap = _distances(real[part], synthetic)
        inside += (gap <= real_radius[part, None]).sum(0)
        recalled[part] = (gap <= synthetic_radius).any(1)
        covered[part] = gap.min(1) <= real_radius[part]
    return {
        "precision": float((inside > 0).mean()),
        "recall": float(recalled.mean()),
        "density": float(inside.mean() / k),
        "coverage": float(covered.mean()),
    }


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squared = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.sqrt(np.maximum(squared, 0)) - _ROUNDING


def alpha_precision_beta_recall(real: np.ndarray, synthetic: np.ndarray, steps: int = 30) -> dict[str, float]:
    """Integrated alpha-precision and beta-recall of points (n, f), each in [0, 1]; 1 for equal distributions' support.

    Source: Alaa et al. 2022, eq. 5 and 8, with the centre of mass for the minimal-volume set's centre.
    """
    levels = np.linspace(0, 1, steps + 1)
    centre = real.mean(0)
    own = np.linalg.norm(real - centre, axis=1)
    other = np.linalg.norm(synthetic - centre, axis=1)
    precision = np.array([(other <= r).mean() for r in np.quantile(own, levels)])
    spacing = _nearest(real, real, 2)[0][:, 1]
    gap, index = (v[:, 0] for v in _nearest(synthetic, real, 1))
    out = np.linalg.norm(synthetic[index] - synthetic.mean(0), axis=1)
    near = gap <= spacing + _ROUNDING
    radii = np.quantile(np.linalg.norm(synthetic - synthetic.mean(0), axis=1), levels)
    recall = np.array([(near & (out <= r)).mean() for r in radii])
    return {
        "alpha_precision": float(1 - np.abs(precision - levels).sum() / levels.sum()),
        "beta_recall": float(1 - np.abs(recall - levels).sum() / levels.sum()),
    }


def coverage(
    real: np.ndarray, synthetic: np.ndarray, domain: Domain, *, limit: int = 3000, seed: int = 0
) -> dict[str, float]:
    """All six measures on at most ``limit`` seeded rows of each encoded table."""
    rng = np.random.default_rng(seed)
    a, b = (metric_features(t[rng.permutation(len(t))[:limit]], domain) for t in (real, synthetic))
    k = min(NEIGHBOURS, len(a) - 2, len(b) - 2)
    if k < 1:
        raise ValueError("coverage needs at least 3 rows of each table")
    return {**prdc(a, b, k), **alpha_precision_beta_recall(a, b)}
