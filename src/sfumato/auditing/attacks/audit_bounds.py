"""Lower bounds on privacy parameters from an attacker's scores: what a guarantee must not fall below.

An audit plays a game many times: a mechanism runs on a data set with the target (*inside*) or without it (*outside*),
and an attacker gives each output a score, higher for "inside". Whatever the attack, its error rates bound the
mechanism's true parameters from below. Both bounds choose a threshold on one part of the scores and test it on the
rest, so that the choice costs no validity.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import betaincinv, ndtri

_CHOOSING = 0.15
"""Share of the scores on which the threshold is chosen."""
_CHOOSING_SIGNIFICANCE = 1e-9
"""So strict that an extreme threshold wins only where it is clearly better."""
_FEWEST = 8
"""Scores of a side: half of them test, and two of those have an interval that says something."""
_FEWEST_CHOOSING = 4
"""Scores of a side on which the threshold is chosen, at least."""
_THRESHOLDS = np.linspace(0.01, 0.99, 99)
"""Quantiles of the scores that are tried as thresholds."""
_CURVE_THRESHOLDS, _CURVE_EPSILONS = np.linspace(0.02, 0.98, 49), (0.0, 0.5, 1.0, 2.0, 3.0)
"""The same, and the epsilons, at which a curve is compared."""
_NO_RATE = 1e-300
"""In place of a rate of zero, to take the logarithm of."""


def mu_lower_bound(
    inside: np.ndarray, outside: np.ndarray, rng: np.random.Generator, significance: float = 0.05
) -> float:
    """A lower bound on the mu of a mu-GDP mechanism, wrong with probability at most ``significance``.

    For every threshold, ``Phi^-1(1 - fpr) - Phi^-1(fnr) <= mu`` (Dong, Roth, Su 2022, Definition 2.6); both rates are
    replaced by their upper Clopper-Pearson bounds. The difference is not taken absolutely: a loose bound is negative,
    and says nothing.

    Args:
        inside: (n,) scores of runs with the target.
        outside: (m,) scores of runs without.
        rng: splits the scores; may be seeded.
        significance: allowed probability of a bound above the true mu, in (0, 1).

    Returns:
        The bound, at least 0. ValueError for fewer than 8 scores on a side or scores that are not finite.
    """

    def bound(fpr: np.ndarray, fnr: np.ndarray) -> np.ndarray:
        return -ndtri(fpr) - ndtri(fnr)

    return _split_bound(inside, outside, rng, significance, bound)


def epsilon_lower_bound(
    inside: np.ndarray, outside: np.ndarray, delta: float, rng: np.random.Generator, significance: float = 0.05
) -> float:
    """A lower bound on the epsilon of an (epsilon, ``delta``)-DP mechanism, wrong with at most ``significance``.

    ``tpr <= exp(epsilon) fpr + delta`` and the same with the roles exchanged (Kairouz, Oh, Viswanath 2015). Assumes
    nothing about the kind of noise, and is weak for it: n runs a side cannot show more than about log(n / 4).
    Arguments, returns and errors as for :func:`mu_lower_bound`.
    """

    def ratio(miss: np.ndarray, alarm: np.ndarray) -> np.ndarray:
        return np.log(np.maximum(1 - miss - delta, _NO_RATE) / alarm)

    def bound(fpr: np.ndarray, fnr: np.ndarray) -> np.ndarray:
        return np.maximum(ratio(fnr, fpr), ratio(fpr, fnr))

    return _split_bound(inside, outside, rng, significance, bound)


def exceeds_curve(
    inside: np.ndarray,
    outside: np.ndarray,
    curve: Callable[[float], float],
    rng: np.random.Generator,
    significance: float = 0.05,
) -> bool:
    """Whether the scores rule out the whole privacy curve ``epsilon -> delta`` of what is said to have run.

    ``tpr <= exp(epsilon) fpr + curve(epsilon)`` for every threshold and every epsilon; both are chosen on one half of
    the scores, and the rates on the other half are replaced by Clopper-Pearson bounds. Where a mechanism is no Gaussian
    one (subsampled steps) this sees more than a bound on mu, or on epsilon at one delta.

    Returns:
        True; for a mechanism that keeps to the curve with probability at most ``significance``.
    """
    (pick_in, test_in), (pick_out, test_out) = (np.array_split(rng.permutation(s), 2) for s in (inside, outside))
    thresholds = np.quantile(np.concatenate([pick_in, pick_out]), _CURVE_THRESHOLDS)
    allowed = {epsilon: curve(epsilon) for epsilon in _CURVE_EPSILONS}

    def excess(scores: tuple[np.ndarray, np.ndarray], threshold: float, epsilon: float, level: float) -> float:
        fpr, miss = _error_rates(*scores, np.array([threshold]), level)
        return float(1 - miss[0] - np.exp(epsilon) * fpr[0] - allowed[epsilon])

    tried = [(t, e) for t in thresholds for e in allowed]
    chosen = max(tried, key=lambda at: excess((pick_in, pick_out), *at, significance))
    return excess((test_in, test_out), *chosen, significance) > 0


def _split_bound(
    inside: np.ndarray,
    outside: np.ndarray,
    rng: np.random.Generator,
    significance: float,
    bound: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> float:
    """``bound`` of upper error rates, at the threshold that looks best on one part, from the other."""
    sides = [np.asarray(side, dtype=np.float64).ravel() for side in (inside, outside)]
    if min(side.size for side in sides) < _FEWEST or not all(np.isfinite(side).all() for side in sides):
        raise ValueError(f"an audit needs at least {_FEWEST} finite scores on each side")
    (pick_in, test_in), (pick_out, test_out) = (
        np.split(rng.permutation(side), [max(_FEWEST_CHOOSING, int(_CHOOSING * side.size))]) for side in sides
    )
    candidates = np.unique(np.quantile(np.concatenate([pick_in, pick_out]), _THRESHOLDS))
    chosen = candidates[np.argmax(bound(*_error_rates(pick_in, pick_out, candidates, _CHOOSING_SIGNIFICANCE)))]
    return max(0.0, float(bound(*_error_rates(test_in, test_out, chosen[None], significance))[0]))


def _error_rates(
    inside: np.ndarray, outside: np.ndarray, thresholds: np.ndarray, significance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Upper bounds on the false positive and false negative rate, jointly wrong with at most ``significance``."""
    alarms = outside.size - np.searchsorted(np.sort(outside), thresholds)
    misses = np.searchsorted(np.sort(inside), thresholds)
    return _upper(alarms, outside.size, significance / 2), _upper(misses, inside.size, significance / 2)


def _upper(events: np.ndarray, trials: int, significance: float) -> np.ndarray:
    """Upper Clopper-Pearson bounds on rates."""
    rest = np.maximum(trials - events, 1)
    return np.where(events >= trials, 1.0, betaincinv(events + 1.0, rest, 1 - significance))
