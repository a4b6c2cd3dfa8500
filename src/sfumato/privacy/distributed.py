"""Noise that several parties add, each its own part: what the sum of the parts costs (Dwork et al. 2006).

The sum of n discrete Gaussians of scale s is no discrete Gaussian, but close to one. For s >= 1/2 its law differs from
that of scale S = s sqrt(n) at every whole number by a factor within exp(-tau) .. exp(tau),

    tau = 10 * sum_{k=1}^{n-1} exp(-2 pi^2 s^2 k / (k + 1))

(Kairouz, Liu, Steinke 2021, arXiv 2102.06387; by induction over k from the convolution of two of scales s sqrt(k) and
s, whose factor ``mechanisms.discrete_gaussian`` derives). That is 7e-17 for two shares of scale 2, and the bound
holds in the tails too.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

from sfumato.privacy import gdp
from sfumato.privacy.events import DistributedDiscreteGaussian, DistributedGaussian, Gaussian, PoissonSampledGaussian

if TYPE_CHECKING:
    import numpy as np

_REACH = 30.0
"""Standard deviations of a convolved law that are kept on each side; beyond lies less than 1e-190."""
_MILLS = 2.507
"""Twice sqrt(pi / 2), the largest ratio of the tail of N(0, 1) to its density at or above 0, rounded up."""
_WORST = 2.0**30
"""More than 1 + exp(20): what a total variation distance costs in delta, for any epsilon up to 20."""


def apart(scale: float, shares: int) -> float:
    """tau: the log of the law of the sum of ``shares`` discrete Gaussians of ``scale`` is within it of one's."""
    return 10 * math.fsum(math.exp(-2 * (math.pi * scale) ** 2 * k / (k + 1)) for k in range(1, shares))


def counts_mu(event: DistributedDiscreteGaussian) -> float:
    """GDP cost of one table of counts: a shift by one costs ``step_mu``, and steps add up.

    So m units in each count of a unit's s rows cost m s times as much, however they are spread over cells.
    """
    return event.sensitivity * event.multiple * step_mu(event.scale, event.shares)


@lru_cache(maxsize=4096)
def step_mu(scale: float, shares: int) -> float:
    """GDP cost of a shift by one under the sum of ``shares`` discrete Gaussians of ``scale``, at least 1/2.

    *Proof.* Write Q(k) for the probability that the sum of shares is at least k, and z(k) = Phi^-1(1 - Q(k)). The sum
    has a log-concave law, as discrete Gaussians have and convolutions keep, so for a shift by one the corners of its
    trade-off function are at whole numbers, and it lies above that of mu-GDP when ``z(k) - z(k - 1) <= mu`` at each
    (``gdp.discrete_gaussian_mu``). For k >= 1, Q(k) is below one half and within exp(+-tau) of that of the discrete
    Gaussian of scale S, and z moves by at most ``Q / phi(z) <= sqrt(pi / 2)`` for each unit of log Q. For k <= 0,
    ``z(k) = -z(1 - k)``. So no step is larger than the largest of the discrete Gaussian by more than 2 sqrt(pi / 2)
    tau.
    """
    return gdp.discrete_gaussian_mu(scale * math.sqrt(shares)) + _MILLS * apart(scale, shares)


@lru_cache(maxsize=4096)
def as_gaussian(event: DistributedGaussian) -> Gaussian | PoissonSampledGaussian:
    """The event of a single party that a sum of shares on a vector is no worse than.

    *Proof.* In a coordinate of weight w the sum of shares of scale s / w is within exp(+-tau) of a discrete Gaussian
    of scale S / w, S = s sqrt(n). That one is what remains of real Gaussian noise of variance (S / w)^2 - SMOOTH^2
    when each number is rounded at random, up to a factor 1 +- 2**-112.9 (``mechanisms.lattice.event``). The rounding
    does not know the rows, so it is post-processing; and a step on a Poisson sample is a mixture over samples of such
    releases, which leaves both the rounding and the distances of laws as they are. What is not exactly that is in the
    event's delta (:func:`inexact`).
    """
    from sfumato.privacy.mechanisms.lattice import SMOOTH  # imports numpy

    real = math.sqrt(event.shares * event.scale**2 - (event.weight * SMOOTH) ** 2)
    multiplier = real / event.sensitivity
    if event.sampling_probability == 1:
        return Gaussian(multiplier, event.count, event.delta)
    return PoissonSampledGaussian(event.sampling_probability, multiplier, event.count, event.delta, event.tail)


def inexact(scale: float, shares: int, numbers: int) -> float:
    """What one vector of ``numbers`` adds to delta, for any epsilon up to 20: samplers of all shares, rounding, tau."""
    from sfumato.privacy.mechanisms.lattice import INEXACT

    return numbers * (shares * INEXACT + _WORST * apart(scale, shares))


def convolved(scale: float, shares: int) -> np.ndarray:
    """Probabilities of the sum of ``shares`` discrete Gaussians of ``scale``, by exact convolution, around zero.

    Sums of products of positive numbers, each right to some 1e-15 of itself; the shares' squares are halved. What lies
    further out than ``_REACH`` scales of the sum is left away, less than 1e-190.
    """
    import numpy as np

    reach = math.ceil(_REACH * scale)
    one = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * scale * scale))
    power, law, left = one / one.sum(), np.ones(1), shares
    while left:
        if left & 1:
            law = np.convolve(law, power)
        left >>= 1
        power = _cut(np.convolve(power, power), math.ceil(_REACH * scale * math.sqrt(shares))) if left else power
    return _cut(law, math.ceil(_REACH * scale * math.sqrt(shares)))


def _cut(law: np.ndarray, reach: int) -> np.ndarray:
    middle = len(law) // 2
    return law[max(0, middle - reach) : middle + reach + 1]
