"""Saved models: damaged files, and forged ones whose hashes are right; certificates in them likewise."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from pathlib import Path

from benchmarks.fuzz.damage import damaged, edited, strange
from benchmarks.fuzz.kind import Kind, Valid
from benchmarks.fuzz.outcome import each

_MEMBERS = ("schema.yaml", "codec.json", "model.json", "weights.safetensors", "certificate.json")


def members_of(model: bytes) -> dict[str, bytes]:
    """The members of a saved model but its manifest."""
    with zipfile.ZipFile(io.BytesIO(model)) as archive:
        return {name: archive.read(name) for name in _MEMBERS}


def packed(members: dict[str, bytes]) -> bytes:
    """A whole file around them, as a careful attacker would write it."""
    from sfumato.release.artifact import _manifest, _pack

    return _pack({"manifest.json": _manifest(members), **members})


def _json(data: bytes, rng: random.Random) -> bytes:
    from sfumato.release.artifact import canonical_json

    document = json.loads(data)
    edited(document, rng)
    try:
        return canonical_json(document) if rng.random() < 0.9 else json.dumps(document).encode()
    except (ValueError, RecursionError):
        return json.dumps(document, default=str, skipkeys=True).encode("utf-8", "replace")


def _weights(data: bytes, rng: random.Random) -> bytes:
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    act = rng.random()
    if act < 0.4:
        edited(header, rng)
    elif act < 0.7:
        body = damaged(data[8 + size :], rng)
        return data[: 8 + size] + body[: len(data)].ljust(len(data) - 8 - size, b"\0")[: len(data) - 8 - size]
    else:
        name = rng.choice(sorted(header))
        header[name]["shape"] = [rng.choice((0, 1 << 20, 1 << 62))] * rng.randint(1, 3)
    text = json.dumps(header, default=str).encode("utf-8", "replace")
    return struct.pack("<Q", rng.choice((len(text), len(text), 1 << 62, 0))) + text + data[8 + size :]


def _bombs(rng: random.Random) -> bytes:
    n = rng.choice((40, 900, 50_000))
    return rng.choice(
        (
            b'{\n "a": ' * n,
            b"[" * n,
            b'{"a": ' + b"9" * n + b"}\n",
            b'{\n "a": NaN\n}\n',
            b'{\n "a": ' + b"[" * n + b"]" * n + b"\n}\n",
            b"\n" * n * 50,
            b'{\n "a": "' + b"\\u0000" * n + b'"\n}\n',
        )
    )


def _forged(valid: Valid, rng: random.Random, names: tuple[str, ...]) -> bytes:
    members = members_of(valid["model.sfm"])
    for name in rng.sample(names, rng.choice((1, 1, 1, min(2, len(names))))):
        data = members[name]
        if rng.random() < 0.1:
            members[name] = _bombs(rng)
        elif name.endswith(".json") and rng.random() < 0.8:
            members[name] = _json(data, rng)
        elif name.endswith(".safetensors") and rng.random() < 0.8:
            members[name] = _weights(data, rng)
        else:
            members[name] = damaged(data, rng)
    if "certificate.json" not in names or rng.random() < 0.5:
        members["certificate.json"] = _rehashed(members)
    return packed(members)


def _rehashed(members: dict[str, bytes]) -> bytes:
    """The certificate with the hashes of these members, as far as it is one."""
    from hashlib import sha256

    from sfumato.release.artifact import canonical_json

    try:
        certificate = json.loads(members["certificate.json"])
        hashes = {n: sha256(d).hexdigest() for n, d in members.items() if n != "certificate.json"}
        return canonical_json({k: v for k, v in {**certificate, "members": hashes}.items() if k != "signature"})
    except (ValueError, TypeError, RecursionError):
        return members["certificate.json"]


def make_model(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """A damaged file, another kind of file, or a forged one."""
    act = rng.random()
    if act < 0.2:
        return {"model.sfm": damaged(valid["model.sfm"], rng)}
    if act < 0.25:
        return {"model.sfm": valid[rng.choice(sorted(valid.files))]}
    if act < 0.3:
        members = members_of(valid["model.sfm"])
        model = json.loads(members["model.json"])
        model["facts"]["total"] = rng.choice((1e300, 1e12, 0, -5, "x", 3e9, strange(rng)))
        return {
            "model.sfm": packed({**members, "model.json": (json.dumps(model, indent=1, default=str) + "\n").encode()})
        }
    return {"model.sfm": _forged(valid, rng, _MEMBERS[:4])}


def make_certificate(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """A model whose certificate alone was forged."""
    return {"model.sfm": _forged(valid, rng, _MEMBERS[4:])}


def use(folder: Path) -> None:
    """Load, sample a few rows, verify; each by itself."""
    import sfumato as sf

    model = folder / "model.sfm"
    each(
        lambda: sf.load(model).sample(30, seed=1),
        lambda: sf.verify(model),
        lambda: sf.verify(model, folder / "key.pub.pem"),
    )


_COMMANDS = (
    ("verify", "model.sfm"),
    ("verify", "model.sfm", "--public-key", "key.pub.pem", "--json"),
    ("sample", "model.sfm", "-o", "made.csv", "-n", "50"),
    ("sample", "model.sfm", "-o", "made.parquet", "--given", "town=Ede", "-n", "50"),
    ("report", "model.sfm", "-o", "made.html", "--releasable"),
    ("audit", "--real", "rows.csv", "--holdout", "rows.csv", "--model", "model.sfm", "--schema", "schema.yaml"),
)
MODELS = Kind("model", make_model, use, _COMMANDS, 5)
CERTIFICATES = Kind("certificate", make_certificate, use, _COMMANDS[:5], 3)
