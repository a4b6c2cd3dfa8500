"""A saved model: one byte form, nothing executable, every edit refused."""

import io
import json
import os
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save

from sfumato.errors import ArtifactError, OutputError
from sfumato.release.artifact import (
    MAX_BYTES,
    MEMBERS,
    MOST_DEPTH,
    MOST_LINES,
    MOST_TEXT,
    SITES,
    Artifact,
    _manifest,
    _pack,
    canonical_json,
)


@pytest.fixture
def artifact() -> Artifact:
    return Artifact(
        schema="sfumato: schema/1\ncolumns: {}\n",
        codec={"columns": ["é", "b"]},
        model={"name": "independent", "facts": {"total": 3.5}},
        arrays={"w": np.arange(6, dtype=np.float64).reshape(2, 3), "k": np.arange(3)},
        certificate={"certificate": None, "reason": "test"},
    )


def members_of(artifact: Artifact) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(artifact.to_bytes())) as z:
        return {n: z.read(n) for n in z.namelist() if n != "manifest.json"}


def packed(members: dict[str, bytes]) -> bytes:
    """A consistent file around arbitrary members, as a careful attacker would write it."""
    return _pack({"manifest.json": _manifest(members), **members})


def test_round_trip(artifact, tmp_path):
    artifact.save(tmp_path / "m.sfm")
    back = Artifact.load(tmp_path / "m.sfm")
    assert (back.schema, back.codec, back.model, back.certificate) == (
        artifact.schema,
        artifact.codec,
        artifact.model,
        artifact.certificate,
    )
    assert all(
        np.array_equal(back.arrays[k], v) and back.arrays[k].dtype == v.dtype for k, v in artifact.arrays.items()
    )
    assert back.to_bytes() == artifact.to_bytes()
    assert back.hashes == artifact.hashes
    assert os.listdir(tmp_path) == ["m.sfm"]


def test_what_sites_signed_is_one_member_more(artifact):
    signed = replace(artifact, sites={"format": "x", "plan": {"b": 1, "a": [0.5]}})
    back = Artifact.from_bytes(signed.to_bytes())
    assert back.sites == signed.sites
    assert back.to_bytes() == signed.to_bytes() != artifact.to_bytes()
    assert back.hashes == artifact.hashes
    assert Artifact.from_bytes(artifact.to_bytes()).sites is None
    assert tuple(members_of(signed)) == (*MEMBERS[1:], SITES)


def test_members_are_the_allow_list(artifact):
    with zipfile.ZipFile(io.BytesIO(artifact.to_bytes())) as z:
        assert tuple(z.namelist()) == MEMBERS
        assert all(i.compress_type == zipfile.ZIP_STORED for i in z.infolist())


def test_every_flipped_byte_is_refused(artifact):
    data = artifact.to_bytes()
    for i in range(len(data)):
        for bit in (0x01, 0x80):
            edited = bytearray(data)
            edited[i] ^= bit
            with pytest.raises(ArtifactError):
                Artifact.from_bytes(bytes(edited))


@pytest.mark.parametrize(
    "edit",
    [lambda d: d + b"\0", lambda d: b"\0" + d, lambda d: d[:-1], lambda d: d[: len(d) // 2], lambda d: b""],
)
def test_added_and_missing_bytes_are_refused(artifact, edit):
    with pytest.raises(ArtifactError):
        Artifact.from_bytes(edit(artifact.to_bytes()))


def with_member(name: str, data: bytes):
    return lambda members: {**members, name: data}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_member("../../etc/passwd", b"x"), "which no saved model has"),
        (with_member("/abs", b"x"), "which no saved model has"),
        (with_member("model.pkl", b"x"), "which no saved model has"),
        (lambda m: {k: v for k, v in m.items() if k != "codec.json"}, "lacks codec.json"),
        (lambda m: dict(reversed(m.items())), "lacks the order"),
        (with_member("weights.safetensors", struct.pack("<Q", 1 << 60) + b"{}"), "header larger"),
        (with_member("weights.safetensors", b"abc"), "header larger"),
        (with_member("weights.safetensors", struct.pack("<Q", 2) + b"{]"), "malformed"),
        (with_member("weights.safetensors", save({"w": np.array([1.0, np.nan])})), "not finite"),
        (with_member("weights.safetensors", save({"w": np.array([np.inf])})), "not finite"),
        (with_member("codec.json", b'{"a": NaN}'), "codec.json is not the plain JSON"),
        (with_member("codec.json", b'{"a": 1, "a": 2}'), "codec.json is not the plain JSON"),
        (with_member("model.json", b"[" * 100_000), "model.json is not the plain JSON"),
        (with_member("model.json", b'{"a": ' + b"9" * 5000 + b"}"), "model.json is not the plain JSON"),
        (with_member("schema.yaml", b"\xff\xfe"), "decode"),
        (with_member("sites.json", b'{"a": NaN}'), "sites.json is not the plain JSON"),
        (with_member("sites.json", b"[]\n"), "sites.json is not the plain JSON"),
        (lambda m: {"sites.json": b"{}\n", **m}, "lacks the order"),
    ],
)
def test_hostile_members_are_refused_with_one_line(artifact, change, says):
    with pytest.raises(ArtifactError, match=says) as caught:
        Artifact.from_bytes(packed(change(members_of(artifact))), "m.sfm")
    assert str(caught.value).startswith("m.sfm: ")
    assert "\n" not in str(caught.value)


def nested(depth: int) -> dict:
    value: dict = {}
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (with_member("codec.json", canonical_json(nested(MOST_DEPTH + 1))), "nested more than 32 deep"),
        (with_member("codec.json", b'{"a": ' * 100_000), "not the plain JSON"),
        (with_member("codec.json", b'{"a":' + b"[" * 100_000), "not the plain JSON"),
        (with_member("codec.json", b"\n" * (MOST_LINES + 1)), "more than 2,097,152 values"),
        (with_member("codec.json", b'{"a":[' + b"0," * 10_000_000 + b"0]}"), "not the plain JSON"),
        (with_member("schema.yaml", b" " * (MOST_TEXT + 1)), "schema.yaml has more than 32 MiB"),
        (with_member("weights.safetensors", struct.pack("<Q", 1 << 40)), "a header larger than it may have"),
    ],
    ids=["depth", "open objects", "open lists", "lines", "values", "text", "header"],
)
def test_members_beyond_a_limit_are_refused_before_they_are_parsed(artifact, change, says):
    with pytest.raises(ArtifactError, match=says):
        Artifact.from_bytes(packed(change(members_of(artifact))), "m.sfm")


def test_a_directory_of_many_entries_is_refused_before_it_is_read(artifact):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for i in range(2000):
            z.writestr(f"{i}", b"")
    with pytest.raises(ArtifactError, match="not a saved model"):
        Artifact.from_bytes(out.getvalue())


def test_a_device_that_never_ends_is_no_model():
    with pytest.raises(ArtifactError, match="not a saved model"):
        Artifact.load("/dev/zero")


def test_many_columns_have_room(artifact):
    """A table of 16,000 columns has so many arrays; what can be saved can be loaded."""
    arrays = {f"{kind}.{i}": np.zeros(1) for kind in ("fine", "map", "bias") for i in range(16_000)}
    assert Artifact.from_bytes(replace(artifact, arrays=arrays).to_bytes()).arrays.keys() == arrays.keys()


def test_huge_tensor_shape_is_refused_before_allocating(artifact):
    header = json.dumps({"w": {"dtype": "F64", "shape": [1 << 40], "data_offsets": [0, 1 << 43]}}).encode()
    data = packed(with_member("weights.safetensors", struct.pack("<Q", len(header)) + header)(members_of(artifact)))
    with pytest.raises(ArtifactError, match="malformed"):
        Artifact.from_bytes(data)


def rezipped(artifact: Artifact, compression: int, twice: bool = False, claim: int | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as z:
        for name, data in {"manifest.json": b"", **members_of(artifact)}.items():
            z.writestr(name, data + b"\0" * (50_000_000 if compression != zipfile.ZIP_STORED else 0))
        if twice:
            with pytest.warns(UserWarning, match="Duplicate"):
                z.writestr("codec.json", b"{}")
        if claim is not None:
            z.infolist()[1].file_size = z.infolist()[1].compress_size = claim
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda a: rezipped(a, zipfile.ZIP_DEFLATED), "compressed or encrypted"),
        (lambda a: rezipped(a, zipfile.ZIP_STORED, twice=True), "a member twice"),
        (lambda a: rezipped(a, zipfile.ZIP_STORED, claim=4_000_000_000), "larger than the file"),
        (lambda a: b"PK\x05\x06" + b"\0" * 18, "lacks manifest.json"),
        (lambda a: b"not a zip", "not a saved model"),
    ],
)
def test_hostile_containers_are_refused(artifact, data, says):
    with pytest.raises(ArtifactError, match=says):
        Artifact.from_bytes(data(artifact))


def test_another_format_is_named(artifact):
    members = members_of(artifact)
    manifest = json.loads(_manifest(members))
    manifest["format"] = 99
    with pytest.raises(ArtifactError, match="format 99; this version of sfumato reads format 1"):
        Artifact.from_bytes(_pack({"manifest.json": canonical_json(manifest), **members}))


def test_size_is_checked_before_reading(tmp_path):
    path = tmp_path / "big.sfm"
    with path.open("wb") as f:
        f.truncate(MAX_BYTES + 1)
    with pytest.raises(ArtifactError, match="more than 1024 MiB"):
        Artifact.load(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ArtifactError, match="No such file"):
        Artifact.load(tmp_path / "none.sfm")
    with pytest.raises(ArtifactError, match="directory"):
        Artifact.load(tmp_path)


def test_numbers_that_are_not_finite_are_never_written(artifact):
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("nan")})


def test_a_place_that_cannot_be_written(artifact, tmp_path):
    with pytest.raises(OutputError, match="cannot write"):
        artifact.save(tmp_path / "no" / "m.sfm")
    with pytest.raises(OutputError, match="cannot write"):
        artifact.save(tmp_path)


def test_a_failed_write_keeps_the_old_file(artifact, tmp_path, monkeypatch):
    path = tmp_path / "m.sfm"
    artifact.save(path)
    before = path.read_bytes()

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space is left on the device"):
        artifact.save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["m.sfm"]
