"""The coordinator's certificate authority: it says who may connect. It signs requests, and never sees a site's key.

What it says protects the connection alone. Whoever holds it can let anybody connect, so that sums do not rest on it:
each site compares the signing keys of the others by itself (``Roster.confirm_fingerprints``).
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from sfumato.errors import FederationError

SERVER, ADMIN, ORGANISATION = "coordinator", "admin@coordinator", "sfumato"
"""Names of the coordinator's own certificates, and the organisation of all: NVFlare holds each connection to them."""
ADMIN_ROLE = "project_admin"
"""What NVFlare calls who may submit a job."""
_DAYS = 360
"""That certificates are good for: a federation is a matter of weeks."""
_EARLIER = dt.timedelta(hours=1)
"""Before now, for clocks that differ."""
_KEY_BITS, _EXPONENT = 3072, 65537
"""Of RSA: NVFlare signs with the keys of its connections and knows no other kind. 3072 bits hold beyond 2030 (NIST)."""


def fresh_key() -> bytes:
    """A private key in PEM, unencrypted: to be kept in a file that its owner alone can read."""
    key = rsa.generate_private_key(_EXPONENT, _KEY_BITS)
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def signing_request(key: bytes, name: str) -> str:
    """A site's request for a certificate under ``name``, in PEM, signed with its own key."""
    made = x509.CertificateSigningRequestBuilder().subject_name(_subject(name)).sign(_loaded(key), hashes.SHA256())
    return made.public_bytes(Encoding.PEM).decode("ascii")


@dataclass(frozen=True)
class Authority:
    """The key that signs, and its own certificate.

    Attributes:
        key: private, in PEM.
        certificate: in PEM: what every side trusts.
    """

    key: bytes
    certificate: str

    @classmethod
    def fresh(cls, name: str) -> Authority:
        """A new one; ``name`` is that of the federation."""
        key = fresh_key()
        private = _loaded(key)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        made = (
            _builder(subject, subject, private.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(private, hashes.SHA256())
        )
        return cls(key, _pem(made))

    def certify_site(self, request: str, name: str) -> str:
        """A certificate for the key of ``request``; FederationError unless it is one, of ``name``, signed by itself."""
        try:
            asked = x509.load_pem_x509_csr(request.encode())
            public = asked.public_key()
            whole = (
                asked.is_signature_valid and isinstance(public, rsa.RSAPublicKey) and asked.subject == _subject(name)
            )
        except (ValueError, UnsupportedAlgorithm, InvalidSignature):
            whole = False
        if not whole:
            raise FederationError(f"site {name}: its request for a certificate is damaged, or of another name")
        return self._certify(public, _subject(name), [x509.DNSName(name)])  # type: ignore[possibly-unbound]

    def certify_server(self, key: bytes, host: str) -> str:
        """The coordinator's own, for the ``host`` under which sites reach it: a name or an address."""
        names: list[x509.GeneralName] = [x509.DNSName(SERVER)]
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(host)))
        except ValueError:
            names.append(x509.DNSName(host))
        return self._certify(_loaded(key).public_key(), _subject(SERVER), names)

    def certify_admin(self, key: bytes) -> str:
        """For the session by which the coordinator starts a run at its own server."""
        return self._certify(_loaded(key).public_key(), _subject(ADMIN, ADMIN_ROLE), [])

    def _certify(self, public: rsa.RSAPublicKey, subject: x509.Name, names: list[x509.GeneralName]) -> str:
        issuer = x509.load_pem_x509_certificate(self.certificate.encode()).subject
        builder = _builder(subject, issuer, public)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return _pem(builder.sign(_loaded(self.key), hashes.SHA256()))


def check_certificate(certificate: str, authority: str, key: bytes, name: str) -> None:
    """FederationError unless the ``authority`` gave ``certificate`` to the owner of ``key``, as ``name``, until now."""
    try:
        found, root = (x509.load_pem_x509_certificate(text.encode()) for text in (certificate, authority))
        found.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        raise FederationError("the certificate of the connection is not by the authority of this plan") from None
    if found.public_key() != _loaded(key).public_key() or found.subject != _subject(name):
        raise FederationError(f"the certificate of the connection is not of this site's key, or not of the name {name}")
    if found.not_valid_after_utc < dt.datetime.now(dt.UTC):
        raise FederationError("the certificate of the connection has expired: ask the coordinator for a new plan")


def _builder(subject: x509.Name, issuer: x509.Name, public: rsa.RSAPublicKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + dt.timedelta(days=_DAYS))
    )


def _subject(name: str, role: str | None = None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COMMON_NAME, name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANISATION),
    ]
    if role is not None:
        parts.append(x509.NameAttribute(NameOID.UNSTRUCTURED_NAME, role))
    return x509.Name(parts)


def _loaded(key: bytes) -> rsa.RSAPrivateKey:
    try:
        found = load_pem_private_key(key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        found = None
    if not isinstance(found, rsa.RSAPrivateKey):
        raise FederationError("a key of the connection is damaged; make the folder anew")
    return found


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode("ascii")
