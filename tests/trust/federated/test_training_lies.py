"""What a coordinator may try by the training it asks for: no step moves further than is paid for, or runs over."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.guarantees.boundless import boundless_run
from tests.trust.federation import Federation
from tests.trust.training_case import case

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Constant
from sfumato.privacy.groups import Rooms, rooms_for
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.privacy.randomness import SYSTEM
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.federated import descents
from sfumato.trust.federated.descents import SharedDescent, site_rooms
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.trainer import SPARE, FederatedTrainer, spare_steps
from sfumato.trust.questions import OBJECTIVES, Descent, GradientStep
from sfumato.trust.secure_sum.terms import RoundNumber

DOMAIN = Domain.of(["way"], [2])
MOST = 900
"""Records that each site declares, and the first one holds."""
TAIL = 1e-9
"""Delta for the tail of a training, of the 1e-5 that these plans promise."""
WAYS = np.repeat(np.array([0, 1], np.uint8), MOST // 2)[:, None]


def _two_ways(domain: Domain, arrays: Any) -> Objective:
    """A record pulls the only number one way or the other, far beyond the clip."""
    return Objective(
        like=jax.eval_shape(lambda key: Constant((1,), key), jax.random.key(0)),
        prepare=lambda codes, key: codes[:, 0] * 2.0 - 1,
        loss=lambda parameters, ways, tape: 1e4 * parameters(ways.shape[0], tape)[:, 0] * ways,
    )


OBJECTIVES.add("test: two ways", _two_ways)


def federation(first: np.ndarray = WAYS, most: int = MOST, run: Run | None = None, **terms: Any) -> Federation:
    budget = Budget(run or boundless_run("training"))
    return Federation([first, WAYS[:50], WAYS[:50]], DOMAIN, budget, rounds=64, capacity=(most,) * 3, **terms)


def shared(spare: int = 4, tail: float = TAIL, done: int = 0, **changed: Any) -> SharedDescent:
    into = rooms_for(1.0, MOST)
    honest = Descent("test: two ways", 5, 1.0, 0.5, 2.0, 3 * into.groups, into.capacity)
    return SharedDescent(replace(honest, **changed), spare, tail, done)


def exact(asked: SharedDescent, first: np.ndarray, at: float = 0.0) -> tuple[int, float]:
    """The first site's sum without its noise, and how far one record may move it."""
    sites = federation(first)
    sites.sites[0].call("descent", asked.to_bytes())
    descent: Any = sites.sites[0]._descent
    step = GradientStep(asked.descent.digest, 0, np.full(1, at, np.float32), bytes(32))
    return int(descent._sums.answer(step, SYSTEM)[0]), descent._planned.grid.sensitivity


LIES = {
    "as it should be": {},
    "few groups": {"groups": 1},
    "many groups": {"groups": 256},
    "large batches": {"capacity": 1 << 14},
    "little noise": {"noise_multiplier": 0.2},
    "many steps": {"steps": 64},
}


def moved(change: dict[str, Any], at: float = 0.0) -> float:
    """How far a record less, of all that are drawn, moves a step, over what is paid for."""
    (whole, most), (less, _) = (exact(shared(**change), rows, at) for rows in (WAYS, WAYS[1:]))
    return abs(whole - less) / most


@pytest.mark.parametrize("lie", LIES)
def test_a_record_moves_a_step_no_further_than_is_paid_for_whatever_is_told(lie: str) -> None:
    assert 0.7 < moved(LIES[lie]) <= 1


def test_rooms_for_as_many_as_were_told_would_move_it_twice_as_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted bug: as it was, where a coordinator told of few records, and the site's last ones had no room."""

    def told(plan: Any, rate: float) -> tuple[Rooms, ...]:
        return (rooms_for(rate, MOST // 2),) * len(plan.capacity)

    assert site_rooms(federation().plan, 1.0)[0].length == MOST
    monkeypatch.setattr(descents, "site_rooms", told)
    assert moved({}) > 1.8


@pytest.mark.parametrize("at", [1e30, -1e30, 1e18])
def test_huge_parameters_move_a_step_no_further(at: float) -> None:
    """What is not finite there counts for nothing, and touches no other record."""
    assert moved({}, at) <= 1


def test_a_site_that_holds_more_than_it_declared_takes_no_part() -> None:
    with pytest.raises(FederationError, match="site-0 holds more than the 899 records that the plan declares for it"):
        federation(most=MOST - 1)


def test_absurdly_many_groups_are_refused_before_anything_is_made_or_paid() -> None:
    sites = federation(most=1 << 21)
    with pytest.raises(FederationError, match="more groups of records than are accounted for"):
        sites.sites[0].call("descent", shared(capacity=1 << 14).to_bytes())
    assert sites.runs[0].events == ()


def test_a_network_that_is_longer_than_the_plan_is_refused_before_anybody_pays() -> None:
    sites = federation()
    object.__setattr__(sites.plan, "longest", 0)
    with pytest.raises(FederationError, match="a network of 1 numbers: the plan has 0 at most"):
        sites.sites[0].call("descent", shared().to_bytes())
    assert sites.runs[0].events == ()


def paid(sites: Federation, asked: SharedDescent) -> None:
    sites.sites[0].call("descent", asked.to_bytes())


def answered(sites: Federation, asked: SharedDescent, round_: int, number: int = 0) -> bytes:
    step = GradientStep(asked.descent.digest, number, np.zeros(1, np.float32), bytes(32))
    return sites.sites[0].call("masked", SumRequest(RoundNumber(round_), step).data)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (shared(tail=1e-5), "more delta for the tail"),
        (shared(tail=float("nan")), "a training that is none"),
        (shared(tail=-1e-9), "a training that is none"),
        (shared(spare=2**32 - 1), "4,294,967,295 spare ones, in a plan of 64 rounds"),
        (shared(done=5), "a training that is none"),
        (shared(rate=2.0**-32), "which draws no record in most steps"),
        (shared(noise_multiplier=1e-300), "noise is less than 0.1 of what a record can change"),
    ],
    ids=["much tail", "no tail", "negative tail", "endless spares", "done", "an empty batch", "hardly any noise"],
)
def test_absurd_numbers_of_a_training_are_refused_and_cost_nothing(asked: SharedDescent, said: str) -> None:
    sites = federation()
    with pytest.raises(FederationError, match=said):
        paid(sites, asked)
    assert sites.runs[0].events == ()


def test_a_training_that_the_ledger_refused_was_never_begun() -> None:
    """Its steps are not taken off what was paid for another of the same price."""
    sites = federation(run=Ledger.open().begin(Guarantee(1.0, 1e-5), "training"))
    cheap = shared(noise_multiplier=30.0)
    paid(sites, cheap)
    with pytest.raises(FederationError, match="its own ledger does not allow"):
        paid(sites, shared(noise_multiplier=0.5))
    with pytest.raises(FederationError, match="no step of the descent"):
        answered(sites, shared(noise_multiplier=0.5), 1)
    assert answered(sites, cheap, 1)
    assert [event.count for event in sites.runs[0].events] == [9]


def steps_let_through(sites: Federation, asked: SharedDescent, first: int, repeated: bool) -> int:
    """How many steps are answered before the site refuses, in rounds from ``first`` on."""
    for turn in range(20):
        try:
            answered(sites, asked, first + turn, 0 if repeated else turn % asked.descent.steps)
        except FederationError:
            break
    with pytest.raises(FederationError, match="nothing is left of what was prepaid"):
        answered(sites, asked, first + turn + 1)
    return turn


@pytest.mark.parametrize("repeated", [True, False], ids=["one step again and again", "in turn"])
def test_no_more_steps_are_answered_than_were_paid_for_in_whatever_order(repeated: bool) -> None:
    sites, asked = federation(), shared()
    paid(sites, asked)
    assert steps_let_through(sites, asked, 1, repeated) == 9
    (event,) = sites.runs[0].events
    assert event.count == 9  # type: ignore[union-attr]


def test_trainings_that_are_begun_twice_or_in_turn_pay_for_what_they_let_through() -> None:
    sites, one, other = federation(), shared(), shared(noise_multiplier=3.0)
    paid(sites, one)
    paid(sites, one)  # all its steps are paid: a coordinator that goes on
    assert [event.count for event in sites.runs[0].events] == [9]  # type: ignore[union-attr]
    paid(sites, other)
    with pytest.raises(FederationError, match="no step of the descent"):
        answered(sites, one, 1)
    assert steps_let_through(sites, other, 2, True) == 9
    paid(sites, one)
    assert steps_let_through(sites, one, 20, True) == 9
    assert [event.count for event in sites.runs[0].events] == [9, 9]  # type: ignore[union-attr]
    paid(sites, one)  # nothing is left: it is paid anew
    assert [event.count for event in sites.runs[0].events] == [9, 9, 9]  # type: ignore[union-attr]


def test_sites_that_were_told_of_different_trainings_open_to_nothing() -> None:
    sites, one, other = federation(), shared(), shared(clip=1.0)
    for place, asked in enumerate((one, one, other)):
        sites.sites[place].call("descent", asked.to_bytes())
    step = GradientStep(one.descent.digest, 0, np.zeros(1, np.float32), bytes(32))
    with pytest.raises(FederationError, match=r"nothing was opened.*site-2: this is no step of the descent"):
        sites.rounds.opened_step(step, 1)


def test_each_attempt_at_a_step_draws_a_batch_and_noise_of_its_own() -> None:
    sites, asked = federation(), shared(rate=0.3)
    paid(sites, asked)
    descent: Any = sites.sites[0]._descent
    step = GradientStep(asked.descent.digest, 0, np.zeros(1, np.float32), bytes(32))
    numbers = [RoundNumber(round_, attempt) for round_ in range(1, 6) for attempt in (1, 2)]
    entropies = [sites.sites[0]._sums.entropy(number, bytes(32)) for number in (*numbers, numbers[0])]
    descent._noise = SimpleNamespace(add=lambda whole, entropy: whole)
    *drawn, again = (int(descent.noised(step, entropy)[0]) for entropy in entropies)
    assert len(set(drawn)) > 1, "two batches may have as many records, ten hardly"
    assert drawn[0] == again, "a copy of the process says the same"


def test_a_training_near_the_largest_promise_asks_for_no_more_than_sites_may_pay() -> None:
    """It once asked for twenty spare steps, which no site could pay: every training at epsilon 20 was refused."""
    plan = federation().plan
    largest = replace(plan, guarantee=Guarantee(20, 1e-6))
    assert 0 <= spare_steps(largest, 100) < 4
    assert spare_steps(replace(plan, guarantee=Guarantee(1, 1e-6)), 100) == SPARE


def test_a_training_that_the_plan_has_too_few_rounds_for_is_refused_before_anybody_pays() -> None:
    sites = federation(run=Ledger.open().begin(Guarantee(1.0, 1e-5), "training"))
    sites.rounds._round = 60
    training = replace(case(), recipe="test: two ways", carry=(jnp.zeros(1),), parameters=lambda carry: carry[0])
    with pytest.raises(FederationError, match="48 rounds are needed, and 4 of the plan are left"):
        FederatedTrainer(sites.rounds, DOMAIN, sites.setting._budget).dp_sgd(training, 0.5, Silent())
    assert sites.setting.remaining == 1
    assert sites.runs[0].events == ()
