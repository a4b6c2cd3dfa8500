"""The noise of sites, audited on the real setting: replayed share by share, measured, and its masks compared.

Each audit passes the code as it is, and catches what it is for: a site that is silent, shares that are halved, noise
that is rounded away, masks that are used twice. Error rates: the replay is exact; the measured deviation of 20,000
cells is five of its own standard errors away with probability 6e-7; masked vectors of two rounds lie close together by
chance with probability below 2**-1000.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from tests.trust.features import feature_sum
from tests.trust.federation import Federation, unevenly

import sfumato as sf
from sfumato.encoding.domain import Axis, Domain
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.randomness import Entropy
from sfumato.trust import summing
from sfumato.trust.budget import Budget
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.questions import Count, Marginals, Query, SumQuestion
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.masks import WORDS, centred
from sfumato.trust.secure_sum.messages import HEAD_BYTES, MaskedVector
from sfumato.trust.secure_sum.run_keys import PairKeys
from sfumato.trust.secure_sum.sum_site import SumSite
from sfumato.trust.secure_sum.terms import RoundNumber

DOMAIN = Domain((Axis("a", 200), Axis("b", 100)))
ROWS = np.stack([np.arange(600) % 200, np.arange(600) % 100], axis=1).astype(np.uint8)
TABLE = Marginals((Query((0, 1)),))
CELLS = 200 * 100
MU = 0.05
VECTOR = feature_sum(lambda codes: codes[:, :2].astype(np.float64) / 400, 2, 1.0)
STANDARD_ERRORS = 5


class Overheard:
    """The sites, and what each of them sent of its masked vectors."""

    def __init__(self, sites: list[FederatedSite]) -> None:
        self.sites, self.vectors = sites, [[] for _ in sites]

    def wrap(self) -> list[object]:
        return [_Ear(site, sent) for site, sent in zip(self.sites, self.vectors, strict=True)]


class _Ear:
    def __init__(self, site: FederatedSite, sent: list[bytes]) -> None:
        self._site, self._sent = site, sent

    def call(self, method: str, body: bytes) -> bytes:
        answer = self._site.call(method, body)
        if method == "masked":
            self._sent.append(answer)
        return answer


def made(silent: int = 0) -> tuple[Federation, Overheard]:
    """Three sites of which nobody is curious."""
    heard: list[Overheard] = []

    def wrap(sites: list[FederatedSite]) -> list[object]:
        heard.append(Overheard(sites))
        return heard[0].wrap()

    run = Ledger.open().begin(sf.Guarantee(5, 1e-6), "audit")
    return Federation(unevenly(ROWS, 3), DOMAIN, Budget(run), silent=silent, rounds=8, wrap=wrap), heard[0]


def off_replay(federation: Federation, question: SumQuestion, number: int) -> int:
    """In how many numbers the opened sum is not that of each site's exact sum and its share, drawn once more."""
    domain = DOMAIN
    values = sum(question.sizes(domain))
    opened, _ = federation.rounds.opened(question, (MU,), values)
    request = SumRequest(RoundNumber(number), question, (MU,))
    plan = federation.plan
    noise = SharedNoise.of(question, (MU,), plan.max_rows, plan.roster, domain)
    whole = np.zeros(values, np.int64)
    for site, part in zip(federation.sites, unevenly(ROWS, 3), strict=True):
        exact = summing.exact(question, Records.of(part, domain))
        whole += noise.add(exact, site._sums.entropy(request.number, request.subject(site._facts.codec)))
    return int(np.count_nonzero(opened != whole))


def deviation(federation: Federation) -> float:
    """Of the noise in an opened table, over what it should be."""
    opened, sites = federation.rounds.opened(TABLE, (MU,), CELLS)
    plan = federation.plan
    (part,) = SharedNoise.of(TABLE, (MU,), plan.max_rows, plan.roster, DOMAIN).parts
    exact = summing.exact(TABLE, Records.of(ROWS, DOMAIN))
    noise = opened / part.multiple - exact  # type: ignore[union-attr]
    return float(noise.std() / part.deviation(sites))


def closest(heard: Overheard, bits: int) -> int:
    """Largest difference, in size, between what one site sent in two rounds."""
    first, second = (
        np.frombuffer(MaskedVector.of(memoryview(sent)[HEAD_BYTES:], _terms(heard)).values, WORDS[bits])
        for sent in heard.vectors[0][:2]
    )
    return int(np.abs(centred(first - second)).max())


def _terms(heard: Overheard) -> object:
    return heard.sites[0]._plan.terms


SURE = STANDARD_ERRORS / np.sqrt(2 * CELLS)
"""How far a measured deviation may be from 1."""


def test_each_number_is_the_exact_sum_and_the_share_of_each_site() -> None:
    federation, _ = made()
    assert [off_replay(federation, q, n) for n, q in ((1, Count()), (2, TABLE), (3, VECTOR))] == [0, 0, 0]


def test_the_noise_is_as_wide_as_is_accounted() -> None:
    federation, _ = made()
    assert abs(deviation(federation) - 1) < SURE


def test_no_two_rounds_have_one_mask() -> None:
    federation, heard = made()
    for _ in range(2):
        federation.rounds.opened(TABLE, (MU,), CELLS)
    assert closest(heard, 64) > 1 << 60


def test_a_silent_site_is_caught() -> None:
    federation, _ = made(silent=1)
    assert off_replay(federation, TABLE, 1) > CELLS // 2
    assert abs(deviation(federation) - 1) > SURE


Noised = Callable[[FederatedSite, SumQuestion, SharedNoise, Entropy], np.ndarray]
RIGHT: Noised = FederatedSite._noised


def halved(site: FederatedSite, question: SumQuestion, noise: SharedNoise, entropy: Entropy) -> np.ndarray:
    exact = summing.exact(question, site._records)
    return exact + (RIGHT(site, question, noise, entropy) - exact) // 2


def rounded(site: FederatedSite, question: SumQuestion, noise: SharedNoise, entropy: Entropy) -> np.ndarray:
    """Noise first, then a coarser grid."""
    return RIGHT(site, question, noise, entropy) // 64 * 64


def test_halved_shares_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FederatedSite, "_noised", halved)
    federation, _ = made()
    assert off_replay(federation, TABLE, 1) > CELLS // 2
    assert abs(deviation(federation) - 1) > SURE


@pytest.mark.parametrize("question", [TABLE, VECTOR], ids=["table", "vector"])
def test_noise_that_is_added_before_rounding_is_caught(monkeypatch: pytest.MonkeyPatch, question: SumQuestion) -> None:
    monkeypatch.setattr(FederatedSite, "_noised", rounded)
    federation, _ = made()
    assert off_replay(federation, question, 1) > 0


def test_masks_that_are_used_twice_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the pair's masks nor a site's own may follow from anything but the number."""
    seed, shares = PairKeys.seed, SumSite._sealed_shares

    def one_seed(self: PairKeys, number: RoundNumber, subject: bytes) -> bytes:
        return seed(self, RoundNumber(1), bytes(32))

    def one_own_seed(self: SumSite) -> dict[int, bytes]:
        sealed = shares(self)
        self._seeds = [self._seeds[0]] * len(self._seeds)
        return sealed

    monkeypatch.setattr(PairKeys, "seed", one_seed)
    monkeypatch.setattr(SumSite, "_sealed_shares", one_own_seed)
    federation, heard = made()
    federation.rounds.opened(TABLE, (MU,), CELLS)
    with pytest.raises(sf.SfumatoError, match="the shares of site"):  # of a mask that was committed to
        federation.rounds.opened(TABLE, (MU,), CELLS)
    assert closest(heard, 64) < 1 << 40
