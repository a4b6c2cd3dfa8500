"""What the survey says of federated learning, one test for each of its rows: what is shown here, and not in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.models.marginals.population import DOMAIN as PEOPLE
from tests.models.marginals.population import people
from tests.trust.federated.test_averaging import LITTLE, NOTHING, asked_of, everybody, made, run_of
from tests.trust.federated.test_setting import run_of as a_run_of
from tests.trust.federation import Federation, LostAt, unevenly
from tests.trust.secure_sum.simulated import Simulated
from tests.trust.training_case import DOMAIN, GUARANTEE, STEPS, case

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.local_runs import LocalRuns
from sfumato.trust.questions import Query
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.terms import RoundNumber

ROWS = people(600)
INFINITE = math.inf
QUERIES = [Query((0,)), Query((1, 2))]


def sites_of(parts: list[np.ndarray], **terms: Any) -> Federation:
    return Federation(parts, PEOPLE, Budget(a_run_of()), rounds=8, **terms)


def test_federated_learning() -> None:
    """Sites learn together what one curator learns of all their rows, and no message is longer for having more rows."""
    sites, curator = sites_of(unevenly(ROWS, 3)), Central(Records.of(ROWS, PEOPLE), Budget(a_run_of()))
    answers = (setting.marginals(QUERIES, [INFINITE] * 2) for setting in (sites.setting, curator))
    for here, there in zip(*answers, strict=True):
        np.testing.assert_array_equal(here.values, there.values)
    assert len(set(sites.transport.sent)) == 1, "the first site has half of the rows, the last a quarter"


def test_fedavg() -> None:
    """A round is the mean of what sites reach by several steps of their own from the same parameters."""
    sites = made(Averaging(12, level="none"), NOTHING, unevenly(LITTLE, 3))
    planned = asked_of(sites, everybody())
    asked, run = planned.asked.to_bytes(), run_of(planned)
    changes = [
        LocalRuns(asked, Records.of(part, DOMAIN), sites.plan, place).change(run, SYSTEM)
        for place, part in enumerate(unevenly(LITTLE, 3))
    ]
    sites.rounds.begin_averaging(asked)
    found = planned.mean(*sites.rounds.added_changes(run, planned.numbers, True))
    np.testing.assert_allclose(found, np.mean(changes, axis=0) * planned.step, rtol=1e-6)
    assert np.abs(found).min() > 5 * planned.asked.rate, "many steps were taken for one message"


def test_secure_aggregation() -> None:
    """The total is exact, though of no vector that the coordinator saw anything is left but masks."""
    run, number, length = Simulated(3), RoundNumber(1), 1 << 12
    values = {place: np.full(length, place + 1) for place in run.sites}
    np.testing.assert_array_equal(run.round(number, values), np.full(length, 6))
    for message in run.seen[number, "vector"].values():
        seen = np.frombuffer(message[-4 * length :], "<u4")
        assert len(np.unique(seen)) > length - 10, "a constant vector shows no two equal numbers"
        assert abs(seen.mean() / 2**31 - 1) < 0.05


def test_data_heterogeneity() -> None:
    """Four of five records are alike and lie at one site, the rest at two: one sum a step does not see who holds what;
    sites that go on by themselves, and count alike, pull the mean to where most sites are."""
    most, few = np.full((240, 2), 9, np.uint8), np.zeros((30, 2), np.uint8)
    parts = [most, few, few]
    summed = made(None, GUARANTEE, parts).setting.dp_sgd(case(batch=100.0), 1.0, Silent())[0]
    averaged = made(Averaging(12, level="none"), NOTHING, parts).setting.dp_sgd(everybody(), 1.0, Silent())[0]
    assert (summed.value > 3.5).all(), "the records' middle is 4.5"
    assert (averaged.value < 2.5).all()
    dealt = [sites_of(p).setting.marginals(QUERIES, [INFINITE] * 2) for p in (unevenly(ROWS, 3), sorted_apart())]
    for mixed, apart in zip(*dealt, strict=True):
        np.testing.assert_array_equal(mixed.values, apart.values)


def sorted_apart() -> list[np.ndarray]:
    """Sites none of which holds a value of the first column that another has."""
    return [ROWS[ROWS[:, 0] % 3 == rest] for rest in range(3)]


def test_communication_efficiency() -> None:
    """A number of a long vector takes little more than its four bytes, and averages take a message for many steps."""
    run, number, length = Simulated(3), RoundNumber(1), 1 << 16
    run.round(number, run.values(length))
    up = len(run.seen[number, "vector"][0]) + len(run.seen[number, "unmask"][0])
    assert up / length < 4.05
    sent = {}
    for local_steps in (1, 12):
        sites = made(Averaging(local_steps, level="none"), NOTHING, unevenly(LITTLE, 3))
        before = sites.transport.sent[0]
        sites.setting.dp_sgd(everybody(), 1.0, Silent())
        assert sites.rounds.opened_rounds == STEPS // local_steps
        sent[local_steps] = sites.transport.sent[0] - before
    assert sent[1] == 12 * sent[12]


class Late:
    """A site whose first vector comes too late; from then on it is there again."""

    def __init__(self, site: FederatedSite) -> None:
        self._site, self._on_time = site, False

    def call(self, method: str, body: bytes) -> bytes:
        answer = self._site.call(method, body)
        if method == "masked" and not self._on_time:
            self._on_time = True
            raise FederationError("too late")
        return answer


def test_synchronisation() -> None:
    """Nobody waits for a straggler where the plan can do without it: it is in the next sum. Elsewhere nothing opens."""
    parts = unevenly(ROWS, 5)
    sites = sites_of(parts, lost=1, wrap=lambda all_: [Late(all_[0]), *all_[1:]])
    assert sites.setting.count(INFINITE) == len(ROWS) - len(parts[0])
    assert sites.setting.count(INFINITE) == len(ROWS)
    needed = sites_of(parts, wrap=lambda all_: [LostAt(all_[0], "masked"), *all_[1:]])
    with pytest.raises(FederationError, match="nothing was opened"):
        needed.setting.count(INFINITE)
