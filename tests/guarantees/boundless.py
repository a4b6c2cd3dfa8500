"""A run that promises next to nothing, for audits that ask far more than any promise allows."""

from __future__ import annotations

import math
from unittest import mock

from sfumato.privacy import guarantee
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run


def boundless_run(label: str, epsilon: float = 1e9) -> Run:
    """One of an epsilon beyond ``MOST_EPSILON``, which is refused outside tests."""
    with mock.patch.object(guarantee, "MOST_EPSILON", math.inf):
        return Ledger.open().begin(Guarantee(epsilon, 1e-5), label)
