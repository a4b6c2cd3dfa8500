"""Where a ledger stands: what all runs over a data set cost, before one run and with it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.spending import Spending


@dataclass(frozen=True)
class Position:
    """What one run added to its ledger.

    Attributes:
        ledger: the ledger's id, 32 hexadecimal digits, drawn at random when it was made.
        run: the run's number in it.
        cap: most that all runs together may cost.
        before: what all other runs had been charged.
        after: the same with this run.
    """

    ledger: str
    run: int
    cap: Guarantee
    before: Spending
    after: Spending

    @property
    def epsilon_before(self) -> float | None:
        """Epsilon of ``before`` at the cap's delta, as a filter counts it; None where no epsilon will do."""
        return self._epsilon(self.before)

    @property
    def epsilon_after(self) -> float | None:
        """The same with this run."""
        return self._epsilon(self.after)

    def _epsilon(self, spending: Spending) -> float | None:
        found = spending.epsilon(self.cap.delta)
        return found if math.isfinite(found) else None
