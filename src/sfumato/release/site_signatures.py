"""What the sites of a federation signed, as a saved model carries it: the plan, and at the end the certificate.

Under the plan, a signature shows that the owner of the key agreed to these terms before a row was read. Under the
certificate, that the site was there to the end, and was shown this certificate, whose terms are those of its plan.
Neither shows whose key it is, which people must compare, nor that the model is made of the sums that the sites opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from sfumato.errors import CertificateError, FederationError
from sfumato.release.certificate import Certificate
from sfumato.release.signature import payload
from sfumato.release.signed_plan import check_plan, keys_of, owner_keys_of
from sfumato.results.plain import Json, sorted_json
from sfumato.trust.secure_sum.identity import SignaturePurpose, check_signature

FORMAT = "sfumato sites/1"


@dataclass(frozen=True)
class SiteSignatures:
    """A plan with the signatures of its sites.

    Attributes:
        plan: all of it, as the sites signed it.
        agreed: by name of the site, its signature under the plan.
        certified: the same under the certificate, of the sites that were there at the end.
    """

    plan: Mapping[str, Json]
    agreed: Mapping[str, bytes]
    certified: Mapping[str, bytes] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Json]:
        """As it is saved."""
        return {
            "format": FORMAT,
            "plan": dict(self.plan),
            "agreed": {name: signature.hex() for name, signature in self.agreed.items()},
            "certified": {name: signature.hex() for name, signature in self.certified.items()},
        }

    @classmethod
    def parse(cls, stored: Mapping[str, Json]) -> SiteSignatures:
        """Read the saved form; CertificateError for any other."""
        match stored:
            case {"plan": Mapping() as plan, "agreed": Mapping() as agreed, "certified": Mapping() as certified}:
                try:
                    made = cls(plan, _signatures(agreed), _signatures(certified))
                except (TypeError, ValueError):
                    made = None
            case _:
                made = None
        if made is None or made.to_dict() != stored:
            raise CertificateError("what its sites signed is damaged, or was written by another version of sfumato")
        return made

    def with_certified(self, given: Mapping[str, bytes], certificate: Mapping[str, Json]) -> SiteSignatures:
        """With those signatures too that sites gave under the stored ``certificate``, as far as they fit it."""
        known, fitting = {**self.certified, **given}, {}
        for name, key in keys_of(self.plan).items():
            try:
                check_signature(key, SignaturePurpose.CERTIFICATE, payload(certificate), known.get(name, b""), name)
            except FederationError:
                continue  # it was not there any more, or would not sign
            fitting[name] = known[name]
        return replace(self, certified=fitting)

    def check(self, certificate: Certificate, stored: Mapping[str, Json], schema: str) -> None:
        """CertificateError unless all sites of a certificate, the owners of columns that servers have, and nobody else,
        signed a plan that says the same.

        Args:
            certificate: of the model.
            stored: the same, as it is saved.
            schema: of the model, as text.
        """
        check_plan(self.plan, certificate, schema)
        sites, owners = keys_of(self.plan), owner_keys_of(self.plan)
        keys = {**sites, **owners}
        odd = (keys.keys() ^ self.agreed.keys()) | (self.certified.keys() - sites.keys())
        if odd:
            raise CertificateError(
                f"a site of the plan did not sign it, or one signed that it does not name: {min(odd)[:64]!r}"
            )
        for name, signature in self.agreed.items():
            _check(name, keys[name], SignaturePurpose.PLAN, sorted_json(self.plan), signature)
        for name, signature in self.certified.items():
            _check(name, keys[name], SignaturePurpose.CERTIFICATE, payload(stored), signature)


def _check(name: str, key: bytes, purpose: SignaturePurpose, signed: bytes, signature: bytes) -> None:
    try:
        check_signature(key, purpose, signed, signature, name)
    except FederationError:
        what = purpose.name.lower()
        raise CertificateError(f"the signature of site {name} does not fit the {what} in this file") from None


def _signatures(stored: Mapping[str, Json]) -> dict[str, bytes]:
    return {name: bytes.fromhex(signature) for name, signature in stored.items()}  # type: ignore[arg-type]
