"""One-run audit: canaries go in by independent coin flips, one fit, and the guesses bound epsilon.

Source: Steinke, Nasr, Jagielski 2023; the f-DP bound of Mahloujifar, Melis, Chaudhuri 2024. Only bounds of
``jax_privacy`` that were found sound are used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Release = TypeVar("Release")


@dataclass(frozen=True)
class OneRun:
    """Lower bounds on epsilon (95 %) from one fit, by two methods, and how many canaries were in and out."""

    epsilon_fdp: float
    epsilon_clopper_pearson: float
    inside: int
    outside: int


def one_run(
    release: Callable[[np.ndarray], Release],
    score: Callable[[Release, np.ndarray], np.ndarray],
    rows: np.ndarray,
    canaries: np.ndarray,
    delta: float,
    rng: np.random.Generator,
) -> OneRun:
    """Fit once on ``rows`` (n, d) and those of ``canaries`` (m, d) that a fair coin picks; bound epsilon by the scores.

    ``release`` is the whole fit; ``score`` maps what it released and the canaries to (m,) numbers, higher for "in".
    """
    picked = rng.random(len(canaries)) < 0.5
    scores = np.asarray(score(release(np.concatenate([rows, canaries[picked]])), canaries), float)
    return bounds(scores[picked], scores[~picked], delta)


def bounds(inside: np.ndarray, outside: np.ndarray, delta: float, significance: float = 0.05) -> OneRun:
    """The bounds from scores of canaries that were in and out; each method alone holds at ``1 - significance``."""
    from jax_privacy.auditing import CanaryScoreAuditor, Split

    auditor = CanaryScoreAuditor(inside, outside)
    split = Split(seed=0)
    fdp = auditor.epsilon_one_run_fdp(significance, delta, threshold_strategy=split)
    pearson = auditor.epsilon_clopper_pearson(significance, delta, threshold_strategy=split)
    return OneRun(max(0.0, float(fdp)), max(0.0, float(pearson)), len(inside), len(outside))
