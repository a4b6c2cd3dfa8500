"""Tables: delimited text, perhaps gzipped, Parquet and Arrow; damaged, swapped, deep, long and wide."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
from pyarrow import feather, parquet

from benchmarks.fuzz.damage import TEXTS, damaged
from benchmarks.fuzz.kind import Kind, Valid
from benchmarks.fuzz.outcome import each


def _text(rng: random.Random) -> bytes:
    n = rng.choice((10, 2000, 40_000))
    cell = rng.choice(TEXTS).encode("utf-8", "surrogatepass")
    return rng.choice(
        (
            b",".join(b"c%d" % i for i in range(n)) + b"\n" + b",".join([b"1"] * n) + b"\n",
            b"a,b\n" + b"1," * n * 100,
            b"a,b\n" + b'"' + b"\n1,2" * n,
            b"a,b\n" + b'""",' * n,
            b"a,b\n" + b"\r" * n,
            b"a\n" + b"\n" * n * 10,
            b"a,b\n" + b"9" * n + b",2\n",
            b"a,b\n" + cell + b"," + cell + b"\n",
            cell + b"," + cell + b"x\n1,2\n",
            b"\xff\xfe" + "a,b\n1,2\n".encode("utf-16-le") * n,
            b"\0" * n * 100,
            b"a;b\tc|d\n" * n,
            b"a,b\n1e999999999,0x1F\n" + b"-0." + b"0" * n + b"1,1\n",
        )
    )


def _delimited(valid: Valid, rng: random.Random) -> bytes:
    act = rng.random()
    if act < 0.4:
        return damaged(valid["rows.csv"], rng)
    if act < 0.7:
        lines = valid["rows.csv"].split(b"\n")
        for _ in range(rng.randint(1, 5)):
            i = rng.randrange(len(lines))
            cells = lines[i].split(b",")
            cells[rng.randrange(len(cells))] = rng.choice(TEXTS).encode("utf-8", "surrogatepass")
            lines[i] = b",".join(cells)
        return b"\n".join(lines)
    return _text(rng)


def make_csv(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """Text, or another file by its name."""
    if rng.random() < 0.05:
        return {"rows.csv": valid[rng.choice(sorted(valid.files))]}
    return {"rows.csv": _delimited(valid, rng)}


def make_gzip(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """A damaged archive, a whole one of damaged text, a bomb of 100 MiB, an archive in an archive."""
    act = rng.random()
    if act < 0.4:
        return {"rows.csv.gz": damaged(valid["rows.csv.gz"], rng)}
    if act < 0.8:
        return {"rows.csv.gz": gzip.compress(_delimited(valid, rng))}
    if act < 0.83:
        return {"rows.csv.gz": gzip.compress(rng.choice((b"\0", b"a,b\n", b"1", b"\n")) * (25 << 20), 1)}
    return {"rows.csv.gz": gzip.compress(valid["rows.csv.gz"])}


def _columns(rng: random.Random) -> pa.Table:
    n = rng.choice((1, 50, 3000))
    return rng.choice(
        (
            lambda: pa.table({f"c{i}": [1] for i in range(n)}),
            lambda: pa.table({"a": pa.nulls(n)}),
            lambda: pa.table({"a": pa.array([[1]] * n), "b": [1] * n}),
            lambda: pa.table({"a": ["x" * n * 100] * 3, "b": [float("nan")] * 3}),
            lambda: pa.table({"a": pa.array([b"\xff"] * n)}),
            lambda: pa.table({"a": pa.array([2**62, -(2**63)]), "b": pa.array([10**30, 1], pa.decimal128(38, 0))}),
            lambda: pa.table({"age": pa.array([10**17, -1], pa.timestamp("ns")), "town": ["\0", "\x1b[2J"]}),
            lambda: pa.table({"a": pa.array(["x"] * n).dictionary_encode()}).slice(n),
            lambda: pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]),
            lambda: pa.table([pa.array([1])], names=["\x1b[2J\n"]),
        )
    )()


def make_columnar(valid: Valid, rng: random.Random) -> dict[str, bytes]:
    """A file of Parquet or Arrow, damaged or with strange columns."""
    name = rng.choice(("rows.parquet", "plain.parquet", "rows.arrow", "packed.arrow", "stream.arrow"))
    act = rng.random()
    if act < 0.75:
        return {name: damaged(valid[name], rng)}
    if act < 0.8:
        return {name: valid[rng.choice(sorted(valid.files))]}
    out = io.BytesIO()
    if name.endswith("parquet"):
        parquet.write_table(_columns(rng), out)
    else:
        feather.write_feather(_columns(rng), out, compression="uncompressed")
    return {name: out.getvalue()}


def _read(names: tuple[str, ...]) -> Callable[[Path], None]:
    """Read the changed one as a fit and as a sketch do; each by itself."""

    def attempt(folder: Path) -> None:
        import sfumato as sf
        from sfumato.encoding.codec import Codec
        from sfumato.tables import Rows

        schema = sf.Schema.load(folder / "schema.yaml")
        codec = Codec.from_schema(schema)

        def encoded(name: str) -> None:
            rows = Rows.open(folder / name, schema.dialect)
            codec.check_columns(rows.columns)
            for batch in rows.cells():
                codec.encode_rows(batch)

        there = [name for name in names if (folder / name).exists()]
        each(*(act for n in there for act in (lambda n=n: sf.sketch(folder / n).dump(), lambda n=n: encoded(n))))

    return attempt


def _commands(name: str) -> tuple[tuple[str, ...], ...]:
    return (
        ("sketch", name, "-o", "made.yaml"),
        ("sketch", name, "-o", "made.yaml", "--delimiter", ";", "--json"),
        ("fit", name, "--schema", "schema.yaml", "--model", "independent", "-o", "made.sfm"),
        (
            "evaluate",
            "--real",
            "rows.csv",
            "--test",
            name,
            "--synthetic",
            "rows.csv",
            "--schema",
            "schema.yaml",
            "--quick",
        ),
    )


_COLUMNAR = ("rows.parquet", "plain.parquet", "rows.arrow", "packed.arrow", "stream.arrow")
DELIMITED = Kind("csv", make_csv, _read(("rows.csv",)), _commands("rows.csv"), 4)
GZIPPED = Kind("csv.gz", make_gzip, _read(("rows.csv.gz",)), _commands("rows.csv.gz"), 2)
COLUMNAR = Kind(
    "columnar", make_columnar, _read(_COLUMNAR), tuple(c for name in _COLUMNAR[:3] for c in _commands(name)), 5
)
