"""The setting of parties: exact sums where there is no noise, the noise that is charged for, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import DOMAIN, HELD, Parties, parts_of, people, together

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.privacy.accounting import mu_for
from sfumato.privacy.events import DistributedDiscreteGaussian
from sfumato.trust.budget import Budget
from sfumato.trust.mpc import dealing
from sfumato.trust.mpc.dealing import block_bytes, maps_bytes
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.questions import Query

PEOPLE = people(300)
GONE = [np.arange(300) % 50 == place for place in range(3)]
PAIRS = [(i, j) for i in range(5) for j in range(i + 1, 5)]
INFINITE = [math.inf]


def unnoised(absent: list[np.ndarray] | None = None, **more) -> Parties:
    return Parties(PEOPLE, Budget(run_of()), absent, **more)


@pytest.fixture(scope="module")
def parties() -> Parties:
    return unnoised(GONE)


@pytest.mark.parametrize("clique", [(i,) for i in range(5)] + PAIRS)
def test_every_table_of_two_columns_is_exact(parties: Parties, clique: tuple[int, ...]) -> None:
    (found,) = parties.setting.marginals([Query(clique)], INFINITE)
    places = {place for place, held in enumerate(((0, 1), (2,), (3, 4))) for i in clique if i in held}
    gone = np.any([GONE[place] for place in places], axis=0)  # of whom some party that is asked has no row
    assert found.values.tolist() == together(PEOPLE, [gone]).table(Query(clique)).tolist()


def test_counts_are_those_of_the_first_party_and_outside_of_all(parties: Parties) -> None:
    assert parties.setting.count(math.inf) == 300 - GONE[0].sum()
    assert parties.setting.outside(math.inf)() == (float(sum(g.sum() for g in GONE)), 0.0)


def test_coarser_codes_are_dealt_and_grouped_further(parties: Parties) -> None:
    maps = [np.arange(size) // 2 for size in DOMAIN.sizes]
    view = parties.setting.coarsened(maps)
    groups = tuple(np.zeros(view.domain.sizes[i], int) if i else np.arange(view.domain.sizes[0]) for i in (0, 3))
    whole, some = view.marginals([Query((0, 3)), Query((0, 3), groups)], INFINITE * 2)
    gone = [GONE[0] | GONE[2]]
    fine = Query((0, 3), (maps[0], maps[3]))
    assert whole.values.tolist() == together(PEOPLE, gone).table(fine).tolist()
    assert some.values.ravel().tolist() == whole.values.sum(axis=1).tolist()


def test_blocks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "_BLOCK_BYTES", 1)
    made = unnoised()
    assert [t.values.tolist() for t in made.setting.marginals([Query(c) for c in PAIRS], INFINITE * len(PAIRS))] == [
        together(PEOPLE).table(Query(c)).tolist() for c in PAIRS
    ]


def test_columns_are_dealt_once_for_many_tables() -> None:
    asked: list[str] = []
    made = unnoised(wrap=lambda sites: [_Noting(site, asked) for site in sites])
    for clique in [(0,), (0, 1), (0, 2), (1, 4)]:
        made.setting.marginals([Query(clique)], INFINITE)
    assert asked.count("count") == 3
    assert asked.index("count") > asked.index("masked")  # a party's own tables need no dealing


class _Noting:
    def __init__(self, site: PartySite, asked: list[str]) -> None:
        self._site, self._asked = site, asked

    def call(self, method: str, body: bytes) -> bytes:
        self._asked.append(method)
        return self._site.call(method, body)


def test_a_table_has_the_noise_of_two_shares_and_a_party_pays_for_two_cells() -> None:
    promise = sf.Guarantee(1, 1e-6)
    made = Parties(PEOPLE, Budget(run_of(1.0)))
    mu = made.setting.mu(0.5)
    (found,) = made.setting.marginals([Query((0, 4))], [mu])
    (event,) = made.setting._budget.run.events
    assert event == DistributedDiscreteGaussian(event.scale, 2, 1, event.multiple)
    assert found.sigma == pytest.approx(event.sigma * math.sqrt(3 / 2))
    assert found.sigma == pytest.approx(math.sqrt(1.5) / mu, rel=0.02)
    assert made.setting.sigma(mu) == pytest.approx(found.sigma, rel=0.02)  # what models plan by
    for run in made.runs:
        (paid,) = run.events
        assert (paid.scale, paid.shares, paid.count) == (event.scale, 2, 2)
    toward = made.plan.toward_a_site
    assert mu_for(toward) == pytest.approx(math.sqrt(2) * mu_for(promise), rel=1e-3)
    assert made.plan.at_a_site.epsilon == 2 * toward.epsilon


def test_rows_outside_have_the_noise_of_three_counts() -> None:
    made = Parties(PEOPLE, Budget(run_of(1.0)), GONE)
    counted = made.setting.outside(made.setting.mu(0.1))
    assert counted()[1] == pytest.approx(3 * math.sqrt(1.5) / made.setting.mu(0.1), rel=0.02)
    assert [e.sensitivity for e in made.setting._budget.run.events] == [3]


@pytest.fixture
def sites() -> list[PartySite]:
    return unnoised().sites


IDENTITY = maps_bytes([np.arange(size) for size in DOMAIN.sizes])


def dealt(sites: list[PartySite]) -> list[bytes]:
    for site in sites:
        site.call("count", IDENTITY)
    return [site.call("deal", block_bytes(0)) for site in sites]


def test_what_is_dealt_is_the_same_to_nobody_twice(sites: list[PartySite]) -> None:
    first = dealt(sites)
    with pytest.raises(FederationError, match="through the same maps"):
        sites[0].call("count", IDENTITY)
    assert dealt(unnoised().sites) != first  # keys are of one run


def test_no_mask_covers_two_blocks_or_two_dealings(sites: list[PartySite]) -> None:
    """Two masked blocks of one mask would show the difference of their one-hots."""
    dealt(sites)
    first = sites[0]._begun_dealing()
    masks = [sites[0]._mask(first, 0, block)[:5].tobytes() for block in (0, 0)]
    assert masks[0] == masks[1]  # the next party draws the same
    assert sites[1]._mask(sites[1]._begun_dealing(), 0, 0)[:5].tobytes() == masks[0]
    first.own = replace(first.own, present=np.ones(10**7, bool))  # so many persons that there are several blocks
    assert sites[0]._mask(first, 0, 1)[:5].tobytes() != masks[0]
    sites[0].call("count", maps_bytes([np.arange(size) // 2 for size in DOMAIN.sizes]))
    width = sites[0]._begun_dealing().layout.widths[0]
    assert sites[0]._mask(sites[0]._begun_dealing(), 0, 0)[:5].tobytes()[: 4 * width] != masks[0][: 4 * width]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda sites, sent: sites[0].call("deal", block_bytes(0)), "once, in order"),
        (lambda sites, sent: sites[0].call("deal", block_bytes(7)), "once, in order"),
        (lambda sites, sent: sites[0].call("deal", b"\0"), "names no block"),
        (lambda sites, sent: sites[0].call("dealt", sent[2]), "another length"),  # of another party
        (lambda sites, sent: sites[0].call("dealt", sent[0]), "another length"),  # its own
        (lambda sites, sent: sites[0].call("dealt", sent[1][:-1] + bytes([sent[1][-1] ^ 1])), "cannot be opened"),
        (lambda sites, sent: sites[0].call("dealt", sent[1] + bytes(1 << 20)), "another length"),
        (lambda sites, sent: sites[0].call("dealt", b""), "another length"),
        (lambda sites, sent: sites[0].call("count", IDENTITY[:-1]), "question|bytes"),
        (lambda sites, sent: sites[0].call("count", maps_bytes([np.arange(7)])), "one map for each"),
    ],
    ids=["twice", "beyond", "no block", "another's", "own", "changed", "long", "empty", "no maps", "one map"],
)
def test_a_dealing_that_is_not_the_agreed_one_is_refused(
    sites: list[PartySite], change: Callable[[list[PartySite], list[bytes]], bytes], says: str
) -> None:
    sent = dealt(sites)
    with pytest.raises(FederationError, match=says):
        change(sites, sent)


def test_a_block_is_taken_once(sites: list[PartySite]) -> None:
    sent = dealt(sites)
    sites[0].call("dealt", sent[1])
    with pytest.raises(FederationError, match="once this party has dealt its own"):
        sites[0].call("dealt", sent[1])


def test_nothing_is_dealt_before_the_plan_is_signed() -> None:
    made = unnoised()
    made.sites[0].call("agree", made.plan.digest)
    with pytest.raises(FederationError, match="before all sites have signed"):
        made.sites[0].call("count", IDENTITY)


def test_tables_of_three_columns_over_parties_are_refused(parties: Parties) -> None:
    with pytest.raises(FederationError, match="are of two columns"):
        parties.setting.marginals([Query((0, 1, 2))], INFINITE)
    (own,) = parties.setting.marginals([Query((3, 4))], INFINITE)
    assert own.values.sum() == 300 - GONE[2].sum()


def test_a_table_finer_than_what_was_dealt_is_refused(sites: list[PartySite]) -> None:
    coarse = maps_bytes([np.zeros(size, int) for size in DOMAIN.sizes])
    for site in sites:
        site.call("count", coarse)
    sent = [site.call("deal", block_bytes(0)) for site in sites]
    sites[0].call("dealt", sent[1])
    with pytest.raises(FederationError, match="finer than the codes that were dealt"):
        sites[0]._share(Query((0, 2)))


def test_records_show_no_row() -> None:
    (first, *_) = parts_of(PEOPLE)
    assert repr(first) == "<private records of a party: 2 columns>"
    assert len(HELD) == 3


def test_a_table_before_all_blocks_were_taken_is_refused(sites: list[PartySite]) -> None:
    dealt(sites)
    with pytest.raises(FederationError, match="before all of them were dealt"):
        sites[0]._share(Query((0, 2)))
