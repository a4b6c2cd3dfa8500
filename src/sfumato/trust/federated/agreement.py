"""The signatures of all sites under one plan: each site gives its own, and answers nothing before it has seen all."""

from __future__ import annotations

from collections.abc import Mapping

from sfumato.errors import FederationError
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.secure_sum.identity import SIGNATURE_BYTES, SignaturePurpose, SiteIdentity, check_signature


def sign_plan(plan: FederationPlan, identity: SiteIdentity) -> bytes:
    """A site's signature under all of the plan."""
    return identity.sign(SignaturePurpose.PLAN, plan.data)


def check_signed(plan: FederationPlan, place: int, signature: bytes) -> None:
    """FederationError unless the site at ``place`` signed this plan."""
    member = plan.roster.members[place]
    check_signature(member.public_key, SignaturePurpose.PLAN, plan.data, signature, f"site {member.name}")


def write_signatures(signatures: Mapping[int, bytes]) -> bytes:
    """Those of all sites, in the order of the roster."""
    return b"".join(signatures[place] for place in sorted(signatures))


def check_signatures(plan: FederationPlan, data: bytes) -> None:
    """FederationError unless ``data`` holds a signature of each site under this plan."""
    sites = plan.terms.sites
    if len(data) != sites * SIGNATURE_BYTES:
        raise FederationError(f"the plan has {sites} sites, and each signs it; these are not their signatures")
    for place in range(sites):
        check_signed(plan, place, data[place * SIGNATURE_BYTES : (place + 1) * SIGNATURE_BYTES])
