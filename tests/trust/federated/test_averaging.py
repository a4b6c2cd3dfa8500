"""Training by averages: what is learnt, what each level promises and pays, and the runs that a site refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import optax
import pytest
from scipy import stats
from tests.trust.federation import Federation, LostAt, unevenly
from tests.trust.secure_sum.simulated import identities, roster_of
from tests.trust.training_case import DOMAIN, GUARANTEE, STEPS, case, records

from sfumato.errors import FederationError
from sfumato.federation.defaults import DEADLINE
from sfumato.privacy import dp_sgd
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.events import DistributedGaussian, PoissonSampledGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.local_training import LocalTraining
from sfumato.privacy.mechanisms.lattice import norm
from sfumato.privacy.randomness import SYSTEM
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.federated import local_runs
from sfumato.trust.federated.averaged_descent import SPARE_RUNS, AveragedDescent
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.averaging_trainer import AveragingTrainer
from sfumato.trust.federated.local_runs import LocalRuns
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.planned_averages import PlannedAverages
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.rounds import LOCAL_STEP
from sfumato.trust.questions import Count, LocalRun, from_bytes
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.terms import RoundNumber
from sfumato.trust.training_log import TrainingLog

CODES = records().matrix()
ERROR = 1e-6
"""Chance that a check of noise fails where nothing is wrong."""
LITTLE = CODES[:300]
"""Records that are one group, so that nothing but their batches is left to chance."""
FEW = 12
"""Local steps of a run: a quarter of the training."""
NOTHING = Guarantee(float("inf"))


def local_case(batch: float = 100.0, rate: float = 0.2, steps: int = STEPS) -> Any:
    """The small training, which sites may go on with by themselves."""
    return replace(case(steps, batch), local=LocalTraining(rate, lambda carry, parameters, steps, key: (parameters, 0)))


def made(
    averaging: Averaging | None, promise: Guarantee = GUARANTEE, parts: Sequence[np.ndarray] | None = None, **terms: Any
) -> Federation:
    run = Ledger.open().begin(promise, "test")
    parts = unevenly(CODES, 3) if parts is None else parts
    most = (len(CODES),) * len(parts)
    return Federation(parts, DOMAIN, Budget(run), rounds=STEPS + 8, capacity=most, averaging=averaging, **terms)


def asked_of(sites: Federation, training: Any = None, share: float = 0.5) -> PlannedAverages:
    """What the sites of a plan are asked for."""
    averaging = sites.plan.averaging
    assert averaging is not None
    training = local_case() if training is None else training
    trainer = AveragingTrainer(sites.rounds, DOMAIN, sites.setting._budget, averaging)
    mark, _ = trainer._begun(TrainingLog(sites.setting._budget, None), training, share)
    return PlannedAverages(trainer._asked(training, share, mark.rate, mark.noise_multiplier), sites.plan, DOMAIN)


def run_of(planned: PlannedAverages, number: int = 0) -> LocalRun:
    return LocalRun(planned.asked.digest, number, np.zeros(2, np.float32), np.zeros(0, np.float32))


def request(planned: PlannedAverages, number: int = 0, round_: int = 1) -> bytes:
    return SumRequest(RoundNumber(round_), run_of(planned, number)).data


@pytest.mark.parametrize(("secure", "proximal"), [(True, 0.0), (True, 0.1), (False, 0.0)])
def test_each_site_pays_for_its_own_noised_steps_and_all_learn(secure: bool, proximal: float) -> None:
    sites = made(Averaging(FEW, proximal, secure))
    learnt, _ = sites.setting.dp_sgd(local_case(), 0.5, Silent())
    np.testing.assert_allclose(learnt.value, CODES.mean(0) / 2, atol=0.7)
    assert sites.setting.remaining == pytest.approx(0.5, abs=2e-3)
    assert sites.rounds.opened_rounds == STEPS // FEW
    (paid,) = sites.setting._budget.run.events
    assert isinstance(paid, PoissonSampledGaussian)
    assert paid.count == STEPS
    for run in sites.runs:
        (event,) = run.events
        assert event == replace(paid, count=STEPS + SPARE_RUNS * FEW)


def test_a_local_step_costs_what_that_of_a_curator_costs() -> None:
    """The noise of every site alone is that of the whole promise: no share of it is another's."""
    sites = made(Averaging(FEW))
    event, budget = asked_of(sites).event(STEPS // FEW), sites.setting._budget
    assert isinstance(event, PoissonSampledGaussian)
    needed = poisson_noise_multiplier(event.sampling_probability, STEPS, budget.mu(0.5), budget.tail(0.5))
    assert needed <= event.noise_multiplier <= 1.01 * needed


def noised_changes(monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, float]:
    """Changes of single plain steps at a site without records, in whole steps, over the deviation that is paid for."""
    monkeypatch.setattr(optax, "adam", lambda rate: optax.sgd(1.0))
    local_runs._run.cache_clear()
    sites = made(Averaging(1))
    planned = asked_of(sites, local_case(rate=100.0))
    runs = LocalRuns(planned.asked.to_bytes(), Records.of(CODES[:0], DOMAIN), sites.plan, 0)
    found = np.concatenate([runs.change(run_of(planned), SYSTEM) for _ in range(STEPS)])
    grid = planned.steps.grid
    assert grid is not None
    local_runs._run.cache_clear()
    return found * planned.step, grid.scale * grid.step / planned.asked.batch


@pytest.mark.parametrize("noisy", [True, False])
def test_each_local_step_carries_noise_of_full_strength(noisy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two-sided chi-square test of the variance at ``ERROR``; planted: local steps without noise."""
    if not noisy:
        monkeypatch.setattr(dp_sgd, "noised", lambda whole, words, grid: whole)
    found, deviation = noised_changes(monkeypatch)
    low, high = stats.chi2.ppf([ERROR / 2, 1 - ERROR / 2], found.size)
    assert (low <= (found**2).sum() / deviation**2 <= high) == noisy


def everybody() -> Any:
    """A training that draws all of few records each time, so that without noise nothing is left to chance."""
    return replace(local_case(batch=float(len(LITTLE))), total=float(len(LITTLE)))


def test_sites_count_alike_in_the_mean_however_many_records_they_have() -> None:
    """Weights by their numbers of records would tell these; planted: the mean that they give is another."""
    sites = made(Averaging(FEW, level="none"), NOTHING, unevenly(LITTLE, 3))
    planned = asked_of(sites, everybody())
    runs = [LocalRuns(planned.asked.to_bytes(), Records.of(p, DOMAIN), sites.plan, 0) for p in unevenly(LITTLE, 3)]
    changes = [one.change(run_of(planned), SYSTEM) for one in runs]
    sites.rounds.begin_averaging(planned.asked.to_bytes())
    total, answered = sites.rounds.added_changes(run_of(planned), 2, True)
    assert answered == 3
    np.testing.assert_array_equal(total, np.sum(changes, axis=0))
    weighted = np.average(changes, axis=0, weights=[len(p) for p in unevenly(LITTLE, 3)]) * planned.step
    assert np.abs(planned.mean(total, 3) - weighted).max() > 1e-3


def test_a_site_with_more_of_the_same_records_changes_no_more() -> None:
    """Its number of records is no weight."""
    sites = made(Averaging(FEW, level="none"), NOTHING, unevenly(LITTLE, 3))
    planned = asked_of(sites, everybody())
    one, more = (
        LocalRuns(planned.asked.to_bytes(), Records.of(np.repeat(LITTLE[:50], times, axis=0), DOMAIN), sites.plan, 0)
        for times in (1, 4)
    )
    np.testing.assert_allclose(one.change(run_of(planned), SYSTEM), more.change(run_of(planned), SYSTEM), rtol=1e-4)


def test_a_secure_sum_opens_what_changes_in_the_clear_add_up_to() -> None:
    learnt = [
        made(Averaging(FEW, secure=secure, level="none"), NOTHING, unevenly(LITTLE, 3)).setting.dp_sgd(
            everybody(), 1.0, Silent()
        )[0]
        for secure in (True, False)
    ]
    np.testing.assert_array_equal(learnt[0].value, learnt[1].value)


def test_fedprox_keeps_sites_closer_to_the_last_mean() -> None:
    moved = []
    for proximal in (0.0, 1.0, 10.0):
        sites = made(Averaging(FEW, proximal, level="none"), NOTHING, [LITTLE] * 3)
        planned = asked_of(sites, everybody())
        one = LocalRuns(planned.asked.to_bytes(), Records.of(LITTLE, DOMAIN), sites.plan, 0)
        moved.append(np.abs(one.change(run_of(planned), SYSTEM)).sum())
    assert moved[0] > moved[1] > moved[2]


def test_the_pull_of_a_run_moves_every_step() -> None:
    sites = made(Averaging(FEW, level="none"), NOTHING, unevenly(LITTLE, 3))
    planned = asked_of(sites, everybody())
    one = LocalRuns(planned.asked.to_bytes(), Records.of(LITTLE, DOMAIN), sites.plan, 0)
    against = replace(run_of(planned), pull=np.full(2, 1e6, np.float32))
    assert (one.change(run_of(planned), SYSTEM) > 0).all()
    assert (one.change(against, SYSTEM) < 0).all()


def test_changes_in_the_clear_may_be_missing_and_those_in_a_sum_only_where_the_plan_allows_it() -> None:
    def without(method: str, **terms: Any) -> np.ndarray:
        sites = made(
            Averaging(FEW, secure=method == "masked", level="none"), NOTHING,
            unevenly(LITTLE, 5), wrap=lambda all_: [LostAt(all_[0], method), *all_[1:]], **terms,
        )  # fmt: skip
        return sites.setting.dp_sgd(everybody(), 1.0, Silent())[0].value

    assert np.isfinite(without("clear")).all()
    assert np.isfinite(without("masked", lost=1)).all()
    with pytest.raises(FederationError, match="nothing was opened"):
        without("masked")


def test_a_site_has_as_long_as_its_steps_may_take() -> None:
    """How long follows from the plan, and from nothing of its rows."""
    for secure, method in ((True, "masked"), (False, "clear")):
        sites = made(Averaging(FEW, secure=secure))
        planned, waited = asked_of(sites), {}
        call = sites.transport.call

        def noting(method: str, requests: Any, deadline: float, waited: Any = waited, call: Any = call) -> Any:
            waited[method] = deadline
            return call(method, requests, deadline)

        sites.transport.call = noting
        sites.rounds.begin_averaging(planned.asked.to_bytes())
        sites.rounds.added_changes(run_of(planned), 2, secure)
        assert waited.pop(method) == FEW * LOCAL_STEP
        assert set(waited.values()) == {DEADLINE}


def test_a_site_refuses_a_training_that_its_plan_does_not_have() -> None:
    sites = made(Averaging(FEW))
    asked = asked_of(sites).asked
    free = replace(asked, descent=replace(asked.descent, noise_multiplier=0.0))
    shared = replace(asked, shared_noise=1.0)
    odd = replace(asked, descent=replace(asked.descent, steps=STEPS + 1))
    few = replace(asked, descent=replace(asked.descent, capacity=1))
    long = replace(asked, descent=replace(asked.descent, steps=100 * FEW))
    every = replace(asked, descent=replace(asked.descent, rate=1.0))
    for wrong, said in (
        (free, "whose noise is not that of averages at level 'record'"),
        (shared, "whose noise is not that of averages at level 'record'"),
        (odd, "no whole number of local runs"),
        (few, "1 records drawn at a time, where sites draw up to"),
        (every, "records drawn at a time, where sites draw up to"),
        (long, "of 100 local runs, in a plan of 56 rounds"),
        (replace(asked, done=STEPS // FEW), "of 4 local runs that goes on after 4"),
    ):
        with pytest.raises(FederationError, match=said):
            sites.sites[0].call("averaging", wrong.to_bytes())
    whole = asked.to_bytes()
    for data in (b"", whole[:20], whole[:-1], whole + b"x", b"x" + whole[1:], replace(asked, rate=-1.0).to_bytes()):
        with pytest.raises(FederationError, match=r"training that is none|question"):
            sites.sites[0].call("averaging", data)
    with pytest.raises(FederationError, match="outside the plan"):
        Federation(unevenly(CODES, 3), DOMAIN, sites.setting._budget).sites[0].call("averaging", whole)
    assert [run.events for run in sites.runs] == [(), (), ()]


def test_a_site_refuses_runs_that_nobody_paid_for() -> None:
    sites = made(Averaging(FEW))
    planned = asked_of(sites)
    site = sites.sites[0]
    with pytest.raises(FederationError, match="never begun"):
        site.call("masked", request(planned))
    site.call("averaging", planned.asked.to_bytes())
    with pytest.raises(FederationError, match="no local run of the training"):
        site.call("masked", request(planned, number=STEPS // FEW))
    other = PlannedAverages(replace(planned.asked, rate=0.3), sites.plan, DOMAIN)
    with pytest.raises(FederationError, match="no local run of the training"):
        site.call("masked", request(other))
    for round_ in range(1, STEPS // FEW + SPARE_RUNS + 1):
        site.call("masked", request(planned, round_=round_))
    with pytest.raises(FederationError, match="nothing is left of what was prepaid"):
        site.call("masked", request(planned, round_=round_ + 1))


def test_of_a_training_that_goes_on_a_site_pays_for_what_is_left_and_answers_no_more() -> None:
    sites = made(Averaging(FEW))
    planned = asked_of(sites)
    last = replace(planned.asked, done=STEPS // FEW - 1, spare=0)
    assert last.digest != planned.asked.digest, "spare runs are part of what was agreed on"
    site, run = sites.sites[0], PlannedAverages(last, sites.plan, DOMAIN)
    site.call("averaging", last.to_bytes())
    assert sites.runs[0].events == (run.event(1),)
    site.call("masked", request(run, number=STEPS // FEW - 1))
    with pytest.raises(FederationError, match="nothing is left of what was prepaid"):
        site.call("masked", request(run, number=STEPS // FEW - 1, round_=2))


def test_a_site_shows_nothing_in_the_clear_that_its_plan_hides() -> None:
    sites = made(Averaging(FEW))
    planned = asked_of(sites)
    sites.sites[0].call("averaging", planned.asked.to_bytes())
    with pytest.raises(FederationError, match="nothing of this site be seen in the clear"):
        sites.sites[0].call("clear", request(planned))
    sites = made(Averaging(FEW, secure=False))
    planned = asked_of(sites)
    sites.sites[0].call("averaging", planned.asked.to_bytes())
    with pytest.raises(FederationError, match="for no local run"):
        sites.sites[0].call("clear", SumRequest(RoundNumber(1), Count(), (0.1,)).data)
    assert len(sites.sites[0].call("clear", request(planned))) == 4 * 2, "as long at a site of any size"
    with pytest.raises(FederationError, match="used, or passed over"):
        sites.sites[0].call("clear", request(planned))


def at_level_site() -> tuple[Federation, PlannedAverages]:
    run = Ledger.open(None, Guarantee(9, 1e-3, "site")).begin(replace(GUARANTEE, unit="site"), "test")
    sites = Federation(
        unevenly(CODES, 3), DOMAIN, Budget(run), rounds=STEPS + 8, curious=1, averaging=Averaging(FEW, level="site")
    )
    return sites, asked_of(sites)


def test_a_change_is_clipped_whole_and_its_noise_is_shared_where_the_unit_is_a_site() -> None:
    """Two-sided chi-square test at ``ERROR`` of the noise of three sites, of which two are paid for."""
    sites, planned = at_level_site()
    noise = planned.noise
    assert noise is not None
    for far in (np.array([1e9, 0.0]), np.array([3e5, -4e5]), np.array([np.nan, 1.0])):
        assert np.linalg.norm(planned.whole(far)) <= norm(24, 2)
    event = planned.event(STEPS // FEW)
    assert isinstance(event, DistributedGaussian)
    assert (event.shares, event.sensitivity, event.count) == (2, norm(24, 2), STEPS // FEW)
    sites.rounds.begin_averaging(planned.asked.to_bytes())
    assert [e for run in sites.runs for e in run.events] == [replace(event, count=STEPS // FEW + SPARE_RUNS)] * 3
    for site in sites.sites:
        assert site._averages._runs is not None
        site._averages._runs._run = lambda state, *_: state  # nothing is learnt: what is opened is the noise
    found = np.concatenate([sites.rounds.added_changes(run_of(planned), 2, True)[0] for _ in range(6)])
    low, high = stats.chi2.ppf([ERROR / 2, 1 - ERROR / 2], found.size)
    assert low <= (found.astype(float) ** 2).sum() / noise.deviation(3) ** 2 <= high


def test_no_sum_over_rows_is_asked_where_the_unit_is_a_site() -> None:
    sites, _ = at_level_site()
    with pytest.raises(FederationError, match="the unit of this plan is a site"):
        sites.setting.count(0.1)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"local_steps": 0}, "local_steps: 0"),
        ({"local_steps": 2.0}, r"local_steps: 2\.0"),
        ({"local_steps": 9, "proximal": -1.0}, r"proximal: -1\.0"),
        ({"local_steps": 9, "proximal": float("nan")}, "proximal: nan"),
        ({"local_steps": 9, "level": "client"}, "level 'client': there are none, record, site"),
        ({"local_steps": 9, "level": "site", "secure": False}, "share of the noise alone"),
    ],
)
def test_averages_that_nobody_can_make_are_refused(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(FederationError, match=said):
        Averaging(**terms)


def test_no_plan_calls_averages_private_that_are_not() -> None:
    with pytest.raises(FederationError, match="promise nothing, and the plan the opposite"):
        made(Averaging(FEW, level="none"))
    with pytest.raises(FederationError, match="promise something, and the plan the opposite"):
        made(Averaging(FEW), NOTHING)
    with pytest.raises(FederationError, match="protect a site, and the plan promises per row"):
        made(Averaging(FEW, level="site"))
    for averaging, promise, said in (
        (Averaging(FEW, level="none"), NOTHING, "NO PROMISE: nothing is noised"),
        (Averaging(FEW, 0.5), GUARANTEE, "FedProx, mu 0.5): 12 steps at your site, then a secure sum. Each local step"),
        (Averaging(FEW, secure=False), GUARANTEE, "IN THE CLEAR"),
    ):
        plan = made(averaging, promise).plan
        assert said in "\n".join(plan.words())
        assert FederationPlan.from_dict(plan.to_dict()) == plan
        assert plan.digest != replace(plan, averaging=replace(averaging, local_steps=FEW + 1)).digest


def test_a_training_that_sites_cannot_go_on_with_is_refused() -> None:
    with pytest.raises(FederationError, match="leave local_steps out"):
        made(Averaging(FEW)).setting.dp_sgd(case(), 0.5, Silent())


def test_requests_are_the_same_after_the_wire() -> None:
    planned = asked_of(made(Averaging(FEW)))
    asked = planned.asked
    further = replace(asked, done=2)
    assert [AveragedDescent.from_bytes(one.to_bytes()) for one in (asked, further)] == [asked, further]
    assert further.digest == asked.digest, "its runs are the same, wherever a coordinator goes on"
    run = replace(run_of(planned, 3), pull=np.ones(2, np.float32))
    assert from_bytes(run.to_bytes()) == run
    assert "run 4 of the averaged training" in str(run)


def test_a_mean_of_many_sites_fits_the_narrow_ring() -> None:
    sites = made(Averaging(FEW))
    asked, plan = asked_of(sites).asked, sites.plan
    for k in (3, 64, 100):
        planned = PlannedAverages(asked, replace(plan, roster=roster_of(identities(k)), capacity=(1000,) * k), DOMAIN)
        most = planned.whole(np.array([np.finfo(np.float32).max, -np.inf]))
        assert k * np.abs(most).max() <= 2**30
        np.testing.assert_allclose(planned.mean(k * most, k), [4 * 0.2 * FEW, 0.0], rtol=1e-6)
