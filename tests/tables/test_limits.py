"""Every reader of rows has limits, which are met before what lies beyond them is read."""

from __future__ import annotations

import gzip
import importlib
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from sfumato.errors import TableError
from sfumato.tables import Rows, decoding
from sfumato.tables.dialect import LONGEST_NAME, MOST_COLUMNS, Dialect
from sfumato.tables.structure import LONGEST


def read(source: Rows) -> int:
    return sum(batch.num_rows for batch in source.batches())


def test_more_columns_than_a_table_may_have_are_refused(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(MOST_COLUMNS + 1)]
    csv = tmp_path / "wide.csv"
    csv.write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    table = pa.table({name: [1] for name in names})
    parquet.write_table(table, tmp_path / "wide.parquet")
    feather.write_feather(table, tmp_path / "wide.arrow")
    for source in (csv, tmp_path / "wide.parquet", tmp_path / "wide.arrow", table):
        with pytest.raises(TableError, match="more than 16,384 columns"):
            Rows.open(source)


def test_a_name_that_is_longer_than_any_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "name.csv"
    path.write_text(f"a,{'x' * (LONGEST_NAME + 1)}\n1,2\n")
    with pytest.raises(TableError, match="the name of column 2 has more than 4,096 characters"):
        Rows.open(path)


@pytest.mark.parametrize("declared", [None, Dialect(), Dialect(header=False)])
def test_a_line_without_an_end_is_refused_at_its_start(tmp_path: Path, declared: Dialect | None) -> None:
    path = tmp_path / "line.csv"
    path.write_bytes(b"a,b\n" * (declared is not None) + b"1," * (LONGEST * 10))
    with pytest.raises(TableError, match="a record of more than 1 MiB"):
        read(Rows.open(path, declared))


@pytest.mark.parametrize("declared", [None, Dialect()])
def test_gzip_that_gives_far_more_than_a_table_is_refused(
    tmp_path: Path, declared: Dialect | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_SMALL", 1 << 24)  # the same in a second
    path = tmp_path / "bomb.csv.gz"
    with gzip.open(path, "wb") as stream:
        stream.write(b"a,b\n")
        for _ in range(64):
            stream.write(b"1,2\n" * (1 << 17))
    with pytest.raises(TableError, match="gives more than 300 times its own size"):
        Rows.open(path, declared)


@pytest.mark.parametrize("declared", [None, Dialect(), Dialect(header=False)])
def test_a_device_is_no_table(declared: Dialect | None) -> None:
    with pytest.raises(TableError, match="/dev/zero: is a device"):
        Rows.open("/dev/zero", declared)


@pytest.mark.parametrize("column", [pa.array(["ab", "cd", "ef"]), pa.array(["ab", "cd", "ab"]).dictionary_encode()])
def test_offsets_and_indices_beyond_their_buffers_are_damage(tmp_path: Path, column: pa.Array) -> None:
    table = pa.table({"a": column})
    path = tmp_path / "t.arrow"
    feather.write_feather(table, path, compression="uncompressed")
    data = path.read_bytes()
    inner = np.arange(3, dtype=np.int32) * 2 if pa.types.is_string(column.type) else np.array([0, 1, 0], np.int32)
    at = data.rindex(inner.tobytes())
    path.write_bytes(data[: at + 4] + np.int32(1 << 29).tobytes() + data[at + 8 :])
    with pytest.raises(TableError, match="cut short or damaged"):
        read(Rows.open(path))


def test_text_that_is_no_utf_8_is_no_damage(tmp_path: Path) -> None:
    column = pa.array([b"ab", b"\xff", b"ef"]).view(pa.string())
    path = tmp_path / "t.arrow"
    feather.write_feather(pa.table({"a": column, "b": column.dictionary_encode()}), path)
    assert read(Rows.open(path)) == 3


def test_the_reference_names_limits_that_there_are() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "limits.md"
    places = [line.split("|")[3] for line in page.read_text(encoding="utf-8").splitlines() if "| `" in line]
    assert len(places) > 15
    for place in places:
        first, *more = re.findall(r"`([^`]+)`", place)
        module, _, name = first.rpartition(".")
        if name.isupper() or "check" in name:
            found = importlib.import_module(f"sfumato.{module}")
            assert all(hasattr(found, each) for each in (name, *more)), place
        else:
            importlib.import_module(f"sfumato.{first}")
