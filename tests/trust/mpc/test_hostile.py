"""A coordinator that does not keep to the order of a dealing: it gets no sum, takes no memory, and wastes no budget."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import DOMAIN, Parties, parts_of, people, together

from sfumato.errors import FederationError
from sfumato.trust.budget import Budget
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.mpc import counting
from sfumato.trust.mpc.counting import OneHotLayout
from sfumato.trust.mpc.dealing import block_bytes, block_rows, maps_bytes
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.ring import MOST_ROWS
from sfumato.trust.questions import Marginals, Query
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.terms import RoundNumber

PEOPLE = people(100)
APART = Query((0, 2))
FINE = [np.arange(size) for size in DOMAIN.sizes]
OTHER = maps_bytes([*FINE[:2], FINE[2][::-1].copy(), *FINE[3:]])
"""The column of the second party the other way round: tables of the same sizes, of other masks."""
INFINITE = [math.inf]


def unnoised() -> Parties:
    return Parties(PEOPLE, Budget(run_of()), rounds=8)


def test_a_coordinator_that_deals_one_thing_to_two_parties_and_another_to_the_third_opens_nothing() -> None:
    """What is left of shares of two dealings is X^T (R - R'), of masks that one party knows: it would read X off it."""
    made = unnoised()
    first, second, third = made.sites
    fine = maps_bytes(FINE)
    for site in made.sites:
        site.call("count", fine)
    from_second, from_first = second.call("deal", block_bytes(0)), first.call("deal", block_bytes(0))
    first.call("dealt", from_second)  # the first party has all that it needs of the one dealing
    for site in (second, third):
        site.call("count", OTHER)
    second.call("deal", block_bytes(0))
    second.call("dealt", third.call("deal", block_bytes(0)))  # and the second one of the other
    third.call("count", fine)
    third.call("deal", block_bytes(0))
    third.call("dealt", from_first)
    question = Marginals((APART,))
    request = SumRequest(RoundNumber(1), question, (math.inf,))
    subjects = [site._subject(request) for site in made.sites]
    assert subjects[0] == subjects[2] != subjects[1]
    with pytest.raises(FederationError, match="nothing was opened"):
        made.rounds.opened(question, INFINITE, question.sizes(DOMAIN)[0])


def test_what_was_dealt_before_is_dealt_again_under_the_same_masks() -> None:
    """The same rows under the same masks are the same bytes, which tell nothing new."""
    site = unnoised().sites[0]
    sent = []
    for maps in (maps_bytes(FINE), OTHER, maps_bytes(FINE)):
        site.call("count", maps)
        sent.append(site.call("deal", block_bytes(0)))
    assert sent[0] == sent[2] != sent[1]


def test_a_new_set_up_deals_anew_under_other_masks_and_charges_again() -> None:
    made = Parties(PEOPLE, Budget(run_of(1.0)), rounds=8)
    mu = made.setting.mu(0.1)
    for times in (1, 2):
        (found,) = made.setting.marginals([APART], [mu])
        assert np.abs(found.values - together(PEOPLE).table(APART)).max() < 20 / mu
        assert [len(run.events) for run in made.runs] == [times] * 3
        made.rounds.set_up()
        assert made.sites[0]._dealing is None


@pytest.mark.parametrize("position", [0, 2])
def test_maps_to_more_codes_than_there_are_are_refused(position: int) -> None:
    maps = [*FINE]
    maps[position] = FINE[position] + (1 << 24)
    with pytest.raises(FederationError, match="cells, and at most"):
        unnoised().sites[0].call("count", maps_bytes(maps))


def test_more_cells_than_memory_holds_are_refused_before_any_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a party, and by the coordinator before its budget is charged."""
    made = Parties(PEOPLE, Budget(run_of(1.0)), rounds=8)
    monkeypatch.setattr(counting, "_MOST_CELLS", 10)
    with pytest.raises(FederationError, match="and at most 10 are counted"):
        made.setting.marginals([APART], [0.1])
    assert made.setting._budget.run.events == ()
    with pytest.raises(FederationError, match="and at most 10 are counted"):
        made.sites[0].call("count", maps_bytes(FINE))
    assert made.sites[0]._dealing is None


def test_a_layout_is_refused_for_its_width_as_for_its_cells() -> None:
    OneHotLayout(((1000,), (1000,), (1000,))).check()
    OneHotLayout(((100_000,), (40,), (40,))).check()
    for sizes in (((1 << 19,), (1,), (1,)), ((10_000,), (10_000,), (1,))):
        with pytest.raises(FederationError, match="at most"):
            OneHotLayout(sizes).check()


def test_no_block_has_more_rows_than_are_multiplied_exactly() -> None:
    assert block_rows(OneHotLayout(((1,), (1,), (1,)))) == MOST_ROWS
    assert block_rows(OneHotLayout(((200_000,), (1,), (1,)))) == 64


@pytest.mark.parametrize(
    ("question", "says"),
    [
        (Marginals((Query((0, 1, 2)),)), "are of two columns"),
        (Marginals((APART,)), "before the parties were told"),
        (Marginals((Query((0,)),), outside=True), "counts and tables alone"),
    ],
    ids=["three", "not dealt", "outside"],
)
def test_what_a_party_does_not_answer_costs_it_nothing(question: Marginals, says: str) -> None:
    made = Parties(PEOPLE, Budget(run_of(1.0)), rounds=8)
    mu = [0.01] * len(question.sizes(DOMAIN))
    with pytest.raises(FederationError, match=says):
        made.rounds.opened(question, mu, sum(question.sizes(DOMAIN)))
    assert [len(run.events) for run in made.runs] == [0] * 3


def test_a_model_that_asks_for_tables_of_three_columns_spends_nothing() -> None:
    made = Parties(PEOPLE, Budget(run_of(1.0)), rounds=8)
    with pytest.raises(FederationError, match="are of two columns"):
        made.setting.marginals([Query((0, 1, 2))], [0.1])
    assert made.setting._budget.run.events == ()


def test_the_ring_has_room_for_the_persons_of_the_list_and_no_more() -> None:
    """Noise as small as of epsilon 12 is in parts of a count: these fit for a hundred persons, not for 2**28."""
    made = Parties(PEOPLE, Budget(run_of(12.0)), rounds=8)
    assert made.plan.capacity == (100,) * 3
    (found,) = made.setting.marginals([APART], [made.setting.mu(1.0)])
    assert np.abs(found.values - together(PEOPLE).table(APART)).max() < 10


def test_a_promise_that_is_beyond_what_is_accounted_toward_a_party_is_refused() -> None:
    with pytest.raises(FederationError, match="toward another party the promise would be epsilon 2"):
        Parties(PEOPLE, Budget(run_of(15.0)), rounds=8)


def test_a_plan_for_another_number_of_persons_is_refused() -> None:
    made = unnoised()
    split = replace(made.plan.split, number=99)  # type: ignore[type-var]
    plan, (records, *_) = replace(made.plan, split=split), parts_of(PEOPLE)
    account = SiteAccount(made.runs[0], plan.terms, 0)
    with pytest.raises(FederationError, match="another number of persons"):
        PartySite(plan, made.sites[0]._identity, records, account)


def test_a_block_that_is_asked_for_many_times_at_once_is_dealt_once() -> None:
    site = unnoised().sites[0]
    site.call("count", maps_bytes(FINE))

    def dealt(_: int) -> bool:
        try:
            return bool(site.call("deal", block_bytes(0)))
        except FederationError:
            return False

    with ThreadPoolExecutor(8) as at_once:
        assert sum(at_once.map(dealt, range(8))) == 1


class Longer:
    """A party whose block has a byte more."""

    def __init__(self, site: PartySite, taken: list[bytes]) -> None:
        self._site, self._taken = site, taken

    def call(self, method: str, body: bytes) -> bytes:
        if method == "dealt":
            self._taken.append(body)
        return self._site.call(method, body) + (b"\0" if method == "deal" else b"")


def test_a_block_that_is_longer_than_the_plan_says_is_not_passed_on() -> None:
    taken: list[bytes] = []
    made = Parties(PEOPLE, Budget(run_of()), wrap=lambda sites: [Longer(sites[0], taken), *sites[1:]], rounds=8)
    with pytest.raises(FederationError, match="party-0 deals a block of another length"):
        made.setting.marginals([APART], INFINITE)
    assert taken == []
