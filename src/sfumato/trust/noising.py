"""Integer noise on the exact sum of a question: a curator's whole noise, or a site's share of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.questions import SumQuestion


def noised(
    question: SumQuestion, whole: np.ndarray, scales: Sequence[float], domain: Domain, entropy: Entropy = SYSTEM
) -> np.ndarray:
    """The whole numbers (values,) of ``summing.exact`` with discrete Gaussian noise: int64.

    ``scales`` has a scale for each part, in whole steps; a number's noise has that over its weight; 0 is no noise.

    *Formal guarantee.* With the scales of ``question.price`` it is what the price's events say. A share of the noise is
    another event, which who adds the shares up must account for.
    """
    out, weights, start = np.array(whole), question.weights(), 0
    for size, scale in zip(question.sizes(domain), scales, strict=True):
        part = slice(start, start + size)
        out[part] = _noised(whole[part], scale, None if weights is None else weights[part], entropy)
        start += size
    return out


def _noised(whole: np.ndarray, scale: float, weights: np.ndarray | None, entropy: Entropy) -> np.ndarray:
    if not scale:
        return whole
    return by_weight(whole, weights, lambda numbers, weight: add_discrete_gaussian(numbers, scale / weight, entropy))


def by_weight(
    whole: np.ndarray, weights: np.ndarray | None, add: Callable[[np.ndarray, float], np.ndarray]
) -> np.ndarray:
    """``whole`` (values,) with what ``add`` makes of the numbers of each weight; without ``weights`` all have 1."""
    if weights is None:
        return add(whole, 1.0)
    out = np.empty_like(whole)
    for weight in np.unique(weights):
        chosen = weights == weight
        out[chosen] = add(whole[chosen], float(weight))
    return out
