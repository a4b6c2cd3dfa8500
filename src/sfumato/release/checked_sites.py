"""Who took part, as far as a saved model can show it: sites, what they signed, and whose keys somebody has compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfumato.errors import CertificateError
from sfumato.release.artifact import Artifact
from sfumato.release.certificate import Certificate
from sfumato.release.site_signatures import SiteSignatures
from sfumato.trust.secure_sum.identity import check_fingerprint


@dataclass(frozen=True)
class CheckedSite:
    """A site of a verified certificate.

    Attributes:
        name: of the site.
        fingerprint: of its signing key.
        agreed: whether its signature under the plan is in the file, and fits.
        certified: the same under the certificate, which a site signs at the end of its run.
        confirmed: whether the caller was told the same fingerprint.
    """

    name: str
    fingerprint: str
    agreed: bool
    certified: bool
    confirmed: bool

    @property
    def signed(self) -> str:
        """What, in words."""
        if not self.agreed:
            return "nothing in this file"
        return "the plan and this certificate" if self.certified else "the plan, not this certificate"

    def in_words(self) -> str:
        """One line for people."""
        if not self.agreed:
            return f"site {self.name} signed {self.signed}; its key was {self.fingerprint}"
        compared = "as you were told" if self.confirmed else "compare it with what that site tells you"
        return f"site {self.name} signed {self.signed}, by the key {self.fingerprint} ({compared})"


def checked_sites(
    artifact: Artifact, certificate: Certificate, told: Mapping[str, str] | None = None
) -> tuple[CheckedSite, ...]:
    """The sites of a certificate, once what they signed was checked.

    Args:
        artifact: the model.
        certificate: of it.
        told: by name of the site, the fingerprint that it told the caller.

    Raises:
        CertificateError: a signature, the plan or a site does not fit the certificate, or what was ``told``.
        FederationError: what was ``told`` is no fingerprint.
    """
    stated, known = certificate.federation, told or {}
    signed = None if artifact.sites is None else SiteSignatures.parse(artifact.sites)
    if (stated is not None and stated.signed is True) != (signed is not None):
        raise CertificateError("the certificate says otherwise than the file whether its sites signed the plan")
    if signed is not None:
        signed.check(certificate, artifact.certificate, artifact.schema)
    certified = () if signed is None else signed.certified
    sites = [
        CheckedSite(s.name, s.fingerprint, signed is not None, s.name in certified, known.get(s.name) == s.fingerprint)
        for s in (() if stated is None else stated.sites)
    ]
    _check_told(sites, known)
    return tuple(sites)


def _check_told(sites: Sequence[CheckedSite], told: Mapping[str, str]) -> None:
    found = {site.name: site for site in sites}
    for name, expected in told.items():
        check_fingerprint(name, expected)
        if name not in found:
            named = ", ".join(found) or "none"
            raise CertificateError(f"no site {name[:64]!r} took part; the sites of the certificate: {named}")
        if not found[name].agreed:
            raise CertificateError(f"site {name} signed nothing in this file, so its fingerprint cannot be compared")
        if not found[name].confirmed:
            raise CertificateError(
                f"site {name} signed by the key {found[name].fingerprint}, and you were told {expected}: ask it again,"
                " and until then take its name for nobody's"
            )
