"""A maximum spanning tree of pairs, (after McKenna, Miklau, Sheldon 2021, "MST")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.marginals import columns, fitted
from sfumato.models.marginals.association import Associations, pairs_of
from sfumato.models.marginals.columns import Resolution
from sfumato.models.marginals.fitting import fit
from sfumato.models.marginals.tree import drawing_order, spanning_tree
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.settings import count, share
from sfumato.progress import Progress
from sfumato.trust.setting import Setting


@dataclass(frozen=True)
class Mst:
    """One-way tables, a tree chosen by noisy distances from independence, and the tree's pair tables.

    Attributes:
        columns: share of the budget for the columns alone.
        choice: share for choosing the tree.
        draws: of the columns before it that a column is fitted on.
    """

    columns: float = share(0.3)
    choice: float = share(0.1)
    draws: int = count(50_000)

    name = "mst"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> fitted.FittedMarginals:
        """Three questions; ``target`` plays no part."""
        budget = setting.remaining
        known = columns.measure_columns(setting, self.columns * budget, progress)
        grouped = setting.coarsened(known.maps)
        resolution = Resolution(known)
        d = len(known.domain)
        left = (1 - self.columns - self.choice) * budget
        mu = setting.mu(left / max(1, d - 1))
        progress.stage("tree", 2)
        scores = Associations(grouped, resolution, self.choice * budget)
        edges = spanning_tree(scores.distances(pairs_of(d), resolution.independent, setting.sigma(mu), 1.0), d)
        progress.step()
        answers = grouped.marginals([resolution.query(e, setting.sigma(mu)) for e in edges], [mu] * len(edges))
        chain, _ = fit(known, answers, drawing_order(edges, d), self.draws, np.random.default_rng(0))
        progress.step()
        return fitted.FittedMarginals(known, chain)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> fitted.FittedMarginals:
        """From a saved state."""
        return fitted.restore(domain, facts, arrays)

    def overfitting(self) -> Mst:
        """The recipe itself: without noise its tables are those of the records."""
        return self
