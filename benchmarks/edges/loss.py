"""Privacy losses on a grid, and what an adversary makes of them who chooses each release after seeing the last.

Written for this attack alone, from closed forms: no accountant of the project, nor dp-accounting, has a part in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.signal import fftconvolve
from scipy.special import ndtr

STEP = 2.0**-9
HALF = 1 << 12  # losses from -8 to 8; beyond, a loss counts as infinite, or as -8
GRID = STEP * np.arange(-HALF, HALF + 1)


@dataclass(frozen=True)
class Loss:
    """Law of a privacy loss log(P/Q) under P: probabilities on ``GRID``, and of an infinite loss.

    Rounded so that the delta at every epsilon of the grid is exact, and between them no smaller than it is
    (Doroshenko et al. 2022).
    """

    finite: np.ndarray
    infinite: float

    @cached_property
    def transform(self) -> np.ndarray:
        """The Fourier transform of the finite losses, zero first, on three grids' length."""
        return np.fft.rfft(np.concatenate([self.finite[HALF:], np.zeros(4 * HALF), self.finite[:HALF]]))

    def delta(self, epsilon: float) -> float:
        """The delta of P against Q at ``epsilon``."""
        return float(self.infinite + self.finite @ -np.expm1(np.minimum(epsilon - GRID, 0)))

    def __mul__(self, other: Loss) -> Loss:
        """Both together, one after the other."""
        long = np.maximum(fftconvolve(self.finite, other.finite), 0)
        middle = long[HALF : 3 * HALF + 1].copy()
        middle[0] += long[:HALF].sum()
        return Loss(
            middle, self.infinite + other.infinite - self.infinite * other.infinite + long[3 * HALF + 1 :].sum()
        )

    def __pow__(self, times: int) -> Loss:
        if times == 1:
            return self
        half = self ** (times // 2)
        return half * half * self if times % 2 else half * half


def sampled(probability: float, noise: float, steps: int, removed: bool) -> Loss:
    """``steps`` of DP-SGD: N(0, z) and (1 - q) N(0, z) + q N(1, z), the record in P if ``removed``, else in Q."""
    mixture, alone = _tails(probability, noise)
    p, q = (mixture, alone) if removed else (1 - alone, 1 - mixture)  # where P is the likelier one
    if not removed:  # the loss of P = N(0, z) falls with x: its sets are the lower tails, on the mirrored grid
        p, q = p[::-1], q[::-1]
    return _dots(p - np.exp(GRID) * q) ** steps


def _tails(probability: float, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Upper tails of the mixture and of N(0, z) from where log(mixture / N(0, z)) passes each loss of the grid."""
    inside = (np.exp(GRID) - (1 - probability)) / probability
    with np.errstate(divide="ignore", invalid="ignore"):
        x = np.where(inside > 0, noise**2 * np.log(inside) + 0.5, -np.inf)
    alone, shifted = ndtr(-x / noise), ndtr((1 - x) / noise)
    return (1 - probability) * alone + probability * shifted, alone


def _dots(deltas: np.ndarray) -> Loss:
    """The law whose delta joins ``deltas`` on the grid by straight lines in e^epsilon."""
    x = np.exp(GRID)
    deltas = np.clip(deltas, 0, 1)
    slopes = np.diff(np.concatenate([[1], deltas])) / np.diff(np.concatenate([[0], x]))
    under_q = np.maximum(np.diff(np.append(slopes, 0)), 0)
    return Loss(under_q * x, float(deltas[-1]))


def worst_delta(rounds: Sequence[Sequence[Loss]], epsilon: float) -> float:
    """The largest delta at ``epsilon`` of one release of each round, each chosen by the losses of all before it."""
    value = -np.expm1(np.minimum(epsilon - GRID, 0))
    for choices in reversed(rounds):
        beyond = np.repeat([value[-1], value[0]], 2 * HALF)
        known = np.fft.rfft(np.concatenate([value[HALF:], beyond, value[:HALF]]))
        value = np.max([_expected(known, loss) for loss in choices], axis=0)
    return float(value[HALF])


def _expected(known: np.ndarray, loss: Loss) -> np.ndarray:
    """What is expected after ``loss`` from each loss so far; ``known`` is the transform of what each end is worth."""
    after = np.fft.irfft(known * np.conj(loss.transform), 6 * HALF + 1)
    return np.clip(np.concatenate([after[-HALF:], after[: HALF + 1]]) + loss.infinite, 0, 1)
