"""The setting ``Federated`` over sites in this process, with rows dealt out to them, and sites that do wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tests.guarantees.boundless import boundless_run

import sfumato as sf
from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError
from sfumato.privacy.randomness import Entropy
from sfumato.trust import summing
from sfumato.trust.budget import Budget
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.encrypted_rounds import EncryptedRounds
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.plan_facts import MASKED, Sums
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.sharing import SharedNoise
from sfumato.trust.federated.transport import Endpoint, InProcess
from sfumato.trust.questions import SumQuestion
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

ANY = sf.Schema.parse("""\
sfumato: schema/1
columns:
  a: {kind: category, categories: [x, y], source: public}
""")
"""What the plans of tests name; sites answer for the domain of their records."""
KINDS = ("count", "marginals", "feature sum", "scatter", "descent", "local run")


class SilentSite(FederatedSite):
    """A site that leaves out its share of the noise: the planted bug."""

    def _noised(self, question: SumQuestion, noise: SharedNoise, entropy: Entropy) -> np.ndarray:
        return summing.exact(question, self._records)


class LostAt:
    """A site that is lost when it is asked for ``method``, from its ``nth`` call of it on."""

    def __init__(self, site: FederatedSite, method: str, nth: int = 1) -> None:
        self._site, self._method, self._left = site, method, nth

    def call(self, method: str, body: bytes) -> bytes:
        self._left -= method == self._method
        if self._left <= 0:
            raise FederationError("gone")
        return self._site.call(method, body)


class Federation:
    """A setting, and what stands behind it.

    Attributes:
        setting: to be asked.
        sites: that answer; ``transport`` reaches them.
        runs: of each site's own ledger, by place.
    """

    def __init__(
        self,
        parts: Sequence[np.ndarray],
        domain: Domain,
        budget: Budget,
        *,
        silent: int = 0,
        curious: int = 0,
        lost: int = 0,
        questions: tuple[str, ...] = KINDS,
        rounds: int = 1100,
        capacity: tuple[int, ...] = (),
        averaging: Averaging | None = None,
        bits: int = 64,
        sums: Sums = MASKED,
        wrap: Callable[[list[FederatedSite]], Sequence[Endpoint]] = lambda sites: sites,
    ) -> None:
        keys = [SiteIdentity.fresh() for _ in parts]
        members = tuple(Member(f"site-{i}", key.public_key) for i, key in enumerate(keys))
        promise = budget.run.guarantee
        roster = Roster(members, curious, lost)
        self.plan = FederationPlan(
            ANY,
            "independent",
            promise,
            roster,
            questions,
            rounds=rounds,
            bits=bits,
            capacity=capacity,
            averaging=averaging,
            sums=sums,
        )
        self.runs = [boundless_run(f"site {i}", self.plan.at_a_site.epsilon) for i in range(len(parts))]
        self.sites = [
            (SilentSite if i < silent else FederatedSite)(
                self.plan, key, Records.of(part, domain), SiteAccount(self.runs[i], self.plan.terms, i)
            )
            for i, (key, part) in enumerate(zip(keys, parts, strict=True))
        ]
        self.transport = InProcess(wrap(self.sites))
        self.rounds = (SecureRounds if sums == MASKED else EncryptedRounds)(self.plan, self.transport)
        self.rounds.set_up()
        self.setting = Federated(self.rounds, domain, budget)


def unevenly(codes: np.ndarray, k: int) -> list[np.ndarray]:
    """Rows dealt out: the first site has half of them, the next half of the rest, the last the rest."""
    return np.split(codes, [len(codes) - (len(codes) >> i) for i in range(1, k)])


def federated(codes: np.ndarray, domain: Domain, budget: Budget, k: int, silent: int = 0) -> Federated:
    """The setting over ``k`` sites of ``codes``, with nobody curious and nobody lost."""
    return Federation(unevenly(codes, k), domain, budget, silent=silent).setting
