"""Whoever holds the secret key: it sees encrypted totals alone, and lets nothing but whole numbers out."""

from __future__ import annotations

import numpy as np

from sfumato.errors import FederationError
from sfumato.trust.encrypted_sum.aggregator import EncryptedTotal
from sfumato.trust.encrypted_sum.ckks import BY_RING, new_context, opened, public_part
from sfumato.trust.secure_sum.terms import SumTerms


class KeyHolder:
    """Draws the keys of a run, and opens its totals, one for each number of the plan.

    Attributes:
        public: the key that all encrypt and add by.

    *Formal guarantee.* What leaves it are exact totals, rounded: beside them no error of the scheme, which would tell
    of the key (IND-CPA^D; Li and Micciancio 2021). It opens one total a number, for two over different sites would
    tell what the sites between them sent. That a total is one it cannot see: whoever adds is trusted for it.
    """

    def __init__(self, terms: SumTerms) -> None:
        self._terms, self._parameters = terms, BY_RING[terms.bits]
        self._context = new_context(self._parameters)
        self.public = public_part(self._context)
        self._last = -1

    def opened(self, total: EncryptedTotal) -> np.ndarray:
        """The total (numbers,), int64; FederationError for a number that was opened, or passed over, before."""
        slot = self._terms.slot(total.number)
        if slot <= self._last:
            raise FederationError(f"{total.number} was opened, or passed over; take a new attempt")
        self._terms.check_survivors(total.survivors)
        self._last = slot
        return opened(self._context, self._parameters, total.ciphertexts, total.numbers)
