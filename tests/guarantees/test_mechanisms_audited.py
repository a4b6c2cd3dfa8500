"""Audits of the mechanisms on worst-case neighbours: never above the claim, close below it, and bugs are caught.

A game is the mechanism's own code run many times on neighbouring inputs that differ by one target record; the attacker
knows everything but whether the target is in. Error rates: a correct mechanism is accused with probability at most
``ACCUSED`` per test; figures of tightness use 5 % bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from sfumato.auditing.attacks.audit_bounds import epsilon_lower_bound, mu_lower_bound
from sfumato.privacy import accounting, gdp
from sfumato.privacy.events import DiscreteGaussian, Event, Exponential, Gaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.mechanisms import lattice, noisy_max
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.mechanisms.exponential import select
from sfumato.privacy.randomness import SYSTEM, Entropy, SeededEntropy
from sfumato.privacy.spending import Spending
from sfumato.trust import summing

ACCUSED = 1e-4
DELTA = 1e-5
RUNS = 20_000
Scores = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Tables:
    """Three count tables of unequal precision; the target alone fills one cell of each (the worst case).

    The fields are what can go wrong: each bug is one field that differs from the default.
    """

    noise: float = 1.0
    contribution: int = 1
    replaced: bool = False
    domain_from_data: bool = False
    entropy: Callable[[], Entropy] = lambda: SYSTEM

    def scores(self, mu: float, runs: int) -> Scores:
        """Log-likelihood ratios of the target's presence, in and out."""
        sigmas = [gdp.discrete_gaussian_sigma(mu * share**0.5) for share in (0.5, 0.3, 0.2)]
        return self._world(sigmas, runs, True), self._world(sigmas, runs, False)

    def _world(self, sigmas: list[float], runs: int, present: bool) -> np.ndarray:
        score = np.zeros(runs)
        for sigma in sigmas:
            cells = np.zeros((runs, 2), dtype=np.int64)  # the target's cell, and one for its replacement
            cells[:, 0] = self.contribution * present
            cells[:, 1] = self.replaced and not present
            if self.domain_from_data and not present:
                cells = cells[:, 1:]  # nobody is in the target's cell: the table lacks it, which all can see
            noisy = add_discrete_gaussian(cells, sigma * self.noise, self.entropy())
            if noisy.shape[1] == 1:
                return np.full(runs, -1e6)
            score += (noisy[:, 0] - (noisy[:, 1] if self.replaced else 0)) / sigma**2
        return score


CORRECT = Tables()
BUGS = {
    "halved noise": replace(CORRECT, noise=0.5),
    "doubled sensitivity": replace(CORRECT, contribution=2),
    "add/remove claimed, replace-one run": replace(CORRECT, replaced=True),
    "domain from data": replace(CORRECT, domain_from_data=True),
}


def mu_of(epsilon: float) -> float:
    return accounting.mu_for(Guarantee(epsilon, DELTA))


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_tables_stay_below_the_claim_and_come_close(epsilon: float) -> None:
    rng, mu = np.random.default_rng(1), mu_of(epsilon)
    inside, outside = CORRECT.scores(mu, RUNS)
    assert mu_lower_bound(inside, outside, rng, ACCUSED) <= mu
    assert epsilon_lower_bound(inside, outside, DELTA, rng, ACCUSED) <= epsilon
    runs = RUNS if epsilon >= 4 else 15 * RUNS  # at epsilon 1, mu is .27: 20,000 runs resolve .03 of it
    assert mu_lower_bound(*CORRECT.scores(mu, runs), rng) > 0.9 * mu


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
@pytest.mark.parametrize("bug", BUGS)
def test_bugs_in_tables_are_caught(bug: str, epsilon: float) -> None:
    rng, mu = np.random.default_rng(2), mu_of(epsilon)
    assert mu_lower_bound(*BUGS[bug].scores(mu, 4 * RUNS), rng, ACCUSED) > mu


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_a_reused_seed_is_caught(epsilon: float) -> None:
    """L5: whoever can repeat the noise subtracts it; with the operating system's entropy there is nothing to repeat."""

    def denoised(entropy: Callable[[], Entropy]) -> Scores:
        sigma = gdp.discrete_gaussian_sigma(mu_of(epsilon))
        guess = add_discrete_gaussian(np.zeros(RUNS, np.int64), sigma, entropy())
        one, none = (add_discrete_gaussian(np.full(RUNS, k, np.int64), sigma, entropy()) for k in (1, 0))
        return (one - guess).astype(float), (none - guess).astype(float)

    rng, mu = np.random.default_rng(3), mu_of(epsilon)
    assert mu_lower_bound(*denoised(lambda: SeededEntropy(0)), rng, ACCUSED) > mu
    assert mu_lower_bound(*denoised(lambda: SYSTEM), rng, ACCUSED) <= mu


def selection(epsilon: float, sensitivity: float) -> Scores:
    """The symmetric worst case of bounded range: one score falls by one, the other rises by one."""
    picks = [[select(scores, epsilon, sensitivity) for _ in range(RUNS)] for scores in ([0.0, 1.0], [1.0, 0.0])]
    return np.array(picks[0], dtype=float), np.array(picks[1], dtype=float)


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_selections_stay_below_the_claim_and_come_close(epsilon: float) -> None:
    rng, mu = np.random.default_rng(4), accounting.exponential_mu(epsilon)
    inside, outside = selection(epsilon, 1.0)
    assert mu_lower_bound(inside, outside, rng, ACCUSED) <= mu
    assert mu_lower_bound(inside, outside, rng) > 0.84 * mu
    assert epsilon_lower_bound(inside, outside, 0.0, rng, ACCUSED) <= epsilon


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_a_selection_with_half_the_sensitivity_is_caught(epsilon: float) -> None:
    rng = np.random.default_rng(5)
    assert mu_lower_bound(*selection(epsilon, 0.5), rng, ACCUSED) > accounting.exponential_mu(epsilon)


def noisy_max_of_many(epsilon: float, sensitivity: int, ahead: int, honest: int = 2, parts: int = 2) -> Scores:
    """A bad case: one score moves up, the other down; the attacker knows all parts but those of the honest."""
    b, step = noisy_max.scale(epsilon), noisy_max.step(sensitivity)

    def world(*scores: int) -> np.ndarray:
        noise = [np.sum([noisy_max.part(RUNS, b, step, parts) for _ in range(honest)], axis=0) for _ in scores]
        return np.argmax(np.array(scores)[:, None] + noise, axis=0).astype(float)

    return world(0, ahead), world(10, ahead - 10)


@pytest.mark.parametrize(("epsilon", "ahead"), [(0.5, 30), (2.0, 30), (2.0, 10)])
def test_noisy_maxima_of_many_stay_below_the_claim(epsilon: float, ahead: int) -> None:
    rng = np.random.default_rng(8)
    inside, outside = noisy_max_of_many(epsilon, 10, ahead)
    assert epsilon_lower_bound(inside, outside, 0.0, rng, ACCUSED) <= epsilon
    assert mu_lower_bound(inside, outside, rng, ACCUSED) <= gdp.pure_mu(epsilon)
    assert epsilon_lower_bound(inside, outside, 0.0, rng) > 0.4 * epsilon


@pytest.mark.parametrize(
    "bug",
    [
        {"sensitivity": 4, "ahead": 30},
        {"sensitivity": 10, "ahead": 10, "honest": 1, "parts": 20},
    ],
    ids=["half the sensitivity", "parts for more than are honest"],
)
def test_a_noisy_max_with_too_little_noise_is_caught(bug: dict[str, int]) -> None:
    rng = np.random.default_rng(9)
    assert epsilon_lower_bound(*noisy_max_of_many(2.0, **bug), 0.0, rng, ACCUSED) > 2.0


def noised_sums(vector: np.ndarray, mu: float, noise: float, runs: int) -> np.ndarray:
    """(runs, d) releases of a sum of one vector of norm at most 1, as a curator makes them."""
    scale = lattice.feature_scale(vector.size, 1.0)
    whole = np.tile(summing.whole(vector[None], 1.0, lattice.FEATURE_BITS).astype(np.int64), (runs, 1))
    return add_discrete_gaussian(whole, noise * lattice.scale(1 / mu, scale.sensitivity)) * scale.step


def sums(mu: float, noise: float, runs: int) -> Scores:
    """A sum of vectors of norm at most 1; the target points along (.6, .8), the attacker projects on it."""
    target = np.array([0.6, 0.8])
    inside, outside = (noised_sums(k * target, mu, noise, runs) @ target for k in (1, 0))
    return inside, outside


@pytest.mark.parametrize("epsilon", [1.0, 4.0])
def test_real_sums_stay_below_the_claim_and_halved_noise_is_caught(epsilon: float) -> None:
    rng, mu = np.random.default_rng(6), mu_of(epsilon)
    assert mu_lower_bound(*sums(mu, 1.0, RUNS), rng, ACCUSED) <= mu
    assert mu_lower_bound(*sums(mu, 0.5, RUNS), rng, ACCUSED) > mu


def test_a_whole_run_of_all_mechanisms_stays_below_its_claim() -> None:
    """Tables, a selection and a sum composed: the bound is below the claim, above 80 % of it, and L13 holds."""
    mu = mu_of(4.0)
    part = mu / 3**0.5
    sigma, epsilon = gdp.discrete_gaussian_sigma(part), accounting.exponential_epsilon(part)
    events: list[Event] = [DiscreteGaussian(sigma), Exponential(epsilon), Gaussian(1 / part)]

    def world(present: bool) -> np.ndarray:
        table = add_discrete_gaussian(np.full(RUNS, int(present)), sigma)
        total = noised_sums(np.array([float(present)]), part, 1.0, RUNS)[:, 0]
        scores = np.array([0.0, 1.0]) if present else np.array([1.0, 0.0])
        picks = np.array([select(scores, epsilon) for _ in range(RUNS)])
        return table * part**2 + total * part**2 + picks * epsilon

    rng = np.random.default_rng(7)
    inside, outside = world(True), world(False)
    assert Spending.of(events).mu == pytest.approx(mu)
    assert accounting.epsilon(events, DELTA) <= Spending.of(events).epsilon(DELTA) <= 4.0
    assert accounting.renyi_floor(events, DELTA) <= accounting.epsilon_rdp(events, DELTA)
    assert mu_lower_bound(inside, outside, rng, ACCUSED) <= mu
    assert mu_lower_bound(inside, outside, rng) > 0.8 * mu


def test_integer_noise_stays_on_the_integers_whatever_the_data() -> None:
    """L6: the set of possible outputs is one fixed grid, for any counts; float noise would fail this."""

    def on_the_grid(noisy: np.ndarray) -> bool:
        return np.issubdtype(noisy.dtype, np.integer) or bool((noisy == np.rint(noisy)).all())

    counts = np.array([0, 1, 3, 2**40])
    assert on_the_grid(add_discrete_gaussian(counts, 3.0))
    assert not on_the_grid(counts + np.random.default_rng(0).normal(0, 3, 4)), "the test must tell float noise"
    assert on_the_grid(noised_sums(np.array([0.3, -0.1]), 0.5, 1.0, 100) / lattice.feature_scale(2, 1.0).step)
    first, second = (add_discrete_gaussian(np.full(4000, k), 1.0) for k in (0, 1))
    assert {0, 1, -1, 2} <= set(first.tolist()) & set(second.tolist())


def test_two_runs_differ() -> None:
    """L5: no default seed anywhere in the mechanisms; a fixed one would fail."""
    counts = np.zeros(64, np.int64)
    assert (add_discrete_gaussian(counts, 9.0) != add_discrete_gaussian(counts, 9.0)).any()
    assert (add_discrete_gaussian(counts, 1e9) != add_discrete_gaussian(counts, 1e9)).all()
    assert len({select(np.zeros(1000), 1.0) for _ in range(20)}) > 10
    seeded = [add_discrete_gaussian(counts, 9.0, SeededEntropy(0)) for _ in range(2)]
    assert (seeded[0] == seeded[1]).all(), "the comparison must tell a reused seed"
