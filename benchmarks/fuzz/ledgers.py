"""Ledgers: damaged as files, and edited as databases; keys."""

from __future__ import annotations

import random
import sqlite3
import tempfile
from pathlib import Path

from benchmarks.fuzz.damage import NUMBERS, TEXTS, damaged
from benchmarks.fuzz.kind import Kind, Valid
from benchmarks.fuzz.outcome import each

_STATEMENTS = (
    "DROP TABLE charge",
    "DROP TABLE cap",
    "DELETE FROM cap",
    "DELETE FROM run",
    "PRAGMA user_version = 99",
    "PRAGMA application_id = 1",
    "CREATE TRIGGER t AFTER INSERT ON charge BEGIN DELETE FROM charge; END",
    "CREATE TABLE other (a)",
    "UPDATE run SET id = id + 1",
)


def _edited(ledger: bytes, rng: random.Random) -> bytes:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder) / "ledger"
        path.write_bytes(ledger)
        db = sqlite3.connect(path)
        try:
            for _ in range(rng.randint(1, 3)):
                if rng.random() < 0.3:
                    db.execute(rng.choice(_STATEMENTS))
                    continue
                tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                table = rng.choice(tables)
                columns = [row[1] for row in db.execute(f'PRAGMA table_info("{table}")')]
                values = (*NUMBERS, *TEXTS, None, b"\0\xff", "{}", '{"mechanism": "Gaussian"}', "[" * 5000)
                db.execute(f'UPDATE "{table}" SET "{rng.choice(columns)}" = ?', (_plain(rng.choice(values)),))
            db.commit()
        except (sqlite3.Error, OverflowError, UnicodeError):
            pass
        db.close()
        return path.read_bytes()


def _plain(value: object) -> object:
    return (
        str(value)
        if isinstance(value, int) and abs(value) >= 2**63 and value < 10**4000
        else 0
        if value == 10**4000
        else value
    )


def make_ledger(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """A ledger as a database with other contents, or as a damaged file."""
    act = rng.random()
    if act < 0.5:
        return {"rows.ledger": _edited(valid["rows.ledger"], rng)}
    if act < 0.9:
        return {"rows.ledger": damaged(valid["rows.ledger"], rng)}
    return {"rows.ledger": rng.choice((b"", b"\0" * 4096, valid[rng.choice(sorted(valid.files))]))}


def view(folder: Path) -> None:
    """What it says of its runs."""
    import sfumato as sf

    with sf.Ledger.open(folder / "rows.ledger", create=False, timeout=1) as ledger:
        ledger.summary()


def make_key(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """Keys damaged, of other kinds, or swapped."""
    name = rng.choice(("key.pem", "key.pub.pem"))
    act = rng.random()
    if act < 0.5:
        return {name: damaged(valid[name], rng)}
    other = rng.choice((_of_another_kind(rng), rng.randbytes(32), bytes(32), valid[rng.choice(sorted(valid.files))]))
    return {name: other}


def _of_another_kind(rng: random.Random) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, ed448, x25519
    from cryptography.hazmat.primitives.serialization import (
        BestAvailableEncryption,
        Encoding,
        NoEncryption,
        PrivateFormat,
        PublicFormat,
    )

    kind = rng.choice(
        (
            lambda: ec.generate_private_key(ec.SECP256R1()),
            ed448.Ed448PrivateKey.generate,
            x25519.X25519PrivateKey.generate,
        )
    )
    key = kind()
    if rng.random() < 0.5:
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    locked = BestAvailableEncryption(b"x") if rng.random() < 0.3 else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked)


def read_keys(folder: Path) -> None:
    """Both, each by itself."""
    from sfumato.release.signature import load_public_key, load_signing_key

    each(lambda: load_signing_key(folder / "key.pem"), lambda: load_public_key(folder / "key.pub.pem"))


_FIT = ("fit", "rows.csv", "--schema", "schema.yaml", "--model", "independent", "-o", "made.sfm", "--epsilon", "0.1")
LEDGERS = Kind("ledger", make_ledger, view, (("ledger", "rows.ledger"), (*_FIT, "--ledger", "rows.ledger")), 3)
KEYS = Kind(
    "key",
    make_key,
    read_keys,
    ((*_FIT, "--key", "key.pem"), ("verify", "model.sfm", "--public-key", "key.pub.pem"), ("keygen", "-o", "key.pem")),
    2,
)
