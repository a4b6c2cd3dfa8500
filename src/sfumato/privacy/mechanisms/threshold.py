"""Keys from an open domain: show a key only where its noisy count clears a threshold."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from sfumato.privacy.events import Threshold
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM, Entropy

_TINY = 1e-300
"""An event has a positive delta, also where a leak is below what double precision holds."""
_ROUNDED = 1e-12
"""What rounding takes off a sum of a few thousand terms at most, relative to it."""
_SLACK = 1e-9
"""By which a planned delta may miss the leak that is computed again."""


def plan(sigma: float, delta: float, sensitivity: int = 1) -> Threshold:
    """The event with the smallest threshold at which a unit's own keys show with probability at most ``delta``."""
    low, high = 1, sensitivity + 2
    while leak(sigma, high, sensitivity) > delta:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if leak(sigma, middle, sensitivity) > delta else (low, middle)
    return Threshold(sigma, high, max(leak(sigma, high, sensitivity), _TINY), sensitivity)


def leak(sigma: float, threshold: int, sensitivity: int = 1) -> float:
    """Bound on the probability that some key held by one unit alone is shown.

    The unit's rows, at most ``sensitivity``, may form any keys: v rows of one key show with P[v + noise >= threshold],
    so the sum over its keys is at most ``sensitivity * max_v P[v + noise >= threshold] / v``.
    """
    return min(1.0, max(sensitivity * _tail(sigma, threshold - v) / v for v in range(1, sensitivity + 1)))


def _tail(sigma: float, k: int) -> float:
    """Upper bound on P[noise >= k] for the discrete Gaussian of scale ``sigma``, tight to a few ulp per term."""
    if k <= 0:
        return 1.0
    end = k + math.ceil(12 * sigma) + 12
    weight = math.fsum(math.exp(-(j * j) / (2 * sigma * sigma)) for j in range(k, end))
    total = max(sigma * math.sqrt(2 * math.pi), 1.0)  # the theta function is above both
    return weight / total * (1 + _ROUNDED)


def release(counts: Mapping[str, int], event: Threshold, entropy: Entropy = SYSTEM) -> dict[str, int]:
    """The keys whose noisy count is at least ``event.threshold``, with that count, in sorted order.

    ``counts`` holds the keys that occur, each with its positive count.

    *Formal guarantee.* If one unit holds at most ``event.sensitivity`` of the counted rows, the release is the event
    itself: the counts of keys that others hold too cost ``DiscreteGaussian(sigma, sensitivity)``, and keys of the unit
    alone show with probability at most ``event.delta`` (``leak``), which adds to the total delta; add/remove of the
    unit. Keys that do not occur are never shown. The order tells nothing of the rows.
    """
    if event.delta < leak(event.sigma, event.threshold, event.sensitivity) * (1 - _SLACK):
        raise ValueError("this threshold needs a larger delta; take the event from plan()")
    keys = sorted(counts)
    noisy = add_discrete_gaussian(np.array([counts[k] for k in keys], dtype=np.int64), event.sigma, entropy)
    return {k: int(c) for k, c in zip(keys, noisy, strict=True) if c >= event.threshold}
