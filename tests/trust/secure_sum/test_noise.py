"""The sites' shares of the noise add up to what is charged: each statistical test is wrong once in a million runs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import chi2, chisquare
from tests.trust.secure_sum.simulated import SUBJECT, Simulated, identities, roster_of

from sfumato.errors import FederationError, TooMuchNoise
from sfumato.privacy import accounting
from sfumato.privacy.gdp import discrete_gaussian_sigma
from sfumato.privacy.mechanisms.lattice import feature_scale
from sfumato.privacy.randomness import SeededEntropy
from sfumato.trust.secure_sum.masks import centred
from sfumato.trust.secure_sum.noise import CountNoise, VectorNoise, multiple_for
from sfumato.trust.secure_sum.terms import RoundNumber

ERROR_RATE = 1e-6
ONE = RoundNumber(1)
CELLS = 40_000


def opened(run: Simulated, noise: CountNoise | VectorNoise, silent: tuple[int, ...] = (), lost: tuple[int, ...] = ()):
    """The opened sum of zeros, to which all sites but the silent ones add their share."""
    opening = run.coordinator.opening(ONE, SUBJECT, CELLS)
    zeros = np.zeros(CELLS, int)
    for place, site in run.sites.items():
        noised = zeros if place in silent else noise.add(zeros, site.entropy(ONE, SUBJECT))
        message = site.masked(ONE, SUBJECT, noised)
        if place not in lost:
            opening.add(place, message)
    survivors = opening.listed()
    left = [place for place in run.sites if place not in lost]
    consents = opening.consents({p: run.sites[p].consent(survivors) for p in left})
    return centred(opening.opened({p: run.sites[p].unmask(consents) for p in left}))


def too_narrow(sample: np.ndarray, deviation: float) -> float:
    """p-value of a variance below that of ``deviation``."""
    return float(chi2.cdf((sample.astype(float) ** 2).sum() / deviation**2, sample.size))


def too_wide(sample: np.ndarray, deviation: float) -> float:
    return float(chi2.sf((sample.astype(float) ** 2).sum() / deviation**2, sample.size))


@pytest.mark.parametrize(("sites", "curious", "lost"), [(3, 0, 0), (3, 1, 0), (10, 0, 0), (10, 1, 4), (10, 3, 0)])
def test_the_noise_of_an_opened_sum(sites: int, curious: int, lost: int) -> None:
    """With all there it is that of k shares; without d of them and c that tell theirs it is what was charged."""
    run = Simulated(sites, curious, lost, rounds=1, attempts=1)
    noise = CountNoise.of_cost(1 / 40.0, run.terms.roster)
    charged, multiple = noise.event().sigma, noise.multiple
    assert charged == pytest.approx(40.0, rel=1e-3)
    assert noise.deviation(sites) == pytest.approx(charged * math.sqrt(sites / (sites - curious - lost)), rel=1e-9)
    sample = opened(run, noise, silent=tuple(range(curious)), lost=tuple(range(sites - lost, sites)))
    assert min(too_narrow(sample, charged * multiple), too_wide(sample, charged * multiple)) > ERROR_RATE


@pytest.mark.parametrize("curious", [0, 2])
def test_a_site_that_leaves_its_noise_out_is_caught(curious: int) -> None:
    """An audit of what honest sites add: planted, one of them adds none."""
    run = Simulated(10, curious, rounds=1, attempts=1)
    noise = CountNoise.of_cost(1 / 40.0, run.terms.roster)
    silent = tuple(range(curious + 1))
    assert too_narrow(opened(run, noise, silent), noise.event().sigma) < ERROR_RATE


def test_a_halved_share_is_caught() -> None:
    run = Simulated(5, 0, rounds=1, attempts=1)
    noise = CountNoise.of_cost(1 / 40.0, run.terms.roster)
    half = CountNoise(noise.scale / math.sqrt(2), noise.shares)
    assert too_narrow(opened(run, half), noise.event().sigma) < ERROR_RATE


def chi_square(sample: np.ndarray, scale: float) -> float:
    """p-value of integer draws against the discrete Gaussian of ``scale``, in cells of at least 20 expected draws."""
    reach = int(8 * scale) + 2
    law = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * scale * scale))
    expected = law / law.sum() * sample.size
    observed = np.bincount(sample + reach, minlength=law.size)
    inner = expected >= 20
    cells = [np.append(x[inner], x[~inner].sum()) for x in (observed, expected)]
    return float(chisquare(*cells).pvalue)


def test_at_no_curious_and_no_lost_sites_it_is_the_noise_of_one_curator() -> None:
    run = Simulated(10, 0, rounds=1, attempts=1)
    noise = CountNoise.of_cost(1 / 12.0, run.terms.roster)
    assert noise.deviation(10) == pytest.approx(discrete_gaussian_sigma(1 / 12.0), rel=1e-9)
    assert chi_square(opened(run, noise), noise.deviation(10)) > ERROR_RATE


@pytest.mark.parametrize("bug", ["rounded normal numbers", "one of ten is silent"])
def test_the_chi_square_catches(bug: str) -> None:
    run = Simulated(10, 0, rounds=1, attempts=1)
    noise = CountNoise.of_cost(1 / 12.0, run.terms.roster)
    if bug == "one of ten is silent":
        assert chi_square(opened(run, noise, (3,)), noise.deviation(10)) < ERROR_RATE
    else:
        wide = np.rint(np.random.default_rng(1).normal(0, 0.95 * noise.deviation(10), CELLS)).astype(int)
        assert chi_square(wide, noise.deviation(10)) < ERROR_RATE


@pytest.mark.parametrize(("sites", "curious", "lost"), [(3, 1, 0), (10, 0, 0), (50, 1, 20)])
@pytest.mark.parametrize("mu", [0.002, 0.05, 0.6, 3.0])
@pytest.mark.parametrize("sensitivity", [1, 3])
def test_the_noise_costs_what_was_asked_and_no_more(
    sites: int, curious: int, lost: int, mu: float, sensitivity: int
) -> None:
    noise = CountNoise.of_cost(mu, roster_of(identities(sites), curious, lost), sensitivity)
    assert 0.99 * mu**2 < accounting.mu_squared(noise.event()) <= mu**2
    assert noise.event(7).count == 7
    assert noise.scale >= 2
    assert noise.shares == sites - curious - lost


def test_counts_are_multiplied_where_shares_would_be_narrow() -> None:
    assert [multiple_for(1 / s, 9) for s in (40.0, 6.1, 5.9, 3.1, 1.0, 0.1)] == [1, 1, 2, 2, 8, 64]
    assert [multiple_for(1 / s, 9, 2) for s in (3.1, 2.9)] == [1, 2]
    with pytest.raises(FederationError, match="too little to be dealt out to 9 sites"):
        multiple_for(1e10, 9)
    noise = CountNoise.of_cost(0.5, roster_of(identities(10), 1, 0))
    assert noise.multiple == 4
    total = np.sum([noise.add(np.full(CELLS, 5), SeededEntropy(i)) for i in range(9)], axis=0)
    assert (total % 4 != 0).mean() > 0.5, "noise is finer than counts"
    assert total.mean() / 4 == pytest.approx(45, abs=5 * noise.deviation(9) / math.sqrt(CELLS))
    assert min(too_narrow(total - 180, 4 * noise.event().sigma), too_wide(total - 180, 4 * noise.event().sigma)) > 1e-6


def test_vectors_carry_the_noise_of_their_multiplier() -> None:
    run, scale = Simulated(4, 0, 1, rounds=1, attempts=1, bits=64), feature_scale(100, 1.0)
    noise = VectorNoise.of_multiplier(2.0, run.terms.roster, scale.sensitivity)
    event = noise.event(CELLS)
    assert accounting.mu_squared(event) == pytest.approx(1 / 4, rel=1e-9)
    assert accounting.mu_squared(event) <= 1 / 4
    deviation = 2.0 * scale.sensitivity
    sample = opened(run, noise, lost=(2,))
    assert min(too_narrow(sample, deviation), too_wide(sample, deviation)) > ERROR_RATE
    assert event.delta == pytest.approx(CELLS * 3 * 2.0**-78)


def test_weighted_coordinates_have_less_noise() -> None:
    roster = roster_of(identities(4), 0, 1)
    noise = VectorNoise.of_multiplier(1.0, roster, 2.0**18, math.sqrt(2))
    sample = noise.add(np.zeros(CELLS, int), SeededEntropy(1), math.sqrt(2))
    alone = noise.scale / math.sqrt(2)
    assert min(too_narrow(sample, alone), too_wide(sample, alone)) > ERROR_RATE
    with pytest.raises(ValueError, match=r"a weight lies above 0 and is at most 1.41421"):
        noise.add(np.zeros(3, int), SeededEntropy(1), 1.5)


def test_steps_of_a_training() -> None:
    noise = VectorNoise.of_multiplier(1.3, roster_of(identities(10), 1, 0), 2.0**20)
    event = noise.event(1000, probability=0.02, steps=30, delta=1e-15, tail=1e-9)
    assert (event.sampling_probability, event.count, event.tail) == (0.02, 30, 1e-9)
    assert event.delta == pytest.approx(1e-15 + 9000 * 2.0**-78)
    assert event.noise_multiplier == pytest.approx(1.3, rel=1e-6)


@pytest.mark.parametrize(
    ("made", "error", "said"),
    [
        (
            lambda r: VectorNoise.of_multiplier(1.0, r, 100.0),
            FederationError,
            "steps wide, less than 256: take a",
        ),
        (lambda r: VectorNoise.of_multiplier(1.0, r, 2.0**52), TooMuchNoise, "more than 64 bits hold"),
        (lambda r: CountNoise.of_cost(2.0**-52, r), TooMuchNoise, "more than 64 bits hold"),
    ],
)
def test_noise_that_whole_numbers_do_not_hold(made: Callable, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        made(roster_of(identities(5)))


def test_real_counts_are_refused() -> None:
    noise = CountNoise.of_cost(0.1, roster_of(identities(5)))
    with pytest.raises(ValueError, match="integer noise needs integer values"):
        noise.add(np.zeros(3), SeededEntropy(1))
