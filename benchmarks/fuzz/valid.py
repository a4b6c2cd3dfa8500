"""Right inputs of every kind, made once: small, and the same for every run but for keys and noise."""

from __future__ import annotations

import gzip
import io
import random
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import feather, parquet

import sfumato as sf
from benchmarks.fuzz.kind import Valid

SCHEMA = """\
sfumato: schema/1
unit: {column: id, max_rows: 2, source: public}
target: income
nulls: ["", "?"]
columns:
  id: {kind: identifier, pattern: "P-####", source: public}
  age: {kind: integer, bounds: [0, 120], nullable: true, source: public}
  town: {kind: category, categories: [Delft, Ede, Goes], outside: other, source: public}
  level: {kind: category, categories: [low, high], source: public}
  wage: {kind: real, bounds: [0, 100], step: 0.5, source: public}
  born: {kind: date, bounds: [1900-01-01, 2020-12-31], source: public}
  seen: {kind: datetime, bounds: [2020-01-01T00:00:00, 2020-12-31T00:00:00], tz: Europe/Amsterdam, source: public}
  member: {kind: boolean, labels: ["no", "yes"], source: public}
  income: {kind: category, categories: [low, high], source: public}
constraints:
  - kind: fixed_combinations
    columns: [town, level]
    combinations: [[Delft, low], [Ede, high], [Goes, low]]
    source: public
"""
ANSWERS = """\
by: Jo
on: 2024-01-01
columns:
  age: {bounds: {replace: [0, 110], reason: ages}, rest: {public: known}}
  town: {public: a list}
  level: {drop: not needed}
"""
_SIDE, _PICTURES = 8, 6


def valid(folder: Path) -> Valid:
    """Make all of them; ``folder`` is for what must be a file to be made."""
    files = {"schema.yaml": SCHEMA.encode(), "draft.yaml": _draft().encode(), "answers.yaml": ANSWERS.encode()}
    files |= _tables() | _pictures() | _model(folder)
    return Valid(files)


def _draft() -> str:
    lines = SCHEMA.replace("source: public", "source: unreviewed").splitlines()
    kept = [x for x in lines if x.strip().split(":")[0] in ("sfumato", "columns", "age", "town", "level")]
    return "\n".join(kept) + "\n"


def rows(n: int = 40) -> dict[str, list[str]]:
    """A table by columns, as text."""
    rng = random.Random(1)
    towns = [rng.choice(("Delft", "Ede", "Goes")) for _ in range(n)]
    return {
        "id": [f"P-{i // 2:04}" for i in range(n)],
        "age": [str(rng.randint(0, 99)) for _ in range(n)],
        "town": towns,
        "level": [{"Delft": "low", "Ede": "high", "Goes": "low"}[t] for t in towns],
        "wage": [str(rng.randint(0, 200) / 2) for _ in range(n)],
        "born": [f"19{rng.randint(10, 99)}-0{rng.randint(1, 9)}-11" for _ in range(n)],
        "seen": [f"2020-0{rng.randint(1, 9)}-11T1{rng.randint(0, 9)}:00:00" for _ in range(n)],
        "member": [rng.choice(("no", "yes")) for _ in range(n)],
        "income": [rng.choice(("low", "high")) for _ in range(n)],
    }


def _tables() -> dict[str, bytes]:
    columns = rows()
    lines = [",".join(columns), *map(",".join, zip(*columns.values(), strict=True))]
    text = ("\n".join(lines) + "\n").encode()
    table = pa.table({**columns, "town": pa.array(columns["town"]).dictionary_encode()})
    table = table.set_column(1, "age", pa.array([int(a) for a in columns["age"]]))
    files = {"rows.csv": text, "rows.csv.gz": gzip.compress(text, mtime=0)}
    for name, write in (
        ("rows.parquet", lambda out: parquet.write_table(table, out, compression="snappy")),
        ("plain.parquet", lambda out: parquet.write_table(table, out, compression="none", use_dictionary=False)),
        ("rows.arrow", lambda out: feather.write_feather(table, out, compression="uncompressed")),
        ("packed.arrow", lambda out: feather.write_feather(table, out, compression="lz4")),
    ):
        out = io.BytesIO()
        write(out)
        files[name] = out.getvalue()
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as stream:
        stream.write_table(table)
    return {**files, "stream.arrow": out.getvalue()}


def _pictures() -> dict[str, bytes]:
    from PIL import Image

    levels = np.random.default_rng(0).integers(0, 256, (_PICTURES, _SIDE, _SIDE), np.uint8)
    labels = np.arange(_PICTURES, dtype=np.uint8) % 2
    out = io.BytesIO()
    np.savez(out, images=levels, labels=labels)
    images = struct.pack(">4s3I", b"\0\0\x08\x03", _PICTURES, _SIDE, _SIDE) + levels.tobytes()
    files = {
        "images.npz": out.getvalue(),
        "train-images-idx3-ubyte": images,
        "train-labels-idx1-ubyte": struct.pack(">4sI", b"\0\0\x08\x01", _PICTURES) + labels.tobytes(),
        "packed-images-idx3-ubyte.gz": gzip.compress(images, mtime=0),
    }
    for i, picture in enumerate(levels):
        for form in ("PNG", "JPEG"):
            if (i % 2 == 0) == (form == "PNG"):
                out = io.BytesIO()
                Image.fromarray(picture).save(out, form)
                files[f"folder/{'cat' if i < 3 else 'dog'}/{i}.{form.lower()}"] = out.getvalue()
    return files


def _model(folder: Path) -> dict[str, bytes]:
    """A signed model, its key pair, and the ledger that it was charged to."""
    from sfumato.release.signature import generate

    table = pa.table(rows())
    ledger, key, model = folder / "rows.ledger", folder / "key.pem", folder / "model.sfm"
    generate(key, folder / "key.pub.pem")
    with sf.Ledger.open(ledger, sf.Guarantee(10, 1e-5, "id")) as book:
        schema = sf.Schema.parse(SCHEMA)
        synthesizer = sf.Synthesizer(schema, model="mst", guarantee=sf.Guarantee(5, 1e-6, "id"), ledger=book, key=key)
        synthesizer.fit(table)
        synthesizer.save(model)
    return {path.name: path.read_bytes() for path in (ledger, key, folder / "key.pub.pem", model)}
