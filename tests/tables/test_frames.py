"""Frames in and out: every kind gives back what it was given, and is read again from the start."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sfumato as sf
from sfumato.errors import TableError
from sfumato.tables import Rows, Table
from sfumato.tables.objects import as_text, object_cells

VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int16": (pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    "uint8": (pa.uint8(), st.integers(0, 255)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "real": (pa.float64(), st.floats(allow_nan=False)),
    "flag": (pa.bool_(), st.booleans()),
    "text": (pa.string(), st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=5)),
    "day": (pa.date32(), st.dates()),
    "clock": (pa.time64("us"), st.times()),
    "local": (pa.timestamp("us"), st.datetimes()),
    "zoned": (
        pa.timestamp("us", "Europe/Berlin"),
        st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1), timezones=st.just(dt.UTC)),
    ),
    "money": (pa.decimal128(9, 2), st.decimals(-1000, 1000, places=2)),
}


@st.composite
def tables(draw: st.DrawFn, missing: bool = True) -> pa.Table:
    count = draw(st.integers(1, 5))
    chosen = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True))
    columns = {}
    for name in chosen:
        kind, values = VALUES[name]
        cell = st.one_of(st.none(), values) if missing else values
        columns[name] = pa.array(draw(st.lists(cell, min_size=count, max_size=count)), kind)
    return pa.table(columns)


def whole(rows: Rows) -> pa.Table:
    return pa.Table.from_batches(rows.batches(), schema=rows.schema)


def told(table: pa.Table) -> list[dict[str, object]]:
    """The rows, instants in UTC: Python calls times of two zones unequal where a clock is put back."""
    utc = [f.with_type(pa.timestamp("us", "UTC")) if getattr(f.type, "tz", None) else f for f in table.schema]
    return table.cast(pa.schema(utc)).to_pylist()


@settings(max_examples=80, deadline=None)
@given(table=tables())
def test_polars_duckdb_and_arrow_give_back_what_they_were_given(table: pa.Table) -> None:
    wanted = told(table)
    given_back = {"polars": Table(table).to_polars(), "duckdb": Table(table).to_duckdb(), "pyarrow": table}
    for kind, frame in given_back.items():
        rows = Rows.open(frame)
        assert rows.kind == kind
        assert told(whole(rows)) == told(whole(rows)) == wanted
        assert told(Table.read(frame).arrow) == wanted


@settings(max_examples=80, deadline=None)
@given(table=tables())
def test_pandas_gives_back_values_and_types(table: pa.Table) -> None:
    frame = Table(table).to_pandas()
    back = Table.read(frame).arrow
    assert told(back) == told(table)
    known = [field for field in table.schema if table[field.name].null_count < len(table)]
    for field in known:
        kinds = (pa.timestamp("us", "UTC") if field.name == "zoned" else field.type, pa.large_string())
        assert back.schema.field(field.name).type in kinds, field.name
    assert told(whole(Rows.open(frame))) == told(table)


def test_pandas_slices_share_the_types_of_the_whole() -> None:
    frame = pd.DataFrame(
        {"late": [None] * 5 + [3], "label": pd.Categorical(list("aabbcc")), "text": [None] * 5 + ["x"]}
    )
    batches = list(Rows.open(frame).batches(2))
    assert len({str(batch.schema) for batch in batches}) == 1
    assert pa.Table.from_batches(batches).to_pydict()["text"] == [None] * 5 + ["x"]


def test_integers_with_gaps_stay_integers() -> None:
    frame = Table(pa.table({"n": pa.array([1, None], pa.int32()), "m": pa.array([1, 2], pa.int32())})).to_pandas()
    assert [str(kind) for kind in frame.dtypes] == ["Int32", "int32"]


def test_a_duckdb_query_streams_and_runs_anew() -> None:
    with duckdb.connect() as connection:
        rows = Rows.open(connection.sql("select range as n, 'x' as t from range(100000)"))
        assert max(batch.num_rows for batch in rows.batches(5000)) <= 5000
        assert sum(batch.num_rows for batch in rows.batches(5000)) == 100_000


def test_a_one_pass_stream_can_be_read_again() -> None:
    table = pa.table({"n": [1, 2, 3]})
    rows = Rows.open(table.to_reader())
    assert whole(rows).equals(whole(rows))


def test_a_table_is_an_arrow_stream_for_others() -> None:
    table = Table(pa.table({"n": [1, 2, 3]}))
    assert pl.DataFrame(table)["n"].to_list() == [1, 2, 3]
    assert Rows.open(table).columns == ("n",)


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        (5, "cannot read rows from the int"),
        (pl.LazyFrame({"a": [1]}), "cannot read rows from the LazyFrame"),
        (pl.Series("a", [1]), "cannot read rows from the Series"),
        (pd.Series([1]), "cannot read rows from the Series"),
        (pa.chunked_array([[1]]), "cannot read rows from the ChunkedArray"),
        (pd.DataFrame({1: [2]}), "the name of column 1 is of type int"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "columns 1 and 2 have the same name"),
        (pd.DataFrame({"a": [1 + 2j]}), "column 'a' is of dtype complex128, which is not read"),
        (pa.table({"a": [[1]]}), "column 'a' holds list"),
        (pa.table({"a": pa.array([1], pa.duration("s"))}), r"column 'a' holds duration\[s\]"),
        (
            pa.table({"a": pa.array([(1, 2, 3)], pa.month_day_nano_interval())}),
            "column 'a' holds month_day_nano_interval",
        ),
        (pl.DataFrame({"a": [dt.timedelta(1)]}), "column 'a' holds duration"),
        (pa.table([[1], [2]], names=["a", "a"]), "columns 1 and 2 have the same name"),
    ],
)
def test_what_is_no_flat_table_is_refused(source: Any, finding: str) -> None:
    with pytest.raises(TableError, match=finding) as caught:
        Rows.open(source)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("empty", [pa.table({"a": pa.array([], pa.int64())}), pd.DataFrame({"a": []})])
def test_no_rows_is_said(empty: Any) -> None:
    with pytest.raises(TableError, match="no rows"):
        list(Rows.open(empty).batches())
    assert len(Table.read(empty)) == 0


def test_the_shown_table_is_short() -> None:
    table = Table(pa.table({f"c{i}": [Decimal(i)] * 50 for i in range(20)} | {"c0": ["long " * 20] * 50}))
    lines = repr(table).splitlines()
    assert len(lines) == 10
    assert lines[-1] == "Table: 50 rows x 20 columns, 12 columns not shown"
    assert len(table) == 50


def test_views_of_strings_become_strings_that_can_be_selected_from() -> None:
    views = pa.table({"t": pa.array(["a", None, "b"], pa.string_view())})
    for frame in (views, pl.DataFrame({"t": ["a", None, "b"]})):
        [batch] = Rows.open(frame).batches()
        assert batch.schema.field("t").type == pa.string()
        assert batch.column("t").take([2, 1]).to_pylist() == ["b", None]


def test_pandas_types_do_not_follow_from_single_rows() -> None:
    """Digits of the largest amount, or the number of categories, would be read off the type."""
    small, large = (pd.DataFrame({"a": [Decimal("1.50"), x]}) for x in (Decimal("2.50"), Decimal("12345678.25")))
    assert Rows.open(small).schema == Rows.open(large).schema
    few, many = (pd.DataFrame({"a": pd.Categorical([str(i) for i in range(n)])}) for n in (2, 300))
    assert Rows.open(few).schema == Rows.open(many).schema
    assert pa.array([Decimal("1.50")]).type != pa.array([Decimal("12345678.25")]).type, "Arrow alone would tell"


class NoOffset(dt.tzinfo):
    """A zone that knows of no offset."""

    def utcoffset(self, dt: dt.datetime | None) -> None:
        return None


OBJECTS = [
    *[
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
    ],
    *[("1.0", "1.0"), (" a ", " a "), ("\ud800x", "\ufffdx"), (b"caf\xc3\xa9", "café"), (b"\xff", "\ufffd")],
    *[(True, "true"), (np.bool_(False), "false"), (1, "1"), (np.int8(-1), "-1"), (10**30, "1" + "0" * 30)],
    *[(1.0, "1"), (-0.0, "0"), (0.1, "0.1"), (1e16, "10000000000000000"), (1e300, "1e+300"), (float("inf"), "inf")],
    *[
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+5"), "100000"),
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("-0E+2"), "0"),
        (Decimal("Infinity"), "Infinity"),
    ],
    *[(dt.date(2020, 2, 29), "2020-02-29"), (dt.datetime(2020, 2, 29, 1, 2, 3), "2020-02-29 01:02:03.000000")],
    *[(pd.Timestamp("2020-02-29T01:02:03.000000001+01:00"), "2020-02-29 00:02:03.000000Z")],
    *[
        (np.datetime64("2020-02-29"), "2020-02-29 00:00:00.000000"),
        (np.datetime64("NaT"), None),
        (np.datetime64("2020-02-29T07"), "2020-02-29 07:00:00.000000"),
        (np.datetime64("2020-02"), "2020-02-01 00:00:00.000000"),
        (dt.time(7, 30), "07:30:00.000000"),
    ],
    *[(UUID(int=7), "00000000-0000-0000-0000-000000000007"), (10**5000, "\ufffd"), ([1], "\ufffd"), (object, "\ufffd")],
    *[(np.timedelta64(5, "D"), "\ufffd"), (np.timedelta64("NaT"), None), (pd.Timedelta(5, "D"), "\ufffd")],
    *[(dt.datetime(2020, 2, 29, tzinfo=NoOffset()), "2020-02-29 00:00:00.000000"), (Fraction(1, 2), "\ufffd")],
]


MOMENTS = [0, 1, -1, 1500, -1500, 123_456_789, 2**62, -(2**62), 2**63 - 1, -(2**63) + 1, 1_582_934_400_123_456_789]


def text_of(frame: pd.DataFrame) -> list[str | None]:
    return [t for batch in Rows.open(frame).batches() for t in as_text(batch.column(0)).to_pylist()]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("tz", [None, "UTC", "Europe/Berlin"])
def test_a_moment_is_the_same_however_one_other_cell_makes_its_column(unit: str, tz: str | None) -> None:
    """One text, or one moment of another zone, turns a column of timestamps into objects; they stay what they were."""
    moments = pd.Series(np.array(MOMENTS, np.int64).view(f"M8[{unit}]"))
    if tz is not None:
        moments = moments.dt.tz_localize("UTC").dt.tz_convert(tz)
    for i in range(len(moments)):
        one = moments.iloc[[i]]
        try:
            objects = one.astype(object)
        except (OverflowError, NotImplementedError, ValueError):  # of pandas: no object holds it
            continue
        found = text_of(pd.DataFrame({"t": one}))
        assert found == text_of(pd.DataFrame({"t": objects})), MOMENTS[i]
        assert found == text_of(pd.DataFrame({"t": pd.Categorical(one)})), MOMENTS[i]
    longer = pd.concat([moments.iloc[:4], pd.Series(["x"], dtype=object)], ignore_index=True)
    assert longer.dtype == object
    assert text_of(pd.DataFrame({"t": longer}))[:4] == text_of(pd.DataFrame({"t": moments.iloc[:4]}))


def test_a_clock_of_another_zone_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: a typed column kept its zone and its unit."""
    monkeypatch.setattr("sfumato.tables.frames.alone", lambda kind: kind)
    monkeypatch.setattr("sfumato.tables.frames.as_alone", lambda cells: cells)
    for unit, tz in (("us", "Europe/Berlin"), ("ns", None), ("s", None)):
        with pytest.raises(AssertionError):
            test_a_moment_is_the_same_however_one_other_cell_makes_its_column(unit, tz)


@pytest.mark.parametrize("odd", [bytearray(b"a"), memoryview(b"a"), pa.scalar("a"), np.bytes_(b"a")])
def test_a_cell_is_read_alike_beside_texts_and_beside_numbers(odd: Any) -> None:
    cells = np.empty(3, object)
    cells[:] = ["a", None, odd]
    beside_texts = as_text(object_cells(cells))[2]
    cells[0] = 1
    assert as_text(object_cells(cells))[2] == beside_texts


@pytest.mark.parametrize("others", [[], ["x"], [None], [1, 2.5, Decimal("1.234567")], [object()]])
def test_a_cell_of_an_object_column_is_text_whatever_stands_beside_it(others: list[Any]) -> None:
    """The scale of one amount, one number among texts or one value in an empty column changes no other cell."""
    cells = np.empty(len(OBJECTS) + len(others), object)
    for i, cell in enumerate([*[c for c, _ in OBJECTS], *others]):
        cells[i] = cell
    rows = Rows.open(pd.DataFrame({"a": pd.Series(cells, dtype=object)}))
    assert rows.schema == pa.schema([("a", pa.string())])
    for size in (1, 7, 1000):
        read = pa.Table.from_batches(rows.batches(size))["a"].to_pylist()
        assert read[: len(OBJECTS)] == [text for _, text in OBJECTS]


def test_bytes_that_are_no_text_concern_their_own_cell() -> None:
    raw = pa.array([b"caf\xc3\xa9", b"\xff!", None, b"x"])
    text = pa.StringArray.from_buffers(4, raw.buffers()[1], raw.buffers()[2], raw.buffers()[0])
    coded = pa.DictionaryArray.from_arrays(pa.array([3, 1, 0], pa.int8()), text)
    [batch] = Rows.open(pa.table({"a": text})).batches()
    assert batch.column("a").to_pylist() == ["café", "\ufffd!", None, "x"]
    [batch] = Rows.open(pa.table({"a": coded})).batches()
    assert batch.column("a").to_pylist() == ["x", "\ufffd!", "café"]


def test_categories_of_polars_are_read_and_come_out_as_categories() -> None:
    frame = pl.DataFrame(
        {
            "free": pl.Series(["a", "b", None] * 50, dtype=pl.Categorical),
            "fixed": pl.Series(["x", "y", "x"] * 50, dtype=pl.Enum(["x", "y"])),
        }
    )
    draft = sf.sketch(frame)
    assert [c.categories for c in draft.columns] == [("a", "b"), ("x", "y")]
    model = sf.Synthesizer(draft, "independent", sf.Guarantee(math.inf), no_certificate=True).fit(frame)
    made = model.sample(30, seed=0).to_polars()
    assert [t.base_type() for t in made.dtypes] == [pl.Categorical, pl.Categorical]
    assert set(made["free"].to_list()) == {"a", "b", None}
