"""AIM: an adaptive and iterative mechanism (McKenna, Mullins, Sheldon, Miklau 2022) over all pairs of columns.

If a target is declared, every pair with it is measured first: a rare target moves so little of a table that rounds,
which go by the mass that is wrong, may never come to it. Then each round selects the pair whose table the model gets
most wrong (exponential mechanism, less what noise would give), measures it, and fits again; when a round changes too
little, later rounds spend more. Between refits of the whole chain the model is a cloud of draws whose weights are
scaled to the tables measured since (one pass over the cloud a table).

In a setting that only adds, all of this takes three questions: see ``batches``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.marginals import columns, fitted
from sfumato.models.marginals.association import pairs_of
from sfumato.models.marginals.batches import Batches
from sfumato.models.marginals.belief import Belief
from sfumato.models.marginals.measured import Measured
from sfumato.models.marginals.projection import expected_noise
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.settings import count, factor, part, share
from sfumato.privacy.gdp import exponential_epsilon
from sfumato.progress import Progress
from sfumato.trust.setting import Candidate, Clique, Setting

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
        rounds: per column, that the rest is first planned for; annealing makes them fewer. In a setting that only adds,
            pairs that are chosen at most.
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
        """Ask for columns, then for all pairs with a ``target``, then for the worst pair, again and again.

        A setting that only adds is asked for pairs in two batches (``batches``): three questions in all.
        """
        budget = setting.remaining
        known = columns.measure_columns(setting, self.columns * budget, progress)
        grouped, measured = setting.coarsened(known.maps), Measured(known, target, self.draws)
        if setting.compares:
            _Rounds(self, grouped, measured, budget, progress).run()
        elif len(known.domain) > 1:
            self._batches(budget, len(known.domain)).measure(grouped, measured, progress)
        return measured.learnt()

    def _batches(self, budget: float, columns: int) -> Batches:
        """What is left after the columns, in shares of two batches."""
        left, target = (1 - self.columns) * budget, self.with_target * budget
        choice = self.select_by_sums * left
        most, every = self.rounds * columns, max(1, columns // self.refits)
        return Batches(target, choice, left - choice - target, most, every)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> fitted.FittedMarginals:
        """From a saved state."""
        return fitted.restore(domain, facts, arrays)

    def overfitting(self) -> Aim:
        """The recipe itself on fewer draws: without noise its tables are those of the records, and they are few."""
        return replace(self, draws=min(self.draws, _FEW))


class _Rounds:
    """One fit, round by round, in a setting that compares."""

    def __init__(self, recipe: Aim, setting: Setting, measured: Measured, budget: float, progress: Progress) -> None:
        self.recipe, self.setting, self.measured, self.budget = recipe, setting, measured, budget
        self.progress = progress
        self.private = math.isfinite(setting.mu(1.0))
        self.d = measured.columns

    def run(self) -> None:
        """Rounds until the budget is spent (without a guarantee: as many as were planned)."""
        left = (1 - self.recipe.columns) * self.budget - self._ask_target()
        planned = self.recipe.rounds * max(1, self.d)
        if not self.private:
            planned = min(planned, len(pairs_of(self.d)) - len(self.measured.tables))
        share = left / max(1, planned)
        self.progress.stage("rounds", planned)
        belief = self.measured.believed()
        rounds = 0
        while self.d > 1 and (left > _SPENT if self.private else rounds < planned):
            share = left if left < 2 * share else share
            calm = self._round(share, belief)
            left, rounds = left - share if self.private else left, rounds + 1
            share = min(left, _ANNEALED * share) if calm and self.private else share
            self.progress.step()
            if rounds % max(1, self.d // self.recipe.refits) == 0:
                belief = self.measured.believed()

    def _ask_target(self) -> float:
        """Measure every pair with the target, all alike; the share that it took."""
        pairs = [c for c in pairs_of(self.d) if self.measured.target in c]
        if not pairs:
            return 0.0
        mu = self.setting.mu(self.recipe.with_target * self.budget / len(pairs))
        queries = [self.measured.resolution.query(c, self.setting.sigma(mu)) for c in pairs]
        self.measured.tables += self.setting.marginals(queries, [mu] * len(pairs))
        return self.recipe.with_target * self.budget

    def _round(self, share: float, belief: Belief) -> bool:
        """Select, measure, scale; whether the model changed no more than noise would change it."""
        mu = self.setting.mu(share * (1 - self.recipe.select))
        clique = self._worst(share, self.setting.sigma(mu), belief)
        query = self.measured.resolution.query(clique, self.setting.sigma(mu))
        before = belief(query)
        (table,) = self.setting.marginals([query], [mu])
        self.measured.tables.append(table)
        belief.scale(table)
        change = float(np.abs(belief(query) - before).sum())
        return change <= expected_noise(table.sigma, table.values.size)

    def _worst(self, share: float, sigma: float, belief: Belief) -> Clique:
        pairs = pairs_of(self.d)
        if not self.private:
            asked = {t.query.clique for t in self.measured.tables}
            pairs = [c for c in pairs if c not in asked]
        candidates = []
        for clique in pairs:
            query = self.measured.resolution.query(clique, sigma)
            bias = expected_noise(sigma, query.cells(self.setting.domain))
            candidates.append(Candidate(query, belief(query), self._weight(clique), bias))
        epsilon = exponential_epsilon(self.setting.mu(self.recipe.select * share)) if self.private else math.inf
        return pairs[self.setting.select(candidates, epsilon)]

    def _weight(self, clique: Clique) -> float:
        return self.recipe.target if self.measured.target in clique else 1.0
