"""Parties without a list of persons: exact tables of those who are common, of whom the coordinator sees nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from tests.guarantees.boundless import boundless_run
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import DOMAIN, HELD, SCHEMA, parts_of, people, together

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.trust.budget import Budget
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import InProcess, Replies
from sfumato.trust.mpc.aligning_party import AligningParty
from sfumato.trust.mpc.counting import OneHotLayout
from sfumato.trust.mpc.dealing import maps_bytes, sealed_block
from sfumato.trust.mpc.intersection.steps import MOST_COMMON, sealed_store
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.setting import Mpc
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.questions import Count, Query
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster
from sfumato.trust.secure_sum.terms import RoundNumber

MOST = 60
INFINITE = [math.inf]
PEOPLE = people(80)
KEYS = [f"p{i:02d}" for i in range(80)]
SOME = [range(50), range(10, 70), range(5, 65, 2)]
"""Whom each party has: 11, 13 ... 49 are common."""
COMMON = sorted(set(SOME[0]) & set(SOME[1]) & set(SOME[2]))


class Noted(InProcess):
    """A transport that keeps each call with what was answered."""

    def __init__(self, sites: Sequence[AligningParty]) -> None:
        super().__init__(sites)
        self.calls: list[tuple[str, dict[int, int], dict[int, int]]] = []
        self.answers: list[bytes] = []

    def call(self, method: str, requests: dict[int, bytes], deadline: float) -> Replies:
        found = super().call(method, requests, deadline)
        lengths = ({place: len(data) for place, data in sent.items()} for sent in (requests, found.answers))
        self.calls.append((method, *lengths))
        self.answers += found.answers.values()
        return found


class Aligned:
    """A setting over parties who have these persons.

    Args:
        some: of each party, numbers of its persons.
        budget: of the setting.
    """

    def __init__(self, some: Sequence[Sequence[int]], budget: Budget, rounds: int = 8) -> None:
        identities = [SiteIdentity.fresh() for _ in HELD]
        members = tuple(Member(f"party-{i}", key.public_key) for i, key in enumerate(identities))
        split, asked = VerticalSplit("who", HELD, None, MOST), ("count", "marginals")
        promise, roster = budget.run.guarantee, Roster(members)
        self.plan = FederationPlan(SCHEMA, "aim", promise, roster, asked, rounds=rounds, split=split)
        self.told: list[int] = []
        self.runs = [boundless_run(f"party {i}", self.plan.at_a_site.epsilon) for i in range(3)]
        self.sites = []
        for place, own in enumerate(some):
            records = parts_of(PEOPLE[list(own)])[place]
            account = SiteAccount(self.runs[place], self.plan.terms, place)
            persons = Persons.of(KEYS[i] for i in own)
            self.sites.append(AligningParty(self.plan, identities[place], persons, records, account, self.told.append))
        self.transport = Noted(self.sites)
        self.rounds = SecureRounds(self.plan, self.transport)
        self.setting = Mpc(self.rounds, DOMAIN, budget)


PAIRS = [(i, j) for i in range(5) for j in range(i + 1, 5)]


@pytest.fixture(scope="module")
def aligned() -> Aligned:
    made = Aligned(SOME, Budget(run_of()))
    made.rounds.set_up()
    return made


def test_tables_are_those_of_the_common_persons(aligned: Aligned) -> None:
    queries = [Query(clique) for clique in [*((i,) for i in range(5)), *PAIRS]]
    for found in aligned.setting.marginals(queries, INFINITE * len(queries)):
        assert found.values.tolist() == together(PEOPLE[COMMON]).table(found.query).tolist()


def test_the_count_is_theirs_and_told_to_each_party(aligned: Aligned) -> None:
    assert aligned.setting.count(math.inf) == len(COMMON)
    assert aligned.told == [len(COMMON)] * 3


def test_rows_outside_the_facts_are_counted_of_common_persons_alone(aligned: Aligned) -> None:
    assert aligned.setting.outside(math.inf)() == (0.0, 0.0)
    own = [replace(site._own, outside_facts=np.ones(len(site._own.outside_facts), bool)) for site in aligned.sites]
    assert {records.at(site._common.places).outside for records, site in zip(own, aligned.sites, strict=True)} == {
        len(COMMON)
    }


@pytest.mark.parametrize(
    "some", [[range(20)] * 3, [range(20), range(20, 40), range(40, 60)], [[0], range(60), range(30, 50)]]
)
def test_the_coordinator_sees_the_same_whoever_is_common(some: list[Sequence[int]]) -> None:
    """Every call, and the length of what is asked and answered: of all, of some, of nobody."""
    seen = []
    for who in (SOME, some):
        made = Aligned(who, Budget(run_of(1.0)))
        made.rounds.set_up()
        made.setting.count(made.setting.mu(0.1))
        made.setting.marginals([Query((0, 2)), Query((3, 4))], [made.setting.mu(0.1)] * 2)
        seen.append((made.transport.calls, [run.events for run in made.runs]))
    assert seen[0] == seen[1]


def test_the_plan_says_the_same_whoever_is_common() -> None:
    plans = [Aligned(who, Budget(run_of(1.0))).plan for who in (SOME, [range(20)] * 3)]
    assert {plan.split for plan in plans} == {VerticalSplit("who", HELD, None, MOST)}
    assert plans[0].capacity == plans[1].capacity == (MOST,) * 3


def test_nothing_is_answered_before_the_parties_know_who_is_common(monkeypatch: pytest.MonkeyPatch) -> None:
    """A coordinator that leaves the intersection out gets no sum, and has nothing dealt; nobody pays."""
    made = Aligned(SOME, Budget(run_of(1.0)))
    monkeypatch.setattr("sfumato.trust.federated.rounds.find_common", lambda ask, most: bytes(32))
    made.rounds.set_up()
    with pytest.raises(FederationError, match="before the parties have found who is common"):
        made.sites[0].call("count", maps_bytes([np.arange(size) for size in DOMAIN.sizes]))
    with pytest.raises(FederationError, match="nothing was opened"):
        made.setting.count(made.setting.mu(0.1))
    assert [run.events for run in made.runs] == [()] * 3


def test_parties_with_other_persons_at_a_position_open_nothing() -> None:
    """A party that believes in another list makes other masks: the sum stays closed."""
    made = Aligned(SOME, Budget(run_of(1.0)))
    made.rounds.set_up()
    request = SumRequest(RoundNumber(1), Count(), (1.0,))
    assert len({site._subject(request) for site in made.sites}) == 1
    made.sites[1]._common.hash = bytes(32)
    assert len({site._subject(request) for site in made.sites}) == 2
    with pytest.raises(FederationError, match="nothing was opened"):
        made.setting.count(made.setting.mu(0.1))


def test_a_new_set_up_finds_them_anew_and_in_another_order() -> None:
    made, orders = Aligned(SOME, Budget(run_of())), []
    for _ in range(2):
        made.rounds.set_up()
        orders.append(made.sites[0]._common.places.tolist())
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[0] != orders[1]
    (found,) = made.setting.marginals([Query((0, 2))], INFINITE)
    assert found.values.sum() == len(COMMON)


def test_set_ups_anew_give_no_room_for_ever_more_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A party that brings other keys each time, with a coordinator that begins anew: both others stop telling."""
    monkeypatch.setattr("sfumato.trust.mpc.aligning_party.MOST_SEARCHES", 2)
    made = Aligned(SOME, Budget(run_of(1.0)))
    guessing, known, each = made.sites[0], set[int](), 25

    def guess(first: int) -> None:
        guesses = range(first, first + each)
        guessing._persons, guessing._own = Persons.of(KEYS[i] for i in guesses), parts_of(PEOPLE[list(guesses)])[0]
        guessing._searches = 0
        made.rounds.set_up()
        known.update(guesses[i] for i in guessing._common.places if i >= 0)

    guess(0)
    guess(each)
    assert known == {i for i in set(SOME[1]) & set(SOME[2]) if i < 2 * each}
    with pytest.raises(FederationError, match="looked for 2 times since this party was started"):
        guess(2 * each)
    assert max(known) < 2 * each


def plan_of(number: int) -> FederationPlan:
    roster = Roster(tuple(Member(f"p{i}", bytes([i] * 32)) for i in range(3)))
    split, promise = VerticalSplit("who", HELD, None, number), sf.Guarantee(1, 1e-6)
    return FederationPlan(SCHEMA, "aim", promise, roster, ("count", "marginals"), split=split)


def test_a_number_that_none_can_bring_is_refused() -> None:
    for number in (0, MOST_COMMON + 1):
        with pytest.raises(FederationError, match="a party brings 1 to 1,048,576 keys"):
            plan_of(number)


def test_the_longest_messages_fit_what_the_plan_allows_and_little_else_does(aligned: Aligned) -> None:
    """Two stores, and a block of the widest one-hots; a message of gigabytes is refused unread."""
    plan, widest = plan_of(MOST_COMMON), OneHotLayout(((1 << 18,), (1,), (1,)))
    assert 2 * sealed_store(MOST_COMMON) < plan.most_bytes
    assert sealed_block(widest, 10**6, 0, 0) < plan_of(1).most_bytes < plan.most_bytes < 1 << 28
    sent = [size for _, *both in aligned.transport.calls for sizes in both for size in sizes.values()]
    assert max(sent) < aligned.plan.most_bytes
