"""The noise and the masks of parties, audited on the real setting, as those of sites are.

Each audit passes the code as it is, and catches what it is for: a party that is silent, shares that are halved, noise
that is rounded away, a mask that covers the one-hots of two dealings. Error rates: the replay is exact; the measured
deviation of 5,600 cells is five of its own standard errors away with probability 6e-7; of two masked blocks some
number lies within one of the other by chance with probability below 2e-5 each, and half of them do with none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.trust.parties import CODEC, DOMAIN, Parties, people, together

import sfumato as sf
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.randomness import Entropy
from sfumato.trust.budget import Budget
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.mpc import party_site
from sfumato.trust.mpc.counting import ProductShares
from sfumato.trust.mpc.dealing import maps_bytes
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.split import layout
from sfumato.trust.questions import Count, Marginals, Query, SumQuestion
from sfumato.trust.secure_sum.terms import RoundNumber

PEOPLE = people(300)
TABLES = 200
APART, OWN = Marginals((Query((0, 3)),) * TABLES), Marginals((Query((3, 4)),) * 2)
"""A table of columns at two parties, often, each time with noise of its own; and one that a party has alone."""
CELLS = 28 * TABLES
MU = 0.02
SURE = 5 / np.sqrt(2 * CELLS)
"""How far a measured deviation may be from 1: five standard errors."""
FINE = [np.arange(size) for size in DOMAIN.sizes]
TURNED = [codes[::-1].copy() for codes in FINE]

Noised = Callable[[FederatedSite, SumQuestion, SharedNoise, Entropy], np.ndarray]
RIGHT: Noised = FederatedSite._noised


def silent(site: FederatedSite, question: SumQuestion, noise: SharedNoise, entropy: Entropy) -> np.ndarray:
    multiple = noise.parts[0].multiple  # type: ignore[union-attr]
    return site._exact(question) * multiple


def halved(site: FederatedSite, question: SumQuestion, noise: SharedNoise, entropy: Entropy) -> np.ndarray:
    exact = silent(site, question, noise, entropy)
    return exact + (RIGHT(site, question, noise, entropy) - exact) // 2


def rounded(site: FederatedSite, question: SumQuestion, noise: SharedNoise, entropy: Entropy) -> np.ndarray:
    """Noise first, then a coarser grid."""
    return RIGHT(site, question, noise, entropy) // 64 * 64


def made(kind: Callable[..., PartySite] = PartySite) -> Parties:
    """Three parties who have dealt their columns."""
    run = Ledger.open().begin(sf.Guarantee(5, 1e-6), "audit")
    parties = Parties(PEOPLE, Budget(run), kind=kind, rounds=8)
    deal(parties, FINE)
    return parties


def deal(parties: Parties, maps: list[np.ndarray]) -> None:
    owners = parties.plan.split.owners(CODEC)  # type: ignore[union-attr]
    parties.rounds.deal(maps_bytes(maps), layout(owners, DOMAIN.sizes))


def opened(parties: Parties, question: SumQuestion) -> tuple[np.ndarray, SharedNoise]:
    """The opened numbers, and the noise that is planned for them."""
    plan, costs = parties.plan, (MU,) * len(question.sizes(DOMAIN))
    noise = SharedNoise.of(question, costs, plan.moved_by(question), plan.roster, DOMAIN)
    return parties.rounds.opened(question, costs, sum(noise.sizes))[0], noise


def exact(question: SumQuestion) -> np.ndarray:
    whole = together(PEOPLE)
    if isinstance(question, Marginals):
        return np.concatenate([whole.table(query).ravel() for query in question.queries])
    return np.array([len(whole)])


def off_replay(parties: Parties, question: SumQuestion, number: int) -> int:
    """In how many numbers the opened sum is not the table of one curator and each party's share, drawn once more."""
    found, noise = opened(parties, question)
    request = SumRequest(RoundNumber(number), question, (MU,) * len(noise.sizes))
    expected = exact(question) * noise.parts[0].multiple  # type: ignore[union-attr]
    for site in parties.sites:
        entropy = site._sums.entropy(request.number, site._subject(request))
        expected = expected + noise.add(np.zeros_like(expected), entropy)
    return int(np.count_nonzero(found != expected))


def deviation(parties: Parties) -> float:
    """Of the noise in opened tables, over what it should be."""
    found, noise = opened(parties, APART)
    part = noise.parts[0]
    return float((found / part.multiple - exact(APART)).std() / part.deviation(3))  # type: ignore[union-attr]


def test_each_number_is_the_table_of_one_curator_and_the_share_of_each_party() -> None:
    parties = made()
    assert [off_replay(parties, question, n) for n, question in ((1, Count()), (2, APART), (3, OWN))] == [0, 0, 0]


def test_the_noise_is_as_wide_as_is_accounted() -> None:
    assert abs(deviation(made()) - 1) < SURE


class Silent(PartySite):
    """Leaves out its share of the noise."""

    _noised = silent


def test_a_silent_party_is_caught() -> None:
    def kind(plan: Any, key: Any, *more: Any) -> PartySite:
        return (PartySite if plan.roster.position(key.public_key) else Silent)(plan, key, *more)

    parties = made(kind)
    assert off_replay(parties, APART, 1) > CELLS // 2
    assert abs(deviation(parties) - 1) > SURE


@pytest.mark.parametrize("wrong", [halved, rounded], ids=["halved", "rounded"])
def test_shares_that_are_halved_or_rounded_are_caught(wrong: Noised, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FederatedSite, "_noised", wrong)
    parties = made()
    assert off_replay(parties, APART, 1) > CELLS // 2
    assert wrong is rounded or abs(deviation(parties) - 1) > SURE


def close(monkeypatch: pytest.MonkeyPatch) -> float:
    """How many numbers of two masked blocks that one party was given, of two dealings, lie within one of each other."""
    seen: list[np.ndarray] = []
    add = ProductShares.add

    def noted(self: ProductShares, own: Any, mask: np.ndarray, before: np.ndarray, masked_next: np.ndarray) -> None:
        if self.place == 0:
            seen.append(masked_next)
        add(self, own, mask, before, masked_next)

    monkeypatch.setattr(ProductShares, "add", noted)
    deal(made(), TURNED)
    first, second = seen
    return float((np.abs((first - second).view(np.int32)) <= 1).mean())


def test_no_two_dealings_have_one_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    assert close(monkeypatch) < 0.01


def test_a_mask_of_two_dealings_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    purpose = party_site._purpose
    monkeypatch.setattr(
        party_site,
        "_purpose",
        lambda what, dealing, *of: b"mask" + bytes(of) if what == b"mask" else purpose(what, dealing, *of),
    )
    assert close(monkeypatch) == 1
