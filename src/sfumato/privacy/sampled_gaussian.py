"""What a whole DP-SGD costs in Gaussian differential privacy, once a small delta is taken for the tail of its loss.

Importing this module costs a second (dp-accounting); a figure takes some 50 ms the first time, and nothing after.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtr

from sfumato.privacy import gdp, pld
from sfumato.privacy.events import PoissonSampledGaussian

_POINTS = 1024  # of the grid of epsilons; twice as many change mu by less than 1e-5 of it
_LEAST = 1e-3  # of the cost of a Gaussian for all steps on all records, times the rate: below any mu of a sample
_NEAR = 1e-7  # relative width at which a search for mu ends, at its upper end
_MOST_EPSILON = 700.0  # whose exponential double precision holds
_TINY = 1e-300  # so that nothing is divided by zero where two slopes are one
_STRIDE = 0.1  # of the logarithm, in a search for where too much noise begins
_FIRST = 16  # times the grid of losses on which steps are accounted: enough to tell how fine a grid mu needs
_FINEST = 4  # times finer than that grid at most, lest a forged event stall the accountant
_CLOSE = 2e-4  # of the noise multiplier: how near to the smallest a calibration comes


@lru_cache(maxsize=1024)
def mu(event: PoissonSampledGaussian) -> float:
    """The smallest mu found for which all steps of ``event`` are (mu, ``event.tail``)-GDP; see the proof below.

    *Definition.* A mechanism is (mu, t)-GDP when for all neighbours, in both orders, and all epsilon >= 0 its delta is
    at most ``t + (1 - t) gdp.delta(epsilon, mu)``: no more than a mechanism shows that gives everything away with
    probability t and is mu-GDP otherwise. (Both orders at epsilon >= 0 say the same as one order at every epsilon.)

    *Formal guarantee.* Releases that are (mu_i, t_i)-GDP, each chosen after seeing the earlier ones, with sums
    ``mu_1^2 + mu_2^2 + ... <= M`` and ``t_1 + t_2 + ... <= T`` on every path, M and T fixed beforehand, are
    (epsilon, T + gdp.delta(epsilon, sqrt(M)))-DP for every epsilon: the two sums are a valid privacy filter.

    *Proof.* Fix neighbours D0 and D1. By Blackwell's theorem (Dong, Roth, Su 2022, Section 2) the answer i is drawn
    from its definition: a coin of chance t_i gives everything away, else something shows that is mu_i-GDP. What is
    left of the transcript's law when no coin has fallen is ``w(x) G_b(dx)`` under D_b, where ``w(x)``, the product of
    the ``1 - t_i``, is the same for both, and G_0, G_1 come from adaptively chosen mu_i-GDP mechanisms whose squares
    sum to at most M, so are sqrt(M)-GDP (Koskela, Tobaben, Honkela 2023; Smith, Thakurta 2022). Hence, for any set S,
    ``P0(S) - e^epsilon P1(S)`` is at most ``P0(a coin falls)``, at most T, plus the integral over S of
    ``w (dG_0 - e^epsilon dG_1)``, which is at most ``gdp.delta(epsilon, sqrt(M))`` as 0 <= w <= 1.

    M and T are both fixed before the first answer, and may not be traded against each other on the way: who first
    spends some mu, and only where that told little spends the rest of the room as delta, gets up to twice the delta.
    Releases may interleave, as the chunks of a training do with other runs: each is one f-DP mechanism, and filters of
    these hold for concurrent ones (Vadhan, Zhang 2023; Haney et al. 2023).

    *The check for all epsilon.* The delta of the steps is taken from their privacy loss distributions, rounded
    pessimistically (Doroshenko et al. 2022), on a grid. As a function of ``e^epsilon`` it is convex, so its chords lie
    above it; the bound is convex too, so its tangents lie below it: where the higher of two tangents lies above the
    chord at both ends and where the tangents cross, the bound holds everywhere between. Beyond the grid the delta is
    below ``event.tail``. Rounding of the Fourier transforms is allowed for by 2^-54 a step, twenty times what was seen.

    Without a tail, or one below the rounding, it is the cost without sampling, ``sqrt(steps) / noise_multiplier``,
    which always holds: a step on a sample is no worse than on all records.
    """
    whole = math.sqrt(event.count) / event.noise_multiplier
    rounding = (event.count + 16) * 2.0**-54
    if event.sampling_probability == 1 or event.tail <= 4 * rounding:
        return whole
    found = whole
    interval = pld.interval(event) * _FIRST
    for _ in range(2):  # the first figure tells how fine a grid the second needs, if any
        found = min(found, _on_grid(event, interval, rounding, whole))
        enough = found / max(200, 25 * math.sqrt(event.count))
        if interval <= enough:
            break
        interval = max(2.0 ** math.floor(math.log2(enough)), pld.interval(event) / _FINEST)
    return found


def _on_grid(event: PoissonSampledGaussian, interval: float, rounding: float, whole: float) -> float:
    """The smallest mu that covers the deltas as losses on a grid of ``interval`` show them."""
    profile = _profile(event, interval, rounding, whole)
    if profile is None:
        return whole
    low, high = _LEAST * event.sampling_probability * whole, whole
    while high > low * (1 + _NEAR):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _covers(middle, event.tail, *profile) else (middle, high)
    return high


def _profile(
    event: PoissonSampledGaussian, interval: float, rounding: float, whole: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Epsilons from 0 to where delta is below the tail, and deltas there; None where it never is."""
    loss = pld.steps(event, interval)
    most = min(gdp.epsilon(whole, event.tail / 4), _MOST_EPSILON)
    ends: list[np.ndarray] = []
    for _ in range(2):  # the second grid ends where the first shows that it may
        epsilons = np.linspace(0, most, _POINTS)
        deltas = np.asarray(loss.get_delta_for_epsilon(epsilons)) + rounding  # pyright: ignore[reportArgumentType]
        below = np.flatnonzero(deltas <= event.tail)
        if len(below) == 0:
            return None
        last = max(1, int(below[0]))
        most, ends = float(epsilons[last]), [epsilons[: last + 1], deltas[: last + 1]]
    return ends[0], ends[1]


def _covers(mu_: float, tail: float, epsilons: np.ndarray, deltas: np.ndarray) -> bool:
    """Whether the bound of (``mu_``, ``tail``)-GDP lies above the chords of the deltas, so above every delta."""
    below = epsilons / mu_ + mu_ / 2
    slope = (1 - tail) * np.exp(epsilons + log_ndtr(-below))  # downwards, for each doubling of e^epsilon from here
    bound = tail + (1 - tail) * ndtr(mu_ - below) - slope
    if not (deltas <= bound).all():
        return False
    width = np.expm1(np.diff(epsilons))
    left, right = slope[:-1], slope[1:] / (1 + width)
    steeper = np.maximum(left - right, _TINY)
    crossing = np.clip((bound[:-1] - bound[1:] - right * width) / steeper, 0, width)
    chord = deltas[:-1] + np.diff(deltas) * crossing / width
    return bool((chord <= np.maximum(bound[:-1] - left * crossing, bound[1:] + right * (width - crossing))).all())


@lru_cache(maxsize=256)
def noise_multiplier(sampling_probability: float, steps: int, mu_: float, tail: float) -> float:
    """The smallest noise multiplier, to 2e-4 of it, at which ``steps`` of DP-SGD are (``mu_``, ``tail``)-GDP."""
    whole = math.sqrt(steps) / mu_

    def excess(log_z: float) -> float:
        z = math.exp(log_z)
        if z >= whole:  # fits without sampling
            return -_CLOSE
        return math.log(mu(PoissonSampledGaussian(sampling_probability, z, steps, tail=tail)) / mu_)

    low = high = -0.5 * math.log(math.log1p(mu_**2 / (steps * sampling_probability**2)))  # many small steps: a Gaussian
    over = excess(high)
    while over > 0:
        low, high = high, high + max(over, _CLOSE / 2)
        over = excess(high)
    while excess(low) <= 0:
        low, high = low - _STRIDE, low
    root = float(brentq(excess, low, high, xtol=_CLOSE / 2))  # pyright: ignore[reportArgumentType]
    while excess(root) > 0:
        root += _CLOSE / 2
    return min(math.exp(root), whole)
