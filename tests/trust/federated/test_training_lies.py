"""What a coordinator may try by the training it asks for: no step moves further than is paid for, or runs over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from tests.guarantees.boundless import boundless_run
from tests.trust.federation import Federation

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Constant
from sfumato.privacy.groups import Rooms, rooms_for
from sfumato.privacy.randomness import SYSTEM
from sfumato.trust.budget import Budget
from sfumato.trust.federated import descents
from sfumato.trust.federated.descents import SharedDescent, site_rooms
from sfumato.trust.questions import OBJECTIVES, Descent, GradientStep

DOMAIN = Domain.of(["way"], [2])
MOST = 900
"""Records that each site declares, and the first one holds."""
WAYS = np.repeat(np.array([0, 1], np.uint8), MOST // 2)[:, None]


def _two_ways(domain: Domain, arrays: Any) -> Objective:
    """A record pulls the only number one way or the other, far beyond the clip."""
    return Objective(
        like=jax.eval_shape(lambda key: Constant((1,), key), jax.random.key(0)),
        prepare=lambda codes, key: codes[:, 0] * 2.0 - 1,
        loss=lambda parameters, ways, tape: 1e4 * parameters(ways.shape[0], tape)[:, 0] * ways,
    )


OBJECTIVES.add("test: two ways", _two_ways)


def federation(first: np.ndarray = WAYS, most: int = MOST, **terms: Any) -> Federation:
    budget = Budget(boundless_run("training"))
    return Federation([first, WAYS[:50], WAYS[:50]], DOMAIN, budget, rounds=64, capacity=(most,) * 3, **terms)


def shared(**changed: Any) -> SharedDescent:
    into = rooms_for(1.0, MOST)
    honest = Descent("test: two ways", 5, 1.0, 0.5, 2.0, 3 * into.groups, into.capacity)
    return SharedDescent(replace(honest, **changed), 4, 1e-9)


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
    "little noise": {"noise_multiplier": 1e-6},
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
