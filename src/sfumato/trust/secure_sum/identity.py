"""The long-term signing key of a site (Ed25519, RFC 8032), its fingerprint, and signatures bound to one purpose."""

from __future__ import annotations

import hashlib
import re
from enum import Enum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from sfumato.errors import FederationError
from sfumato.privacy.randomness import SYSTEM, Entropy

KEY_BYTES, SIGNATURE_BYTES = 32, 64
"""Of raw Ed25519 keys and signatures (RFC 8032)."""
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class SignaturePurpose(Enum):
    """What a signature is for; it stands before what is signed, so that none can be used for another."""

    REQUEST = b"sfumato federation 1 request of a site\0"
    PLAN = b"sfumato federation 1 plan\0"
    KEYS = b"sfumato federation 1 keys of a run\0"
    SURVIVORS = b"sfumato federation 1 survivors of a round\0"
    CERTIFICATE = b"sfumato federation 1 certificate\0"
    SEALING = b"sfumato federation 1 key for shares\0"
    SHARES = b"sfumato federation 1 shares of rows\0"


class SiteIdentity:
    """A site's signing key. It signs; it masks nothing, so whoever steals it opens no earlier sum."""

    def __init__(self, private_key: bytes) -> None:
        if len(private_key) != KEY_BYTES:
            raise FederationError(f"a site's private key has {KEY_BYTES} bytes, not {len(private_key)}")
        self._key = Ed25519PrivateKey.from_private_bytes(private_key)
        self.public_key = self._key.public_key().public_bytes_raw()

    @classmethod
    def fresh(cls, entropy: Entropy = SYSTEM) -> SiteIdentity:
        """A new one, born where it is to stay."""
        return cls(entropy.take(KEY_BYTES))

    def __repr__(self) -> str:
        return f"<site identity {self.fingerprint[:16]}>"

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that people compare out of band."""
        return fingerprint(self.public_key)

    def private_bytes(self) -> bytes:
        """The key itself, to be kept in a file that only the site can read."""
        return self._key.private_bytes_raw()

    def sign(self, purpose: SignaturePurpose, payload: bytes) -> bytes:
        """64 bytes over ``payload``, good for ``purpose`` alone."""
        return self._key.sign(purpose.value + payload)


def check_signature(public_key: bytes, purpose: SignaturePurpose, payload: bytes, signature: bytes, whose: str) -> None:
    """FederationError, naming ``whose`` it is, unless the key signed ``payload`` for ``purpose``."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, purpose.value + payload)
    except (InvalidSignature, ValueError):
        raise FederationError(
            f"the signature of {whose} does not fit what it should have signed; compare its fingerprint,"
            f" {fingerprint(public_key)}, with the one that it tells you itself"
        ) from None


def fingerprint(public_key: bytes) -> str:
    """SHA-256 of a raw public key, all 64 hexadecimal digits: a shorter one could be met by trying keys."""
    return hashlib.sha256(public_key).hexdigest()


def check_fingerprint(site: str, text: str) -> None:
    """FederationError unless ``text``, which people say is that of ``site``, is a whole fingerprint."""
    if not _FINGERPRINT.fullmatch(text):
        raise FederationError(f"{site}: a fingerprint has 64 digits 0-9 a-f; copy all of it")
