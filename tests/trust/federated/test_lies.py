"""What a coordinator may try by its questions alone: none moves a sum by more than it is priced for, or runs over."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.models.marginals.population import DOMAIN, people
from tests.trust.features import feature_sum, scatter
from tests.trust.federated.test_setting import by_first, halves, run_of
from tests.trust.federation import ANY, KINDS, Federation, unevenly
from tests.trust.secure_sum.simulated import identities, roster_of

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.trust import summing
from sfumato.trust.budget import Budget
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.plan_checks import MOST_ROWS, TRAINED_ROWS
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.questions import Count, Marginals, Query
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.terms import RoundNumber

ROWS = people(300)
LARGE = ((1 << 26) // 3,) * 3
"""As many records as sites may declare where sums of products are asked for."""
GAPS = np.array([0, 7, 100, 5000])
"""Groups between which others lie empty."""


def groups_of(i: int) -> np.ndarray:
    return np.resize(GAPS, DOMAIN.sizes[i])


@pytest.mark.parametrize(
    "question",
    [
        Marginals((Query((0,), (groups_of(0),)),)),
        Marginals((Query((0, 2), (groups_of(0)[::-1].copy(), np.arange(DOMAIN.sizes[2]) * 3)),)),
        Marginals((Query((1, 2), (np.zeros(DOMAIN.sizes[1], int), groups_of(2))), Query((0,)))),
        Count(),
    ],
)
def test_a_record_moves_each_part_by_one(question: Marginals | Count) -> None:
    """Empty groups once repeated the count beside them: their noises averaged out to a count without any."""
    question.check(DOMAIN)
    whole, less = (summing.exact(question, Records.of(rows, DOMAIN)) for rows in (ROWS, ROWS[1:]))
    for part in np.split(np.abs(whole - less), np.cumsum(question.sizes(DOMAIN))[:-1]):
        assert part.sum() == 1


def plan_of(epsilon: float = 1.0, schema: sf.Schema = ANY, **changed: object) -> FederationPlan:
    unit = schema.unit.column if schema.unit.kind == "id" else "row"
    promise, roster = sf.Guarantee(epsilon, 1e-6, unit), roster_of(identities(3))
    plan = FederationPlan(schema, "independent", promise, roster, KINDS, bits=64)
    return replace(plan, **changed)


def test_every_kind_of_question_fits_the_ring_at_the_cost_of_a_promise() -> None:
    """Sums of products did not: every fit of a mixture of images was refused by its sites."""
    several = sf.Schema.parse("""\
sfumato: schema/1
unit: {column: who, max_rows: 64}
columns:
  who: {kind: identifier}
  a: {kind: category, categories: [x, y], source: public}
""")
    for schema in (ANY, several):
        plan = plan_of(schema=schema, capacity=LARGE)
        for question in (Count(), feature_sum(halves, 3, 0.8), scatter(by_first, 2, 3, 2.5)):
            SharedNoise.of(question, [0.01], plan.max_rows, plan.roster, DOMAIN).check(plan)
    narrow = plan_of(bits=32, capacity=LARGE)
    with pytest.raises(FederationError, match="a ring of 32 bits does not hold"):
        SharedNoise.of(Count(), [9.0], 1, narrow.roster, DOMAIN).check(narrow)


def test_an_answer_longer_than_the_plan_is_refused_before_anybody_pays() -> None:
    made = Federation(unevenly(ROWS, 3), DOMAIN, Budget(run_of(1.0)), rounds=8)
    long = Marginals((Query((0,), (np.resize([0, made.plan.longest], DOMAIN.sizes[0]),)),))
    with pytest.raises(FederationError, match="an answer of more numbers than the"):
        made.sites[0].call("masked", SumRequest(RoundNumber(1), long, (0.1,)).data)
    with pytest.raises(FederationError, match="an answer of more numbers than the"):
        made.setting.ask(long, [0.1])
    assert made.setting.remaining == 1
    assert [run.steps for run in made.runs] == [0, 0, 0]


@pytest.mark.parametrize(
    ("capacity", "said"),
    [
        ((0, 5, 5), "a whole number of records from 1 on for each of the 3 sites"),
        ((5, 5), "for each of the 3 sites"),
        ((5.0, 5, 5), "a whole number"),
        ((True, 5, 5), "a whole number"),
        ((1 << 25, 1 << 25, 1), "declare 67,108,865 records together; at most 67,108,864"),
    ],
)
def test_capacities_that_no_plan_can_have_are_refused(capacity: tuple, said: str) -> None:
    with pytest.raises(FederationError, match=said):
        plan_of(capacity=capacity)


def test_capacities_stand_in_the_plan_and_change_its_hash() -> None:
    plan = plan_of(capacity=(10, 20, 30))
    assert plan.most_rows == 60
    assert plan.to_dict()["capacity"] == [10, 20, 30]
    assert plan.digest != plan_of(capacity=(10, 20, 31)).digest
    assert any("site-1 20, site-2 30" in line for line in plan.words())
    assert plan_of().capacity == (TRAINED_ROWS,) * 3
    tables = FederationPlan(ANY, "independent", sf.Guarantee(1.0, 1e-6), plan.roster, ("count", "marginals"))
    assert tables.capacity == (MOST_ROWS // 3,) * 3


def test_a_site_promises_no_more_than_can_be_promised() -> None:
    for epsilon, own in ((1.0, 2.0), (15.0, 20.0), (20.0, 20.0)):
        assert plan_of(epsilon).at_a_site.epsilon == own
    assert plan_of().at_a_site.delta == 2e-6
