"""Keys and certificates of parties: a certificate is known by itself, and nobody else vouches for it."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import EnginePlan

KEY, CERTIFICATE = "key.pem", "certificate.pem"
"""Files of an identity."""
REHEARSED = dt.timedelta(days=1)
"""Of the certificates of a rehearsal, from a day before on: for no longer."""
LASTING = dt.timedelta(days=3650)
"""Of the certificate of a party, which is believed because it stands in a plan that is signed, and no longer."""


def fresh_identity(folder: Path, name: str) -> str:
    """A key, and its certificate under ``name``, in ``folder``; returns the certificate in PEM."""
    key, certificate = identity(name, REHEARSED)
    write_identity(folder, key, certificate)
    return certificate


def write_identity(folder: Path, key: bytes, certificate: str) -> None:
    """A key, for its owner alone, and its certificate, both in PEM, into ``folder``."""
    descriptor = os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(key)
    (folder / CERTIFICATE).write_text(certificate)


def identity(name: str, valid: dt.timedelta = LASTING) -> tuple[bytes, str]:
    """A fresh key and its certificate under ``name``, both in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), certify(key, name, valid)


def certify(key: CertificateIssuerPrivateKeyTypes, name: str, valid: dt.timedelta = REHEARSED) -> str:
    """A certificate that ``key`` signs for itself, in PEM."""
    subject, now = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]), dt.datetime.now(dt.UTC)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number())
    built = built.not_valid_before(now - REHEARSED).not_valid_after(now + valid)
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode("ascii")


def check_keys(plan: EnginePlan) -> None:
    """EngineError where two parties hold one key: any two of them could open everything, and these are one."""
    try:
        found = [x509.load_pem_x509_certificate(party.certificate.encode()).public_key() for party in plan.parties]
        keys = {key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in found}
    except ValueError:
        raise EngineError("a certificate of the plan is damaged") from None
    if len(keys) != len(plan.parties):
        raise EngineError("two parties have one key: who holds it could open everything alone")
