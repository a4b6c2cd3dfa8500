"""Every column alone: the honest line that any model of dependence must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.marginals import columns, fitted
from sfumato.models.marginals.fitting import fit
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.progress import Progress
from sfumato.trust.setting import Setting


@dataclass(frozen=True)
class Independent:
    """Noisy one-way tables at the whole budget; columns are drawn independently."""

    name = "independent"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> fitted.FittedMarginals:
        """Ask for each column once; ``target`` plays no part."""
        known = columns.measure_columns(setting, setting.remaining, progress)
        chain, _ = fit(known, [], range(len(known.domain)), 1, np.random.default_rng(0))
        return fitted.FittedMarginals(known, chain)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> fitted.FittedMarginals:
        """From a saved state."""
        return fitted.restore(domain, facts, arrays)

    def overfitting(self) -> Independent:
        """The recipe itself: without noise its tables are those of the records."""
        return self
