"""Files and frames in and out: what comes out is what went in, and damage is named in one line."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sfumato.errors import OutputError, TableError
from sfumato.tables import Rows, Table
from sfumato.tables import rows as rows_module
from sfumato.tables.delimited_writing import dialect_metadata
from sfumato.tables.dialect import Dialect
from sfumato.tables.writing import write_blocks

TYPED = pa.table(
    {
        "small": pa.array([1, None, -3], pa.int16()),
        "whole": pa.array([1, 2, 2**62], pa.int64()),
        "real": pa.array([0.1, None, -1e300]),
        "flag": pa.array([True, None, False]),
        "text": pa.array(["a", None, ""]),
        "label": pa.array(["x", "y", None]).dictionary_encode(),
        "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1890, 1, 1)]),
        "clock": pa.array([dt.time(23, 59, 59, 999999), None, dt.time(0)]),
        "local": pa.array([dt.datetime(2024, 1, 1, 12), None, dt.datetime(1999, 1, 1)], pa.timestamp("us")),
        "zoned": pa.array([0, None, 10**15], pa.timestamp("us", "Europe/Berlin")),
        "money": pa.array([Decimal("1.50"), None, Decimal("-0.25")]),
    }
)

text = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
names = st.lists(
    st.text("abcxyz äß,;\"'|\t\n", min_size=1, max_size=6).filter(str.strip), min_size=2, max_size=5, unique=True
)


@st.composite
def string_tables(draw: st.DrawFn, cells: st.SearchStrategy[str] = text) -> pa.Table:
    columns = draw(names)
    count = draw(st.integers(1, 6))
    cell = st.one_of(st.none(), cells)
    return pa.table(
        {name: pa.array(draw(st.lists(cell, min_size=count, max_size=count)), pa.string()) for name in columns}
    )


def whole(rows: Rows) -> pa.Table:
    return pa.Table.from_batches(rows.batches(), schema=rows.schema)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=string_tables(), suffix=st.sampled_from([".csv", ".csv.gz", ".tsv"]))
def test_delimited_text_keeps_every_string_and_null(tmp_path: Path, table: pa.Table, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    Table(table).write(path)
    assert Table.read(path).arrow.equals(table)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=string_tables())
def test_the_standard_library_reads_what_is_written(tmp_path: Path, table: pa.Table) -> None:
    path = tmp_path / "t.csv"
    Table(table).write(path)
    with path.open(encoding="utf-8", newline="") as stream:
        header, *records = csv.reader(stream, strict=True)
    assert header == table.column_names
    assert records == [["" if cell is None else cell for cell in row.values()] for row in table.to_pylist()]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(*[st.text("aé €~7", min_size=1, max_size=4)] * 3), min_size=1, max_size=6),
    delimiter=st.sampled_from(",;|\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    zipped=st.booleans(),
)
def test_any_usual_dialect_is_recognised(
    tmp_path: Path, rows: list[tuple[str, ...]], delimiter: str, encoding: str, newline: str, zipped: bool
) -> None:
    lines = [("first name", "second", "last"), *rows]
    data = newline.join(delimiter.join(line) for line in [*lines, ()]).encode(encoding)
    path = tmp_path / "t.txt"
    path.write_bytes(gzip.compress(data) if zipped else data)
    opened = Rows.open(path)
    assert opened.columns == lines[0]
    assert [tuple(row.values()) for row in whole(opened).to_pylist()] == rows


def test_a_late_western_byte_decides_a_guess_but_nothing_that_is_declared(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"a,b\n" + b"x,y\n" * 300_000 + "é,z\n".encode("latin-1"))
    assert whole(Rows.open(path))["a"][-1].as_py() == "é"
    assert whole(Rows.open(path, Dialect()))["a"][-1].as_py() == "\ufffd"
    assert whole(Rows.open(path, Dialect("cp1252")))["a"][-1].as_py() == "é"


def test_a_table_is_written_as_it_is_read(tmp_path: Path) -> None:
    table = pa.table({"a": ["é,;\"'x", "", "plain"], "b": ["1", "2", "3\n"]})
    for dialect in (Dialect("cp1252", ";", "'"), Dialect("utf-16", "\t"), Dialect("koi8-r", ";", header=False)):
        named = replace(dialect, names=("a", "b"))
        write_blocks([table], table.schema.with_metadata(dialect_metadata(dialect)), tmp_path / "t.csv")
        found = whole(Rows.open(tmp_path / "t.csv", named))
        expected = table if dialect.codec != "koi8-r" else table.set_column(0, "a", [["?,;\"'x", "", "plain"]])
        assert found.to_pydict() == expected.to_pydict()


def test_quoted_newlines_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('a,b\n"one\ntwo",""\n\n,"say ""hi"", ok"\n\n')
    assert whole(Rows.open(path)).to_pylist() == [{"a": "one\ntwo", "b": ""}, {"a": "", "b": 'say "hi", ok'}]


def test_one_column_keeps_its_empty_lines(tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    table = pa.table({"only": pa.array(["x", None, "", "y"])})
    Table(table).write(path)
    assert Table.read(path).arrow.equals(table)


def test_text_is_quoted_only_where_it_must_be(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    Table(pa.table({"a b": ["x", "p,q", None, ""], "n": [1, None, 3, 4]})).write(path)
    assert path.read_text() == 'a b,n\nx,1\n"p,q",\n,3\n"",4\n'


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "feather"])
def test_typed_files_keep_every_type(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    Table(TYPED).write(path)
    assert Table.read(path).arrow.equals(TYPED)
    assert whole(Rows.open(path)).equals(TYPED)
    assert Rows.open(path).kind == ("parquet" if suffix == "parquet" else "arrow")


def test_arrow_stream_file(tmp_path: Path) -> None:
    path = tmp_path / "t.stream"
    with pa.OSFile(os.fspath(path), "wb") as sink, pa.ipc.new_stream(sink, TYPED.schema) as writer:
        writer.write_table(TYPED)
    assert whole(Rows.open(path)).equals(TYPED)


def test_rows_are_read_again_from_the_start_and_never_shown(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("name,age\n" + "secret,41\n" * 10)
    opened = Rows.open(path)
    assert [batch.num_rows for batch in opened.batches(4)] == [4, 4, 2]
    assert whole(opened).num_rows == whole(opened).num_rows == 10
    assert repr(opened) == "Rows(csv, 2 columns)"
    assert "secret" not in repr(opened.source)


def test_small_batches_are_joined(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    schema = pa.schema([("n", pa.int64())])
    with pa.OSFile(os.fspath(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        for n in range(1000):
            writer.write(pa.record_batch([pa.array([n])], schema=schema))
    assert [batch.num_rows for batch in Rows.open(path).batches(400)] == [400, 400, 200]


BAD = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n\n", "the file is empty"),
    "header only": (b"a,b\n", "no rows"),
    "ragged": (b'a,b\n"x\ny",secret\nsecret\n', "line 4: 1 fields where the header has 2"),
    "too many": (b"a,b\n1,2\n1,2,secret\n", "line 3: 3 fields where the header has 2"),
    "twice": (b"secret,b,secret\n1,2,3\n", "columns 1 and 3 have the same name"),
    "no name": (b",b\nsecret,2\n", "column 1 has no name"),
    "colon": (b"a:b\nsecret:2\n3:4\n", "every line holds ':'"),
    "text behind a quote": (b'a,b\n1,2\n"x"secret,2\n', "line 3: a quotation mark opens a field"),
    "open quote": (b'a,b\n1,2\n3,"secret\n5,6\n', "line 3: a quotation mark"),
    "cut gzip": (gzip.compress(b"a,b\n" + os.urandom(3000).hex().encode())[:-900], "cut short or damaged"),
    "duckdb": (b"checksumDUCK" + b"\0" * 40, "is a DuckDB database"),
    "zip": (b"PK\x03\x04secret", "a zip archive or an Excel workbook"),
    "parquet": (b"PAR1 secret", "the Parquet file is cut short or damaged"),
    "arrow": (b"ARROW1\0\0 secret", "the Arrow file is cut short or damaged"),
}


@pytest.mark.parametrize("case", BAD)
def test_damage_is_named_without_quoting_a_value(tmp_path: Path, case: str) -> None:
    data, finding = BAD[case]
    path = tmp_path / "bad.csv"
    path.write_bytes(data)
    with pytest.raises(TableError) as caught:
        whole(Rows.open(path))
    message = str(caught.value)
    assert finding in message
    assert str(path) in message
    assert "secret" not in message
    assert "\n" not in message
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_cut_parquet_file_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    Table(TYPED).write(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(TableError, match="damaged"):
        Rows.open(path)


@pytest.mark.parametrize("name", ["missing.csv", ".", "t.csv/below.csv"])
def test_places_that_hold_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match=r"no such file|is a folder|cannot be read"):
        Rows.open(tmp_path / name)


def test_text_under_a_parquet_name(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(TableError, match="not what its suffix says"):
        Rows.open(path)


@pytest.mark.parametrize(
    "column",
    [pa.array([[1], [2]]), pa.array([{"k": 1}, None]), pa.array([b"x", b"y"])],
    ids=["list", "struct", "bytes"],
)
def test_columns_that_are_not_flat_are_refused(tmp_path: Path, column: pa.Array) -> None:
    table = pa.table({"ok": [1, 2], "odd": column})
    path = tmp_path / "t.parquet"
    Table(table).write(path)
    for source in (path, table):
        with pytest.raises(TableError, match="column 'odd' holds"):
            Rows.open(source)


@pytest.mark.parametrize(
    ("name", "finding"),
    [
        ("t.xlsx", "the suffix names no format"),
        ("nowhere/t.csv", "the folder does not exist"),
        (".csv.d/", "names no format"),
        ("file/t.csv", "is a file, not a folder"),
        ("n" * 300 + ".csv", "the name is too long"),
        ("folder.csv", "it is a folder"),
    ],
)
def test_places_that_cannot_be_written(tmp_path: Path, name: str, finding: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.csv").mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError, match=finding):
        Table(TYPED).write(tmp_path / name)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device /dev/full")
def test_a_full_device() -> None:
    with pytest.raises(OutputError, match="no space is left"):
        Table(TYPED).write("/dev/full")
    assert os.path.exists("/dev/full")


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "parquet", "arrow"])
def test_a_full_disk_leaves_the_old_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    path.write_text("old")
    script = (
        "import resource, signal, sys, numpy as np, pyarrow as pa\n"
        "from sfumato.tables import Table\n"
        "from sfumato.errors import OutputError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try:\n"
        "    Table(pa.table({'n': np.random.default_rng(0).random(100_000)})).write(sys.argv[1])\n"
        "except OutputError as error:\n"
        "    sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "cannot write" in done.stderr
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writing_replaces_whole_and_keeps_links_and_permissions(tmp_path: Path) -> None:
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    Table(pa.table({"a": [1], "b": [2]})).write(link, overwrite=True)
    assert link.is_symlink()
    assert real.read_text() == "a,b\n1,2\n"
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs the peak memory that Linux tells")
def test_text_streams_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    line = b"0123456789,abcdefghij,0123456789,abcdefghij,0123456789\n"
    with path.open("wb") as stream:
        stream.write(b"a,b,c,d,e\n")
        for _ in range(500):
            stream.write(line * 20_000)
    assert path.stat().st_size > 500_000_000
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sfumato.tables import Rows\n"
        "def peak():\n"
        "    return Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]\n"
        "before = peak()\n"
        "opened = Rows.open(sys.argv[1])\n"
        "print(sum(batch.num_rows for batch in opened.batches()), before, peak())\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    count, before_kib, after_kib = map(int, done.stdout.split())
    assert count == 10_000_000
    path.unlink()
    assert after_kib - before_kib < 350_000


def test_first_bytes_tell_every_file_that_is_written(tmp_path: Path) -> None:
    for suffix in ("csv", "csv.gz", "tsv", "parquet", "arrow", "feather"):
        Table(pa.table({"a": ["x"], "b": ["y"]})).write(tmp_path / f"t.{suffix}")
        (tmp_path / f"t.{suffix}").rename(tmp_path / "unnamed")
        assert whole(Rows(rows_module.open_file(tmp_path / "unnamed"), "unnamed")).to_pylist() == [{"a": "x", "b": "y"}]
