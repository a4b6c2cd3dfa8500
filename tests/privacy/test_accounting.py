"""Two accountants, closed forms and dp-accounting's own accountant tell one story."""

from __future__ import annotations

import ast
import math
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import dp_accounting
import numpy as np
import pytest
from dp_accounting.pld import PLDAccountant

from sfumato.privacy import accounting, gdp, rdp
from sfumato.privacy.events import (
    DiscreteGaussian,
    DistributedDiscreteGaussian,
    DistributedGaussian,
    Event,
    Exponential,
    Gaussian,
    NoisyMax,
    PoissonSampledGaussian,
    Threshold,
    from_json,
    to_json,
)
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.spending import DELTA_SHARE, TAIL_SHARE, Spending

LISTS: dict[str, list[Event]] = {
    "narrow integers": [DiscreteGaussian(0.8), DiscreteGaussian(2.0, count=30), DiscreteGaussian(4.0, 3)],
    "wide integers": [DiscreteGaussian(40.0, count=50), DiscreteGaussian(90.0, 2, 7)],
    "selections": [Exponential(0.05, 40), Exponential(1.0)],
    "selections of many": [NoisyMax(0.05, 2, 40), NoisyMax(1.0, 2)],
    "DP-SGD": [PoissonSampledGaussian(0.01, 1.0, 1000), DiscreteGaussian(20.0, count=3)],
    "small steps": [PoissonSampledGaussian(0.001, 0.7, 10000)],
    "full batches": [PoissonSampledGaussian(1.0, 5.0, 10), Gaussian(9.0)],
    "counts of many": [DistributedDiscreteGaussian(2.0, 2, count=9), DistributedDiscreteGaussian(2.5, 9, 2, 4, 3)],
    "vectors of many": [DistributedGaussian(2.0**20, 9, 2.0**18), DistributedGaussian(400.0, 3, 99.0, 1.4, count=3)],
    "steps of many": [DistributedGaussian(2.0**20, 9, 2.0**21, 1.0, 0.01, 1000), DiscreteGaussian(20.0, count=3)],
    "thresholds": [Threshold(10.0, 90, 1e-10), Gaussian(50.0, 4)],
}


def budget_list(epsilon: float, delta: float, n: int = 300) -> list[Event]:
    """Uneven tables and selections that use up a guarantee."""
    mu = accounting.mu_for(Guarantee(epsilon, delta))
    shares = [random.Random(1).random() for _ in range(n)]
    tables = [accounting.discrete_gaussian_sigma(mu * math.sqrt(0.9 * s / sum(shares))) for s in shares]
    select = accounting.exponential_epsilon(mu * math.sqrt(0.1 / 50))
    return [*map(DiscreteGaussian, tables), *[Exponential(select)] * 50]


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("delta", [1e-5, 1e-9])
def test_renyi_never_claims_less_than_it_can(name: str, delta: float) -> None:
    found, floor = accounting.epsilon_rdp(LISTS[name], delta), accounting.renyi_floor(LISTS[name], delta)
    assert found >= floor * (1 - 1e-3)
    if not name.startswith("selections"):
        assert floor == accounting.epsilon(LISTS[name], delta)


def test_the_second_accountant_shares_nothing_with_the_first_but_the_events() -> None:
    """Every name that its module imports; and the planted bug, an import of the closed forms, would be seen."""

    def ours(source: str) -> set[str]:
        tree = ast.walk(ast.parse(source))
        found = {n.module or "" for n in tree if isinstance(n, ast.ImportFrom)}
        found |= {a.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Import) for a in n.names}
        return {module for module in found if module.startswith("sfumato") or not module}

    source = Path(rdp.__file__).read_text()
    assert ours(source) == {"sfumato.privacy.events"}
    assert "sfumato.privacy.gdp" in ours(source + "\n\ndef late():\n    from sfumato.privacy.gdp import exponential_mu")


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 2.0, 8.0])
def test_selections_are_within_their_renyi_bound(epsilon: float) -> None:
    """At every order, for the worst pair of epsilon-bounded-range mechanisms (Dong, Durfee, Rogers 2020, Lemma 3.2)."""
    for order in (1.5, 2.0, 4.0, 16.0, 64.0):
        worst = 0.0
        for t in np.linspace(0, epsilon, 201):  # losses t and t - epsilon, with the probabilities that make both laws
            p = (1 - math.exp(t - epsilon)) / (math.exp(t) - math.exp(t - epsilon))
            moment = p * math.exp(order * t) + (1 - p) * math.exp(order * (t - epsilon))
            worst = max(worst, math.log(moment) / (order - 1))
        assert worst <= order * epsilon**2 / 8 * (1 + 1e-9)
        assert worst > order * epsilon**2 / 16 or epsilon * order > 4  # and a half of it would not do


@pytest.mark.parametrize("epsilon", [0.05, 0.5, 2.0, 8.0])
def test_selections_of_many_are_within_their_renyi_bound(epsilon: float) -> None:
    """At every order, for the worst mechanism without delta; four times a selection's of the same range."""
    truly = 1 / (1 + math.exp(-epsilon))
    for order in (1.5, 2.0, 4.0, 16.0, 64.0):
        moment = truly * math.exp((order - 1) * epsilon) + (1 - truly) * math.exp((1 - order) * epsilon)
        assert math.log(moment) / (order - 1) <= order * epsilon**2 / 2 * (1 + 1e-9)
    one, other = (accounting.epsilon_rdp([event], 1e-9) for event in (NoisyMax(epsilon, 2), Exponential(2 * epsilon)))
    assert one == pytest.approx(other, rel=1e-9)
    assert accounting.mu_squared(NoisyMax(epsilon, 2, 3)) == pytest.approx(3 * gdp.pure_mu(epsilon) ** 2)


@pytest.mark.parametrize("delta", [1e-5, 1e-9, 1e-12])
@pytest.mark.parametrize("epsilon", [0.05, 1.0, 20.0])
def test_a_budget_of_300_events_sums_to_the_claim(epsilon: float, delta: float) -> None:
    events = budget_list(epsilon, delta)
    spent = accounting.epsilon(events, delta)
    assert 0.97 * epsilon < spent <= epsilon
    assert 0.99 * epsilon < Spending.of(events).epsilon(delta) <= epsilon
    assert spent <= accounting.epsilon_rdp(events, delta) < 1.2 * epsilon
    assert Spending.of(events).within(Guarantee(epsilon, delta))


def test_300_events_take_less_than_a_second() -> None:
    accounting.epsilon([Gaussian(50.0)], 1e-9)  # the import
    began = time.process_time()
    accounting.epsilon(budget_list(10.0, 1e-9), 1e-9)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    "event", [PoissonSampledGaussian(0.01, 2.0, 300), PoissonSampledGaussian(0.05, 20.0, 100), Gaussian(60.0, 20)]
)
def test_rounding_costs_less_than_half_a_percent(event: Event) -> None:
    """Against dp-accounting's accountant on a grid ten times finer."""
    theirs = PLDAccountant(value_discretization_interval=1e-5)
    gaussian = dp_accounting.GaussianDpEvent(event.noise_multiplier)
    if isinstance(event, PoissonSampledGaussian):
        gaussian = dp_accounting.PoissonSampledDpEvent(event.sampling_probability, gaussian)
    theirs.compose(gaussian, event.count)
    fine = theirs.get_epsilon(1e-6)
    assert fine * (1 - 1e-6) <= accounting.epsilon([event], 1e-6) <= fine * 1.005


def test_gaussians_cost_their_closed_form() -> None:
    events = [Gaussian(30.0), Gaussian(20.0, 5), DiscreteGaussian(500.0)]
    mu = math.sqrt(1 / 30**2 + 5 / 20**2 + 1 / 500**2)
    assert Spending.of(events).mu == pytest.approx(mu, rel=1e-6)
    closed = gdp.epsilon(mu, 1e-7)
    assert closed <= accounting.epsilon(events, 1e-7) <= closed * 1.0001


def test_narrow_integer_noise_is_charged_by_its_own_distribution() -> None:
    events = [DiscreteGaussian(1.0, count=3)]
    assert accounting.epsilon(events, 1e-9) < 0.96 * gdp.epsilon(Spending.of(events).mu, 1e-9)


def test_threshold_deltas_add() -> None:
    counts = [Gaussian(1 / gdp.discrete_gaussian_mu(50.0))]
    shown = [Threshold(50.0, 400, 4e-10)]
    assert accounting.epsilon(shown, 1e-9) == pytest.approx(accounting.epsilon(counts, 6e-10), rel=1e-6)
    assert accounting.epsilon(shown, 3e-10) == math.inf
    assert accounting.epsilon_rdp(shown, 3e-10) == math.inf
    assert not Spending.of(shown).within(Guarantee(100, 3e-10))


def test_nothing_costs_nothing() -> None:
    assert accounting.epsilon([], 1e-9) == accounting.epsilon_rdp([], 1e-9) == 0.0
    assert accounting.describe([]) == []


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 10.0])
def test_dp_sgd_is_calibrated_next_to_other_events(epsilon: float) -> None:
    guarantee, other = Guarantee(epsilon, 1e-6), DiscreteGaussian(200 / epsilon)
    tail = TAIL_SHARE * guarantee.delta
    left = math.sqrt(accounting.mu_for(guarantee) ** 2 - accounting.mu_squared(other))
    steps = PoissonSampledGaussian(0.05, accounting.poisson_noise_multiplier(0.05, 100, left, tail), 100, tail=tail)
    assert 0.999 * left**2 < accounting.mu_squared(steps) <= left**2
    assert Spending.of([steps, other]).within(guarantee)
    assert 0.93 * epsilon < accounting.epsilon([steps, other], guarantee.delta) <= epsilon


def test_dp_sgd_without_guarantee() -> None:
    assert accounting.poisson_noise_multiplier(0.01, 10, math.inf, 1e-11) == 0.0


@pytest.mark.parametrize("event", [Gaussian(20.0, 4, 1e-10), PoissonSampledGaussian(0.01, 1.0, 4, 1e-10)])
def test_deltas_of_approximations_add_once_a_repetition(event: Event) -> None:
    exact = replace(event, delta=0.0)
    for account in (accounting.epsilon, accounting.epsilon_rdp):
        assert account([event], 1e-9) == pytest.approx(account([exact], 6e-10), rel=1e-4)
        assert account([event], 4e-10) == math.inf
    assert Spending.of([event, event]).delta == pytest.approx(8e-10)


def test_tails_of_trainings_add() -> None:
    """Ten trainings take ten tails; a filter that forgot them would let any number pass."""
    steps = PoissonSampledGaussian(0.001, 20.0, 10, tail=2e-11)
    assert Spending.of([steps] * 10).delta == pytest.approx(2e-10)
    assert not Spending.of([steps] * 11).within(Guarantee(1, 1e-9))


def test_delta_and_mu_have_limits_of_their_own() -> None:
    guarantee = Guarantee(1, 1e-9)
    kept = Spending(accounting.mu_for(guarantee) ** 2, DELTA_SHARE * guarantee.delta)
    assert kept.within(guarantee)
    assert not (kept + Spending(delta=1e-12)).within(guarantee)
    assert not Spending(1.001 * kept.mu_squared).within(guarantee), "mu may not be bought with the delta that is left"
    assert kept.epsilon(guarantee.delta) == pytest.approx(1, rel=1e-3)


def test_totals_do_not_depend_on_order_or_grouping() -> None:
    events = [e for some in LISTS.values() for e in some]
    one, halves = Spending.of(events), Spending.of(events[::2]) + Spending.of(events[1::2])
    assert one.mu == pytest.approx(halves.mu)
    assert one.delta == pytest.approx(halves.delta)
    assert Spending.of(reversed(events)) == one


@pytest.mark.parametrize("name", LISTS)
def test_events_survive_json_and_are_put_in_words(name: str) -> None:
    assert [from_json(to_json(e)) for e in LISTS[name]] == LISTS[name]
    assert len(accounting.describe(LISTS[name])) == len({type(e) for e in LISTS[name]})


def test_a_check_in_closed_form_is_cheap_and_needs_no_accountant() -> None:
    code = (
        "import sys, time\n"
        "from sfumato.privacy.accounting import mu_for\n"
        "from sfumato.privacy.spending import Spending\n"
        "from sfumato.privacy.guarantee import Guarantee\n"
        "g = Guarantee(1, 1e-9); s = Spending(mu_for(g) ** 2)\n"
        "t = time.perf_counter()\n"
        "assert all(s.within(g) for _ in range(1000))\n"
        "assert time.perf_counter() - t < 0.1\n"
        "assert not {'numpy', 'scipy', 'dp_accounting'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "events",
    [
        [PoissonSampledGaussian(1e-3, 0.5, 10)],
        [PoissonSampledGaussian(1e-9, 0.5, 10**6)],
        [PoissonSampledGaussian(1e-9, 1e8, 10**6)],
        [PoissonSampledGaussian(1e-3 + i * 1e-7, 0.5) for i in range(200)],
        [PoissonSampledGaussian(1e-6, 2.0, 10**6, tail=1e-10)],
    ],
)
def test_no_list_of_events_stalls_the_accountant_or_makes_it_kinder(events: list[Event]) -> None:
    began = time.process_time()
    found, filtered = accounting.epsilon(events, 1e-9), Spending.of(events).epsilon(1e-9)
    assert time.process_time() - began < 20
    assert found <= filtered * 1.005
    assert found <= accounting.epsilon_rdp(events, 1e-9)


def test_more_steps_than_can_be_summed_are_refused() -> None:
    with pytest.raises(ValueError, match="more than the 1048576 that can be accounted"):
        accounting.epsilon([PoissonSampledGaussian(1e-4, 3.0, 10**7)], 1e-9)
