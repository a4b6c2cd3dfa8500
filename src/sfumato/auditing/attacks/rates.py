"""Rates of a test that tells "in" from "out" by a score, with their intervals and the epsilon they rule out."""

from __future__ import annotations

import numpy as np
from scipy import special, stats

NORMAL_95 = 1.959963984540054
"""Normal quantile of intervals of 95 %."""
_NO_TRIAL, _NO_RATE = 1e-12, 1e-300
"""In place of zero: a parameter of a beta distribution that is not used, a rate to take the logarithm of."""
_THRESHOLDS = 4000
"""That are tried: with more, the best on one half is no better on the other."""


def upper(hits: np.ndarray | int, n: int, significance: float) -> np.ndarray:
    """One-sided Clopper-Pearson upper bound on a rate of which ``hits`` of ``n`` trials were seen."""
    hits = np.asarray(hits)
    bound = stats.beta.ppf(1 - significance, hits + 1, np.maximum(n - hits, _NO_TRIAL))
    return np.where(hits >= n, 1.0, bound)


def lower(hits: np.ndarray | int, n: int, significance: float) -> np.ndarray:
    """One-sided Clopper-Pearson lower bound."""
    return 1 - upper(n - np.asarray(hits), n, significance)


def rate_interval(hits: int, n: int, significance: float = 0.05) -> tuple[float, float]:
    """Two-sided Clopper-Pearson interval."""
    return float(lower(hits, n, significance / 2)), float(upper(hits, n, significance / 2))


def difference(hits: int, n: int, others: int, m: int, significance: float = 0.05) -> tuple[float, float]:
    """Interval of the rate ``hits / n`` minus the rate ``others / m``, wrong with ``significance``.

    Source: Newcombe 1998, method 10 (from the score intervals of both rates); of paired attempts it is a little wide.
    """
    z = float(special.ndtri(1 - significance / 2))
    (p, low, high), (q, below, above) = ((k / size, *_score(k, size, z)) for k, size in ((hits, n), (others, m)))
    return (p - q - np.hypot(p - low, above - q).item(), p - q + np.hypot(high - p, q - below).item())


def _score(hits: int, n: int, z: float) -> tuple[float, float]:
    """Wilson's score interval of a rate, ``z`` standard deviations wide on each side."""
    middle, half = hits + z * z / 2, z * np.sqrt(hits * (n - hits) / n + z * z / 4).item()
    return (middle - half) / (n + z * z), (middle + half) / (n + z * z)


def tpr_at(inside: np.ndarray, outside: np.ndarray, fpr: float) -> float:
    """Share of ``inside`` above a threshold that at most ``fpr`` of ``outside`` exceed; ties count for nobody."""
    ranked = np.sort(outside)[::-1]
    threshold = ranked[min(int(fpr * len(ranked)), len(ranked) - 1)]
    return float((inside > threshold).mean())


def auc(inside: np.ndarray, outside: np.ndarray) -> tuple[float, tuple[float, float]]:
    """Area under the ROC curve with its 95 % interval (DeLong 1988); ties count half."""
    n, m = len(inside), len(outside)
    ranks = stats.rankdata(np.concatenate([inside, outside]))
    over = (ranks[:n] - stats.rankdata(inside)) / m
    under = 1 - (ranks[n:] - stats.rankdata(outside)) / n
    area = float(over.mean())
    spread = np.sqrt(over.var(ddof=1) / n + under.var(ddof=1) / m) if min(n, m) > 1 else 0.5
    return area, (max(0.0, area - NORMAL_95 * spread), min(1.0, area + NORMAL_95 * spread))


SplitScores = tuple[np.ndarray, np.ndarray]
"""Scores of rows that were used, and of rows that were not."""

_TPR_SHARE = 0.2
"""Part of the level for the true positives; the rest is for the false ones, which weigh more in a ratio."""


def halves(inside: np.ndarray, outside: np.ndarray, rng: np.random.Generator) -> tuple[SplitScores, SplitScores]:
    """Random halves of both, for choosing a threshold and for testing it."""
    (a, c), (b, d) = (np.array_split(rng.permutation(v), 2) for v in (inside, outside))
    return (a, b), (c, d)


def _epsilons(scores: SplitScores, at: np.ndarray, delta: float, significance: float) -> np.ndarray:
    inside, outside = scores
    hits = len(inside) - np.searchsorted(np.sort(inside), at)
    alarms = len(outside) - np.searchsorted(np.sort(outside), at)
    tpr = lower(hits, len(inside), significance * _TPR_SHARE) - delta
    fpr = upper(alarms, len(outside), significance * (1 - _TPR_SHARE))
    return np.log(np.maximum(tpr, _NO_RATE) / fpr)


def bound_of_halves(choose: SplitScores, test: SplitScores, delta: float, significance: float) -> tuple[float, float]:
    """(epsilon, threshold): with confidence 1 - ``significance`` no smaller epsilon fits the scores of ``test``.

    The threshold is chosen on ``choose``; both rates come from ``test``, with Clopper-Pearson bounds in
    ``epsilon >= log((TPR - delta) / FPR)``. Most of the significance goes to the false positive rate, the rarer event.
    The scores within each array must be exchangeable.
    """
    threshold = promising(choose, delta, significance)[1]
    return max(0.0, float(_epsilons(test, np.array([threshold]), delta, significance)[0])), threshold


def promising(choose: SplitScores, delta: float, significance: float) -> tuple[float, float]:
    """(epsilon, threshold) that look best on ``choose``: for choosing, not for claiming."""
    at = np.unique(np.concatenate(choose))
    if len(at) > _THRESHOLDS:
        at = at[np.linspace(0, len(at) - 1, _THRESHOLDS).astype(int)]
    found = _epsilons(choose, at, delta, significance)
    return float(found.max()), float(at[found.argmax()])
