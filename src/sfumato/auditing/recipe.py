"""The audit of a recipe: it is fitted again, on rows the auditor plants, removes or repeats, and held to its promise.

Rows that were released are not looked at here. Every row counts as one unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import TypeVar, cast

import numpy as np

from sfumato.auditing.attacks.one_run import bounds
from sfumato.auditing.attacks.outliers import outlier_shadow, vulnerable_rows
from sfumato.auditing.attacks.result import Terms
from sfumato.auditing.attacks.taped import Taped
from sfumato.auditing.attacks.trace import AnswerTape, trace
from sfumato.auditing.attacks.worst_case import audit_mechanism
from sfumato.auditing.mechanism_games import gradient_games, marginal_games
from sfumato.auditing.recipe_result import (
    Canaries,
    LeftOut,
    Mechanism,
    RecipeAudit,
    Replay,
    Shadows,
    ShadowTarget,
    WorstCase,
)
from sfumato.encoding.domain import Axis, Domain
from sfumato.models import MODELS, FittedModel, GradientModel, Model, ModelEntry
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.progress import Progress, Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records
from sfumato.trust.setting import Setting

Part = TypeVar("Part", WorstCase, Replay | LeftOut, Canaries | LeftOut, Shadows | LeftOut)

PARTS = ("worst_case", "replay", "canaries", "outlier_shadow")
_LEVEL = 0.05 / len(PARTS)
"""Of each part: all bounds together hold with 95 %."""
_GAMES = {"marginals": 1_000_000, "gradients": 250_000}
"""On each side, by what is asked: so many that a little too little noise shows."""
_CANARIES, _ORDINARY = 1000, 5000
"""Planted records, and others that they are hidden among."""
_POOL, _TARGETS, _ROWS, _SHADOWS = 6000, 2, 500, 150
"""Rows to choose from, rows that are attacked, rows of a fit, and fits with and without each."""
_PATIENCE = 1200.0
"""Seconds that shadow models may take."""


@dataclass(frozen=True)
class Recipe:
    """What is fitted again.

    Attributes:
        model: the recipe itself, with its settings.
        domain: the encoded columns.
        target: position of the declared column, or None.
        claimed: the guarantee that each fit is held to.
    """

    model: Model
    domain: Domain
    target: int | None
    claimed: Guarantee

    @property
    def entry(self) -> ModelEntry:
        """The model's description."""
        return MODELS[self.model.name, self.domain.content]

    def run(self, epsilon: float | None = None) -> Run:
        """A run of a ledger of its own, at the claim or at another epsilon."""
        claimed = self.claimed if epsilon is None else Guarantee(epsilon)
        cap = replace(claimed, delta=2 * claimed.delta)
        return Ledger.open(None, cap).begin(claimed, "audit")

    def network(self) -> GradientModel | None:
        """The recipe with all of its budget for gradients; None for one that asks for none."""
        return self.model.gradients_only() if isinstance(self.model, GradientModel) else None

    def curator(self, rows: np.ndarray, epsilon: float | None = None) -> Central:
        """A setting over rows (n, d)."""
        return Central(Records.of(rows, self.domain), Budget(self.run(epsilon)))

    def fit(self, setting: Setting) -> FittedModel:
        """A fit."""
        return self.model.fit(setting, target=self.target, progress=Silent())


def audit_recipe(
    recipe: Recipe, real: np.ndarray, holdout: np.ndarray, progress: Progress, seed: int = 0
) -> RecipeAudit:
    """Four audits of a recipe on ``real`` (n, d) and ``holdout`` (m, d) rows; what each shows, by name.

    ``worst_case``: games against the recipe's mechanisms at its claim. ``replay``: a fit with and without the row that
    stands out most, under the same answers. ``canaries``: a training with planted records, bounded in one run.
    ``outlier_shadow``: shadow models against the two rows that stand out most. What does not apply, or would take too
    long, says so under ``left_out``. All bounds hold together with confidence 95 %. Not private.
    """
    rng = np.random.default_rng(seed)
    pool = np.concatenate([real, holdout])[rng.permutation(len(real) + len(holdout))[:_POOL]]
    targets = vulnerable_rows(pool, recipe.domain, _TARGETS)
    progress.stage("auditing the recipe", len(PARTS))

    def timed(part: Callable[[], Part]) -> Part:
        began = perf_counter()
        found = replace(part(), seconds=round(perf_counter() - began, 1))
        progress.step()
        return found

    worst = timed(lambda: _worst_case(recipe))
    replay = timed(lambda: _replay(recipe, pool, int(targets[0])))
    canaries = timed(lambda: _canaries(recipe, real[rng.permutation(len(real))[:_ORDINARY]], rng))
    shadows = timed(lambda: _shadows(recipe, pool, targets, seed))
    violation = any(found.violation for found in (worst, replay, canaries, shadows))
    return RecipeAudit(worst, replay, canaries, shadows, violation)


def _worst_case(recipe: Recipe) -> WorstCase:
    """Games on the worst neighbours: noisy tables, and clipped sums where the recipe asks for any."""
    asks = recipe.entry.asks
    games = {"marginals": marginal_games} if "marginals" in asks else {}
    if asks & {"gradients", "feature_sum", "scatter"}:
        games["gradients"] = gradient_games
    found = {}
    for name, play in games.items():
        audited = audit_mechanism(
            play(recipe.claimed, _GAMES[name]), recipe.claimed, _GAMES[name], significance=_LEVEL / len(games)
        )
        found[name] = Mechanism(
            audited.claimed_mu,
            audited.mu_lower_bound,
            audited.epsilon_from_mu,
            audited.epsilon_lower_bound,
            audited.games,
            audited.tightness,
            audited.violation,
        )
    return WorstCase(found, any(f.violation for f in found.values()))


def _replay(recipe: Recipe, rows: np.ndarray, target: int) -> Replay | LeftOut:
    """A fit recorded with a row and replayed without it."""
    if "gradients" in recipe.entry.asks:
        return LeftOut(
            "replay", "gradients are asked for inside a compiled training, which no tape records: see canaries"
        )

    def pipeline(some: np.ndarray, tape: AnswerTape) -> object:
        setting = Taped(recipe.curator(some), recipe.curator(some, math.inf), tape)
        return recipe.fit(cast(Setting, setting)).state()  # all but gradients, which the recipe does not ask for

    found = trace(pipeline, rows, np.delete(rows, target, axis=0))
    return Replay(found.steps, found.findings, found.tightest, bool(found.findings))


def _canaries(recipe: Recipe, rows: np.ndarray, rng: np.random.Generator) -> Canaries | LeftOut:
    """A training of the network, without warm start, with planted records that a fair coin let in."""
    network = recipe.network()
    if network is None:
        return LeftOut("canaries", "the recipe trains no network: see worst_case and replay")
    from sfumato.auditing.attacks.canaries import Planted, log_likelihood_ratio

    picked = rng.random(_CANARIES) < 0.5
    numbers = np.concatenate([np.zeros(len(rows), int), 1 + np.flatnonzero(picked)])
    codes = np.concatenate([rows, rows[rng.integers(len(rows), size=picked.sum())]])
    domain = Domain((*recipe.domain.axes, Axis("canary", 1 + _CANARIES)), recipe.domain.pixels)
    run = recipe.run()
    records = Records.of(np.column_stack([codes, numbers]), domain)
    setting = Planted(Central(records, Budget(run)), np.ones(_CANARIES))
    network.fit(cast(Setting, setting), target=recipe.target, progress=Silent())
    event = next(e for e in run.events if isinstance(e, PoissonSampledGaussian))
    scores = log_likelihood_ratio(setting.released, event.sampling_probability, event.noise_multiplier)
    shown = bounds(scores[picked], scores[~picked], recipe.claimed.delta, _LEVEL)
    claimed = recipe.claimed.epsilon
    return Canaries(shown.epsilon_fdp, claimed, shown.inside, shown.outside, shown.epsilon_fdp > claimed)


def _shadows(recipe: Recipe, pool: np.ndarray, targets: np.ndarray, seed: int) -> Shadows | LeftOut:
    """Shadow models against single rows."""
    rows = min(_ROWS, len(pool) // 2)

    def generate(some: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return recipe.fit(recipe.curator(some)).sample(len(some), rng)

    began = perf_counter()
    generate(pool[:rows], np.random.default_rng(seed))
    fits = 2 * _SHADOWS * len(targets)
    expected = fits * (perf_counter() - began)
    if expected > _PATIENCE:
        return LeftOut("outlier_shadow", f"{fits} fits would take about {expected / 60:.0f} minutes on this machine")
    terms = Terms(recipe.claimed, _LEVEL / len(targets), seed)
    auxiliary = np.delete(pool, targets, axis=0)
    found = [
        outlier_shadow(generate, auxiliary, pool[t], recipe.domain, terms, rows=rows, shadows=_SHADOWS) for t in targets
    ]
    targets_found = tuple(ShadowTarget(r.auc, r.auc_interval, r.epsilon_lower_bound, r.verdict) for r in found)
    return Shadows(targets_found, any(r.epsilon_lower_bound > recipe.claimed.epsilon for r in found))
