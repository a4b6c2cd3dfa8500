"""Keys and signatures: right ones pass, every other is refused, secrets stay private."""

import os
import stat

import pytest

from sfumato.errors import CertificateError, KeyFileError, OutputError
from sfumato.release.signature import check_signature, generate, load_public_key, load_signing_key, sign

CERTIFICATE = {"certificate": "sfumato/certificate/1", "promise": {"epsilon": 1.0}}


@pytest.fixture
def keys(tmp_path):
    generate(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    return load_signing_key(tmp_path / "key.pem"), load_public_key(tmp_path / "key.pub.pem")


def test_a_signed_certificate_passes(keys):
    private, public = keys
    signed = sign(CERTIFICATE, private)
    same = check_signature(sign(CERTIFICATE, private), public)
    assert check_signature(signed) == check_signature(signed, public) == same
    assert len(check_signature(signed)) == 16


def test_any_edited_field_is_refused(keys):
    signed = sign(CERTIFICATE, keys[0])
    edits = [
        {**signed, "promise": {"epsilon": 0.1}},
        {**signed, "more": 1},
        {k: v for k, v in signed.items() if k != "promise"},
        {**signed, "signature": {**signed["signature"], "value": "00" * 64}},
        {**signed, "signature": {**signed["signature"], "value": "zz"}},
        {**signed, "signature": {**signed["signature"], "algorithm": "none"}},
        {**signed, "signature": {**signed["signature"], "public_key": "00" * 31}},
        {**signed, "signature": {}},
        {**signed, "signature": "yes"},
    ]
    for edited in edits:
        with pytest.raises(CertificateError, match="does not fit"):
            check_signature(edited)


def test_another_key_and_no_signature_are_refused_when_a_key_is_given(keys, tmp_path):
    generate(tmp_path / "other.pem", tmp_path / "other.pub.pem")
    other = load_public_key(tmp_path / "other.pub.pem")
    with pytest.raises(CertificateError, match="signed by another key"):
        check_signature(sign(CERTIFICATE, keys[0]), other)
    with pytest.raises(CertificateError, match="not signed"):
        check_signature(CERTIFICATE, other)
    assert check_signature(CERTIFICATE) is None


def test_raw_keys(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(range(32)))
    key = load_signing_key(tmp_path / "raw")
    (tmp_path / "raw.pub").write_bytes(key.public_key().public_bytes_raw())
    assert check_signature(sign(CERTIFICATE, key), load_public_key(tmp_path / "raw.pub")) is not None


def test_the_private_key_is_the_owners_alone_and_never_overwritten(tmp_path):
    generate(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    before = (tmp_path / "key.pem").read_bytes()
    assert stat.S_IMODE(os.stat(tmp_path / "key.pem").st_mode) == 0o600
    with pytest.raises(OutputError, match="it is a private key, which nothing may replace"):
        generate(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    assert (tmp_path / "key.pem").read_bytes() == before


@pytest.mark.parametrize("load", [load_signing_key, load_public_key])
@pytest.mark.parametrize("content", [b"", b"x" * 33, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_other_files_are_no_keys(tmp_path, load, content):
    (tmp_path / "k").write_bytes(content)
    with pytest.raises(KeyFileError, match="is not an Ed25519"):
        load(tmp_path / "k")
    with pytest.raises(KeyFileError, match="No such file"):
        load(tmp_path / "none")
    with pytest.raises(KeyFileError, match="more than 64 KiB"):
        load("/dev/zero")


def test_a_public_key_does_not_sign(tmp_path):
    generate(tmp_path / "key.pem", tmp_path / "key.pub.pem")
    with pytest.raises(KeyFileError):
        load_signing_key(tmp_path / "key.pub.pem")


SPELLINGS = {
    "more": lambda s: {**s, "note": "VALID"},
    "fewer": lambda s: {k: v for k, v in s.items() if k != "algorithm"},
    "capitals": lambda s: {**s, "value": s["value"].upper(), "public_key": s["public_key"].upper()},
    "spaces": lambda s: {**s, "value": " " + s["value"]},
    "space between": lambda s: {**s, "public_key": s["public_key"][:2] + " " + s["public_key"][2:]},
    "line end": lambda s: {**s, "value": s["value"] + "\n"},
    "algorithm": lambda s: {**s, "algorithm": "ed25519"},
    "other digits": lambda s: {**s, "value": s["value"].translate({ord("1"): "١"})},
    "bytes": lambda s: {**s, "value": list(bytes.fromhex(s["value"]))},
    "a list": lambda s: list(s.items()),
    "order": lambda s: dict(reversed(s.items())),
    "nothing": lambda _: None,
}


@pytest.mark.parametrize("change", SPELLINGS.values(), ids=SPELLINGS)
def test_a_signature_has_one_spelling(keys, change):
    signed = sign({**CERTIFICATE, "n": 1}, keys[0])
    check_signature(signed, keys[1])
    with pytest.raises(CertificateError, match="does not fit"):
        check_signature({**signed, "signature": change(signed["signature"])}, keys[1])


def test_a_signature_has_one_place(keys):
    signed = sign(CERTIFICATE, keys[0])
    with pytest.raises(CertificateError, match="does not fit"):
        check_signature({"signature": signed["signature"], **CERTIFICATE}, keys[1])


SMALL = ("01" + 31 * "00", 32 * "00", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
         "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")  # fmt: skip


@pytest.mark.parametrize("public", SMALL)
def test_no_key_signs_everything(public):
    """Points of small order: the library takes some signature under them for one of any message."""
    for value in ("01" + 63 * "00", public + 32 * "00"):
        for n in range(16):
            forged = {"algorithm": "Ed25519", "public_key": public, "value": value}
            with pytest.raises(CertificateError, match="does not fit"):
                check_signature({**CERTIFICATE, "n": n, "signature": forged})


def _pem(key):
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    )


def other_keys():
    """Whole keys of other kinds, one on an unknown curve, one with a password, and damaged ones."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa, x25519
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

    ours = ed25519.Ed25519PrivateKey.generate()
    locked = ours.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    private, public = _pem(ours)
    unknown = (
        b"-----BEGIN PUBLIC KEY-----\nMDYwEAYHKoZIzj0CAQYFK4EEAB0DIgAEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n"
        b"-----END PUBLIC KEY-----\n"
    )
    kinds = (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1()),
             ed448.Ed448PrivateKey.generate(), x25519.X25519PrivateKey.generate())  # fmt: skip
    yield from (text for key in kinds for text in _pem(key))
    yield from (
        locked,
        unknown,
        private[:60],
        public[:40],
        private[:-30],
        b"-----BEGIN " * 5000,
        bytes(70_000),
        b"\xff" * 33,
    )


def test_a_key_of_another_kind_is_one_line(tmp_path):
    for content in other_keys():
        (tmp_path / "k").write_bytes(content)
        for load in (load_signing_key, load_public_key):
            with pytest.raises(KeyFileError, match=r"is not an Ed25519|it is no key"):
                load(tmp_path / "k")
