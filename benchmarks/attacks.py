"""Attacks that bite, audits that hold: ``python -m benchmarks.attacks [part ...]``, last line one JSON object.

Parts: planted bugs, leaks (copying, partly copying, ideal generator), models (saved ones, overfitted and private),
outliers (shadow models), audits (worst case, of mechanisms), whole fits (the same, of models), alarms (200 null and 200
correct runs), seconds (both suites on 30,000 rows). Each figure that was set as a goal is printed with pass or FAIL.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata

from benchmarks import planted_bugs, whole_fits
from sfumato.auditing.attacks.game import Game, Population
from sfumato.auditing.attacks.membership import on_model, play
from sfumato.auditing.attacks.outliers import outlier_shadow, vulnerable_rows
from sfumato.auditing.attacks.result import Terms
from sfumato.auditing.attacks.worst_case import audit_mechanism
from sfumato.auditing.mechanism_games import gradient_games, marginal_games
from sfumato.auditing.result import Suite
from sfumato.auditing.suite import run_attacks as audit
from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import examples
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records


@cache
def adult() -> tuple[np.ndarray, Domain]:
    """All 48,842 rows of Adult, encoded and shuffled, and their domain."""
    schema = Schema.load(examples.adult_schema())
    codec = Codec.from_schema(Schema(columns=tuple(c for c in schema.columns if c.modelled), nulls=schema.nulls))
    names = list(codec.schema.names)
    parts = [
        codec.encode(batch.select(names))
        for table in (examples.adult(), examples.adult_test())
        for batch in table.arrow.to_batches()
    ]
    return np.random.default_rng(1).permutation(np.concatenate(parts)), codec.domain


def copula(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth, non-private generator: a Gaussian copula with the rows' own marginals."""
    n = len(rows)
    ranks = np.stack([rankdata(column + 0.999 * rng.random(n)) for column in rows.T.astype(float)], axis=1)
    correlation = np.corrcoef(norm.ppf((ranks - 0.5) / n), rowvar=False)
    uniform = norm.cdf(rng.multivariate_normal(np.zeros(rows.shape[1]), correlation, n))
    position = np.minimum((uniform * n).astype(int), n - 1)
    return np.take_along_axis(np.sort(rows, axis=0), position, axis=0)


def fitted(model: str, rows: np.ndarray, domain: Domain, epsilon: float, delta: float = 1e-9) -> Any:
    """One of the project's models, fitted on rows in memory."""
    run = Ledger.open(None, Guarantee(epsilon, 2 * delta)).begin(Guarantee(epsilon, delta), model)
    setting = Central(Records.of(rows, domain), Budget(run))
    return MODELS[model, "table"].recipe().fit(setting, target=None, progress=Silent())


def private(model: str, epsilon: float, domain: Domain) -> Callable[..., np.ndarray]:
    """A generator of the project."""

    def generate(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return fitted(model, rows, domain, epsilon).sample(len(rows), rng)

    return generate


def leaks(n: int = 4000) -> dict[str, Any]:
    """Copying, partly copying and ideal generators, n members, n fresh rows."""
    rows, domain = adult()
    rng = np.random.default_rng(0)
    members, holdout, fresh = rows[:n], rows[n : 2 * n], rows[2 * n : 3 * n]
    partly = copula(members, rng)
    partly[: n // 10] = members[: n // 10]
    tables = {"copy": members[rng.integers(n, size=n)], "copied_tenth": partly, "fresh": fresh}
    found = {}
    for name, table in tables.items():
        report = audit(members, holdout, table, domain)
        found[name] = {
            "epsilon_lower_bound": round(report.epsilon_lower_bound, 2),
            "tpr_at_0.001": max(a.tpr_at_fpr["0.001"] for a in report.attacks),
            "auc": round(max(a.auc or 0 for a in report.attacks), 3),
        }
    return found


def models(n: int = 2000, few: int = 300) -> dict[str, Any]:
    """The saved model attacked: overfitted to ``few`` rows without noise, and at epsilon 1 on ``n``."""
    rows, domain = adult()
    controls, reference = rows[2 * n : 4 * n], rows[4 * n : 6 * n]
    found: dict[str, Any] = {}
    for name in ("independent", "mst", "aim", "loglinear"):
        for kind, members, epsilon in (("overfitted", rows[:few], math.inf), ("epsilon 1", rows[:n], 1.0)):
            model = fitted(name, members, domain, epsilon)
            folds = Population(members, controls, reference, domain).folds()
            results = play([Game(f, members[:0], model) for f in folds], Terms(None, 0.05, 0), on_model(model))
            found[f"{name}, {kind}"] = {
                r.attack: {"auc": round(r.auc or 0, 3), "epsilon_lower_bound": round(r.epsilon_lower_bound, 2)}
                for r in results
            }
    return found


def outliers(rows: int = 500, shadows: int = 150) -> dict[str, Any]:
    """Shadow models against the two worst outliers: a copula, and this project's models at epsilon 1."""
    table, domain = adult()
    pool = table[:6000]
    targets = vulnerable_rows(pool, domain, 2)
    auxiliary = np.delete(pool, targets, axis=0)
    terms = Terms(None, 0.05, 0)
    generators = {"copula": copula, **{m: private(m, 1.0, domain) for m in ("independent", "mst", "aim", "loglinear")}}
    found: dict[str, Any] = {}
    for name, generator in generators.items():
        results = [
            outlier_shadow(generator, auxiliary, pool[t], domain, terms, rows=rows, shadows=shadows) for t in targets
        ]
        found[name] = [
            {
                "auc": round(r.auc or 0.0, 3),
                "interval": [round(v, 3) for v in r.auc_interval or ()],
                "epsilon_lower_bound": round(r.epsilon_lower_bound, 2),
                "seconds": round(r.seconds, 1),
            }
            for r in results
        ]
    sample = copula(pool[:4000], np.random.default_rng(0))
    report = audit(pool[:4000], table[6000:10_000], sample, domain)
    found["copula_by_distances"] = {a.attack: round(a.auc or 0.0, 3) for a in report.attacks}
    return found


def audits(games: int = 1_000_000) -> dict[str, Any]:
    """Worst-case audits of marginals and clipped gradient sums at epsilon 1 and 4."""
    found = {}
    for kind, game, played in (("marginals", marginal_games, games), ("gradients", gradient_games, games // 4)):
        for epsilon in (1.0, 4.0):
            claimed = Guarantee(epsilon, 1e-9)
            result = audit_mechanism(game(claimed, played), claimed, played)
            found[f"{kind}, epsilon {epsilon:g}"] = whole_fits.shown(result)
    return found


def alarms(runs: int = 200, n: int = 400) -> dict[str, Any]:
    """Audits, by both suites, of fresh rows (any bound above 0) and of a correct model at epsilon 1 (any VIOLATION)."""
    rows, domain = adult()
    rng = np.random.default_rng(2)
    correct = private("independent", 1.0, domain)
    suites: tuple[Suite, Suite] = ("quick", "full")
    false = {f"{kind}, {suite}": 0 for kind in ("null", "correct") for suite in suites}
    for seed in range(runs):
        sample = rows[rng.choice(len(rows), 3 * n, replace=False)]
        members, holdout, fresh = sample[:n], sample[n : 2 * n], sample[2 * n :]
        made = correct(members, rng)
        for suite in suites:
            null = audit(members, holdout, fresh, domain, None, suite, seed=seed)
            right = audit(members, holdout, made, domain, Guarantee(1.0, 1e-9), suite, seed=seed)
            false[f"null, {suite}"] += null.epsilon_lower_bound > 0
            false[f"correct, {suite}"] += right.violation
    return {"runs_each": runs, **{k: int(v) for k, v in false.items()}}


def seconds(n: int = 30_000) -> dict[str, float]:
    """Both suites on n real and n synthetic rows."""
    rows, domain = adult()
    made = copula(rows[:n], np.random.default_rng(0))
    return {s: round(audit(rows[:n], rows[n:], made, domain, suite=s).seconds, 1) for s in ("quick", "full")}


PARTS: dict[str, Callable[[], Any]] = {
    "planted_bugs": planted_bugs.measure,
    "leaks": leaks,
    "models": models,
    "audits": audits,
    "whole_fits": whole_fits.measure,
    "seconds": seconds,
    "outliers": outliers,
    "alarms": alarms,
}

Check = Callable[[Any], bool]
GOALS: dict[str, dict[str, Check]] = {
    "planted_bugs": {
        "20 or more planted bugs, all caught": lambda f: f["caught"] == f["bugs"] >= 20,
        "nothing on the right build": lambda f: not f["alarms_on_the_right_build"],
        "in under 10 minutes": lambda f: f["seconds"] < 600,
    },
    "leaks": {
        "copying generator: TPR@0.1%FPR >= .15, bound >= 4": lambda f: _leaks(f["copy"], 0.15, 4),
        "10 % copied rows: TPR@0.1%FPR >= .08, bound >= 3": lambda f: _leaks(f["copied_tenth"], 0.08, 3),
        "fresh real rows: bound 0": lambda f: f["fresh"]["epsilon_lower_bound"] == 0,
    },
    "models": {
        "every attack on an overfitted model of pairs: bound >= 2": lambda f: all(
            r["epsilon_lower_bound"] >= 2
            for name, found in f.items()
            if "overfitted" in name and "independent" not in name
            for r in found.values()
        ),
        "at epsilon 1: bound <= 1": lambda f: all(
            r["epsilon_lower_bound"] <= 1 for name, found in f.items() if "epsilon 1" in name for r in found.values()
        ),
    },
    "audits": {"mechanisms at epsilon 1 and 4: 90 % of mu, never above": lambda f: _tight(f, 0.9)},
    "whole_fits": {"whole fits: never above the claim": lambda f: _tight(f, 0)},
    "seconds": {
        "quick suite on 30,000 rows: 60 s": lambda f: f["quick"] <= 60,
        "full suite on 30,000 rows: 10 min": lambda f: f["full"] <= 600,
    },
    "outliers": {
        "copula, targeted outlier: AUC >= .8": lambda f: max(r["auc"] for r in f["copula"]) >= 0.8,
        "and distance scores pass it: AUC <= .55": lambda f: max(f["copula_by_distances"].values()) <= 0.55,
        "this project's models at epsilon 1: AUC <= .6, interval covers .5": lambda f: all(
            r["auc"] <= 0.6 and r["interval"][0] <= 0.5 <= r["interval"][1]
            for m in ("independent", "mst", "aim", "loglinear")
            for r in f[m]
        ),
    },
    "alarms": {
        "false alarms at most 5 %": lambda f: max(v for k, v in f.items() if k != "runs_each") <= 0.05 * f["runs_each"],
    },
}


def _leaks(found: dict[str, float], tpr: float, bound: float) -> bool:
    return found["tpr_at_0.001"] >= tpr and found["epsilon_lower_bound"] >= bound


def _tight(found: dict[str, Any], share: float) -> bool:
    return all(r["tightness"] >= share and not r["violation"] for r in found.values())


def main() -> None:
    """Run the parts named on the command line, or all; each part's figures and goals as they come, then all as JSON."""
    found: dict[str, Any] = {}
    goals: dict[str, bool] = {}
    for name in sys.argv[1:] or PARTS:
        found[name] = PARTS[name]()
        print(name, json.dumps(found[name]))
        for goal, met in GOALS[name].items():
            goals[goal] = bool(met(found[name]))
            print(f"  {'pass' if goals[goal] else 'FAIL'}  {goal}", flush=True)
    print(json.dumps({"benchmark": "attacks", **found, "goals": goals}))


if __name__ == "__main__":
    main()
