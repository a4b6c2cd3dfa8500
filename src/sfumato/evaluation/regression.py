"""Would an analyst draw the same conclusions: overlap of the confidence intervals of regression coefficients."""

from __future__ import annotations

import numpy as np
from scipy import linalg, special

from sfumato.encoding.domain import Domain
from sfumato.evaluation.details import Coefficient
from sfumato.evaluation.learning import task_of

_Z = 1.959963984540054
"""Normal quantile of intervals of 95 %."""
_COMMON = 0.02
"""Share of the real rows that a value needs for a coefficient of its own."""
_RIDGE = 1e-2
"""Penalty of a squared coefficient: nothing beside the rows, but finite where a level separates them."""
_DEPENDENT = 1e-4
"""Part of the largest pivot below which a column counts as determined by others."""
_NO_VARIANCE = 1e-18
"""In place of a variance of zero: an interval has some width."""
_CONVERGED = 1e-8
"""Largest change of a coefficient in the last step."""


def interval_overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Mean share of each interval that lies in the other, 0 when disjoint (Karr et al. 2006, eq. 1, cut at 0)."""
    shared = min(a[1], b[1]) - max(a[0], b[0])
    if shared <= 0:
        return 0.0
    return 0.5 * (shared / (a[1] - a[0]) + shared / (b[1] - b[0]))


def coefficient_overlap(
    real: np.ndarray, synthetic: np.ndarray, domain: Domain, target: int, *, common: float = _COMMON
) -> list[Coefficient]:
    """Linear (regression target) or logistic main-effects regression on both tables, one entry per coefficient.

    A multi-class target becomes its most frequent real class against the rest. Values of unordered columns held by less
    than ``common`` of the real rows join the base level; columns that others determine are left out.
    """
    task = task_of(domain.axes[target])
    y = [t[:, target].astype(float) for t in (real, synthetic)]
    if task != "regression":
        counts = np.bincount(real[:, target].astype(np.int64), minlength=domain.axes[target].size)
        positive = counts.argmax() if task == "multiclass" else domain.axes[target].size - 1
        y = [(v == positive).astype(float) for v in y]
    levels = _levels(real, domain, target, common)
    x = [_design(t, domain, levels) for t in (real, synthetic)]
    kept = _independent_columns(x[0])
    fit = _ordinary if task == "regression" else _logistic
    (b, se), (c, sf) = (fit(m[:, kept], v) for m, v in zip(x, y, strict=True))
    names = ["(intercept)", *(domain.names[i] if v is None else f"{domain.names[i]}={v}" for i, v in levels)]
    out = []
    for k, at in enumerate(kept):
        one = (b[k], b[k] - _Z * se[k], b[k] + _Z * se[k])
        two = (c[k], c[k] - _Z * sf[k], c[k] + _Z * sf[k])
        overlap = interval_overlap(one[1:], two[1:])
        out.append(Coefficient(names[at], _floats(one), _floats(two), float(overlap)))
    return out


def _floats(estimate: tuple[float, float, float]) -> tuple[float, float, float]:
    middle, low, high = estimate
    return float(middle), float(low), float(high)


def _levels(real: np.ndarray, domain: Domain, target: int, common: float) -> list[tuple[int, int | None]]:
    levels: list[tuple[int, int | None]] = []
    for i, axis in enumerate(domain.axes):
        if i == target:
            continue
        if axis.ordered:
            levels.append((i, None))
            continue
        shares = np.bincount(real[:, i].astype(np.int64), minlength=axis.size) / len(real)
        frequent = np.flatnonzero(shares >= common)
        levels += [(i, int(v)) for v in frequent if v != shares.argmax()]
    return levels


def _design(codes: np.ndarray, domain: Domain, levels: list[tuple[int, int | None]]) -> np.ndarray:
    columns = [np.ones(len(codes))]
    for i, value in levels:
        scaled = codes[:, i] / max(1, domain.axes[i].size - 1)
        columns.append(scaled if value is None else (codes[:, i] == value).astype(float))
    return np.stack(columns, axis=1)


def _independent_columns(x: np.ndarray) -> np.ndarray:
    """Indices of a maximal set of well-conditioned columns, in order, the intercept first."""
    scale = np.linalg.norm(x, axis=0)
    _, r, pivot = linalg.qr(x / np.where(scale > 0, scale, 1), mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    return np.sort(pivot[: int((size > _DEPENDENT * size[0]).sum())])


def _ordinary(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    inverse = np.linalg.pinv(x.T @ x, hermitian=True)
    b = inverse @ (x.T @ y)
    variance = float(((y - x @ b) ** 2).sum()) / max(1, len(y) - x.shape[1])
    return b, np.sqrt(np.maximum(np.diag(inverse) * variance, _NO_VARIANCE))


def _logistic(x: np.ndarray, y: np.ndarray, ridge: float = _RIDGE, steps: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method with a slight ridge, so that separated levels stay finite."""
    b = np.zeros(x.shape[1])
    hessian = np.eye(x.shape[1])
    for _ in range(steps):
        p = special.expit(x @ b)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + ridge * np.eye(x.shape[1])
        step = np.linalg.solve(hessian, x.T @ (y - p) - ridge * b)
        b += step
        if np.abs(step).max() < _CONVERGED:
            break
    return b, np.sqrt(np.diag(np.linalg.inv(hessian)))
