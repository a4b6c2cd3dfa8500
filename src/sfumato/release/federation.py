"""What a certificate says of a federation: who took part, whom the promise withstands, and what was sent."""

from __future__ import annotations

import re

from sfumato.errors import CertificateError
from sfumato.release.absences import StatedAbsence
from sfumato.release.sections import Section
from sfumato.release.stated_split import StatedSplit

MOST_SITES = 100
"""Sites of a federation, as the secure sum allows."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Of a site, as in a plan: no sentence, and nothing that cannot be seen."""
_HASH = re.compile(r"[0-9a-f]{64}")
_SIGNED = (
    "Each site signed the plan, which is kept beside this certificate. That shows that the owners of these keys agreed "
    "to it: not whose keys they are, for which their fingerprints must be compared with what the sites tell, and not "
    "that the model is made of the sums that they opened."
)
_UNSIGNED = "The keys of its sites were drawn for this fit alone: no institution has signed anything."
"""What signatures of sites show, and what not."""


_MASKED, _ENCRYPTED = "masked", "encrypted"
"""How sums are made."""


class StatedSite(Section):
    """A site, by its name and the SHA-256 of its signing key."""

    name: str
    fingerprint: str


class StatedAveraging(Section):
    """That a network was trained by averages.

    Attributes:
        local_steps: at each site between two averages.
        proximal: mu of FedProx; 0 is FedAvg.
        secure: whether the sites' changes were opened in a secure sum alone.
        level: what the noise of a local step protects: ``record``, the only one that can be certified.
    """

    local_steps: int
    proximal: float
    secure: bool
    level: str

    def check(self) -> None:
        """CertificateError unless a fit can have gone so."""
        if self.level != "record":
            raise CertificateError(f"averages at level {self.level[:20]!r} have no certificate")
        if self.local_steps < 1 or self.proximal < 0:
            raise CertificateError("the certificate's averages have numbers that none can have")

    def limits(self) -> list[str]:
        """What that means for the promise, in plain words."""
        method = "FedAvg" if self.proximal == 0 else f"FedProx, mu {self.proximal:g}"
        said = [
            f"The network was trained by averages ({method}): {self.local_steps} steps at each site by itself, then "
            "the mean of what they changed, in which all sites count alike. Each step carries noise of full strength, "
            "drawn by the site whose rows it was made of: for these rows that site alone must be honest.",
        ]
        if not self.secure:
            said.append(
                "What the local steps changed was seen by the coordinator from each site by itself, and not under "
                "masks: the promise holds for that too, but it shows which site learnt what."
            )
        return said


class FederationStatement(Section):
    """Who took part, and what was sent.

    Attributes:
        plan: SHA-256 of the plan that the sites agreed to.
        sites: all of them, in its order.
        curious: how many of them may collude with the coordinator.
        lost: how many may be lost in a round.
        threshold: how many must consent to an opening.
        simulated: whether all sites were in one process, which saw everything.
        rounds: sums that were opened, attempts that failed not counted.
        bytes_sent, bytes_received: the most of any one site.
        averaging: how a network was trained by averages; None: by one secure sum a step, or not at all.
        resumed: whether the coordinator went on after it was stopped: bytes and absences are then those since.
        max_sites: at how many of them one unit may have rows and is protected as promised.
        signed: whether the file holds the plan and each site's signature under it; False where sites were simulated,
            None where it was not kept yet.
        absences: of each site that was missing from some round, as the coordinator saw it.
        split: which party held which columns of the same persons; None: each site had all columns of its own persons.
        sums: how numbers of several sites were added: ``masked`` or, at simulated sites, ``encrypted``.
    """

    plan: str
    sites: tuple[StatedSite, ...]
    curious: int
    lost: int
    threshold: int
    simulated: bool
    rounds: int
    bytes_sent: int
    bytes_received: int
    averaging: StatedAveraging | None = None
    resumed: bool = False
    max_sites: int = 1
    signed: bool | None = None
    absences: tuple[StatedAbsence, ...] = ()
    split: StatedSplit | None = None
    sums: str = "masked"

    @property
    def setting(self) -> str:
        """The name of the trust setting."""
        return "federated" if self.split is None else "mpc"

    @property
    def honest_shares(self) -> int:
        """Shares of noise that each opened sum holds for certain."""
        return len(self.sites) - self.curious - self.lost

    def check(self) -> None:
        """CertificateError unless the numbers can be those of one federation."""
        k = len(self.sites)
        whole = (self.curious, self.lost, self.bytes_sent, self.bytes_received)
        if not 3 <= k <= MOST_SITES or min(whole) < 0 or self.rounds < 1 or self.honest_shares < 1:
            raise CertificateError("the certificate's federation has numbers that none can have")
        if not all(map(_NAME.fullmatch, (s.name for s in self.sites))):
            raise CertificateError("the certificate's federation names a site as none can be named")
        if not all(map(_HASH.fullmatch, (self.plan, *(s.fingerprint for s in self.sites)))):
            raise CertificateError("the certificate's federation holds hashes that are none")
        if self.threshold != (k + self.curious) // 2 + 1 or self.lost > k - self.threshold:
            raise CertificateError("the certificate's federation states another threshold than follows from its sites")
        if len({s.name for s in self.sites}) < k or len({s.fingerprint for s in self.sites}) < k:
            raise CertificateError("two sites of the certificate's federation share a name or a key")
        if not 1 <= self.max_sites <= k:
            raise CertificateError("the certificate's federation has people at more sites than there are")
        if self.signed is not None and self.signed is self.simulated:
            raise CertificateError("the certificate says that simulated sites signed, or that other sites did not")
        if self.sums not in (_MASKED, _ENCRYPTED) or (
            self.sums == _ENCRYPTED and not (self.simulated and not self.split)
        ):
            raise CertificateError("the certificate's federation added numbers as no such sites can")
        self._check_absences()
        if self.averaging is not None:
            self.averaging.check()
        if self.split is not None:
            self.split.check(k, self.curious, self.lost)

    def _check_absences(self) -> None:
        missed = [absence.site for absence in self.absences]
        if len(set(missed)) < len(missed) or not set(missed) <= {site.name for site in self.sites}:
            raise CertificateError("the certificate's federation misses a site that is none of its own, or one twice")
        for absence in self.absences:
            absence.check()

    def limits(self) -> list[str]:
        """Where the promise ends in this federation, in plain words."""
        k = len(self.sites)
        names = ", ".join(s.name for s in self.sites)
        opened = "One sum was opened" if self.rounds == 1 else f"Sums were opened {self.rounds} times"
        since = " since its coordinator was started last" if self.resumed else ""
        said = [
            f"The rows lay at {k} sites ({names}). {self._hidden()}",
            "Toward a coordinator that lies the promise is up to twice as large: it can call a question that was "
            "answered a failed attempt, and have it answered again, until a site's own ledger refuses.",
            *([] if self.split is not None else [self._several()]),
            "A site can falsify its own sums, refuse, or leave its noise out; nothing here proves that it did not. "
            "When it answered, how long it took and that it failed were seen by the coordinator.",
            f"{opened}; a site sent at most {self.bytes_sent:,} bytes and was sent at most {self.bytes_received:,}"
            f"{since}.",
        ]
        said += [absence.in_words() for absence in self.absences]
        if self.absences:
            said.append(
                f"Which sites were missing{since} is told as the coordinator saw it, and is not covered by the promise."
            )
        said += [] if self.averaging is None else self.averaging.limits()
        said += [] if self.split is None else self.split.limits([s.name for s in self.sites])
        if self.simulated:
            said.append("All sites were simulated in one process: from whoever ran it, nothing is hidden.")
        said += [] if self.signed is None else [_SIGNED if self.signed else _UNSIGNED]
        return said

    def _hidden(self) -> str:
        """How sums were made, and whom that withstands."""
        honest, c = len(self.sites) - self.curious, self.curious
        if self.sums == _MASKED:
            return (
                "What the coordinator saw beside the opened sums hides them as long as at least "
                f"{honest} of these are honest: the coordinator may lie and collude with up to {c} of them."
            )
        return (
            "Sums were made under homomorphic encryption (CKKS), not under masks: each site encrypted its noised whole "
            "numbers, a server without the key added them, and of the totals that the holder of the one key opened "
            f"only rounded numbers left. That hides the rows as long as at least {honest} of these sites are honest, "
            "the server hands on totals alone, and the holder of the key looks at rounded totals alone: these two "
            "together, or one site with the server where it holds the key, could read the numbers of every site."
        )

    def _several(self) -> str:
        """Of a person with rows at several sites."""
        if self.max_sites == 1:
            return "A person with rows at several sites is protected less, by their number."
        return f"A person with rows at up to {self.max_sites} sites is protected as promised, at more sites less."
