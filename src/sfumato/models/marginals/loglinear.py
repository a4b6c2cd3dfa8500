"""The default: a log-linear chain over well-chosen pairs, measured in two rounds, aware of a target column.

Round one measures a spanning tree and, if a target is declared, every pair with it. Round two asks where the model so
far is furthest from the rows, and measures those pairs. What is asked, how finely and how much is decided by noised
answers alone. The target is redrawn last, given all that was measured with it: a regression whose sufficient statistics
are the noisy tables. See ``fitting`` for the inference.

In a setting that only adds, the tables that round one is chosen by stand for those that it would measure, and both
rounds are measured together: three questions in all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.marginals import columns, fitted
from sfumato.models.marginals.association import Associations, pairs_of, worth
from sfumato.models.marginals.belief import Belief
from sfumato.models.marginals.columns import Columns, Resolution
from sfumato.models.marginals.fitting import SWEEPS, fit
from sfumato.models.marginals.projection import expected_noise
from sfumato.models.marginals.tree import drawing_order, spanning_tree
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.settings import count, part, share
from sfumato.progress import Progress
from sfumato.trust.setting import Clique, Measurement, Setting


@dataclass(frozen=True)
class LogLinear:
    """Log-linear chain over noisy tables of pairs chosen in two rounds.

    Attributes:
        columns: share of the budget for the columns alone.
        choice: share for choosing pairs, both rounds together.
        first: part of what is left that round one measures with.
        screened: pairs per column that enter round two in wide tables, best of round one first.
        negligible: part of the records that a pair must be off by to be worth modelling.
        draws: of the columns before it that a column is fitted on.
    """

    columns: float = share(0.25)
    choice: float = share(0.08)
    first: float = part(0.8)
    screened: int = count(20)
    negligible: float = part(0.004)
    draws: int = count(50_000, least=2)

    name = "loglinear"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> fitted.FittedMarginals:
        """Ask for columns, then pairs; with a ``target`` every pair with it is measured."""
        return _Fit.begun(self, setting, target, progress).run()

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> fitted.FittedMarginals:
        """From a saved state."""
        return fitted.restore(domain, facts, arrays)

    def overfitting(self) -> LogLinear:
        """The recipe itself: without noise its tables are those of the records."""
        return self


class _Fit:
    """One fit, step by step."""

    def __init__(
        self, recipe: LogLinear, setting: Setting, known: Columns, budget: float, target: int | None, progress: Progress
    ) -> None:
        self.recipe, self.setting, self.known, self.budget = recipe, setting, known, budget
        self.target, self.progress = target, progress
        self.resolution = Resolution(known)
        self.left = (1 - recipe.columns - recipe.choice) * budget

    @classmethod
    def begun(cls, recipe: LogLinear, setting: Setting, target: int | None, progress: Progress) -> _Fit:
        """Ask for the columns; all else is asked of their groups of codes."""
        budget = setting.remaining
        known = columns.measure_columns(setting, recipe.columns * budget, progress)
        return cls(recipe, setting.coarsened(known.maps), known, budget, target, progress)

    def run(self) -> fitted.FittedMarginals:
        """All questions, then the last fit."""
        recipe, d = self.recipe, len(self.known.domain)
        scores = Associations(self.setting, self.resolution, recipe.choice * self.budget)
        self.progress.stage("pairs", 4)
        sigma = self._sigma(2 * d, recipe.first)
        first = scores.distances(pairs_of(d), self.resolution.independent, sigma, part=0.5)
        tree = spanning_tree(first, d)
        order = drawing_order(tree, d, root=self.target)
        asked = tree + [c for c in self._with_target() if c not in tree]
        compares = self.setting.compares
        base = self._measure(self._shares(asked, recipe.first)) if compares else scores.coarse(asked)
        self.progress.step()
        rng = np.random.default_rng(0)
        _, draws = fit(self.known, base, order, recipe.draws // 2, rng, self.target, SWEEPS // 2)
        self.progress.step()
        rest = sorted((c for c in first if c not in asked), key=lambda c: -first[c])[: recipe.screened * d]
        second = scores.distances(rest, Belief(self.known, draws), self._sigma(d, 1 - recipe.first), part=0.5)
        chosen = self._shares(worth(second, self._noise, recipe.negligible * self.known.total, 2 * d), 1 - recipe.first)
        if compares:
            tables = base + self._measure(chosen) if chosen else self._again(base)
        else:
            tables = self._measure(self._shares(asked, recipe.first if chosen else 1.0) | chosen)
        self.progress.step()
        chain, _ = fit(self.known, tables, order, recipe.draws, rng, self.target)
        self.progress.step()
        return fitted.FittedMarginals(self.known, chain)

    def _sigma(self, tables: int, part: float) -> float:
        """Noise of each of ``tables`` tables that share ``part`` of what is left."""
        return self.setting.sigma(self.setting.mu(part * self.left / max(1, tables)))

    def _noise(self, clique: Clique, tables: int) -> float:
        sigma = self._sigma(tables, 1 - self.recipe.first)
        return expected_noise(sigma, self.resolution.query(clique, sigma).cells(self.setting.domain))

    def _with_target(self) -> list[Clique]:
        t = self.target
        return [] if t is None else [(min(i, t), max(i, t)) for i in range(len(self.known.domain)) if i != t]

    def _shares(self, cliques: list[Clique], part: float) -> dict[Clique, float]:
        """Shares of the budget by which these tables are measured, all alike."""
        return dict.fromkeys(cliques, part * self.left / max(1, len(cliques)))

    def _measure(self, shares: Mapping[Clique, float]) -> list[Measurement]:
        costs = [self.setting.mu(share) for share in shares.values()]
        queries = [self.resolution.query(c, self.setting.sigma(mu)) for c, mu in zip(shares, costs, strict=True)]
        return self.setting.marginals(queries, costs)

    def _again(self, base: list[Measurement]) -> list[Measurement]:
        """Nothing more is worth asking: spend the rest on the same tables, and average by precision."""
        if not base or math.isinf(self.setting.mu(1.0)):
            return base
        mu = self.setting.mu(self.setting.remaining / len(base))
        repeats = self.setting.marginals([t.query for t in base], [mu] * len(base))
        return [_average(a, b) for a, b in zip(base, repeats, strict=True)]


def _average(a: Measurement, b: Measurement) -> Measurement:
    wa, wb = a.sigma**-2, b.sigma**-2
    return replace(a, values=(wa * a.values + wb * b.values) / (wa + wb), sigma=(wa + wb) ** -0.5)
