"""Ed25519 signatures over certificates (RFC 8032), with keys in PEM files or as 32 raw bytes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sfumato.atomic import atomic_write
from sfumato.errors import CertificateError, KeyFileError
from sfumato.release.artifact import canonical_json

ALGORITHM = "Ed25519"
_RAW_BYTES = 32


def generate(private_path: str | os.PathLike[str], public_path: str | os.PathLike[str]) -> str:
    """Write a fresh key pair as two PEM files, the private one readable by its owner only; returns the fingerprint.

    Raises:
        KeyFileError: ``private_path`` exists already (a key is never overwritten), or cannot be written.
        OutputError: ``public_path`` cannot be written.

    >>> import tempfile
    >>> import sfumato as sf
    >>> folder = tempfile.mkdtemp()
    >>> len(sf.generate_key(f"{folder}/key.pem", f"{folder}/key.pub.pem"))
    16
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    try:
        with open(private_path, "xb", opener=lambda p, flags: os.open(p, flags, 0o600)) as f:
            f.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    except FileExistsError:
        raise KeyFileError(f"{os.fspath(private_path)} exists already; a signing key is never overwritten") from None
    except OSError as e:
        raise KeyFileError(f"cannot write the key {os.fspath(private_path)}: {e.strerror or e}") from None
    with atomic_write(public_path) as f:
        f.write(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return fingerprint(_raw(public))


def load_signing_key(path: str | os.PathLike[str]) -> Ed25519PrivateKey:
    """Read a private key; KeyFileError when the file is not one."""
    data = _read(path)
    try:
        key = (
            Ed25519PrivateKey.from_private_bytes(data)
            if len(data) == _RAW_BYTES
            else load_pem_private_key(data, password=None)
        )
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{os.fspath(path)} is not an Ed25519 private key (unencrypted PEM, or 32 raw bytes)")
    return key


def load_public_key(path: str | os.PathLike[str]) -> Ed25519PublicKey:
    """Read a public key; KeyFileError when the file is not one."""
    data = _read(path)
    try:
        key = Ed25519PublicKey.from_public_bytes(data) if len(data) == _RAW_BYTES else load_pem_public_key(data)
    except ValueError:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{os.fspath(path)} is not an Ed25519 public key (PEM, or 32 raw bytes)")
    return key


def sign(certificate: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """The certificate with a signature over all its other fields."""
    public = _raw(key.public_key())
    value = key.sign(_payload(certificate))
    signature = {"algorithm": ALGORITHM, "public_key": public.hex(), "value": value.hex()}
    return {**certificate, "signature": signature}


def check(certificate: Mapping[str, Any], trusted: Ed25519PublicKey | None = None) -> str | None:
    """Fingerprint of the key that signed, or None if nothing is signed and no ``trusted`` key was asked for.

    Raises:
        CertificateError: the signature is wrong, by another key than ``trusted``, or missing though one was asked for.
    """
    signature = certificate.get("signature")
    if signature is None:
        if trusted is not None:
            raise CertificateError("the certificate is not signed, so it cannot be checked against a public key")
        return None
    try:
        public = bytes.fromhex(signature["public_key"])
        if signature["algorithm"] != ALGORITHM:
            raise ValueError
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(signature["value"]), _payload(certificate))
    except (KeyError, TypeError, ValueError, InvalidSignature):
        raise CertificateError("the signature does not fit the certificate") from None
    if trusted is not None and _raw(trusted) != public:
        raise CertificateError(
            f"signed by another key ({fingerprint(public)}) than the given one ({fingerprint(_raw(trusted))})"
        )
    return fingerprint(public)


def fingerprint(public: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a raw public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def _payload(certificate: Mapping[str, Any]) -> bytes:
    return canonical_json({k: v for k, v in certificate.items() if k != "signature"})


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        with open(path, "rb") as f:
            return f.read(1 << 16)
    except OSError as e:
        raise KeyFileError(f"cannot read the key {os.fspath(path)}: {e.strerror or e}") from None
