"""A site's last word: its signature under the certificate of the model, once it has read that."""

from __future__ import annotations

from sfumato.errors import CertificateError
from sfumato.release.artifact import MOST_TEXT, parse_json
from sfumato.release.certificate import Certificate
from sfumato.release.signature import payload
from sfumato.release.signed_plan import check_plan
from sfumato.release.words import NOT_STATED
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.identity import SignaturePurpose, SiteIdentity


def certify(data: bytes, plan: FederationPlan, identity: SiteIdentity) -> bytes:
    """A site's signature under the certificate that ``data`` holds.

    It says that the site took part until the end and that the certificate states what its plan does. Whether the model
    is made of the opened sums, no site can see.

    Raises:
        CertificateError: this is no certificate, or one of another plan, promise, model, schema or sites, or with words
            of somebody's own.
    """
    try:
        stored = parse_json(data if len(data) <= MOST_TEXT else b"", "what the coordinator sent")
    except ValueError as error:
        raise CertificateError(str(error)) from None
    certificate = Certificate.parse(stored)
    check_plan(plan.to_dict(), certificate, plan.schema.dump())
    if {certificate.product.curator, certificate.product.purpose} != {NOT_STATED}:
        raise CertificateError("the certificate names a curator or a purpose, of which the plan says nothing")
    return identity.sign(SignaturePurpose.CERTIFICATE, payload(stored))
