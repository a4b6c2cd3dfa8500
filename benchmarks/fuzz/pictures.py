"""Images: NumPy archives, idx files and folders; damaged, with headers that promise more than there is."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib
from pathlib import Path

from benchmarks.fuzz.damage import damaged
from benchmarks.fuzz.kind import Kind, Valid
from benchmarks.fuzz.outcome import each

_SIZES = (0, 1, 8, 65, 10**5, 2**31, 2**32 - 1)


def _array(rng: random.Random) -> bytes:
    """An array in NumPy's form whose header says anything."""
    shape = tuple(rng.choice((*_SIZES, -1, 10**30)) for _ in range(rng.randint(0, 5)))
    kind = rng.choice(
        ("|u1", "<U3", "|O", "<f8", "<U1000000000", "V9", "|S4", "[('a', '|u1')]", "(9999,)<i8", "\0", "<M8[s]")
    )
    header = rng.choice(
        (
            f"{{'descr': {kind!r}, 'fortran_order': {rng.choice((True, False))}, 'shape': {shape}, }}",
            "{" * 3000,
            "(" * 900 + ")" * 900,
            f"{{'descr': {kind!r}, 'shape': {shape}}}",
            "__import__('os').system('ls')",
            "1" * 9000,
            "'" + "\\",
        )
    ).encode()
    version = rng.choice((b"\1\0", b"\1\0", b"\2\0", b"\x09\0"))
    return (
        b"\x93NUMPY"
        + version
        + struct.pack("<H", min(len(header), 65535))
        + header
        + rng.randbytes(rng.choice((0, 400)))
    )


def make_archive(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """An archive of arrays: damaged, or whole with other arrays."""
    if rng.random() < 0.5:
        return {"images.npz": damaged(valid["images.npz"], rng)}
    with zipfile.ZipFile(io.BytesIO(valid["images.npz"])) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = rng.choice(sorted(members))
    members[name] = rng.choice((_array(rng), _array(rng), damaged(members[name], rng), bytes(30 << 20)))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return {"images.npz": out.getvalue()}


def make_idx(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """Images or labels, plain or gzipped: damaged, or with other sizes."""
    name = rng.choice(("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "packed-images-idx3-ubyte.gz"))
    data = valid[name]
    if rng.random() < 0.4:
        return {name: damaged(data, rng)}
    plain = gzip.decompress(data) if name.endswith(".gz") else data
    n = 1 if "labels" in name else 3
    plain = plain[:4] + struct.pack(f">{n}I", *(rng.choice(_SIZES) for _ in range(n))) + plain[4 + 4 * n :]
    if name.endswith(".gz"):
        return {name: gzip.compress(plain + bytes(rng.choice((0, 100 << 20))), 1)}
    return {name: plain}


def _picture(rng: random.Random) -> bytes:
    """A PNG whose header says any size, with chunks that hold more than they should."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    wide, high = (rng.choice((*_SIZES, 100_000)) & 0x7FFFFFFF for _ in range(2))
    header = struct.pack(
        ">IIBBBBB", wide, high, rng.choice((1, 8, 16)), rng.choice((0, 2, 3, 4, 6)), 0, 0, rng.choice((0, 1))
    )
    more = rng.choice(
        (
            b"",
            chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(20 << 20))),
            chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(5 << 20))),
        )
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + more
        + chunk(b"IDAT", zlib.compress(bytes(rng.choice((9, 1 << 20)))))
        + chunk(b"IEND", b"")
    )


def make_folder(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """Some files of a folder damaged or forged, and perhaps a list of labels."""
    names = [name for name in sorted(valid.files) if name.startswith("folder/")]
    made = {}
    for name in rng.sample(names, rng.randint(1, 3)):
        made[name] = rng.choice((damaged(valid[name], rng), _picture(rng), b"", valid[rng.choice(sorted(valid.files))]))
    if rng.random() < 0.4:
        listed = b"file,label\n" + b"".join(n.removeprefix("folder/").encode() + b",x\n" for n in names)
        made["folder/labels.csv"] = damaged(listed, rng)
    if rng.random() < 0.1:
        made["folder/cat/\x1b[2J.png"] = valid[names[0]]
    return made


_SCHEMA = """\
sfumato: schema/1
columns:
  image: {kind: image, height: 8, width: 8, source: public}
  label: {kind: category, categories: [cat, dog, "0", "1"], outside: other, source: public}
"""


def _attempt(folder: Path) -> None:
    """Read all that are there as a fit and as a sketch do; each by itself."""
    import sfumato as sf
    from sfumato.tables import Rows

    declared = sf.Schema.parse(_SCHEMA)

    def read(path: Path) -> None:
        for _ in Rows.open(path, declared.dialect, declared.picture).cells():
            pass

    paths = [folder / n for n in ("images.npz", "train-images-idx3-ubyte", "packed-images-idx3-ubyte.gz", "folder")]
    each(*(act for p in paths for act in (lambda p=p: sf.sketch(p).dump(), lambda p=p: read(p))))


def _commands(name: str) -> tuple[tuple[str, ...], ...]:
    fit = (
        "fit",
        name,
        "--schema",
        "pictures.yaml",
        "--model",
        "class-gaussian",
        "-o",
        "made.sfm",
        "--ledger",
        "new.ledger",
    )
    return (("sketch", name, "-o", "made.yaml"), fit)


EXTRA = {"pictures.yaml": _SCHEMA.encode()}
ARCHIVES = Kind("npz", make_archive, _attempt, _commands("images.npz"), 2)
IDX = Kind(
    "idx", make_idx, _attempt, (*_commands("train-images-idx3-ubyte"), *_commands("packed-images-idx3-ubyte.gz")), 2
)
FOLDERS = Kind("folder", make_folder, _attempt, _commands("folder"), 2)
