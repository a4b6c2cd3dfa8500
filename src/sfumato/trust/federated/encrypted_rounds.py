"""The coordinator's way through a federation whose sums are made under encryption, in one process."""

from __future__ import annotations

import numpy as np

from sfumato.federation.defaults import DEADLINE
from sfumato.trust.encrypted_sum.aggregator import Aggregator
from sfumato.trust.encrypted_sum.key_holder import KeyHolder
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.request import SumRequest
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.transport import Transport


class EncryptedRounds(SecureRounds):
    """Opens sums as ``SecureRounds`` does: added by whoever has no key, opened by whoever holds it.

    MissingExtra is told of before, where a fit begins.
    """

    def __init__(self, plan: FederationPlan, transport: Transport, deadline: float = DEADLINE) -> None:
        super().__init__(plan, transport, deadline)
        self._holder = KeyHolder(plan.terms)
        self._aggregator = Aggregator(plan.terms, self._holder.public)

    @property
    def _present(self) -> tuple[int, ...]:
        return tuple(range(self.plan.terms.sites))

    def _set_up_sums(self) -> int:
        """Tell all sites the key; the most numbers of the plan that one has used."""
        told = self._all("encrypt", dict.fromkeys(self._present, self._holder.public))
        return max(int.from_bytes(used, "little") for used in told.values())

    def _attempt(self, request: SumRequest, values: int) -> tuple[np.ndarray, int]:
        number, asked = request.number, dict.fromkeys(self._present, request.data)
        answers = self._ask("masked", asked, self._patience(request.question)).answers
        try:
            total = self._aggregator.total(number, request.subject(self.codec), values, answers)
        finally:
            there = answers.keys() - self._aggregator.refused.keys()
            self.attendance.saw(number.round, "vector", asked, there)
        return self._holder.opened(total), len(total.survivors)
