"""What a run may spend, in units of Gaussian differential privacy, and the ledger it is charged to."""

from __future__ import annotations

import math
from collections.abc import Sequence

from sfumato.privacy.accounting import discrete_gaussian_sigma, mu_for
from sfumato.privacy.events import Event, PoissonSampledGaussian
from sfumato.privacy.ledger import Run
from sfumato.privacy.spending import mu_squared


class Purse:
    """What a run may spend in GDP units, and its ledger: shared by all views of one setting.

    A run without a guarantee (epsilon = inf) has an infinite ``mu`` and charges nothing.
    """

    def __init__(self, run: Run, total_mu: float | None = None) -> None:
        self.run = run
        self.private = run.guarantee.private
        self.total = math.inf if not self.private else mu_for(run.guarantee) if total_mu is None else total_mu
        self._spent = 0.0

    def mu(self, share: float) -> float:
        """The cost that uses ``share`` of the squared total."""
        if not 0 <= share <= 1:
            raise ValueError(f"a share of the budget lies between 0 and 1, got {share}")
        return math.sqrt(share) * self.total

    @property
    def remaining(self) -> float:
        """Share of the squared total not yet charged."""
        return 1.0 if not self.private else max(0.0, 1.0 - self._spent / self.total**2)

    def charge(self, events: Sequence[Event]) -> None:
        """Charge the ledger; Overdraft if it does not allow it."""
        if not self.private:
            return
        self.run.charge(*events)
        self._spent += sum(mu_squared(e) for e in events)

    def charge_steps(self, event: PoissonSampledGaussian, share: float) -> None:
        """Charge steps of DP-SGD that take ``share`` of the squared total, by the calibration of their noise."""
        if self.private:
            self.run.charge(event)
            self._spent += share * self.total**2

    def sigma(self, mu: float, sensitivity: float) -> float:
        """Real noise for one answer at cost ``mu``; 0 without a guarantee, ValueError for a free answer under one."""
        return 0.0 if self._free(mu) else sensitivity / mu

    def integer_sigma(self, mu: float, sensitivity: int) -> float:
        """Integer noise for one answer at cost ``mu``: a little wider than real noise; otherwise like :meth:`sigma`."""
        return 0.0 if self._free(mu) else discrete_gaussian_sigma(mu, sensitivity)

    def _free(self, mu: float) -> bool:
        if not mu > 0 or (self.private and math.isinf(mu)):
            raise ValueError(f"an answer about private records costs a positive finite mu, got {mu}")
        return math.isinf(mu)
