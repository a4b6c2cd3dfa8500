"""What the sum of several parties' noise costs, against its law by exact convolution."""

from __future__ import annotations

import math
from dataclasses import replace

import mpmath
import numpy as np
import pytest
from dp_accounting.rdp.rdp_privacy_accountant import _compute_rdp_poisson_subsampled_gaussian
from scipy.special import logsumexp, ndtri

from sfumato.errors import CertificateError
from sfumato.privacy import accounting, distributed, gdp, pld
from sfumato.privacy.events import (
    OVERFLOWS,
    DiscreteGaussian,
    DistributedDiscreteGaussian,
    DistributedGaussian,
    Event,
    Gaussian,
    PoissonSampledGaussian,
    from_json,
    to_json,
)
from sfumato.privacy.mechanisms.lattice import INEXACT
from sfumato.privacy.spending import Spending
from sfumato.release.consistency import check_charges

COUNTS = DistributedDiscreteGaussian(3.0, 4, 2, 8, 5)
STEPS = DistributedGaussian(2.0**20, 9, 2.0**21, 1.0, 0.01, 100, 1e-15, 1e-9)


def discrete_gaussian(scale: float, reach: int) -> np.ndarray:
    law = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * scale * scale))
    return law / law.sum()


@pytest.mark.parametrize("shares", [1, 2, 3, 7])
def test_the_convolution_is_exact(shares: int) -> None:
    """Against sums over all shares in fifty digits, out to where the probability is 1e-30."""
    with mpmath.workdps(50):
        one = {k: mpmath.exp(-mpmath.mpf(k * k) / 2) for k in range(-20, 21)}
        law = {0: mpmath.mpf(1)}
        for _ in range(shares):
            law = {
                x: mpmath.fsum(law.get(x - k, 0) * weight for k, weight in one.items())
                for x in range(-20 - max(law), 21 + max(law))
            }
        total = sum(law.values())
        found = distributed.convolved(1.0, shares)
        middle = len(found) // 2
        for x, weight in law.items():
            if weight / total > 1e-30:
                assert found[middle + x] == pytest.approx(float(weight / total), rel=1e-12)


@pytest.mark.parametrize("shares", [2, 3, 10, 49])
@pytest.mark.parametrize("scale", [0.5, 0.7, 1.0, 1.3])
def test_the_sum_is_within_tau_of_a_discrete_gaussian(scale: float, shares: int) -> None:
    """At every number, tails too; and a twentieth of tau would not do for two shares."""
    found, whole = distributed.convolved(scale, shares), scale * math.sqrt(shares)
    law = discrete_gaussian(whole, len(found) // 2)
    kept = law > 1e-100
    seen = np.abs(np.log(found[kept] / law[kept])).max()
    assert seen <= distributed.apart(scale, shares) + 1e-11
    assert shares > 2 or seen > distributed.apart(scale, shares) / 20


def corners(law: np.ndarray) -> float:
    """The least mu whose trade-off function lies below that of ``law`` and its shift by one."""
    below = np.cumsum(law[: len(law) // 2 + 1])
    z = ndtri(below[(below > 1e-120) & (below < 0.5)])  # of the lower half, well inside where the law was cut off
    return max(float(np.diff(z).max()), float(-2 * z[-1]))


@pytest.mark.parametrize("shares", [1, 2, 9, 49])
@pytest.mark.parametrize("scale", [0.6, 1.0, 2.0, 5.0])
def test_a_count_costs_what_the_trade_off_function_of_the_sum_says(scale: float, shares: int) -> None:
    mu, least = distributed.step_mu(scale, shares), corners(distributed.convolved(scale, shares))
    assert mu >= least * (1 - 1e-9)
    assert mu <= least + 2.6 * distributed.apart(scale, shares) * 2 + 1e-9
    event = DistributedDiscreteGaussian(max(scale, 2.0), shares, 3, 4)
    assert distributed.counts_mu(event) == 12 * distributed.step_mu(event.scale, shares)
    assert accounting.mu_squared(replace(event, count=7)) == pytest.approx(7 * distributed.counts_mu(event) ** 2)


@pytest.mark.parametrize("claimed", [2, 5, 10])
def test_a_share_that_is_missing_costs_more_than_is_charged(claimed: int) -> None:
    """Planted: an event that counts one share more than there is, as one silent site makes it."""
    least = corners(distributed.convolved(2.0, claimed - 1))
    assert distributed.step_mu(2.0, claimed) < least * (1 - 0.4 / claimed)


@pytest.mark.parametrize("event", [DistributedDiscreteGaussian(2.0, 2), DistributedDiscreteGaussian(2.5, 1, count=3)])
def test_narrow_sums_are_composed_by_their_own_law(event: DistributedDiscreteGaussian) -> None:
    """From two units on they are discrete Gaussians to what can be computed: dp-accounting's code finds the same."""
    same = DiscreteGaussian(event.sigma, count=event.count)
    for delta in (1e-5, 1e-9):
        found = pld.epsilon([event], delta)
        assert found == pytest.approx(pld.epsilon([same], delta), rel=1e-4)
        assert found < 0.995 * Spending.of([event]).epsilon(delta)
        assert found <= accounting.epsilon_rdp([event], delta)


def test_the_law_itself_is_priced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a law that one party's noise is missing from; the figure follows it."""
    event = DistributedDiscreteGaussian(2.0, 2)
    right = pld.epsilon([event], 1e-6)
    law = distributed.convolved(2.0, 1)
    monkeypatch.setattr(distributed, "convolved", lambda scale, shares: law)
    pld._single.cache_clear()
    pld._repeated.cache_clear()
    try:
        assert pld.epsilon([event], 1e-6) == pytest.approx(pld.epsilon([DiscreteGaussian(2.0)], 1e-6), rel=1e-3)
        assert pld.epsilon([event], 1e-6) > 1.3 * right
    finally:
        pld._single.cache_clear()
        pld._repeated.cache_clear()


def test_many_shares_cost_what_one_party_of_all_the_noise_would() -> None:
    for shares in (1, 9, 49):
        counts, alone = DistributedDiscreteGaussian(40 / math.sqrt(shares), shares), DiscreteGaussian(40.0)
        assert accounting.mu_squared(counts) == pytest.approx(accounting.mu_squared(alone), rel=1e-12)
        vector = DistributedGaussian(2.0**31 / math.sqrt(shares), shares, 2.0**30)
        assert accounting.mu_squared(vector) == pytest.approx(accounting.mu_squared(Gaussian(2.0)), rel=1e-12)
        steps = replace(STEPS, scale=1.5 * 2.0**21 / math.sqrt(shares), shares=shares)
        same = PoissonSampledGaussian(0.01, 1.5, 100, 1e-15, 1e-9)
        assert Spending.of([steps]).mu == pytest.approx(Spending.of([same]).mu, rel=1e-6)
        assert Spending.of([steps]).delta == Spending.of([same]).delta
        for account in (accounting.epsilon, accounting.epsilon_rdp):
            assert account([steps], 1e-6) == pytest.approx(account([same], 1e-6), rel=2e-2)


def test_the_rounding_is_inside_the_price() -> None:
    """A share of 2^8 steps: what real noise is left is smaller by SMOOTH, and a weight takes more of it."""
    narrow = distributed.as_gaussian(DistributedGaussian(256.0, 1, 256.0))
    assert narrow.noise_multiplier == pytest.approx(math.sqrt(1 - 4 / 65536))
    weighted = distributed.as_gaussian(DistributedGaussian(256.0 * 1.5, 1, 256.0 * 1.5, 1.5))
    assert weighted.noise_multiplier == pytest.approx(math.sqrt(1 - 4 / 65536))
    assert distributed.inexact(256.0, 9, 1000) == 9000 * INEXACT
    assert distributed.inexact(1.0, 2, 10) > 10 * 2.0**30 * 1e-5, "and tau would be, were it not so small"


@pytest.mark.parametrize("order", [2, 3, 5, 8])
def test_at_whole_orders_sampled_integer_noise_has_the_moments_of_real_noise(order: int) -> None:
    """The Renyi divergence of one step on a Poisson sample, summed over the integers; both ways round."""
    scale, rate, shift = 2.0, 0.05, 3
    near = discrete_gaussian(scale, 200)
    far = np.roll(near, shift)
    mixed = (1 - rate) * near + rate * far
    moments = {}
    for name, p, q in (("added", mixed, near), ("removed", near, mixed)):
        kept = (p > 1e-280) & (q > 1e-280)
        logs = order * np.log(p[kept]) + (1 - order) * np.log(q[kept])
        moments[name] = float(logsumexp(logs)) / (order - 1)
    real = float(_compute_rdp_poisson_subsampled_gaussian(rate, scale / shift, [order])[0])
    assert moments["added"] == pytest.approx(real, rel=1e-6)
    assert moments["removed"] <= real


@pytest.mark.parametrize("event", [COUNTS, STEPS, replace(STEPS, sampling_probability=1.0)])
def test_events_survive_json_and_nothing_else_does(event: Event) -> None:
    fields = to_json(event)
    assert from_json(fields) == event
    for name in fields:
        for wrong in (None, "1", -1.0, 0, math.nan, math.inf, [1], True):
            if name in ("delta", "tail") and wrong == 0:
                continue
            if name != "mechanism" and wrong is True:
                continue
            with pytest.raises((ValueError, TypeError)):
                from_json({**fields, name: wrong})
    with pytest.raises(ValueError, match="wrong fields"):
        from_json({**fields, "more": 1})


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: replace(COUNTS, scale=1.99), "scale must be a finite number of at least 2"),
        (lambda: replace(COUNTS, multiple=3), "a power of two"),
        (lambda: replace(COUNTS, shares=1001), "shares must be a whole number from 1 to 1000"),
        (lambda: replace(STEPS, scale=255.0), "scale over weight must be a finite number of at least 256"),
        (lambda: replace(STEPS, scale=300.0, weight=1.2), "scale over weight must be a finite number of at least 256"),
        (lambda: replace(STEPS, sampling_probability=0.0), r"must lie in \(0, 1\]"),
    ],
)
def test_events_out_of_range(wrong, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        wrong()


def test_events_in_words() -> None:
    assert accounting.describe([COUNTS, STEPS, replace(STEPS, sampling_probability=1.0)]) == [
        "5 tables of counts with the integer Gaussian noise of 4 honest parties, sigma 0.75 together",
        "200 sums of vectors on Poisson samples of rate 0.01 to 1 with the noise of 9 honest parties, 1.5 times the"
        " sensitivity together",
    ]


def test_a_certificate_without_the_deltas_of_its_shares_is_refused() -> None:
    enough = replace(STEPS, delta=OVERFLOWS + 1000 * 9 * INEXACT)
    check_charges([COUNTS, enough], 1)
    with pytest.raises(CertificateError, match="without the delta of its shares of noise"):
        check_charges([replace(STEPS, delta=8 * INEXACT)], 1)
    with pytest.raises(CertificateError, match="without the delta of its batches and its noise"):
        check_charges([replace(STEPS, delta=OVERFLOWS / 2)], 1)
    with pytest.raises(CertificateError, match="gradients are clipped per row"):
        check_charges([enough], 2)


def test_the_filter_counts_their_deltas_and_tails() -> None:
    assert Spending.of([STEPS]).delta == pytest.approx(100 * 1e-15 + 1e-9)
    assert accounting.epsilon([STEPS], 1e-13) == math.inf
    assert accounting.epsilon_rdp([STEPS], 1e-13) == math.inf
    assert gdp.delta(1.0, Spending.of([STEPS]).mu) < 1e-9
