"""Errors of noisy tables that sites add up, over those of one curator's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import fmean

import numpy as np

from benchmarks.federation.census import PROMISE, SORTED_BY, dealt, people
from benchmarks.federation.figure import Row, figure
from sfumato.models.marginals.association import pairs_of
from sfumato.privacy.ledger import Ledger
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster
from sfumato.trust.setting import Query, Setting

LARGEST = 50
"""Categories of a column up to which its tables are compared, as in the published figures."""
LIMIT = 1.03
"""Error of noisy tables against that of one curator, where the noise is the same; 3 % is for what is drawn."""
LOSSES = {10: ((0, 1),)}
"""By number of sites, what (curious, lost) are tried beside nobody and one curious site."""


def setting_over(parts: Sequence[np.ndarray], curious: int, lost: int) -> Setting:
    """The setting over sites with these rows, after its keys were exchanged."""
    schema, domain, _, _ = people()
    keys = [SiteIdentity.fresh() for _ in parts]
    roster = Roster(tuple(Member(f"site-{i}", key.public_key) for i, key in enumerate(keys)), curious, lost)
    plan = FederationPlan(schema, "independent", PROMISE, roster, ("count", "marginals"), rounds=4)
    runs = [Ledger.open().begin(plan.at_a_site, "benchmark") for _ in parts]
    endpoints = [
        FederatedSite(plan, key, Records.of(part, domain), SiteAccount(run, plan.terms, place))
        for place, (key, part, run) in enumerate(zip(keys, parts, runs, strict=True))
    ]
    rounds = SecureRounds(plan, InProcess(endpoints))
    rounds.set_up()
    return Federated(rounds, domain, Budget(Ledger.open().begin(PROMISE, "benchmark")))


def error(setting: Setting) -> float:
    """Mean l1 error of all one- and two-way tables over columns of few values, asked at once for the whole promise."""
    _, domain, codes, _ = people()
    narrow = [i for i, axis in enumerate(domain.axes) if axis.size <= LARGEST]
    queries = [Query((i,)) for i in narrow]
    queries += [Query((narrow[i], narrow[j])) for i, j in pairs_of(len(narrow))]
    exact = Records.of(codes, domain)
    answers = setting.marginals(queries, [setting.mu(0.99) / math.sqrt(len(queries))] * len(queries))
    return fmean(float(np.abs(a.values - exact.table(a.query)).sum()) for a in answers)


def rows(sites: Sequence[int], repeats: int) -> Iterator[Row]:
    """The ratio for each number of sites, of curious and lost ones, and for both ways to deal rows out."""
    _, domain, codes, _ = people()
    whole = Records.of(codes, domain)
    base = fmean(error(Central(whole, Budget(Ledger.open().begin(PROMISE, "benchmark")))) for _ in range(2 * repeats))
    for k in sites:
        for curious, lost in ((0, 0), (1, 0), *LOSSES.get(k, ())):
            for mixed in (True, False):
                parts = dealt(k, mixed)
                ratio = fmean(error(setting_over(parts, curious, lost)) for _ in range(repeats)) / base
                price = math.sqrt(k / (k - curious - lost))
                limit = LIMIT if price == 1 else round(price + LIMIT - 1, 4)
                how = "mixed rows" if mixed else f"rows sorted by {SORTED_BY}"
                name = f"error of tables over one curator's, {k} sites, {curious} curious, {lost} lost, {how}"
                yield figure(name, ratio, limit)
