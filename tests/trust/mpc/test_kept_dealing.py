"""A complete dealing outlives a set-up, for the same plan, maps and rows; what is opened of it is paid for anew."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import DOMAIN, Parties, parts_of, people, together

from sfumato.errors import FederationError
from sfumato.trust.budget import Budget
from sfumato.trust.mpc import dealing
from sfumato.trust.mpc.dealing import block_bytes, maps_bytes
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.questions import Marginals, Query

PEOPLE = people(100)
APART = Query((0, 2))
TABLE = together(PEOPLE).table(APART)
FINE = maps_bytes([np.arange(size) for size in DOMAIN.sizes])
INFINITE = [math.inf]


class Kept:
    """Keeps the last dealing of one party, as its file does."""

    def __init__(self) -> None:
        self.bound, self.data = b"", b""

    def keep(self, bound: bytes, data: bytes) -> None:
        self.bound, self.data = bound, data

    def find(self, bound: bytes, size: int) -> bytes | None:
        return self.data if bound == self.bound and len(self.data) == size else None


class Noting:
    """A party, and the methods that were called of it."""

    def __init__(self, site: PartySite, asked: list[str]) -> None:
        self._site, self._asked = site, asked

    def call(self, method: str, body: bytes) -> bytes:
        self._asked.append(method)
        return self._site.call(method, body)


class Keeping:
    """Parties of which each keeps its dealing."""

    def __init__(self, budget: Budget) -> None:
        self.kept: list[Kept] = []
        self.asked: list[str] = []
        self.made = Parties(
            PEOPLE, budget, wrap=lambda sites: [Noting(site, self.asked) for site in sites], kind=self._site, rounds=8
        )

    def _site(self, *given: object) -> PartySite:
        self.kept.append(Kept())
        return PartySite(*given, kept=self.kept[-1])  # type: ignore[arg-type]

    def again(self) -> None:
        """Set up anew, as after a kill."""
        self.made.rounds.set_up()
        self.asked.clear()

    def table(self, mu: float = math.inf) -> np.ndarray:
        return self.made.setting.marginals([APART], [mu])[0].values


@pytest.fixture
def keeping() -> Keeping:
    return Keeping(Budget(run_of()))


def test_nothing_is_dealt_again_after_a_new_set_up(keeping: Keeping) -> None:
    assert keeping.table().tolist() == TABLE.tolist()
    keeping.again()
    assert keeping.table().tolist() == TABLE.tolist()
    assert "deal" not in keeping.asked
    assert keeping.asked.count("kept") == 3


def test_an_opened_table_of_kept_shares_is_noised_and_paid_for_anew() -> None:
    keeping = Keeping(Budget(run_of(1.0)))
    found = []
    for times in (1, 2):
        found.append(keeping.table(0.01))
        assert [len(run.events) for run in keeping.made.runs] == [times] * 3
        keeping.again()
    assert found[0].tolist() != found[1].tolist()


def test_one_party_that_kept_nothing_lets_all_deal_anew(keeping: Keeping) -> None:
    keeping.table()
    keeping.kept[1].bound = b""
    keeping.again()
    assert keeping.table().tolist() == TABLE.tolist()
    assert keeping.asked.count("deal") == 3


def test_shares_are_found_again_for_the_same_rows_alone(keeping: Keeping) -> None:
    keeping.table()
    keeping.again()
    first = keeping.made.sites[0]
    assert first.call("count", FINE)
    keeping.again()
    other = PEOPLE.copy()
    other[7, 0] = (other[7, 0] + 1) % DOMAIN.sizes[0]
    first._parts = parts_of(other)[0]
    assert first.call("count", FINE) == b""


def test_shares_of_two_dealings_of_the_same_rows_open_nothing(keeping: Keeping) -> None:
    """What is left of them is X^T (R - R'), of masks that one party knows: it would read X off it."""
    keeping.table()
    before = keeping.kept[0].data
    keeping.kept[1].bound = b""
    keeping.again()
    keeping.table()  # of a second dealing
    keeping.again()
    keeping.kept[0].data = before
    for site in keeping.made.sites:  # a coordinator that does not mind
        keeping.made.rounds._dealing = site.call("count", FINE)
        site.call("kept", keeping.made.rounds._dealing)
    question = Marginals((APART,))
    with pytest.raises(FederationError, match="nothing was opened"):
        keeping.made.rounds.opened(question, INFINITE, question.sizes(DOMAIN)[0])


def test_a_dealing_that_was_not_complete_is_made_anew(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dealing, "_BLOCK_BYTES", 1)  # so that there are two blocks
    first, second, _ = keeping.made.sites
    for site in keeping.made.sites:
        site.call("count", FINE)
    sent = [site.call("deal", block_bytes(0)) for site in (first, second)]
    first.call("dealt", sent[1])
    keeping.again()
    assert first.call("count", FINE) == b""


@pytest.mark.parametrize("dealt", [False, True])
def test_a_dealing_of_another_name_is_not_gone_on_with(keeping: Keeping, dealt: bool) -> None:
    keeping.table()
    keeping.again()
    first = keeping.made.sites[0]
    named = first.call("count", FINE)
    if dealt:
        first.call("deal", block_bytes(0))
    with pytest.raises(FederationError, match="no dealing of that name was kept"):
        first.call("kept", named if dealt else b"\0" * 32)
