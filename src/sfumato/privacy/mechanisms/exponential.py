"""The exponential mechanism, by adding Gumbel noise to scores and taking the largest."""

from __future__ import annotations

import numpy as np

from sfumato.privacy.randomness import SYSTEM, Entropy, small_uniforms, words

ROUNDING = 2.0**-20
"""What rounding in double precision may add to epsilon: taken off before anything is drawn.

A scaled score below 2**30 (epsilon 1, tables of 10**9 records) is off by at most 2**-23, as one
rounding of 2**-53 of itself; those of its difference and of the noise, numbers below 2**11, by 2**-40. Off by x in
each of two neighbours, sums raise the chance of an index by a factor exp(4 x) at most: here by less than exp(2**-20).
"""


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
    Rounding is paid for by ``ROUNDING``. The noise reaches 660 above and 6.5 below zero, as far as the law itself but
    with probability 2**-950 for each score, which is the only delta.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or scores.size == 0 or not np.isfinite(scores).all():
        raise ValueError("scores must be a non-empty vector of finite numbers")
    if not (epsilon > 0 and sensitivity > 0):
        raise ValueError("epsilon and sensitivity must be positive")
    behind = scores - scores.max()  # small where it matters: what lies far behind is never chosen
    return int(np.argmax(behind * (max(0.0, epsilon - ROUNDING) / (2 * sensitivity)) + gumbel(scores.size, entropy)))


def gumbel(n: int, entropy: Entropy = SYSTEM) -> np.ndarray:
    """(n,) standard Gumbel noise -log(-log U), as fine in both tails as in the middle.

    One bit says in which half of (0, 1) U lies, and W = min(U, 1 - U) is drawn with all its bits. With one uniform
    number of 52 bits for U, the noise ends at 36.7, and what a score needs more to win tells of the rows.
    """
    upper = words(n, entropy) >> np.uint64(63) == 1
    edge = small_uniforms(n, entropy) / 2
    return -np.log(np.where(upper, -np.log1p(-edge), -np.log(edge)))
