"""Noisy counts of an ordered column, smoothed: translation-invariant Haar wavelets with a universal hard threshold.

Neighbouring values of a number are about equally common, but for spikes. A wavelet keeps both: where neighbouring
stretches differ by no more than noise makes them differ, they are taken for equal, at every width, and a spike
stands out of the noise at the finest (Coifman, Donoho 1995). The threshold is the universal one of Donoho and Johnstone
(1994). It is post-processing of noised answers.
"""

from __future__ import annotations

import math

import numpy as np

from sfumato.encoding.domain import Axis


def smooth(values: np.ndarray, axis: Axis, sigma: float) -> np.ndarray:
    """Smoothed counts of a column; the missing code, and every code of an unordered column, stays as it is.

    Args:
        values: (size,) noisy counts; public.
        axis: the column.
        sigma: standard deviation of the noise of each count.
    """
    if not axis.ordered:
        return values
    present = np.arange(axis.size) != axis.missing
    out = values.astype(np.float64)
    out[present] = _denoised(out[present], sigma)
    return out


def _denoised(values: np.ndarray, sigma: float) -> np.ndarray:
    """Haar details of all shifts, kept where they exceed sigma sqrt(2 ln n); the ends are mirrored."""
    n = values.size
    threshold = sigma * math.sqrt(2 * math.log(max(n, 1)))
    level = np.concatenate([values, values[::-1]])
    details: list[tuple[int, np.ndarray]] = []
    width = 1
    while width < n:
        ahead = np.roll(level, -width)
        detail = (level - ahead) / math.sqrt(2)
        details.append((width, np.where(np.abs(detail) > threshold, detail, 0.0)))
        level = (level + ahead) / math.sqrt(2)
        width *= 2
    for width, detail in reversed(details):
        level = (level + detail + np.roll(level - detail, width)) / math.sqrt(8)
    return level[:n]
