"""What a certificate says of sites that were missing from some round."""

from __future__ import annotations

from sfumato.errors import CertificateError
from sfumato.release.sections import Section

_STAGES = {
    "vector": "did not send its sum",
    "consent": "did not consent to the opening",
    "unmasking": "did not help to take the masks off",
    "change": "did not send what its steps changed",
}
"""What of a round was missing, in words."""


class StatedAbsence(Section):
    """A site that was missing, as the coordinator saw it.

    Attributes:
        site: its name.
        times: how often it was missing, each until it was there again.
        round: the first time.
        stage: what it did not do in that round: ``vector``, ``consent``, ``unmasking``, or ``change`` in the clear.
        returned: round in which it was there again for the last time; None: not any more.
    """

    site: str
    times: int
    round: int
    stage: str
    returned: int | None

    def check(self) -> None:
        """CertificateError unless a site can have been missing so."""
        back = self.round if self.returned is None else self.returned
        if self.times < 1 or self.round < 1 or back < self.round or self.stage not in _STAGES:
            raise CertificateError("the certificate's federation misses a site in a way that none can be missing")

    def in_words(self) -> str:
        """One sentence for people."""
        often = "once, in" if self.times == 1 else f"{self.times} times, first in"
        back = "did not come back" if self.returned is None else f"was back in round {self.returned}"
        return f"Site {self.site} was missing {often} round {self.round}, where it {_STAGES[self.stage]}, and {back}."
