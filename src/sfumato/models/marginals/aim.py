"""AIM: an adaptive and iterative mechanism (McKenna, Mullins, Sheldon, Miklau 2022) over all pairs of columns.

If a target is declared, every pair with it is measured first: a rare target moves so little of a table that rounds,
which go by the mass that is wrong, may never come to it. Then each round selects the pair whose table the model gets
most wrong (exponential mechanism, less what noise would give), measures it, and fits again; when a round changes too
little, later rounds spend more. Between refits of the whole chain the model is a cloud of draws whose weights are
scaled to the tables measured since (one pass over the cloud a table).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.marginals import columns, fitted
from sfumato.models.marginals.association import Associations, pairs_of
from sfumato.models.marginals.belief import Belief
from sfumato.models.marginals.columns import Columns, Resolution
from sfumato.models.marginals.fitting import SWEEPS, fit
from sfumato.models.marginals.projection import expected_noise
from sfumato.models.marginals.tree import drawing_order, spanning_tree
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.settings import count, factor, part, share
from sfumato.privacy.gdp import exponential_epsilon
from sfumato.progress import Progress
from sfumato.trust.setting import Candidate, Clique, Measurement, Setting

_FEW = 10_000
"""Draws where a few hundred records are learnt by heart: some thirty of each."""
_ANNEALED = 4
"""Times its share that a round spends after one that only noise may have moved: annealing, noise halves."""
_SPENT = 1e-9
"""Share of the budget that counts as nothing left: rounding."""


@dataclass(frozen=True)
class Aim:
    """Adaptive selection over the workload of all pairs.

    Attributes:
        columns: share of the budget for the columns alone.
        with_target: share for every pair with the target, if one is declared.
        select: part of the rest that selects.
        select_by_sums: the same in a setting that only adds: it is asked once for all pairs, for more, because tables
            that stand clear of their noise are learnt too where their pair is never measured.
        rounds: per column, that the rest is first planned for; annealing makes them fewer.
        refits: fits of the whole chain in as many rounds as there are columns.
        target: weight in the workload of pairs with the target, if one is declared.
        draws: of the columns before it that a column is fitted on.
    """

    columns: float = share(0.25)
    with_target: float = share(0.25)
    select: float = part(0.1)
    select_by_sums: float = part(0.2)
    rounds: int = count(4)
    refits: int = count(2)
    target: float = factor(2.0)
    draws: int = count(50_000, least=2)

    name = "aim"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> fitted.FittedMarginals:
        """Ask for columns, then for all pairs with a ``target``, then for the worst pair, again and again."""
        return _Fit.begun(self, setting, target, progress).run()

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> fitted.FittedMarginals:
        """From a saved state."""
        return fitted.restore(domain, facts, arrays)

    def overfitting(self) -> Aim:
        """The recipe itself on fewer draws: without noise its tables are those of the records, and they are few."""
        return replace(self, draws=min(self.draws, _FEW))


class _Fit:
    """One fit, round by round."""

    def __init__(
        self, recipe: Aim, setting: Setting, known: Columns, budget: float, target: int | None, progress: Progress
    ) -> None:
        self.recipe, self.setting, self.known, self.budget = recipe, setting, known, budget
        self.target, self.progress = target, progress
        self.private = math.isfinite(setting.mu(1.0))
        self.d = len(known.domain)
        self.resolution = Resolution(self.known)
        self.rng = np.random.default_rng(0)
        self.tables: list[Measurement] = []
        self.select = recipe.select if setting.compares else recipe.select_by_sums
        choosing = self.select * (1 - recipe.columns) * budget
        self.scores = Associations(self.setting, self.resolution, choosing)

    @classmethod
    def begun(cls, recipe: Aim, setting: Setting, target: int | None, progress: Progress) -> _Fit:
        """Ask for the columns; all else is asked of their groups of codes."""
        budget = setting.remaining
        known = columns.measure_columns(setting, recipe.columns * budget, progress)
        return cls(recipe, setting.coarsened(known.maps), known, budget, target, progress)

    def run(self) -> fitted.FittedMarginals:
        """Rounds until the budget is spent (without a guarantee: as many as were planned), then the last fit."""
        left = (1 - self.recipe.columns) * (1 if self.setting.compares else 1 - self.select) * self.budget
        left -= self._ask_target()
        planned = self.recipe.rounds * max(1, self.d)
        if not self.private:
            planned = min(planned, len(pairs_of(self.d)) - len(self.tables))
        share = left / max(1, planned)
        self.progress.stage("rounds", planned)
        belief = self._believe()
        rounds = 0
        while self.d > 1 and (left > _SPENT if self.private else rounds < planned):
            share = left if left < 2 * share else share
            calm = self._round(share, belief)
            left, rounds = left - share if self.private else left, rounds + 1
            share = min(left, _ANNEALED * share) if calm and self.private else share
            self.progress.step()
            if rounds % max(1, self.d // self.recipe.refits) == 0:
                belief = self._believe()
        measured = {t.query.clique for t in self.tables}
        others = [c for c in pairs_of(self.d) if c not in measured]
        if not self.setting.compares:
            self.tables += self.scores.clear_of_noise(others, self._believe())
        chain, _ = fit(self.known, self.tables, self._order(), self.recipe.draws, self.rng, self.target)
        return fitted.FittedMarginals(self.known, chain)

    def _ask_target(self) -> float:
        """Measure every pair with the target, all alike; the share that it took."""
        pairs = [c for c in pairs_of(self.d) if self.target in c]
        if not pairs:
            return 0.0
        mu = self.setting.mu(self.recipe.with_target * self.budget / len(pairs))
        queries = [self.resolution.query(c, 1 / mu) for c in pairs]
        self.tables += self.setting.marginals(queries, [mu] * len(pairs))
        return self.recipe.with_target * self.budget

    def _round(self, share: float, belief: Belief) -> bool:
        """Select, measure, scale; whether the model changed no more than noise would change it."""
        measuring = share * (1 - self.select) if self.setting.compares else share
        mu = self.setting.mu(measuring)
        clique = self._worst(share, 1 / mu, belief)
        query = self.resolution.query(clique, 1 / mu)
        before = belief(query)
        (table,) = self.setting.marginals([query], [mu])
        self.tables.append(table)
        belief.scale(table)
        change = float(np.abs(belief(query) - before).sum())
        return change <= expected_noise(table.sigma, table.values.size)

    def _worst(self, share: float, sigma: float, belief: Belief) -> Clique:
        pairs = pairs_of(self.d)
        if not self.private:
            asked = {t.query.clique for t in self.tables}
            pairs = [c for c in pairs if c not in asked]
        queries = [self.resolution.query(c, sigma) for c in pairs]
        biases = [expected_noise(sigma, q.cells(self.setting.domain)) for q in queries]
        if not self.setting.compares:
            far = self.scores.distances(pairs, belief, sigma, part=1.0)
            return max(zip(pairs, biases, strict=True), key=lambda c: self._weight(c[0]) * (far[c[0]] - c[1]))[0]
        candidates = [
            Candidate(q, belief(q), self._weight(c), b) for c, q, b in zip(pairs, queries, biases, strict=True)
        ]
        epsilon = exponential_epsilon(self.setting.mu(self.select * share)) if self.private else math.inf
        return pairs[self.setting.select(candidates, epsilon)]

    def _weight(self, clique: Clique) -> float:
        return self.recipe.target if self.target in clique else 1.0

    def _believe(self) -> Belief:
        """A fit good enough to choose by."""
        few = self.recipe.draws // 2
        _, draws = fit(self.known, self.tables, self._order(), few, self.rng, self.target, SWEEPS // 2)
        return Belief(self.known, draws)

    def _order(self) -> list[int]:
        """An order along the measured pairs that are furthest from independence."""
        far: dict[Clique, float] = {}
        for t in self.tables:
            distance = float(np.abs(t.values - self.resolution.independent(t.query)).sum())
            far[t.query.clique] = distance - expected_noise(t.sigma, t.values.size)
        return drawing_order(spanning_tree(far, self.d), self.d, root=self.target)
