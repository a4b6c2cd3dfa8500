"""Pairwise association: Spearman's rank correlation for two ordered columns, Cramér's V for any other pair."""

from __future__ import annotations

import numpy as np
from scipy import stats

from sfumato.encoding.domain import Domain
from sfumato.evaluation.marginals import cell_index


def associations(codes: np.ndarray, domain: Domain) -> np.ndarray:
    """Symmetric (d, d) matrix of |Spearman| or bias-corrected Cramér's V, ones on the diagonal.

    Source: Bergsma 2013 for the bias correction. A column with one observed value has association 0.
    """
    d = len(domain)
    out = np.eye(d)
    ranks = [stats.rankdata(codes[:, i]) for i in range(d)]
    for i in range(d):
        for j in range(i):
            if domain.axes[i].ordered and domain.axes[j].ordered:
                out[i, j] = out[j, i] = _correlation(ranks[i], ranks[j])
            else:
                out[i, j] = out[j, i] = _cramers_v(codes, domain, i, j)
    return out


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return abs(float(a @ b)) / scale if scale > 0 else 0.0


def _cramers_v(codes: np.ndarray, domain: Domain, i: int, j: int) -> float:
    table = np.bincount(cell_index(codes, domain, (i, j)), minlength=domain.cells((i, j))).reshape(domain.shape((i, j)))
    table = table[table.sum(1) > 0][:, table.sum(0) > 0].astype(float)
    n, (r, c) = table.sum(), table.shape
    if min(r, c) < 2 or n < 2:
        return 0.0
    expected = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n
    phi2 = max(0.0, float(((table - expected) ** 2 / expected).sum()) / n - (r - 1) * (c - 1) / (n - 1))
    smaller = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return min(1.0, float(np.sqrt(phi2 / smaller))) if smaller > 0 else 0.0
