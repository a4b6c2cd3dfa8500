"""The exponential mechanism, by adding Gumbel noise to scores and taking the largest."""

from __future__ import annotations

import numpy as np

from sfumato.privacy.randomness import SYSTEM, Entropy, uniforms


def select(scores: np.ndarray, epsilon: float, sensitivity: float = 1.0, entropy: Entropy = SYSTEM) -> int:
    """Index of a nearly largest score: i with probability in proportion to exp(epsilon * scores[i] / (2 sensitivity)).

    Args:
        scores: (k,) finite numbers, k >= 1; a public function of i and the private rows.
        epsilon: bounded range of the selection, positive.
        sensitivity: how far one unit can move any one score, up or down.
        entropy: where the noise comes from.

    *Formal guarantee.* The release is the event ``Exponential(epsilon)``: ``epsilon``-bounded-range, hence
    ``epsilon``-DP and ``exponential_mu(epsilon)``-GDP (Dong, Durfee, Rogers 2020, Section 3), if one unit moves every
    score by at most ``sensitivity``. Where all scores move the same way the true cost is smaller; that is not used.
    Limit: Gumbel noise is computed in float64 from 52 random bits, and only the index is released.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError("scores must be a non-empty vector of finite numbers")
    if not (epsilon > 0 and sensitivity > 0):
        raise ValueError("epsilon and sensitivity must be positive")
    gumbel = -np.log(-np.log(uniforms(scores.size, entropy)))
    return int(np.argmax(scores * (epsilon / (2 * sensitivity)) + gumbel))
