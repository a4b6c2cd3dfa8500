"""Gaussian differential privacy in closed form: the arithmetic a budget is planned and checked with.

A mechanism is mu-GDP when telling neighbouring inputs apart is no easier than telling N(0, 1) from N(mu, 1); costs
compose, also adaptively, as the root of the sum of squares (Dong, Roth, Su 2022, Corollary 3.3). Standard library
only, microseconds per call: these functions run at every charge.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

_normal = NormalDist()
_TINY = 1e-300
"""A probability of which no quantile can be computed."""
_NARROWEST = 1e-3
"""A scale of integer noise that is no noise: its cost is infinite."""
_ROOT_2 = math.sqrt(2.0)
"""erfc is that of a normal variable over this."""


def _upper_tail(x: float) -> float:
    return 0.5 * math.erfc(x / _ROOT_2)


def delta(epsilon: float, mu: float) -> float:
    """The smallest delta for which mu-GDP implies (epsilon, delta)-DP (Dong, Roth, Su 2022, Corollary 2.13).

    >>> round(delta(1.0, 1.0), 6)
    0.126937
    """
    if mu <= 0:
        return 0.0
    if math.isinf(epsilon):
        return 0.0
    if math.isinf(mu):
        return 1.0
    first = _upper_tail(epsilon / mu - mu / 2)
    if epsilon > 700:  # exp would overflow; without its second term the value is only larger
        return first
    return max(0.0, first - math.exp(epsilon) * _upper_tail(epsilon / mu + mu / 2))


def epsilon(mu: float, delta_: float) -> float:
    """The smallest epsilon for which mu-GDP implies (epsilon, ``delta_``)-DP."""
    if math.isinf(mu):
        return math.inf
    if delta(0.0, mu) <= delta_:
        return 0.0
    high = 1.0
    while delta(high, mu) > delta_:
        high *= 2
    return _largest(lambda e: delta(e, mu) > delta_, 0.0, high, outer=True)


def mu(epsilon_: float, delta_: float) -> float:
    """The largest mu for which mu-GDP implies (``epsilon_``, ``delta_``)-DP; inf for an infinite epsilon.

    >>> round(mu(1.0, 1e-9), 4)
    0.182
    """
    if math.isinf(epsilon_):
        return math.inf
    high = 1.0
    while delta(epsilon_, high) <= delta_:
        high *= 2
    return _largest(lambda m: delta(epsilon_, m) <= delta_, 0.0, high)


def _largest(holds: Callable[[float], bool], low: float, high: float, outer: bool = False) -> float:
    """Bisect between ``low`` (holds) and ``high`` (does not); the inner end, or the outer one."""
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if holds(middle) else (low, middle)
    return high if outer else low


def exponential_mu(epsilon_: float) -> float:
    """GDP cost of one ``epsilon_``-bounded-range selection (exponential mechanism).

    The trade-off functions of bounded-range mechanisms (Dong, Durfee, Rogers 2020) lie above that of mu-GDP when
    they do at their symmetric point, ``1 / (1 + exp(epsilon / 2))``.
    """
    return -2 * _normal.inv_cdf(1 / (1 + math.exp(epsilon_ / 2)))


def pure_mu(epsilon_: float) -> float:
    """GDP cost of a mechanism that is ``epsilon_``-DP without a delta.

    Its trade-off function lies above two lines that meet at ``1 / (1 + exp(epsilon))``; that of mu-GDP is convex, and
    so below both when it is below their meeting point. It is the cost of a selection of twice its range.
    """
    return exponential_mu(2 * epsilon_) if epsilon_ <= 700 else math.inf  # exp would overflow


def exponential_epsilon(mu_: float) -> float:
    """The inverse of :func:`exponential_mu`: the bounded range that costs ``mu_``."""
    return 2 * math.log(_upper_tail(-mu_ / 2) / _upper_tail(mu_ / 2))


@lru_cache(maxsize=4096)
def discrete_gaussian_mu(sigma: float, sensitivity: int = 1) -> float:
    """GDP cost of integer Gaussian noise of scale ``sigma`` on integers that one unit moves by ``sensitivity`` in l1.

    The trade-off function of the noise and its shift by one is piecewise linear, with corners at the integers; it lies
    above that of mu-GDP exactly when ``z(k) - z(k-1) <= mu`` at every corner, ``z(k) = Phi^-1(1 - P[Y >= k])``. The
    largest step is the one over zero, ``2 z(1)``: about ``(1 + 1 / (24 sigma^2)) / sigma``. Steps add up, so a shift
    by ``s`` costs at most ``s`` times as much, however it is spread over cells.
    """
    if sigma > 1:  # theta function, Poisson summation: exact to rounding with one correction term
        total = sigma * math.sqrt(2 * math.pi) * (1 + 2 * math.exp(-2 * (math.pi * sigma) ** 2))
    else:
        total = 1 + 2 * math.fsum(math.exp(-(k * k) / (2 * sigma * sigma)) for k in range(1, 40))
    outside = (1 - 1 / total) / 2
    if outside < _TINY:
        return math.inf
    return -2 * _normal.inv_cdf(outside) * sensitivity


@lru_cache(maxsize=4096)
def discrete_gaussian_sigma(mu_: float, sensitivity: int = 1) -> float:
    """The smallest scale of integer Gaussian noise that costs at most ``mu_``; the inverse of its cost."""
    if not (mu_ > 0 and math.isfinite(mu_)):
        raise ValueError(f"mu must be a positive finite number, got {mu_!r}")
    high = 2 * sensitivity / mu_ + 1
    return _largest(lambda s: discrete_gaussian_mu(s, sensitivity) > mu_, _NARROWEST, high, outer=True)
