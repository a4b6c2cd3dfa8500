"""The saved model, one ``.sfm`` file: a stored zip of an allow-list of plain members, with one byte form.

There is exactly one file for given contents: fixed order, fixed dates, no compression, canonical JSON, and a
manifest that is a function of the other members. So reading refuses a file as soon as *any* byte is not the byte
that writing the same contents would give. No member can run code on load.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sfumato.atomic import atomic_write
from sfumato.bounded import read_bounded
from sfumato.errors import ArtifactError
from sfumato.outputs import MODEL
from sfumato.results.plain import Json

FORMAT = 1
"""Of the file; any other is refused."""
LEARNT = ("schema.yaml", "codec.json", "model.json", "weights.safetensors")
MEMBERS = ("manifest.json", *LEARNT, "certificate.json")
SITES = "sites.json"
"""The last member, where the rows lay at sites that signed. What it holds is bound by their keys, not by a hash."""
MAX_BYTES = 1 << 30
"""Bytes of a saved model: the weights of the largest networks take a tenth."""
MOST_TEXT = 1 << 25
"""Bytes of each member that is text, and of the header of the weights: 16,000 columns with all that is said of each."""
MOST_LINES = 1 << 21
"""Lines of a member in JSON, one for each value: parsed, each takes some hundreds of bytes."""
MOST_DEPTH = 32
"""Objects and lists inside each other in JSON: a certificate has six."""
_MARK = b"PK"
_DIRECTORY_END = struct.Struct("<4s4H2LH")
_MOST_DIRECTORY = 1 << 10
"""Bytes of the directory of seven members: one of millions of entries would be read before any is looked at."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The date of every member: the first that a zip knows."""
_UNREADABLE = (
    zipfile.BadZipFile,
    NotImplementedError,
    RuntimeError,
    EOFError,
    ValueError,
    struct.error,
    OverflowError,
)


@dataclass(frozen=True)
class Artifact:
    """The contents of a saved model; all of it public.

    Attributes:
        schema: the schema as YAML text.
        codec: how codes and values correspond, JSON-able.
        model: the model's name and facts, JSON-able.
        arrays: the model's named arrays; finite numbers.
        certificate: the certificate, or what stands in its place, JSON-able.
        sites: the plan of the sites where the rows lay, with their signatures, JSON-able; None where none signed.
    """

    schema: str
    codec: Mapping[str, Json]
    model: Mapping[str, Any]  # its facts are of a kind that the model's own recipe checks
    arrays: Mapping[str, np.ndarray] = field(repr=False)
    certificate: Mapping[str, Json]
    sites: Mapping[str, Json] | None = None

    @property
    def hashes(self) -> dict[str, str]:
        """SHA-256 of each member that was learnt (the certificate quotes these)."""
        return {name: _sha256(data) for name, data in self._learnt().items()}

    def to_bytes(self) -> bytes:
        """The one byte form of these contents."""
        members = self._learnt()
        members["certificate.json"] = canonical_json(self.certificate)
        if self.sites is not None:
            members[SITES] = canonical_json(self.sites)
        return _pack({"manifest.json": _manifest(members), **members})

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "artifact") -> Artifact:
        """Check every byte and take the contents apart.

        Raises:
            ArtifactError: one line that says what is wrong with the file called ``name``.
        """
        members = _unpack(data, name)
        try:
            return cls(
                schema=members["schema.yaml"].decode(),
                codec=parse_json(members["codec.json"], "codec.json"),
                model=parse_json(members["model.json"], "model.json"),
                arrays=_parse_tensors(members["weights.safetensors"]),
                certificate=parse_json(members["certificate.json"], "certificate.json"),
                sites=parse_json(members[SITES], SITES) if SITES in members else None,
            )
        except ValueError as e:
            raise ArtifactError(f"{name}: {e}") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to ``path`` in one step: a failure at any moment leaves what was there before.

        Raises:
            OutputError: the place cannot be written to.
        """
        data = self.to_bytes()
        with atomic_write(path, MODEL) as f:
            f.write(data)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Artifact:
        """Read and check ``path``; sizes are checked before anything is allocated for them.

        Raises:
            ArtifactError: not there, too large, damaged, or not written by sfumato.
        """
        name = os.fspath(path)
        beyond = ArtifactError(f"{name}: more than {MAX_BYTES >> 20} MiB, the most that a saved model may have")
        try:
            return cls.from_bytes(read_bounded(path, MAX_BYTES, beyond, _MARK), name)
        except OSError as e:
            raise ArtifactError(f"cannot read {name}: {e.strerror or e}") from None

    def _learnt(self) -> dict[str, bytes]:
        from safetensors.numpy import save

        arrays = {k: np.ascontiguousarray(v) for k, v in sorted(self.arrays.items())}
        parts = (self.schema.encode(), canonical_json(self.codec), canonical_json(self.model), save(arrays))
        return dict(zip(LEARNT, parts, strict=True))


_CANONICAL = json.JSONEncoder(indent=1, ensure_ascii=False, allow_nan=False)
"""One value a line, as written here and nowhere else."""


def canonical_json(value: Mapping[str, Json]) -> bytes:
    """The one byte form of a JSON object; ValueError on NaN or infinity."""
    return (_CANONICAL.encode(value) + "\n").encode()


def _is_canonical(value: dict[str, Json], data: bytes) -> bool:
    """Whether ``data`` is the byte form of ``value``; no more of it is made than agrees."""
    at = 0
    for piece in _CANONICAL.iterencode(value):
        own = piece.encode()
        if not data.startswith(own, at):
            return False
        at += len(own)
    return data[at:] == b"\n"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _manifest(members: Mapping[str, bytes]) -> bytes:
    listing = {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in members.items()}
    return canonical_json({"sfumato": "artifact", "format": FORMAT, "members": listing})


def _pack(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _EPOCH)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)
    return out.getvalue()


def _unpack(data: bytes, name: str) -> dict[str, bytes]:
    try:
        _check_end(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_listing(archive.infolist(), len(data))
            members = {info.filename: archive.read(info) for info in archive.infolist()}
    except _UNREADABLE as e:
        reason = str(e) if isinstance(e, _ListingError) else "not a saved model, or damaged"
        raise ArtifactError(f"{name}: {reason}") from None
    _check_format(members["manifest.json"], name)
    learnt = {k: v for k, v in members.items() if k != "manifest.json"}
    if members["manifest.json"] != _manifest(learnt) or _pack(members) != data:
        raise ArtifactError(f"{name}: the file was changed after it was saved (its bytes do not match its manifest)")
    return members


class _ListingError(ValueError):
    """A listing that no saved model has; the text is for the user."""


def _check_end(data: bytes) -> None:
    """Refuse by the last bytes alone a directory that is not that of a few members; ValueError where they lack."""
    end = data[-_DIRECTORY_END.size :]
    mark, *_, entries, size, _, comment = _DIRECTORY_END.unpack(end)
    if b"PK\6\7" in data[-2 * _DIRECTORY_END.size : -_DIRECTORY_END.size]:  # a second directory, of larger files
        raise ValueError
    if mark != b"PK\5\6" or comment or entries > 2 * len(MEMBERS) or size > _MOST_DIRECTORY:
        raise ValueError


def _check_listing(listing: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse by the zip directory alone, before any member is read."""
    names = [i.filename for i in listing]
    unknown = next((n for n in names if n not in (*MEMBERS, SITES)), None)
    if unknown is not None:
        raise _ListingError(f"holds {unknown[:60]!r}, which no saved model has")
    if len(set(names)) != len(names):
        raise _ListingError("holds a member twice")
    if tuple(names) not in (MEMBERS, (*MEMBERS, SITES)):
        raise _ListingError(f"lacks {next((n for n in MEMBERS if n not in names), 'the order of members')}")
    if any(i.compress_type != zipfile.ZIP_STORED or i.flag_bits for i in listing):
        raise _ListingError("holds compressed or encrypted members, which no saved model has")
    if sum(i.file_size for i in listing) > size or any(i.file_size != i.compress_size for i in listing):
        raise _ListingError("declares members larger than the file itself")
    large = next(
        (i.filename for i in listing if i.file_size > MOST_TEXT and i.filename.endswith(("json", "yaml"))), None
    )
    if large is not None:
        raise _ListingError(f"{large} has more than {MOST_TEXT >> 20} MiB, the most that it may have")


def _check_format(manifest: bytes, name: str) -> None:
    try:
        found = parse_json(manifest, "manifest.json").get("format")
    except ValueError as e:
        raise ArtifactError(f"{name}: {e}") from None
    if found != FORMAT:
        raise ArtifactError(f"{name}: format {found!r}; this version of sfumato reads format {FORMAT}")


def parse_json(data: bytes, name: str) -> dict[str, Json]:
    """The object whose one byte form is ``data``; ValueError, which calls it ``name``, for anything else."""
    if data.count(b"\n") > MOST_LINES or b"\n" + b" " * (MOST_DEPTH + 1) in data:  # it has a line for each value
        raise ValueError(f"{name} has more than {MOST_LINES:,} values, or is nested more than {MOST_DEPTH} deep")
    try:
        value = json.loads(data)
        if isinstance(value, dict) and _is_canonical(value, data):
            return value
    except (ValueError, RecursionError):
        pass
    raise ValueError(f"{name} is not the plain JSON that sfumato writes")


def _parse_tensors(data: bytes) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    header = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header > min(MOST_TEXT, len(data) - 8):
        raise ValueError("weights.safetensors declares a header larger than it may have")
    try:
        arrays = load(data)
    except (SafetensorError, KeyError, TypeError, ValueError, OverflowError):
        raise ValueError("weights.safetensors is malformed") from None
    for key, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"weights.safetensors: {key[:60]!r} is of a type that no saved model has")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(f"weights.safetensors: {key[:60]!r} holds a number that is not finite")
    return arrays
