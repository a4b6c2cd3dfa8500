"""Ed25519 signatures over certificates (RFC 8032), with keys in PEM files or as 32 raw bytes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from sfumato.atomic import atomic_new
from sfumato.bounded import read_bounded
from sfumato.errors import CertificateError, KeyFileError
from sfumato.outputs import NEW, check_output
from sfumato.release.artifact import canonical_json
from sfumato.results.plain import Json

ALGORITHM = "Ed25519"
_RAW_BYTES = 32
"""Of an Ed25519 key without a wrapping."""
MOST_BYTES = 1 << 16
"""Bytes of a key file: an Ed25519 key takes about a hundred, and text may stand around it."""
_NO_KEY = (ValueError, TypeError, UnsupportedAlgorithm)
"""What the library raises for keys of other kinds, with a password, on curves that it does not know, or damaged."""
_FIELDS = {"algorithm": ALGORITHM, "public_key": "[0-9a-f]{64}", "value": "[0-9a-f]{128}"}
"""The one spelling of a signature: these fields alone, in this order, in small hexadecimal digits."""
_PRIME = 2**255 - 19
"""Of the field of Curve25519 (RFC 8032)."""
_SMALL_ORDER = frozenset(
    y % _PRIME
    for root in (0, 1, int("7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7", 16))
    for y in (root, -root)
)
"""What points of the curve whose order divides 8 have as y: under such a key one signature fits every message."""


def generate(private_path: str | os.PathLike[str], public_path: str | os.PathLike[str]) -> str:
    """Write a fresh key pair as two PEM files, the private one readable by its owner only; returns the fingerprint.

    Raises:
        OutputError: one of the two exists already (no key is ever overwritten), or cannot be written; neither is left
            behind.

    >>> import tempfile
    >>> import sfumato as sf
    >>> folder = tempfile.mkdtemp()
    >>> len(sf.generate_key(f"{folder}/key.pem", f"{folder}/key.pub.pem"))
    16
    """
    key = Ed25519PrivateKey.generate()
    public = key.public_key()
    for path in (private_path, public_path):
        check_output(path, NEW)
    with atomic_new(private_path, 0o600) as private_file, atomic_new(public_path) as public_file:
        private_file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        public_file.write(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
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
    except _NO_KEY:
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{os.fspath(path)} is not an Ed25519 private key (unencrypted PEM, or 32 raw bytes)")
    return key


def load_public_key(path: str | os.PathLike[str]) -> Ed25519PublicKey:
    """Read a public key; KeyFileError when the file is not one."""
    data = _read(path)
    try:
        key = Ed25519PublicKey.from_public_bytes(data) if len(data) == _RAW_BYTES else load_pem_public_key(data)
    except _NO_KEY:
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{os.fspath(path)} is not an Ed25519 public key (PEM, or 32 raw bytes)")
    return key


def sign(certificate: Mapping[str, Json], key: Ed25519PrivateKey) -> dict[str, Json]:
    """The certificate with a signature over all its other fields."""
    public = _raw(key.public_key())
    value = key.sign(payload(certificate))
    signature = {"algorithm": ALGORITHM, "public_key": public.hex(), "value": value.hex()}
    return {**certificate, "signature": signature}


def check_signature(certificate: Mapping[str, Json], trusted: Ed25519PublicKey | None = None) -> str | None:
    """Fingerprint of the key that signed, or None if nothing is signed and no ``trusted`` key was asked for.

    Raises:
        CertificateError: the signature is wrong, by another key than ``trusted``, or missing though one was asked for.
    """
    if "signature" not in certificate:
        if trusted is not None:
            raise CertificateError("the certificate is not signed, so it cannot be checked against a public key")
        return None
    try:
        if list(certificate)[-1] != "signature":
            raise ValueError("a signature is the last field")
        stated = _spelt(certificate["signature"])
        public = bytes.fromhex(stated["public_key"])
        check_order(public)
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(stated["value"]), payload(certificate))
    except (ValueError, InvalidSignature):
        raise CertificateError("the signature does not fit the certificate") from None
    if trusted is not None and _raw(trusted) != public:
        raise CertificateError(
            f"signed by another key ({fingerprint(public)}) than the given one ({fingerprint(_raw(trusted))})"
        )
    return fingerprint(public)


def check_order(public: bytes) -> None:
    """ValueError for a key that nobody has: of small order, or not in the one form of its point."""
    y = int.from_bytes(public, "little") % 2**255
    if y >= _PRIME or y in _SMALL_ORDER:
        raise ValueError("no public key")


def _spelt(signature: Json) -> dict[str, str]:
    """The fields of a signature in their one spelling; ValueError for any other."""
    if not isinstance(signature, Mapping) or list(signature) != list(_FIELDS):
        raise ValueError("a signature has three fields, in one order")
    stated = {name: value for name, value in signature.items() if isinstance(value, str)}
    if not all(re.fullmatch(form, stated.get(name, "")) for name, form in _FIELDS.items()):
        raise ValueError("a field of the signature is spelt otherwise")
    return stated


def fingerprint(public: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a raw public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def payload(certificate: Mapping[str, Json]) -> bytes:
    """What is signed: the stored form but for the signature."""
    return canonical_json({k: v for k, v in certificate.items() if k != "signature"})


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _read(path: str | os.PathLike[str]) -> bytes:
    name = os.fspath(path)
    try:
        return read_bounded(
            path, MOST_BYTES, KeyFileError(f"{name} has more than {MOST_BYTES >> 10} KiB: it is no key")
        )
    except OSError as e:
        raise KeyFileError(f"cannot read the key {name}: {e.strerror or e}") from None
