"""Sites that keep their rows: sums are exact, the noise is shared, and a site refuses what it must."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from tests.guarantees.boundless import boundless_run
from tests.models.marginals.population import DOMAIN, people
from tests.trust.features import feature_sum, scatter
from tests.trust.federation import Federation, LostAt, unevenly

from sfumato.errors import FederationError, Overdraft
from sfumato.privacy import accounting
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.transport import Endpoint
from sfumato.trust.questions import Count, Marginals, Query
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.terms import RoundNumber

ERROR = 1e-6
"""Chance that a check of noise fails where nothing is wrong."""
ROWS = people(2000)
INFINITE = math.inf
SECRET = "ZEBRA-7"


def run_of(epsilon: float = INFINITE) -> Run:
    return Ledger.open().begin(Guarantee(epsilon, 1e-6), "sites")


def federation(k: int = 5, epsilon: float = INFINITE, **terms: Any) -> Federation:
    return Federation(unevenly(ROWS, k), DOMAIN, Budget(run_of(epsilon)), rounds=8, **terms)


def losing(method: str) -> Callable[[list[FederatedSite]], list[Endpoint]]:
    """The first site is lost when it is asked for ``method``."""
    return lambda sites: [LostAt(sites[0], method), *sites[1:]]


def halves(codes: np.ndarray) -> np.ndarray:
    return np.repeat(codes[:, :1] / 2.0, 3, axis=1)


def by_first(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return codes[:, :2] + 1.0, codes[:, 0]


@pytest.mark.parametrize("k", [3, 10, 50])
def test_without_a_guarantee_each_answer_is_that_of_one_curator(k: int) -> None:
    sites, curator = federation(k).setting, Central(Records.of(ROWS, DOMAIN), Budget(run_of()))
    queries = [Query((0,)), Query((1, 2)), Query((0, 3), (np.array([0, 1, 1]), np.array([0, 0])))]
    for one, other in zip(*(s.marginals(queries, [INFINITE] * 3) for s in (sites, curator)), strict=True):
        np.testing.assert_array_equal(one.values, other.values)
    assert sites.count(INFINITE) == len(ROWS)
    for ask in (
        lambda s: s.feature_sum(feature_sum(halves, 3, 0.8), INFINITE),
        lambda s: s.scatter(scatter(by_first, 2, 3, 2.5), INFINITE),
    ):
        np.testing.assert_array_equal(ask(sites), ask(curator))
    maps = [np.arange(size) // 2 for size in DOMAIN.sizes]
    twice = [np.arange(int(m.max()) + 1) // 2 for m in maps]
    coarse = [s.coarsened(maps).coarsened(twice).marginals([Query((0, 1))], [INFINITE]) for s in (sites, curator)]
    np.testing.assert_array_equal(coarse[0][0].values, coarse[1][0].values)


def test_the_count_of_rows_outside_goes_with_the_first_tables_and_is_paid_for_beside_them() -> None:
    """One sum, of which a view through coarser codes knows; what the count will cost is not left to the model."""
    made = federation(3, epsilon=1.0)
    made.sites[0]._records.outside, made.sites[1]._records.outside = 400, 30
    setting = made.setting
    told = setting.outside(setting.mu(0.1))
    assert setting.remaining == pytest.approx(0.9)
    queries, coarser = [Query((0,)), Query((1,))], setting.coarsened([np.arange(size) for size in DOMAIN.sizes])
    tables = coarser.marginals(queries, [setting.mu(0.2)] * 2)
    assert [t.query for t in tables] == queries
    assert setting.remaining == coarser.remaining == pytest.approx(0.5, abs=1e-6)
    found, noise = told()
    assert abs(found - 430) < 8 * noise  # noise of 13 or so
    assert noise < 30
    coarser.marginals(queries, [setting.mu(0.2)] * 2)
    assert (made.rounds.opened_rounds, [len(run.events) for run in made.runs]) == (2, [5, 5, 5])
    assert told() == (found, noise)


def test_the_count_of_rows_outside_is_asked_by_itself_where_no_table_is() -> None:
    made = federation(3)
    made.sites[2]._records.outside = 7
    told = made.setting.outside(INFINITE)
    assert made.setting.count(INFINITE) == len(ROWS)
    assert [told(), told()] == [(7.0, 0.0)] * 2
    assert made.rounds.opened_rounds == 2


@pytest.mark.parametrize(("curious", "lost"), [(0, 0), (1, 0), (1, 1)])
def test_noise_is_that_of_the_honest_shares_and_of_those_beyond(curious: int, lost: int) -> None:
    """Two-sided chi-square test at ``ERROR``: k shares, each sized so that k - c - d of them are what was paid for."""
    k, sigma = 5, 8.0
    budget = Budget(boundless_run("noise"))
    made = Federation(unevenly(ROWS, k), DOMAIN, budget, curious=curious, lost=lost, rounds=8)
    times, query = 500, Query((1, 2))
    mu = accounting.discrete_gaussian_mu(sigma)
    exact = Records.of(ROWS, DOMAIN).table(query)
    answers = made.setting.marginals([query] * times, [mu] * times)
    noise = np.concatenate([(m.values - exact).ravel() for m in answers])
    expected = sigma * math.sqrt(k / (k - curious - lost))
    low, high = stats.chi2.ppf([ERROR / 2, 1 - ERROR / 2], noise.size)
    assert low <= (noise**2).sum() / expected**2 <= high
    assert {len(run.events) for run in made.runs} == {times}


@pytest.mark.parametrize("method", ["masked", "consent", "unmask"])
def test_the_rest_go_on_without_a_lost_site_where_the_plan_allows_it(method: str) -> None:
    setting = federation(5, lost=1, wrap=losing(method)).setting
    rest = len(ROWS) if method != "masked" else len(ROWS) - len(unevenly(ROWS, 5)[0])
    assert setting.count(INFINITE) == rest


@pytest.mark.parametrize("method", ["masked", "consent"])
def test_nothing_is_opened_without_a_site_that_the_plan_needs(method: str) -> None:
    setting = federation(3, curious=1, wrap=losing(method)).setting
    with pytest.raises(FederationError, match=r"nothing was opened.*site site-0: gone"):
        setting.count(INFINITE)


def test_an_attempt_that_fails_is_made_again_and_paid_again() -> None:
    class Hiccup:
        def __init__(self, site: FederatedSite) -> None:
            self._site, self._failed = site, False

        def call(self, method: str, body: bytes) -> bytes:
            if method == "masked" and not self._failed:
                self._failed = True
                raise FederationError("a moment")
            return self._site.call(method, body)

    made = federation(3, epsilon=1.0, wrap=lambda sites: [Hiccup(sites[0]), *sites[1:]])
    made.setting.count(made.setting.mu(0.1))
    assert [len(run.events) for run in made.runs] == [1, 2, 2]
    assert [run.steps for run in made.runs] == [2, 2, 2]
    assert made.rounds.lost == {}  # it is back, and is not named where another one fails later


def asked(made: Federation, data: bytes, place: int = 0) -> bytes:
    return made.sites[place].call("masked", data)


def request(made: Federation, mu: float = 0.1, number: RoundNumber = RoundNumber(1)) -> bytes:  # noqa: B008
    return SumRequest(number, Count(), (mu,)).data


def test_a_site_refuses_what_it_did_not_agree_to() -> None:
    made = Federation(unevenly(ROWS, 3), DOMAIN, Budget(run_of(1.0)), rounds=8, questions=("count",))
    tables = SumRequest(RoundNumber(1), Marginals((Query((0,)),)), (0.1,)).data
    for data, said in (
        (b"", "a request that is none"),
        (request(made)[:-1], "question"),
        (request(made) + b"x", "question"),
        (tables, "'marginals' is a question outside the plan"),
        (request(made, mu=INFINITE), "without noise, in a plan that makes a promise"),
        (request(made, mu=math.nan), "not positive"),
        (request(made, mu=-1.0), "not positive"),
        (request(made, number=RoundNumber(9)), "the plan has 8 rounds"),
    ):
        with pytest.raises(FederationError, match=said):
            asked(made, data)
    assert [run.events for run in made.runs] == [(), (), ()]
    with pytest.raises(FederationError, match="no such method"):
        made.sites[0].call("rows", b"")


def test_a_site_answers_a_number_once_and_never_an_earlier_one() -> None:
    made = federation(3, epsilon=1.0)
    asked(made, request(made, number=RoundNumber(2)))
    for number in (RoundNumber(2), RoundNumber(1), RoundNumber(1, 2)):
        with pytest.raises(FederationError, match="used, or passed over"):
            asked(made, request(made, number=number))
    assert len(made.runs[0].events) == 1


def test_a_site_whose_ledger_is_spent_says_so_and_nothing_else() -> None:
    made = federation(3, epsilon=1.0)

    def spent(*_: object) -> None:
        raise Overdraft(f"nothing was released: {SECRET}")

    made.sites[0]._account.charge = spent
    with pytest.raises(FederationError, match="its own ledger does not allow") as told:
        asked(made, request(made))
    assert SECRET not in str(told.value)
    assert told.value.__context__ is None or told.value.__suppress_context__


def test_no_text_of_an_error_at_a_site_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    made = federation(3, epsilon=1.0)

    def fails(*_: object) -> None:
        raise ValueError(f"bad row {SECRET}")

    monkeypatch.setattr("sfumato.trust.summing.exact", fails)
    with pytest.raises(FederationError, match="could not answer") as told:
        made.setting.count(0.1)
    assert SECRET not in str(told.value)


def test_no_pair_of_vectors_tells_of_rows_before_they_are_opened() -> None:
    """The same question to the same records gives vectors that share nothing: the planted fault reuses the mask."""
    made = federation(3)
    vectors = [asked(made, request(made, INFINITE, RoundNumber(i)))[-8:] for i in (1, 2)]
    assert vectors[0] != vectors[1]


def test_terms_that_no_sum_can_keep_are_refused() -> None:
    made = federation(3)
    with pytest.raises(FederationError):
        replace(made.plan, rounds=5000).terms  # noqa: B018 - a property that raises
