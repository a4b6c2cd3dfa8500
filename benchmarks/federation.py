"""Sites that keep their rows against one curator at the same promise: errors, models, rounds, bytes.

    python -m benchmarks.federation [--seeds 3] [--repeats 8] [--sites 3,10,50] [--only errors,models,...]

All sites are simulated in one process; the example table of census rows is dealt out to them, mixed or sorted by
education, so that most sites have rows of few values. The last line is one JSON object with the figures.
``benchmarks.secure_sum`` has what a round costs a site; ``benchmarks.federated_networks``, ``flower_secagg`` and
``real_sites`` measure their parts of it by themselves.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from statistics import fmean, stdev

import numpy as np

import sfumato as sf
from benchmarks import flower_secagg, real_sites
from benchmarks.federated_networks import PARTS, rows_of
from benchmarks.utility import Figures, figures
from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
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

PROMISE = sf.Guarantee(1.0, 1e-9)
SORTED_BY = "education"
LARGEST = 50
"""Categories of a column up to which its tables are compared, as in the published figures."""
MOST_GAP = {"auc": 0.004, "tvd3": 0.006}
"""What sites may lose against one curator where nobody is curious or lost."""
MOST_BYTES, MOST_ROUNDS = 3_000_000, 3
LIMIT = 1.03
"""Error of noisy tables against that of one curator, where the noise is the same; 3 % is for what is drawn."""


@cache
def people() -> tuple[sf.Schema, Domain, np.ndarray, np.ndarray]:
    """(schema, encoded columns, codes to learn, fresh codes) of the example, its target declared."""
    schema = sf.Schema.load(sf.examples.adult_schema()).with_target("income")
    codec = Codec.from_schema(schema)
    names = list(schema.names)
    learn, fresh = (codec.encode(t.arrow.select(names)) for t in (sf.examples.adult(), sf.examples.adult_test()))
    return schema, codec.domain, learn, fresh


def dealt(codes: np.ndarray, sites: int, mixed: bool) -> list[np.ndarray]:
    """Rows of each site: any of them, or those that follow each other by one column."""
    _, domain, _, _ = people()
    name = next(axis.name for axis in domain.axes if SORTED_BY in axis.name)
    order = np.random.default_rng(0).permutation(len(codes)) if mixed else np.argsort(codes[:, domain.index(name)])
    return np.array_split(codes[order], sites)


def federated(parts: Sequence[np.ndarray], curious: int) -> Setting:
    """The setting over sites with these rows, after its keys were exchanged."""
    schema, domain, _, _ = people()
    keys = [SiteIdentity.fresh() for _ in parts]
    roster = Roster(tuple(Member(f"site-{i}", key.public_key) for i, key in enumerate(keys)), curious)
    plan = FederationPlan(schema, "independent", PROMISE, roster, ("count", "marginals"), rounds=4)
    runs = [Ledger.open().begin(plan.at_a_site, "benchmark") for _ in parts]
    endpoints = [
        FederatedSite(plan, key, Records.of(part, domain), SiteAccount(run, plan.terms, place))
        for place, (key, part, run) in enumerate(zip(keys, parts, runs, strict=True))
    ]
    rounds = SecureRounds(plan, InProcess(endpoints))
    rounds.set_up()
    return Federated(rounds, domain, Budget(Ledger.open().begin(PROMISE, "benchmark")))


def table_error(setting: Setting) -> float:
    """Mean l1 error of all one- and two-way tables over columns of few values, asked at once for the whole promise."""
    _, domain, codes, _ = people()
    narrow = [i for i, axis in enumerate(domain.axes) if axis.size <= LARGEST]
    queries = [Query((i,)) for i in narrow]
    queries += [Query((narrow[i], narrow[j])) for i, j in pairs_of(len(narrow))]
    exact = Records.of(codes, domain)
    answers = setting.marginals(queries, [setting.mu(0.99) / math.sqrt(len(queries))] * len(queries))
    return fmean(float(np.abs(a.values - exact.table(a.query)).sum()) for a in answers)


def errors(sites: Sequence[int], repeats: int) -> list[dict[str, object]]:
    """Errors of noisy tables, over those of one curator."""
    _, domain, codes, _ = people()

    def central() -> Setting:
        return Central(Records.of(codes, domain), Budget(Ledger.open().begin(PROMISE, "benchmark")))

    base = fmean(table_error(central()) for _ in range(repeats))
    found = []
    for k in sites:
        for curious in (0, 1):
            for mixed in (True, False):
                parts = dealt(codes, k, mixed)
                ratio = fmean(table_error(federated(parts, curious)) for _ in range(repeats)) / base
                limit = round(LIMIT * math.sqrt(k / (k - curious)), 3)
                rows = "mixed rows" if mixed else f"rows sorted by {SORTED_BY}"
                name = f"error of tables over one curator's, {k} sites, {curious} curious, {rows}"
                found.append(_figure(name, round(ratio, 4), limit))
    return found


def _fitted(source: object, seed: int) -> tuple[Figures, sf.Synthesizer]:
    schema, domain, learn, fresh = people()
    made = sf.Synthesizer(schema, "auto", PROMISE, ledger=None if hasattr(source, "curious") else Ledger.open())
    made.fit(source)  # type: ignore[arg-type]
    drawn = Codec.from_schema(schema).encode(made.sample(len(learn), seed=seed).arrow)
    return figures(learn, fresh, drawn, domain, domain.index("income")), made


def models(sites: Sequence[int], seeds: int) -> list[dict[str, object]]:
    """Synthetic rows of the default model, and what it took, against one curator."""
    rows = sf.examples.adult().arrow
    central = [_fitted(sf.Table(rows), seed)[0] for seed in range(seeds)]
    found = []
    for k in sites:
        for curious in (0, 1):
            cuts = np.linspace(0, len(rows), k + 1).astype(int)
            tables = [sf.Table(rows.slice(a, b - a)) for a, b in pairwise(cuts)]
            fits = []
            for seed in range(seeds):
                ledgers = [Ledger.open() for _ in tables]
                fits.append(_fitted(sf.federated(tables, ledgers=ledgers, curious=curious), seed))
            for measure, sign in (("auc", 1), ("tvd3", -1)):
                here, there = ([f[measure] for f in fs] for fs in ([f for f, _ in fits], central))
                behind = sign * (fmean(there) - fmean(here))
                name = f"{measure} behind one curator, {k} sites, {curious} curious"
                spread = round(math.hypot(*(stdev(x) if seeds > 1 else 0.0 for x in (here, there))) / seeds**0.5, 5)
                limit = None if curious else MOST_GAP[measure]
                found.append({**_figure(name, round(behind, 5), limit), "standard_error": spread})
            stated = fits[-1][1].certificate.federation  # type: ignore[union-attr]
            if curious:
                found.append(_figure(f"bytes that a site sent, {k} sites", stated.bytes_sent, MOST_BYTES))
                found.append(_figure(f"rounds of the default model, {k} sites", stated.rounds, MOST_ROUNDS))
    return found


def beside_flower() -> list[dict[str, object]]:
    """What Flower's secure sum costs a site over what ours does; null where Flower is not there."""
    ratio = flower_secagg.figures(10, 262_144, 3)["site_cpu_s_flower_over_ours"]
    return [{"name": "Flower's SecAgg+ on the same vector: ratio", "value": ratio, "limit": None, "met": None}]


def _figure(name: str, value: float, limit: float | None) -> dict[str, object]:
    """A figure with its limit; one without a limit is shown."""
    return {"name": name, "value": value, "limit": limit, "met": None if limit is None else value <= limit}


PARTS_OF_ALL = ("errors", "models", "networks", "flower", "processes")
"""What is measured, in this order; ``networks`` takes longest by far."""


def main() -> None:
    """Measure all, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="fits of each line")
    parser.add_argument("--repeats", type=int, default=8, help="answers of each line")
    parser.add_argument("--sites", default="3,10,50")
    parser.add_argument("--only", default=",".join(PARTS_OF_ALL), help="some of the parts")
    given = parser.parse_args()
    sites = [int(k) for k in given.sites.split(",")]
    measured = {
        "errors": lambda: errors(sites, given.repeats),
        "models": lambda: models(sites, given.seeds),
        "networks": lambda: rows_of(PARTS, given.seeds),
        "flower": beside_flower,
        "processes": real_sites.figures,
    }
    found = []
    for part in given.only.split(","):
        for figure in measured[part]():
            print(figure, flush=True)
            found.append(figure)
    print(json.dumps({"figures": found}))


if __name__ == "__main__":
    main()
