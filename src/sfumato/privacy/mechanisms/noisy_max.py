"""Report-noisy-max by several parties: each adds a part of the noise, and the largest score's index is shown alone.

The noise is integer Laplace noise, P[x] ~ exp(-|x| / b): the difference of two geometric numbers. A geometric number is
the sum of n Polya numbers (negative binomial of size 1 / n), so that each of n parties can add the difference of two of
its own (Goryczka, Xiong 2017, Section 3.2). It lies on a grid of steps as wide as one unit moves two scores apart, so
that finer units of the scores make its table no longer. No sum of parts is Gumbel noise, and with a maximum of parts a
party that knows its own would see through it: so this is no exponential mechanism, and costs more.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from functools import lru_cache

import numpy as np

from sfumato.errors import TooMuchNoise
from sfumato.privacy.mechanisms import inversion
from sfumato.privacy.randomness import SYSTEM, Entropy

WIDEST = 2.0**12
"""Scale of the noise, in steps, above which the table would be long."""
_GUARD = 320  # bits of the fixed-point weights
_SPARE = 24
"""Bits by which the last weight of a table is below the last of 128: all beyond it together are below 2**-128."""


def step(sensitivity: int) -> int:
    """Of the grid on which the noise of whole scores lies, each of which one unit moves by at most ``sensitivity``.

    A unit moves one score up and another down, and so what decides between them by twice that.
    """
    if sensitivity < 1:
        raise ValueError("the sensitivity must be at least 1")
    return 2 * sensitivity


def scale(epsilon: float) -> float:
    """Of the noise, in steps.

    Raises:
        TooMuchNoise: it is above ``WIDEST``.
    """
    if not epsilon > 0:
        raise ValueError("epsilon must be positive")
    found = math.nextafter(1 / epsilon, math.inf)
    if not found <= WIDEST:
        raise TooMuchNoise(
            f"a selection at epsilon {epsilon:.3g}: parties select at {1 / WIDEST:.3g} or more; promise less, or take a"
            " model that selects less often"
        )
    return found


def furthest(scale_: float, shares: int) -> int:
    """Steps that one part is at most from 0."""
    return len(_cumulative(float(scale_), shares)[0])


def part(n: int, scale_: float, step_: int, shares: int, entropy: Entropy = SYSTEM) -> np.ndarray:
    """(n,) int64: what one party adds to ``n`` scores, where ``shares`` honest parties make the noise.

    *Formal guarantee.* Scores plus the parts of all parties, of which the index of the largest is shown (the first of
    several), are the event ``NoisyMax(epsilon, shares)`` for ``scale_ = scale(epsilon)``, ``step_ =
    step(sensitivity)``: ``epsilon``-DP toward everybody who does not know the parts of ``shares`` parties, for those
    alone are integer Laplace noise, and all else that is added is a constant to whoever knows it. (Fix all noise but
    that of candidate i: it wins from some number of steps on, which a unit moves by at most one; the chance to reach
    that changes by exp(epsilon) at most.) Only the index may be shown, never a noised score. The law of a part differs
    from the exact one by less than 2**-100 in total variation.
    """
    if not 0 < scale_ <= WIDEST:
        raise ValueError(f"the scale must be positive and at most {WIDEST:g}, got {scale_!r}")
    high, low = _cumulative(float(scale_), shares)
    return (inversion.draw(high, low, n, entropy) - inversion.draw(high, low, n, entropy)) * step_


@lru_cache(maxsize=8)
def _cumulative(scale_: float, shares: int) -> tuple[np.ndarray, np.ndarray]:
    """Of a Polya number: P[k] ~ p^k (r)_k / k! with r = 1 / shares and p = exp(-1 / scale)."""
    context = Context(prec=120)
    power = context.exp(context.divide(Decimal(-1), Decimal(scale_)))
    p, k, weights = int(context.multiply(power, Decimal(1 << _GUARD))), 0, [1 << _GUARD]
    while weights[-1] >> (_GUARD - inversion.BITS - _SPARE):
        weights.append(((weights[-1] * p) >> _GUARD) * (k * shares + 1) // (shares * (k + 1)))
        k += 1
    return inversion.cumulative(weights)
