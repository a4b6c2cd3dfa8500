"""Integer Gaussian noise of any scale, exact to 2**-100, at a hundred nanoseconds a draw.

Narrow noise inverts a table of 128-bit cumulative probabilities. Wide noise is a convolution (Micciancio and Walter
2017; Peikert 2010): if x1 and x2 are discrete Gaussians of scales s1 and s2 and m is a whole number, then

    P[x1 + m x2 = x] ~ exp(-x^2 / (2 S^2)) * sum_j exp(-(j - c)^2 / (2 t^2)),   S^2 = s1^2 + m^2 s2^2,   t = s1 s2 / S,

with a centre c that depends on x. By Poisson summation the sum over j lies within a factor 1 +- 2 exp(-2 pi^2 t^2) (up
to its next term, the fourth power) of t sqrt(2 pi), whatever c is. So x1 + m x2 is a discrete Gaussian of scale S but
for that factor; here t is at least 3.4, the factor closer to 1 than 2**-320.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from functools import lru_cache

import numpy as np

from sfumato.errors import TooMuchNoise
from sfumato.privacy.mechanisms import inversion
from sfumato.privacy.randomness import SYSTEM, Entropy

_GUARD = 320  # of the fixed-point weights
_CHUNK = 1 << 20
"""Draws that are made at a time, for memory."""
WIDEST = 2.0**14
"""Above this scale the table would be long; two narrower draws are added instead."""
_FINE, _STRIDE = 2.0**13, 2**11  # s1 and m of a convolution: t is at least 3.4 for any S above WIDEST
_LARGEST = 2.0**50  # twelve times this still fits 64 bits, with room for what it is added to


def add_discrete_gaussian(values: np.ndarray, sigma: float, entropy: Entropy = SYSTEM) -> np.ndarray:
    """``values`` plus independent integer Gaussian noise of scale ``sigma``.

    Args:
        values: integers of any shape, exact counts.
        sigma: scale of the noise, in counts (its standard deviation is smaller by less than 1e-6 from sigma = 1 on).
        entropy: where the noise comes from.

    Returns:
        int64, the shape of ``values``. ValueError unless ``values`` are integers.

    *Formal guarantee.* If one unit changes ``values`` by at most ``s`` in l1 norm, the release is the event
    ``DiscreteGaussian(sigma, s)``: ``discrete_gaussian_mu(sigma, s)``-GDP and ``s**2 / (2 sigma**2)``-zCDP (Canonne,
    Kamath, Steinke 2020, Theorem 4), under add/remove of that unit. The noise is an integer that does not depend on
    ``values``, so no floating-point attack applies. The sampled law differs from the exact one by less than 2**-100 in
    total variation per draw.
    """
    values = np.asarray(values)
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"integer noise needs integer values, got {values.dtype}")
    return values.astype(np.int64) + draw(values.size, sigma, entropy).reshape(values.shape)


def planned(sigma: float) -> float:
    """``sigma``, where :func:`draw` can draw it; TooMuchNoise otherwise, before anything is charged for it."""
    if not sigma <= _LARGEST:
        raise TooMuchNoise(
            f"noise of {sigma:.3g} steps is more than 64 bits hold, nothing would be left of the answer: take a larger"
            " epsilon or delta"
        )
    return sigma


def draw(n: int, sigma: float, entropy: Entropy = SYSTEM) -> np.ndarray:
    """(n,) int64 draws from the discrete Gaussian of scale ``sigma``, in proportion to exp(-k**2 / (2 sigma**2))."""
    if not 0 < sigma <= _LARGEST:
        raise ValueError(f"sigma must be a positive finite number, at most 2**50, got {sigma!r}")
    if sigma > WIDEST:
        return _draw_wide(n, sigma, entropy)
    out = np.empty(n, dtype=np.int64)
    for start in range(0, n, _CHUNK):
        stop = min(n, start + _CHUNK)
        out[start:stop] = _invert(stop - start, sigma, entropy)
    return out


def _invert(n: int, sigma: float, entropy: Entropy) -> np.ndarray:
    """The number of a drawn cell of the table, less the centre."""
    high, low = _cumulative(float(sigma))
    return inversion.draw(high, low, n, entropy) - len(high) // 2


@lru_cache(maxsize=64)
def _cumulative(sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Cumulative probabilities of -K .. K-1 as 128-bit fixed-point numbers: their upper and lower 64 bits.

    Weights come from exp(-1/(2 sigma**2)) by two exact-integer products each, with 192 guard bits.
    """
    context = Context(prec=120)
    exponent = context.divide(Decimal(-1), context.multiply(Decimal(2), context.power(Decimal(sigma), 2)))
    ratio = int(context.multiply(context.exp(exponent), Decimal(1 << _GUARD)))
    step = (ratio * ratio) >> _GUARD
    weights = [1 << _GUARD]
    while weights[-1] >> (_GUARD - inversion.BITS - 8):
        weights.append((weights[-1] * ratio) >> _GUARD)
        ratio = (ratio * step) >> _GUARD
    return inversion.cumulative(weights[:0:-1] + weights)


def _draw_wide(n: int, sigma: float, entropy: Entropy) -> np.ndarray:
    """A fine draw plus ``_STRIDE`` times a coarse one, whose scale is rounded up."""
    coarse = math.nextafter(math.sqrt(sigma * sigma - _FINE * _FINE) / _STRIDE, math.inf)
    return draw(n, _FINE, entropy) + _STRIDE * draw(n, coarse, entropy)
