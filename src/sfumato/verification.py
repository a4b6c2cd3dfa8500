"""Verification: a saved model is whole, and its events cost no more than its certificate promises."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sfumato.artifact import Artifact
from sfumato.certificate import KIND
from sfumato.errors import CertificateError
from sfumato.privacy.events import Event, from_json
from sfumato.privacy.guarantee import Guarantee

ROUNDING = 1e-6


@dataclass(frozen=True)
class Verification:
    """What was found; an instance exists only for a file that passed.

    Attributes:
        guarantee: what is promised.
        epsilon: what the events cost at the promised delta, by privacy loss distributions.
        epsilon_rdp: the same by Renyi divergence: a looser bound, found independently.
        events: number of charges.
        model: the model's name.
        signer: fingerprint of the key that signed, None if unsigned.
        trusted: whether the signature was checked against a public key given by the caller.
        certificate: all fields.
    """

    guarantee: Guarantee
    epsilon: float
    epsilon_rdp: float
    events: int
    model: str
    signer: str | None
    trusted: bool
    certificate: Mapping[str, Any] = field(repr=False)


def verify(path: str | os.PathLike[str], public_key: str | os.PathLike[str] | None = None) -> Verification:
    """Check every byte of a saved model, its hashes, its signature, and recompute epsilon from its events.

    Args:
        path: the saved model.
        public_key: file of the Ed25519 key that must have signed; without it a signature is checked for itself only.

    Raises:
        ArtifactError: the file is damaged, edited or of another format.
        CertificateError: there is no certificate, or it does not fit its model, signature, or events.
        KeyFileError: ``public_key`` is no key.
    """
    from sfumato.signature import check, load_public_key

    trusted = load_public_key(public_key) if public_key is not None else None
    artifact = Artifact.load(path)
    name, certificate = os.fspath(path), artifact.certificate
    try:
        if certificate.get("certificate") is None:
            raise CertificateError(f"no certificate: {certificate.get('reason', 'none was issued')}")
        signer = check(certificate, trusted)
        guarantee, events = _claim(certificate)
        if certificate.get("members") != artifact.hashes:
            raise CertificateError("the certificate belongs to another model (its hashes differ)")
        _check_schema(artifact.schema, guarantee)
        pld, rdp = _recompute(certificate, guarantee, events)
    except CertificateError as e:
        raise CertificateError(f"{name}: {e}") from None
    model = str(artifact.model.get("name"))
    return Verification(guarantee, pld, rdp, len(events), model, signer, trusted is not None, certificate)


def _claim(certificate: Mapping[str, Any]) -> tuple[Guarantee, list[Event]]:
    try:
        if certificate["certificate"] != KIND:
            raise CertificateError(f"certificate of an unknown kind; this version of sfumato reads {KIND}")
        p = certificate["promise"]
        guarantee = Guarantee(p["epsilon"], p["delta"], p["unit"], p["neighbours"])
        return guarantee, [from_json(e) for e in certificate["composition"]["events"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CertificateError("the certificate lacks fields or holds numbers out of range") from None


def _recompute(certificate: Mapping[str, Any], guarantee: Guarantee, events: list[Event]) -> tuple[float, float]:
    from sfumato.privacy.accounting import epsilon, epsilon_rdp

    pld, rdp = epsilon(events, guarantee.delta), epsilon_rdp(events, guarantee.delta)
    stated = certificate["composition"].get("epsilon_spent")
    if not pld <= guarantee.epsilon * (1 + ROUNDING):
        raise CertificateError(f"the events cost epsilon {pld:.6g}, more than the promised {guarantee.epsilon:g}")
    if not isinstance(stated, float | int) or not math.isclose(stated, pld, rel_tol=1e-3, abs_tol=ROUNDING):
        raise CertificateError(f"the events cost epsilon {pld:.6g}, not what the certificate states")
    if rdp < pld * (1 - ROUNDING):
        raise CertificateError(f"two accountants disagree: epsilon {pld:.6g} by PLD, {rdp:.6g} by RDP, which is looser")
    return pld, rdp


def _check_schema(text: str, guarantee: Guarantee) -> None:
    from sfumato.schema import Schema

    schema = Schema.parse(text)
    unit = schema.unit.column if schema.unit.kind == "id" else "row"
    if schema.unreviewed():
        raise CertificateError("the schema holds unreviewed facts, so there can be no certificate")
    if unit != guarantee.unit:
        raise CertificateError(f"the certificate protects {guarantee.unit!r}, the schema declares the unit {unit!r}")
