"""What was measured so far of pairs of columns, and the chain that it makes: where one-by-one and batched AIM meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfumato.models.marginals.association import distance
from sfumato.models.marginals.belief import Belief
from sfumato.models.marginals.columns import Columns, Resolution
from sfumato.models.marginals.fitted import FittedMarginals
from sfumato.models.marginals.fitting import SWEEPS, fit
from sfumato.models.marginals.tree import drawing_order, spanning_tree
from sfumato.trust.setting import Clique, Measurement


class Measured:
    """Noisy tables of pairs, and what follows from them: post-processing alone.

    Args:
        known: the columns alone.
        target: a column of interest, which the chain draws first and once more at its end; None: none.
        draws: of the columns before it that a column is fitted on.

    Attributes:
        tables: measured so far; append to it.
        resolution: how finely pairs are asked.
    """

    def __init__(self, known: Columns, target: int | None, draws: int) -> None:
        self.known, self.target, self._size = known, target, draws
        self.tables: list[Measurement] = []
        self.resolution = Resolution(known)
        self._rng = np.random.default_rng(0)

    @property
    def columns(self) -> int:
        """How many there are."""
        return len(self.known.domain)

    def believed(self, more: Sequence[Measurement] = ()) -> Belief:
        """A fit good enough to choose by, of the tables and ``more``."""
        tables = [*self.tables, *more]
        few = self._size // 2
        _, draws = fit(self.known, tables, self._order(tables), few, self._rng, self.target, SWEEPS // 2)
        return Belief(self.known, draws)

    def learnt(self) -> FittedMarginals:
        """The last fit."""
        chain, _ = fit(self.known, self.tables, self._order(self.tables), self._size, self._rng, self.target)
        return FittedMarginals(self.known, chain)

    def _order(self, tables: Sequence[Measurement]) -> list[int]:
        """An order along the measured pairs that are furthest from independence."""
        far: dict[Clique, float] = {t.query.clique: distance(t, self.resolution.independent) for t in tables}
        return drawing_order(spanning_tree(far, self.columns), self.columns, root=self.target)
