"""A site's part in a sum under encryption: it encrypts its noised numbers by a key that opens nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sfumato.errors import FederationError
from sfumato.trust.encrypted_sum.ckks import BY_RING, encrypted, read_public
from sfumato.trust.encrypted_sum.vectors import EncryptedAnswer
from sfumato.trust.secure_sum.messages import ANSWERED_BYTES
from sfumato.trust.secure_sum.numbered_site import NumberedSite
from sfumato.trust.secure_sum.terms import RoundNumber


class EncryptingSite(NumberedSite):
    """One site in one run; arguments as of ``NumberedSite``.

    *Formal guarantee.* Whoever lacks the secret key learns nothing of a site's numbers but how many there are, if
    ring learning with errors is hard (CKKS at 128 bits). Whoever has it and sees the site's ciphertexts reads them: the
    holder of the key must see totals alone. The noise must be in the numbers before they come here.
    """

    _public = b""

    @property
    def calls(self) -> Mapping[str, Callable[[bytes], bytes]]:
        """See ``NumberedSite``."""
        return {"encrypt": self.encrypt_by}

    def encrypt_by(self, public: bytes) -> bytes:
        """Be told of the key of the run; how many numbers this site has used."""
        if self._public:
            raise FederationError("the key of a run is taken once; set up anew")
        self._context, self._public = read_public(public, BY_RING[self.terms.bits]), public
        return (self._last + 1).to_bytes(ANSWERED_BYTES, "little")

    def masked(self, number: RoundNumber, subject: bytes, values: np.ndarray) -> bytes:
        """See ``NumberedSite``: encrypted."""
        if not self._public:
            raise FederationError("the run is not set up; nothing is answered")
        self._use(number)
        asked = EncryptedAnswer(self.terms, self._public, number, subject)
        return asked.write(self.place, encrypted(self._context, BY_RING[self.terms.bits], values))
