"""The setting ``Mpc`` over three parties in this process, and the same persons as one table of codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from tests.guarantees.boundless import boundless_run
from tests.trust.board import Board

import sfumato as sf
from sfumato.trust.budget import Budget
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.federated.transport import Endpoint, InProcess, InThreads
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.engine_site import EngineSite
from sfumato.trust.mpc.party_records import PartyRecords
from sfumato.trust.mpc.party_site import PartySite
from sfumato.trust.mpc.setting import Mpc
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

SCHEMA = sf.Schema.parse("""\
sfumato: schema/1
columns:
  who: {kind: identifier, source: public}
  a: {kind: integer, bounds: [0, 6], source: public}
  b: {kind: category, categories: [x, y, z], source: public}
  c: {kind: boolean, source: public}
  d: {kind: category, categories: [p, q, r, s], source: public}
  e: {kind: integer, bounds: [0, 4], source: public}
""")
"""Five columns: the first party holds a and b, the second c, the third d and e."""
HELD = (("a", "b"), ("c",), ("d", "e"))
CODEC = first_codec(SCHEMA)
DOMAIN = CODEC.domain
POSITIONS = ((0, 1), (2,), (3, 4))


def people(n: int, seed: int = 0) -> np.ndarray:
    """(n, 5) codes, some of which hang together."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, DOMAIN.sizes[0], n)
    rest = [np.where(rng.random(n) < 0.5, first, rng.integers(0, 99, n)) % size for size in DOMAIN.sizes[1:]]
    return np.stack([first, *rest], axis=1).astype(np.uint8)


def parts_of(codes: np.ndarray, absent: Sequence[np.ndarray] | None = None) -> list[PartyRecords]:
    """The records of each party; ``absent`` (n,) of each: whom it has no row of."""
    gone = absent or [np.zeros(len(codes), bool)] * 3
    return [
        PartyRecords(DOMAIN, own, Codes(tuple(np.where(out, 0, codes[:, i]) for i in own), ~out), out)
        for own, out in zip(POSITIONS, gone, strict=True)
    ]


class Parties:
    """A setting, and what stands behind it.

    Args:
        codes: of all columns of all persons.
        budget: of the setting.
        absent: see :func:`parts_of`.
        wrap: what stands between the parties and whoever calls them.
        kind: makes each party.
        rounds: of the plan; with fewer of them the set-up takes less time.
        engine: what each party meets the others by, where they compare; see ``tests.trust.board``.
    """

    def __init__(
        self,
        codes: np.ndarray,
        budget: Budget,
        absent: Sequence[np.ndarray] | None = None,
        wrap: Callable[[list[PartySite]], Sequence[Endpoint]] = lambda sites: sites,
        kind: Callable[..., PartySite] = PartySite,
        rounds: int = 256,
        engine: Board | None = None,
    ) -> None:
        keys = [SiteIdentity.fresh() for _ in HELD]
        members = tuple(Member(f"party-{i}", key.public_key) for i, key in enumerate(keys))
        split = VerticalSplit("who", HELD, "0" * 64, len(codes))
        promise = budget.run.guarantee
        asked = ("count", "marginals", *(("selection", "distances") if engine else ()))
        met = engine.parties([member.name for member in members]) if engine else ()
        roster = Roster(members)
        self.plan = FederationPlan(SCHEMA, "aim", promise, roster, asked, rounds=rounds, split=split, engine=met)
        own = self.plan.at_a_site.epsilon
        self.runs = [boundless_run(f"party {i}", own) for i in range(len(keys))]
        self.sites: list[PartySite] = []
        for place, (key, records, run) in enumerate(zip(keys, parts_of(codes, absent), self.runs, strict=True)):
            account = SiteAccount(run, self.plan.terms, place)
            made = (
                kind(self.plan, key, records, account)
                if engine is None
                else EngineSite(self.plan, key, records, account, engine.start(place))
            )
            self.sites.append(made)
        self.transport = (InProcess if engine is None else InThreads)(wrap(self.sites))
        self.rounds = SecureRounds(self.plan, self.transport)
        self.rounds.set_up()
        self.setting = Mpc(self.rounds, DOMAIN, budget)


def together(codes: np.ndarray, absent: Sequence[np.ndarray] | None = None) -> Records:
    """The records of those whom every party has, as one curator would hold them."""
    gone = np.zeros(len(codes), bool) if absent is None else np.any(absent, axis=0)
    return Records.of(codes[~gone], DOMAIN)
