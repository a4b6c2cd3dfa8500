"""Gaussian noise for sums of bounded real vectors: the sum is made of whole numbers, and so is the noise.

A floating-point sum plus floating-point noise tells of the sum by its last bits (Mironov 2012): which results can occur
at all depends on it. Here every record's vector is clipped and rounded to whole multiples of a step before anything is
added, sums of whole numbers are exact in any order, and the noise is a discrete Gaussian on the same multiples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sfumato.privacy.events import Gaussian
from sfumato.privacy.mechanisms.discrete_gaussian import planned

FEATURE_BITS, SCATTER_BITS = 30, 18
"""The step of a coordinate is its bound over two to this power: rounding costs little, and sums fit 64 bits."""
SMOOTH = 2.0
"""Scale t of the rounding that turns a real Gaussian into a discrete one, up to a factor 1 +- 2**-112.9."""
INEXACT = 2.0**-78
"""What one number of a noised vector adds to delta, for any epsilon up to 20.

Its law is within 2**-108 of a discrete Gaussian in total variation (the sampler's tables), and that one within 2**-111
of a rounded real Gaussian; a total variation of v adds (1 + exp(epsilon)) v to delta.
"""


def norm(bits: int, dimension: int) -> float:
    """The largest norm of a rounded row, in its multiples: that of a clipped one, half a multiple for each coordinate.

    A clipped row computed in float64 exceeds its bound by less than a factor 1 + 2**-30 (n roundings for a norm of n
    terms, n at most 2**22).
    """
    return 2.0**bits * (1 + 2.0**-30) + math.sqrt(dimension) / 2


@dataclass(frozen=True)
class Scale:
    """What the whole numbers of a sum mean: ``step`` each; one record moves them by ``sensitivity`` in l2 norm."""

    step: float
    sensitivity: float


def feature_scale(dimension: int, bound: float) -> Scale:
    """Of sums of vectors of ``dimension``, clipped to ``bound``."""
    return Scale(bound * 2.0**-FEATURE_BITS, norm(FEATURE_BITS, dimension))


def scatter_scale(dimension: int, bound: float) -> Scale:
    """Of sums of their outer products."""
    return Scale((bound * 2.0**-SCATTER_BITS) ** 2, norm(SCATTER_BITS, dimension) ** 2)


def scale(noise_multiplier: float, sensitivity: float, weight: float = 1.0) -> float:
    """Scale of the discrete noise, in steps, that is as good as real noise of ``noise_multiplier * sensitivity``.

    ``weight`` is the largest weight of a coordinate in the norm that ``sensitivity`` bounds; see :func:`event`.
    TooMuchNoise where whole numbers do not hold it.
    """
    return planned(math.hypot(noise_multiplier * sensitivity, weight * SMOOTH))


def event(sigma: float, sensitivity: float, numbers: int, weight: float = 1.0) -> Gaussian:
    """What independent discrete Gaussian noise on ``numbers`` whole numbers is charged as.

    Its scale is ``sigma`` divided by the coordinate's weight, in steps; ``weight`` is the largest of them.

    *Formal guarantee.* One unit moves the vector by at most ``sensitivity`` in the l2 norm of coordinates times their
    weights. Then releasing it with this noise is no worse than with real Gaussian noise of variance
    ``(sigma / w)^2 - SMOOTH^2`` for weight w: rounding each real number y of the latter to the whole number k with
    probability in proportion to exp(-(k - y)^2 / (2 SMOOTH^2)) gives the former (Peikert 2010, Theorem 3.1), for the
    sum of these weights over all k is the same for every y, up to a factor of 1 +- 2 exp(-2 pi^2 SMOOTH^2) = 1 +-
    2**-112.9. That factor, and what the sampler's tables lack, is the event's ``delta``.
    """
    multiplier = math.sqrt(sigma * sigma - (weight * SMOOTH) ** 2) / sensitivity
    return Gaussian(multiplier, delta=numbers * INEXACT)
