"""The setting of servers: exact sums where there is no noise, what is charged, what is refused, what stays closed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from tests.guarantees.boundless import boundless_run
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import CODEC, DOMAIN, SCHEMA, people, together

from sfumato.errors import FederationError
from sfumato.fitting.servers import fresh_outsourced
from sfumato.privacy.accounting import mu_for
from sfumato.privacy.events import DistributedDiscreteGaussian
from sfumato.privacy.spending import Spending, limit
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.federated.agreement import sign_plan
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.row_sharing import RowSharing
from sfumato.trust.mpc.server_site import ServerRecords, ServerSite, cuts
from sfumato.trust.mpc.setting import MpcOfServers
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.mpc.whole_plan import at_servers, whole_plan
from sfumato.trust.questions import Marginals, Query
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

HELD, POSITIONS = (("a", "b"), ("c", "d", "e")), ((0, 1), (2, 3, 4))
PEOPLE = people(200)
GONE = [np.arange(200) % 50 == place for place in range(2)]
"""Whom each owner has no row of, and counts as outside."""
INFINITE = [math.inf]


class Servers:
    """A setting of three servers to which two owners have shared these persons."""

    def __init__(self, budget: Budget, epsilon: float | None = None) -> None:
        keys = [SiteIdentity.fresh() for _ in range(3)]
        outsourced, self.owners = fresh_outsourced(("clinic", "council"), keys)
        split = VerticalSplit("who", HELD, "0" * 64, len(PEOPLE), outsourced)
        roster = Roster(tuple(Member(f"server-{i}", key.public_key) for i, key in enumerate(keys)))
        self.plan = FederationPlan(
            SCHEMA, "aim", budget.run.guarantee, roster, ("count", "marginals"), rounds=16, split=split
        )
        self.runs = [boundless_run(f"server {i}", epsilon or at_servers(self.plan).epsilon) for i in range(3)]
        made = self.sharings()
        self.sites = [self.site(place, key, made) for place, key in enumerate(keys)]
        self.rounds = SecureRounds(self.plan, InProcess(self.sites))
        self.rounds.set_up()
        self.setting = MpcOfServers(self.rounds, DOMAIN, budget)

    def sharings(self) -> list[RowSharing]:
        return [
            RowSharing(cut, Codes(tuple(np.where(out, 0, PEOPLE[:, i]) for i in own), ~out), int(out.sum()))
            for cut, own, out in zip(cuts(self.plan), POSITIONS, GONE, strict=True)
        ]

    def site(self, place: int, key: SiteIdentity, sharings: Sequence[RowSharing]) -> ServerSite:
        signed = [sign_plan(self.plan, owner) for owner in self.owners]
        records = ServerRecords.of(self.plan, [one.received(place) for one in sharings], signed, Silent())
        return ServerSite(self.plan, key, records, SiteAccount(self.runs[place], self.plan.terms, place))


@pytest.fixture(scope="module")
def servers() -> Servers:
    return Servers(Budget(run_of()))


@pytest.mark.parametrize("clique", [(0,), (3,), (0, 1), (3, 4), (0, 4), (1, 2)], ids=str)
def test_every_table_of_one_or_two_columns_is_exact(servers: Servers, clique: tuple[int, ...]) -> None:
    (found,) = servers.setting.marginals([Query(clique)], INFINITE)
    gone = np.any([GONE[0 if i < 2 else 1] for i in clique], axis=0)
    assert found.values.tolist() == together(PEOPLE, [gone]).table(Query(clique)).tolist()


def test_counts_and_coarser_codes(servers: Servers) -> None:
    assert servers.setting.count(math.inf) == 200 - GONE[0].sum()
    assert servers.setting.outside(math.inf)() == (float(sum(g.sum() for g in GONE)), 0.0)
    maps = [np.arange(size) // 2 for size in DOMAIN.sizes]
    (whole,) = servers.setting.coarsened(maps).marginals([Query((0, 3))], INFINITE)
    fine = Query((0, 3), (maps[0], maps[3]))
    assert whole.values.tolist() == together(PEOPLE, [GONE[0] | GONE[1]]).table(fine).tolist()


def test_a_table_has_the_noise_of_two_shares_and_counts_twice_at_a_server() -> None:
    made = Servers(Budget(run_of(1.0)))
    mu = made.setting.mu(0.5)
    (found,) = made.setting.marginals([Query((0, 4))], [mu])
    (event,) = made.setting._budget.run.events
    assert event == DistributedDiscreteGaussian(event.scale, 2, 1, event.multiple)
    assert found.sigma == pytest.approx(event.sigma * math.sqrt(3 / 2))
    for run in made.runs:
        (paid,) = run.events
        assert (paid.scale, paid.shares, paid.count) == (event.scale, 2, 2)


def test_rows_outside_are_counted_by_each_owner() -> None:
    made = Servers(Budget(run_of(1.0)))
    made.setting.outside(made.setting.mu(0.1))()
    assert [event.sensitivity for event in made.setting._budget.run.events] == [2]


def test_servers_answer_no_more_than_the_owners_paid_for() -> None:
    """Whatever a coordinator asks: their accounts have the limit that each owner's ledger was charged with."""
    made = Servers(Budget(run_of(1.0)))
    question, mu = Marginals((Query((0, 2)),)), made.setting.mu(1.0)
    for _ in range(16):
        try:
            made.rounds.opened(question, [mu], question.sizes(DOMAIN)[0])
        except FederationError:
            break
    else:
        pytest.fail("they answered for ever")
    paid = Spending.of([whole_plan(made.plan)])
    for run in made.runs:
        opened = Spending.of(run.events)
        assert 0 < opened.mu_squared < paid.mu_squared


@pytest.mark.parametrize("epsilon", [0.01, 1.0, 6.0])
def test_owners_pay_more_than_servers_may_answer_to_the_last_bit(epsilon: float) -> None:
    plan = Servers(Budget(run_of(epsilon))).plan
    paid = Spending.of([whole_plan(plan)])
    assert limit(at_servers(plan)).mu_squared < paid.mu_squared <= limit(plan.at_a_site).mu_squared
    assert mu_for(plan.toward_a_site) ** 2 < limit(at_servers(plan)).mu_squared


@pytest.mark.parametrize(
    "question", [Marginals((Query((0, 1, 2)),)), Marginals((Query((0,)),), outside=True)], ids=["three", "outside"]
)
def test_what_servers_do_not_answer_costs_nothing(question: Marginals) -> None:
    made = Servers(Budget(run_of(1.0)))
    with pytest.raises(FederationError, match=r"of two columns|counts and tables alone"):
        made.rounds.opened(question, [0.01] * len(question.sizes(DOMAIN)), sum(question.sizes(DOMAIN)))
    assert [len(run.events) for run in made.runs] == [0] * 3
    with pytest.raises(FederationError, match="of two columns"):
        made.setting.marginals([Query((0, 1, 2))], [0.1])
    assert made.setting._budget.run.events == ()


def test_shares_of_two_sharings_open_nothing_whatever_the_coordinator_says() -> None:
    """What is left of them is X^T (R - R'), of shares that one server knows: it would read X off it."""
    made = Servers(Budget(run_of()))
    first = made.sites[0]
    other = made.site(0, first._identity, made.sharings())
    made.rounds._transport._sites[0] = other  # type: ignore[attr-defined]
    made.rounds.set_up()
    with pytest.raises(FederationError, match="have shares of different sharings"):
        made.setting.marginals([Query((0, 2))], INFINITE)
    second = made.sites[1]
    question = Marginals((Query((0, 2)),))
    for site in (other, second):  # a coordinator that takes either for the name of all
        made.rounds._dealing = site._label
        with pytest.raises(FederationError, match="nothing was opened"):
            made.rounds.opened(question, INFINITE, question.sizes(DOMAIN)[0])


def test_an_owner_that_signed_another_plan_is_told_of() -> None:
    made = Servers(Budget(run_of()))
    for site in made.sites:
        site._shares = ServerRecords(
            DOMAIN, site._shares.tables, 0, site._shares.names, tuple(bytes(64) for _ in made.owners)
        )
    with pytest.raises(FederationError, match="the signature of owner clinic does not fit"):
        made.setting.marginals([Query((0, 2))], INFINITE)


def test_records_of_a_server_show_no_row(servers: Servers) -> None:
    records = servers.sites[0]._shares
    for ask in (lambda: records.table(Query((0,))), records.matrix, lambda: records.coarsened([])):
        with pytest.raises(Exception, match=r"a server has shares|servers answer"):
            ask()
    assert "private" in repr(servers.sharings()[0])
    assert CODEC.domain == records.domain
