"""Networks trained over sites against one curator, and sites together against each alone, at the same epsilon.

    python -m benchmarks.federated_networks [--seeds 1] [--only warm,gradients,alone] [--epsilon 1] [--trained FedAvg]

Ten simulated sites. For ``warm`` and ``gradients`` each has rows of one income class alone, and ``vae`` is fitted: with
its warm start, as users get it, or by gradients alone, where nothing but the training can tell. Averages are taken
every 20 local steps. Beside the levels that a fit can have, ``gradients`` shows what averages lose where the unit is a
site, for which there is no certificate: there the number of rows is declared. For ``alone`` sites of unequal size fit
the default model, together and each by itself. Nothing is tuned on the test rows. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean
from time import perf_counter
from typing import Any

import numpy as np

import sfumato as sf
from benchmarks.federation.figure import Row, behind, figure
from benchmarks.utility import auc_without
from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.federated.averaging import SITE_UNIT, Averaging
from sfumato.trust.federated.federated_site import FederatedSite
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.setting import Federated
from sfumato.trust.federated.transport import InProcess
from sfumato.trust.records import Records
from sfumato.trust.secure_sum.accounts import SiteAccount
from sfumato.trust.secure_sum.identity import SiteIdentity
from sfumato.trust.secure_sum.roster import Member, Roster

PROMISE = sf.Guarantee(1.0, 1e-9)
CAP = sf.Guarantee(20.0, 1e-3)
SITES = 10
LOCAL_STEPS, PROXIMAL = 20, 0.01
"""Of averages: five rounds of a network of a hundred steps, and mu of FedProx as its paper begins."""
MOST_GAP = 0.005
"""AUC that ten sites of one class each may lose against one curator."""
MOST_ROUNDS = 100
"""Secure sums of a network."""
DRAWS = 2
"""Tables drawn from each fit."""


@dataclass(frozen=True)
class People:
    """The example table of census rows, encoded."""

    schema: sf.Schema
    domain: Domain
    learn: np.ndarray
    fresh: np.ndarray

    @classmethod
    def read(cls) -> People:
        """With its target declared."""
        schema = sf.Schema.load(sf.examples.adult_schema()).with_target("income")
        codec, names = Codec.from_schema(schema), list(schema.names)
        tables = (sf.examples.adult(), sf.examples.adult_test())
        return cls(schema, codec.domain, *(codec.encode(t.arrow.select(names)) for t in tables))

    @property
    def target(self) -> int:
        """Position of the income."""
        return self.domain.index("income")

    def auc(self, drawn: np.ndarray) -> float:
        """Of the income of fresh rows, learnt from ``drawn`` ones."""
        return auc_without(self.fresh, drawn, self.domain, self.target, ())

    def by_class(self) -> list[np.ndarray]:
        """Ten sites of about one size, none with rows of both classes."""
        rows = self.learn[np.random.default_rng(0).permutation(len(self.learn))]
        classes = [rows[rows[:, self.target] == code] for code in np.unique(rows[:, self.target])]
        counts = [max(1, round(SITES * len(one) / len(rows))) for one in classes]
        return [part for one, k in zip(classes, counts, strict=True) for part in np.array_split(one, k)]


MIXED = "FedAvg, no promise, rows mixed"
"""What is left of averages where sites have the same kind of rows."""


class Declared(Federated):
    """Sites whose number of rows is declared: where the unit is a site, it is not counted."""

    declared = 0.0

    def count(self, mu: float) -> float:
        """As declared."""
        return self.declared


@dataclass(frozen=True)
class Reached:
    """The setting over sites, what carries its bytes, and what counts its sums."""

    setting: Federated
    transport: InProcess
    rounds: SecureRounds


def over_sites(people: People, promise: sf.Guarantee, averaging: Averaging | None, mixed: bool = False) -> Reached:
    """The setting over sites of one class each, with nobody curious and nobody lost.

    ``mixed``: of any rows.
    """
    parts = people.by_class()
    if mixed:
        parts = np.array_split(np.random.default_rng(1).permutation(np.concatenate(parts)), SITES)
    keys = [SiteIdentity.fresh() for _ in parts]
    roster = Roster(tuple(Member(f"site-{i}", key.public_key) for i, key in enumerate(keys)), 0)
    at_site = averaging is not None and averaging.level == "site"
    kinds = ("count", "marginals", "descent" if averaging is None else "local run")
    capacity = (-(-max(map(len, parts)) // 1000) * 1000,) * len(parts)
    bits = 64 if at_site else 32
    plan = FederationPlan(
        people.schema, "vae", promise, roster, kinds, bits=bits, capacity=capacity, averaging=averaging
    )
    caps = replace(CAP if promise.private else promise, unit=promise.unit)
    runs = [sf.Ledger.open(None, caps).begin(plan.at_a_site, "benchmark") for _ in parts]
    endpoints = [
        FederatedSite(plan, key, Records.of(part, people.domain), SiteAccount(run, plan.terms, place))
        for place, (key, part, run) in enumerate(zip(keys, parts, runs, strict=True))
    ]
    transport = InProcess(endpoints)
    rounds = SecureRounds(plan, transport)
    rounds.set_up()
    budget = Budget(sf.Ledger.open(None, caps).begin(promise, "benchmark"))
    setting = (Declared if at_site else Federated)(rounds, people.domain, budget)
    if isinstance(setting, Declared):
        setting.declared = float(len(people.learn))
    return Reached(setting, transport, rounds)


def fitted_auc(people: People, setting: Any, recipe: Any) -> float:
    """Fit, sample by the same seeds for all, learn the income: the mean over what was drawn."""
    model = recipe.fit(setting, target=people.target, progress=Silent())
    return fmean(people.auc(model.sample(len(people.learn), np.random.default_rng(seed))) for seed in range(DRAWS))


def ways(promise: sf.Guarantee) -> dict[str, tuple[sf.Guarantee, Averaging | None]]:
    """Ways of training over sites, with what each promises."""
    nothing, whole = sf.Guarantee(float("inf")), replace(promise, unit=SITE_UNIT)
    return {
        "one secure sum a step": (promise, None),
        "FedAvg, record level": (promise, Averaging(LOCAL_STEPS)),
        "FedProx, record level": (promise, Averaging(LOCAL_STEPS, PROXIMAL)),
        "FedAvg, no promise": (nothing, Averaging(LOCAL_STEPS, level="none")),
        MIXED: (nothing, Averaging(LOCAL_STEPS, level="none")),
        "FedAvg, unit a site, no certificate": (whole, Averaging(LOCAL_STEPS, level="site")),
    }


def networks(people: People, promise: sf.Guarantee, warm: bool, seeds: int, trained: str = "") -> Iterator[Row]:
    """AUC of ``vae`` over ten sites of one class each, behind one curator at the same epsilon, and bytes of a site.

    ``trained``: only the ways of training whose names hold it.
    """
    recipe: Any = MODELS["vae", "table"].recipe()
    recipe = recipe if warm else recipe.gradients_only()
    how = f"{'warm start' if warm else 'gradients alone'}, epsilon {promise.epsilon:g}"
    central = []
    for _ in range(seeds):
        run = sf.Ledger.open(None, CAP).begin(promise, "benchmark")
        central.append(fitted_auc(people, Central(Records.of(people.learn, people.domain), Budget(run)), recipe))
    yield figure(f"VAE of one curator, {how}, {seeds} fits: AUC", fmean(central))
    for name, (kept, averaging) in ways(promise).items():
        if trained not in name or (warm and averaging is not None and averaging.level != "record"):
            continue
        began, aucs, reached = perf_counter(), [], None
        fits = seeds if averaging is None else max(1, seeds // 2)
        for _ in range(fits):
            reached = over_sites(people, kept, averaging, name == MIXED)
            aucs.append(fitted_auc(people, reached.setting, recipe))
        assert reached is not None
        rows = f"{SITES} sites" if name == MIXED else f"{SITES} sites with one class each"
        limit = MOST_GAP if averaging is None else None
        yield behind(f"VAE, {rows}, {how}, {name}, {fits} fits: AUC behind one curator", central, aucs, limit)
        yield figure(f"VAE, {how}, {name}: bytes that a site sent", max(reached.transport.sent))
        most = MOST_ROUNDS if averaging is None else None
        sums = reached.rounds.opened_rounds
        yield figure(f"VAE, {how}, {name}: rounds, sums before the training among them", sums, most)
        print(f"{name}: {perf_counter() - began:.0f} s", flush=True)


def alone(people: People, seeds: int) -> Iterator[Row]:
    """AUC of the default model of ten unequal sites together, over that of the smallest, median and largest alone."""
    rows = sf.examples.adult().arrow
    sizes = np.array([1 / place for place in range(SITES, 0, -1)])
    cuts = np.concatenate([[0], np.round(np.cumsum(sizes / sizes.sum()) * len(rows)).astype(int)])
    tables = [sf.Table(rows.slice(a, b - a)) for a, b in pairwise(cuts)]
    for curious in (0, 1):
        together = fmean(
            _auc_of(people, sf.federated(tables, ledgers=[sf.Ledger.open() for _ in tables], curious=curious), seed)
            for seed in range(seeds)
        )
        yield figure(f"ten unequal sites together, {curious} curious: AUC", together)
        if curious == 0:
            by_itself = {
                which: (len(tables[place].arrow), fmean(_auc_of(people, tables[place], seed) for seed in range(seeds)))
                for which, place in (("smallest", 0), ("median", SITES // 2), ("largest", SITES - 1))
            }
        for which, (held, found) in by_itself.items():
            name = f"AUC gained over the {which} site alone, {held:,} rows, {curious} curious"
            yield figure(name, together - found)


def _auc_of(people: People, source: Any, seed: int) -> float:
    ledger = sf.Ledger.open() if isinstance(source, sf.Table) else None
    made = sf.Synthesizer(people.schema, "auto", PROMISE, ledger=ledger).fit(source)
    return people.auc(Codec.from_schema(people.schema).encode(made.sample(len(people.learn), seed=seed).arrow))


PARTS = ("warm", "gradients", "alone")
"""What can be measured by itself."""


def rows_of(only: Sequence[str], seeds: int, epsilon: float = PROMISE.epsilon, trained: str = "") -> Iterator[Row]:
    """The figures of some parts, as they come; ``epsilon`` and ``trained`` are of the networks."""
    people, promise = People.read(), replace(PROMISE, epsilon=epsilon)
    for part in only:
        yield from (
            alone(people, seeds) if part == "alone" else networks(people, promise, part == "warm", seeds, trained)
        )


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="fits of each line")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--epsilon", type=float, default=PROMISE.epsilon, help="of the networks")
    parser.add_argument("--trained", default="", help="only ways of training whose names hold this, as in FedAvg")
    given = parser.parse_args()
    found = []
    for row in rows_of(given.only.split(","), given.seeds, given.epsilon, given.trained):
        print(row, flush=True)
        found.append(row)
    print(json.dumps({"figures": found}))


if __name__ == "__main__":
    main()
