"""DP-SGD over sites: what is learnt, what is paid, and the steps that a site refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from tests.trust.federation import Federation, unevenly
from tests.trust.training_case import DOMAIN, GUARANTEE, STEPS, case, records

from sfumato.errors import FederationError
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.events import DistributedGaussian
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.federated import trainer
from sfumato.trust.federated.descents import SharedDescent
from sfumato.trust.federated.plan_facts import MOST_STEPS
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.trainer import SPARE, FederatedTrainer
from sfumato.trust.questions import GradientStep
from sfumato.trust.secure_sum.terms import RoundNumber

CODES = records().matrix()
ERROR = 1e-6
FEW = 4


def made(rounds: int = STEPS + 8, **terms) -> Federation:
    budget = Budget(Ledger.open().begin(GUARANTEE, "test"))
    return Federation(unevenly(CODES, 3), DOMAIN, budget, rounds=rounds, capacity=(1000,) * 3, **terms)


def asked(sites: Federation) -> SharedDescent:
    """The training that the case needs, as a coordinator asks for it."""
    budget = Budget(Ledger.open().begin(GUARANTEE, "test"))
    over, training, tail = FederatedTrainer(sites.rounds, DOMAIN, budget), case(), budget.tail(0.5)
    noise = poisson_noise_multiplier(training.rate, training.steps, budget.mu(0.5), tail)
    return SharedDescent(over._descent(training, training.rate, noise), SPARE, tail)


def begun(sites: Federation) -> SharedDescent:
    """A training that every site has paid for."""
    shared = asked(sites)
    sites.rounds.begin_descent(shared.to_bytes())
    return shared


def step(sites: Federation, shared: SharedDescent, number: int = 0, round_: int = 1) -> bytes:
    planned = shared.planned(DOMAIN, sites.plan)
    question = GradientStep(shared.descent.digest, number, np.zeros(planned.numbers, np.float32), bytes(32))
    return sites.sites[0].call("masked", SumRequest(RoundNumber(round_), question).data)


@pytest.mark.parametrize("curious", [0, 1])
def test_sites_learn_what_a_curator_learns_and_pay_for_spare_steps(curious: int) -> None:
    sites = made(curious=curious)
    learnt, _ = sites.setting.dp_sgd(case(), 0.5, Silent())
    np.testing.assert_allclose(learnt.value, CODES.mean(0) / 2, atol=0.5)
    assert sites.setting.remaining == pytest.approx(0.5, abs=2e-3)
    for run in sites.runs:
        (event,) = run.events
        assert event.count == STEPS + SPARE  # type: ignore[union-attr]
        assert event.shares == 3 - curious  # type: ignore[union-attr]
        assert run.steps == 2 * STEPS - 1  # numbers of two attempts a round, of which the first was enough


def test_a_long_training_takes_fewer_steps_over_sites_and_draws_more_records_in_each(monkeypatch) -> None:
    monkeypatch.setattr(trainer, "MOST_STEPS", FEW)
    sites = made()
    learnt, _ = sites.setting.dp_sgd(case(steps=4 * FEW), 0.5, Silent())
    (paid,) = sites.setting._budget.run.events
    assert isinstance(paid, DistributedGaussian)
    assert paid.count == sites.rounds.opened_rounds == FEW
    assert paid.sampling_probability == pytest.approx(4 * case().rate, rel=1e-3)
    assert sites.setting.remaining == pytest.approx(0.5, abs=2e-3)
    assert np.isfinite(learnt.value).all()
    few = case()
    assert few.within(STEPS) is few
    assert case(steps=9, batch=900.0).within(1).batch == 1000.0, "all records at most"


def test_a_plan_says_how_many_steps_a_training_has_and_sites_refuse_more() -> None:
    sites = made(rounds=2 * MOST_STEPS)
    assert f"in at most {MOST_STEPS} steps, each of which is one secure sum" in "\n".join(sites.plan.words())
    shared = asked(sites)
    more = replace(shared, descent=replace(shared.descent, steps=MOST_STEPS + 1))
    with pytest.raises(FederationError, match=r"97 steps: over sites it has 96 at most"):
        sites.rounds.begin_descent(more.to_bytes())
    assert "steps" not in "\n".join(made(questions=("count",)).plan.words())


def test_a_step_needs_a_training_that_was_paid_for() -> None:
    sites = made()
    shared = asked(sites)
    with pytest.raises(FederationError, match="never begun"):
        step(sites, shared)
    assert [run.events for run in sites.runs] == [(), (), ()]


def test_steps_of_another_training_and_beyond_the_last_are_refused() -> None:
    sites = made()
    shared = begun(sites)
    other = replace(shared, descent=replace(shared.descent, clip=shared.descent.clip / 2))
    with pytest.raises(FederationError, match="no step of the descent"):
        step(sites, other)
    with pytest.raises(FederationError, match="no step of the descent"):
        step(sites, shared, number=STEPS)
    assert step(sites, shared)


def test_more_attempts_than_were_paid_for_are_refused() -> None:
    sites = made()
    whole = asked(sites)
    one = replace(whole, spare=0, descent=replace(whole.descent, steps=1))
    sites.rounds.begin_descent(one.to_bytes())
    step(sites, one)
    with pytest.raises(FederationError, match="nothing is left of what was prepaid"):
        step(sites, one, round_=2)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"noise_multiplier": 0.0}, "without noise"),
        ({"capacity": 128}, "128 records drawn at a time, where sites draw up to"),
        ({"steps": 10**7}, "a training of 10,000,000 steps and 20 spare ones, in a plan of 56 rounds"),
        ({"capacity": 1 << 20, "groups": 1 << 16}, "more than 32 bits hold"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_a_training_that_no_site_accounts_for_is_refused(change: dict, said: str) -> None:
    sites = made()
    shared = asked(sites)
    with pytest.raises(FederationError, match=said):
        sites.rounds.begin_descent(replace(shared, descent=replace(shared.descent, **change)).to_bytes())
    assert [run.events for run in sites.runs] == [(), (), ()]


def test_a_training_outside_the_plan_or_malformed_is_refused() -> None:
    sites = made(questions=("count",))
    with pytest.raises(FederationError, match="outside the plan"):
        sites.sites[0].call("descent", b"")
    sites = made()
    whole = asked(sites).to_bytes()
    for data in (b"", whole[:20], whole[:-1], whole + b"x", b"x" + whole[1:]):
        with pytest.raises(FederationError, match=r"training that is none|question"):
            sites.sites[0].call("descent", data)


def pure_noise(silent: int) -> tuple[np.ndarray, float]:
    """Opened numbers of a step over sites without records of their own, in standard deviations of what was paid for."""
    sites = made()
    shared = begun(sites)
    planned = shared.planned(DOMAIN, sites.plan)
    for place, site in enumerate(sites.sites):
        descent = site._descent
        assert descent is not None
        descent._sums.answer = lambda *_: np.zeros(planned.numbers, np.int32)
        if place < silent:
            descent._noise = replace(descent._noise, scale=descent._noise.scale / 1000)
    question = GradientStep(shared.descent.digest, 0, np.zeros(planned.numbers, np.float32), bytes(32))
    opened = np.concatenate([sites.rounds.opened_step(question, planned.numbers) for _ in range(STEPS)])
    return opened, shared.noise(planned, sites.plan.roster).deviation(3)


def test_each_step_carries_the_noise_that_was_paid_for() -> None:
    """Two-sided chi-square test of the variance at ``ERROR``; planted: the sites add none."""
    for silent, right in ((0, True), (3, False)):
        opened, deviation = pure_noise(silent)
        low, high = stats.chi2.ppf([ERROR / 2, 1 - ERROR / 2], opened.size)
        assert (low <= (opened.astype(float) ** 2).sum() / deviation**2 <= high) == right
