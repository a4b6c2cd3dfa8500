"""Time by the number of columns and of labels, and the memory of large files: ``python -m benchmarks.limits``.

Each step is timed at 1,000, 4,000 and 16,000 columns, or labels. Four times as many take four times as long where each
is looked at once, and sixteen times where each is compared with all others: the figure is the larger of the two ratios
of each step, and its limit lies between. Steps of a few hundredths of a second are summed up, for their ratios are of
the clock. A table of 2 GB is read in a process of 2 GiB of address space. The last line is one JSON object,
``figures``.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

import sfumato as sf
from sfumato.encoding.codec import Codec
from sfumato.schema import BooleanColumn, CategoryColumn, IntegerColumn
from sfumato.tables import Rows, Table

SIZES = (1000, 4000, 16_000)
LINEAR, QUADRATIC = 4, 16
LIMIT = 8.0
"""Between what four times as many cost where work is linear, and where it is quadratic."""
_SHORT = 0.2
"""Seconds below which a step at the middle size is not divided by."""
_ROWS = 1100
"""Enough for a sketch to look for columns that determine each other."""
_MEMORY = 2 << 30
_LARGE = 2 * 10**9
_PROMISE = sf.Guarantee(1.0, 1e-9)
Steps = Iterator[tuple[str, Callable[[], Any]]]


class _Timer:
    """Processor seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, step: Callable[[], Any]) -> Any:
        begun = process_time()
        made = step()
        self.seconds[name] = process_time() - begun
        return made


def columns(n: int, folder: Path) -> dict[str, float]:
    """Seconds of each step with a table of ``n`` columns, from the file to the file."""
    timed, path = _Timer(), folder / f"{n}.csv"
    digits = np.random.default_rng(0).integers(0, 10, (_ROWS, n))
    with path.open("w") as out:
        out.write(",".join(f"c{i}" for i in range(n)) + "\n")
        np.savetxt(out, digits, fmt="%d", delimiter=",")
    rows = timed("check of the file", lambda: Rows.open(path, sf.Schema(columns=_whole(n)).dialect))
    timed("sketch", lambda: sf.sketch(path))
    schema = sf.Schema(columns=_whole(n))
    text = timed("schema written", schema.dump)
    timed("schema read", lambda: sf.Schema.parse(text))
    timed("columns compared", lambda: schema.check_columns(schema.names))
    timed("facts listed", lambda: (schema.open_lines(), schema.review_template()))
    codec = timed("codec", lambda: Codec.from_schema(schema))
    timed("codec read", lambda: Codec.from_json(codec.to_json()))
    codes = timed("encoding", lambda: [codec.encode_rows(batch).codes for batch in rows.cells()])[0]
    table = timed("decoding", lambda: codec.decode(codes, np.random.default_rng(0)))
    for suffix in ("csv", "parquet", "arrow"):
        timed(f"writing {suffix}", lambda s=suffix: Table(table).write(folder / f"out.{s}"))
        timed(f"reading {suffix}", lambda s=suffix: sum(b.num_rows for b in Rows.open(folder / f"out.{s}").batches()))
    _model(timed, schema, path, folder)
    return timed.seconds


def labels(n: int, folder: Path) -> dict[str, float]:
    """Seconds of each step with a column of ``n`` labels."""
    timed = _Timer()
    names = tuple(f"l{i}" for i in range(n))
    place = np.random.default_rng(0).integers(0, n, 20_000)
    table = pa.table({"a": [names[i] for i in place], "b": (place % 2 == 0)})
    own: tuple[Any, ...] = (
        CategoryColumn(name="a", categories=names, source="public"),
        BooleanColumn(name="b", source="public"),
    )
    schema = timed("schema", lambda: sf.Schema(columns=own))
    text = timed("schema written", schema.dump)
    timed("schema read", lambda: sf.Schema.parse(text))
    timed("a label twice", lambda: _refused((*names, names[-1])))
    path = folder / "labels.parquet"
    parquet.write_table(table, path)
    timed("sketch", lambda: sf.sketch(path))
    model = _model(timed, schema, path, folder)
    timed("all labels asked for", lambda: model.sample(100, given={"a": list(names)}))
    return timed.seconds


def _whole(n: int) -> tuple[Any, ...]:
    return tuple(IntegerColumn(name=f"c{i}", bounds=(0, 9), source="public") for i in range(n))


def _refused(names: tuple[str, ...]) -> None:
    try:
        CategoryColumn(name="a", categories=names)
    except ValueError:
        return
    raise AssertionError("a label that is listed twice was not found")


def _model(timed: _Timer, schema: sf.Schema, path: Path, folder: Path) -> sf.Synthesizer:
    saved = folder / "model.sfm"
    synthesizer = sf.Synthesizer(schema, model="independent", guarantee=_PROMISE, ledger=sf.Ledger.open(None))
    timed("fit", lambda: synthesizer.fit(path))
    timed("model saved", lambda: synthesizer.save(saved))
    timed("model read", lambda: sf.load(saved))
    timed("model verified", lambda: sf.verify(saved))
    timed("sampling", lambda: synthesizer.sample(1000))
    return synthesizer


def ratios(measured: list[dict[str, float]]) -> dict[str, float]:
    """For each step, the larger ratio between one size and the next; short steps are one together."""
    names = [n for n in measured[0] if measured[1][n] >= _SHORT]
    steps = {name: [m[name] for m in measured] for name in names}
    short = [sum(s for n, s in m.items() if n not in names) for m in measured]
    return {name: max(b / a for a, b in itertools.pairwise(s)) for name, s in {**steps, "short steps": short}.items()}


def large(folder: Path, form: str) -> int:
    """Bytes of resident memory with which a table of 2 GB is encoded, within 2 GiB of address space; -1: not at all."""
    path = folder / f"large.{form}"
    _write_large(path, form)
    context = get_context("spawn")
    end, start = context.Pipe(duplex=False)
    process = context.Process(target=_read_large, args=(os.fspath(path), start))
    process.start()
    start.close()
    try:
        return end.recv()
    except EOFError:
        return -1
    finally:
        process.join()
        path.unlink()


def _write_large(path: Path, form: str) -> None:
    rng = np.random.default_rng(0)
    if form == "csv":
        block = b"".join(b"%d,%d,town %d\n" % tuple(row) for row in rng.integers(0, 10, (200_000, 3)))
        with path.open("wb") as out:
            out.write(b"a,b,c\n")
            for _ in range(_LARGE // len(block)):
                out.write(block)
        return
    batch = pa.record_batch({name: rng.random(1 << 20) for name in "ab"})
    with parquet.ParquetWriter(path, batch.schema, compression="none", use_dictionary=False) as out:
        for _ in range(_LARGE // batch.nbytes):
            out.write_batch(batch)


def _read_large(path: str, answer: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    form = sf.Schema.parse(_SCHEMAS[Path(path).suffix])
    codec, rows = Codec.from_schema(form), Rows.open(path, form.dialect)
    for batch in rows.cells():
        codec.encode_rows(batch)
    own = Path("/proc/self/status").read_text()  # getrusage has what the parent had when it was forked
    answer.send(int(own.split("VmHWM:")[1].split()[0]) << 10)


_SCHEMAS = {
    ".csv": """\
sfumato: schema/1
columns:
  a: {kind: integer, bounds: [0, 9]}
  b: {kind: integer, bounds: [0, 9]}
  c: {kind: category, categories: [town 1, town 2], outside: other}
""",
    ".parquet": """\
sfumato: schema/1
columns:
  a: {kind: real, bounds: [0, 1]}
  b: {kind: real, bounds: [0, 1]}
""",
}


def main() -> int:
    """Print each step, then the figures; 0 where all are met."""
    warnings.simplefilter("ignore")
    found: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="limits-") as name:
        folder = Path(name)
        for what, measure in (("labels", labels), ("columns", columns)):
            measured = []
            for n in SIZES:
                measured.append(measure(n, folder))
                print(f"{n} {what}: " + ", ".join(f"{k} {v:.2f}" for k, v in measured[-1].items()), flush=True)
            for step, ratio in ratios(measured).items():
                met = ratio <= LIMIT
                found.append(
                    {
                        "name": f"{what}: {step}, four times as many",
                        "value": round(ratio, 2),
                        "limit": LIMIT,
                        "met": met,
                    }
                )
        for form in ("csv", "parquet"):
            value = large(folder, form)
            met = 0 < value <= _MEMORY
            found.append(
                {
                    "name": f"2 GB of {form}: resident bytes",
                    "value": value if value > 0 else None,
                    "limit": _MEMORY,
                    "met": met,
                }
            )
    print(json.dumps({"figures": found}))
    return 0 if all(figure["met"] for figure in found) else 1


if __name__ == "__main__":
    sys.exit(main())
