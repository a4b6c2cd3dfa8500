"""A codec gives back what went in: types, nulls, labels, exact values on exact grids; the rest goes as declared."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.encoding.codec import Codec
from sfumato.encoding.quantity import QuantityCodec
from sfumato.errors import ConditionError, RefusedValue, SchemaError
from sfumato.schema import Schema
from sfumato.tables import Rows, Table, examples

HEAD = "sfumato: schema/1\ncolumns:\n"


def codec_of(column: str, kind: pa.DataType | None = None) -> Codec:
    """A codec of the one column ``x`` whose facts are given as flow YAML."""
    schema = Schema.parse(f"{HEAD}  x: {{{column}}}")
    return Codec.from_schema(schema, types=None if kind is None else {"x": kind})


def around(codec: Codec, cells: pa.Array) -> pa.ChunkedArray:
    batch = pa.table({"x": cells})
    return codec.decode(codec.encode(batch), np.random.default_rng(0))["x"]


INTEGERS = [
    pa.int8(),
    pa.int16(),
    pa.int32(),
    pa.int64(),
    pa.uint8(),
    pa.uint64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
]
LABELLED = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int8(), pa.string()),
    pa.int64(),
    pa.float64(),
]
MOMENTS = [pa.timestamp("s"), pa.timestamp("us"), pa.timestamp("ns"), pa.date32(), pa.date64()]
ZONED = [pa.timestamp("us", "UTC"), pa.timestamp("ms", "Asia/Kolkata")]


@settings(max_examples=80, deadline=None)
@given(values=st.lists(st.none() | st.integers(0, 100), min_size=1, max_size=30), kind=st.sampled_from(INTEGERS))
def test_exact_integers_come_back_in_their_type(values: list[int | None], kind: pa.DataType) -> None:
    cells = pa.array(values, pa.int64()).cast(kind)
    back = around(codec_of("kind: integer, bounds: [0, 100], nullable: true", kind), cells)
    assert back.type == kind
    assert back.to_pylist() == cells.to_pylist()


@settings(max_examples=80, deadline=None)
@given(
    values=st.lists(st.none() | st.sampled_from([1, 2, 30]), min_size=1, max_size=30), kind=st.sampled_from(LABELLED)
)
def test_categories_come_back_in_their_type(values: list[int | None], kind: pa.DataType) -> None:
    cells = pa.array(values, pa.int64())
    if pa.types.is_dictionary(kind):
        cells = cells.cast(pa.string()).dictionary_encode().cast(kind)
    elif not pa.types.is_integer(kind):
        cells = (cells if pa.types.is_floating(kind) else cells.cast(pa.string())).cast(kind)
    back = around(codec_of("kind: category, categories: [1, 2, 30], nullable: true", kind), cells)
    assert back.type == kind
    assert back.to_pylist() == cells.to_pylist()


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.none() | st.dates(dt.date(2020, 1, 1), dt.date(2021, 1, 1)), min_size=1, max_size=20),
    kind=st.sampled_from([*MOMENTS, pa.string()]),
)
def test_exact_dates_come_back_in_their_type(values: list[dt.date | None], kind: pa.DataType) -> None:
    cells = pa.array(values, pa.date32()).cast(kind)
    back = around(codec_of("kind: date, bounds: [2020-01-01, 2021-01-01], nullable: true", kind), cells)
    assert back.type == kind
    assert back.to_pylist() == cells.to_pylist()


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.none() | st.integers(0, 400).map(lambda h: dt.datetime(2020, 1, 1) + dt.timedelta(hours=h)), min_size=1
    ),
    kind=st.sampled_from([*MOMENTS[:3], *ZONED]),
)
def test_exact_moments_keep_their_type_and_zone(values: list[dt.datetime | None], kind: pa.DataType) -> None:
    cells = pa.array(values, pa.timestamp("us", "UTC" if kind.tz else None)).cast(kind)
    tz = f", tz: {kind.tz}" if kind.tz else ""
    facts = f"kind: datetime, bounds: [2020-01-01, 2020-01-19], resolution: hour, nullable: true{tz}"
    if kind.tz == "Asia/Kolkata":
        facts = facts.replace("hour", "minute")
        codec = codec_of(facts, kind)
        assert around(codec, cells).type == kind
        return
    codec = codec_of(facts, kind)
    back = around(codec, cells)
    assert back.type == kind
    assert back.cast(pa.timestamp("us", kind.tz)).to_pylist() == cells.cast(pa.timestamp("us", kind.tz)).to_pylist()


@settings(max_examples=60, deadline=None)
@given(
    bounds=st.tuples(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12)).map(sorted),
    shares=st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=20),
    scale=st.sampled_from(["auto", "linear", "significant"]),
)
def test_reals_stay_in_their_interval(bounds: list[float], shares: list[float | None], scale: str) -> None:
    low, high = bounds
    if 0 < max(abs(low), abs(high)) < 1e-200:
        bounds = low, high = [0.0, 0.0]
        with pytest.raises(SchemaError, match="a smaller unit"):
            codec_of("kind: real, bounds: [0, 5e-324]", pa.float64())
    cells = pa.array([None if s is None else min(high, max(low, low + s * (high - low))) for s in shares], pa.float64())
    codec = codec_of(f"kind: real, bounds: [{low!r}, {high!r}], scale: {scale}, nullable: true", pa.float64())
    back = around(codec, cells).combine_chunks()
    assert back.is_null().to_pylist() == cells.is_null().to_pylist()
    np.testing.assert_array_equal(codec.encode(pa.table({"x": back})), codec.encode(pa.table({"x": cells})))


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.decimal128(6, 1), pa.string()])
def test_a_step_makes_reals_exact(kind: pa.DataType) -> None:
    cells = pa.array(["0.1", "0.3", "37.4", "50"]).cast(pa.float64())
    cells = cells.cast(pa.string()).cast(kind)
    back = around(codec_of("kind: real, bounds: [0, 50], step: 0.1", kind), cells)
    assert back.type == kind
    assert back.to_pylist() == cells.to_pylist()


@pytest.mark.parametrize(
    ("kind", "cells", "facts"),
    [
        (pa.bool_(), [True, False, None], ""),
        (pa.int8(), [1, 0, None], ""),
        (pa.string(), ["yes", "no", None], ", labels: [no, yes]"),
        (pa.string(), ["true", "false", None], ""),
    ],
)
def test_booleans_come_back_in_their_type(kind: pa.DataType, cells: list[Any], facts: str) -> None:
    back = around(codec_of(f"kind: boolean, nullable: true{facts}", kind), pa.array(cells, kind))
    assert back.type == kind
    assert back.to_pylist() == cells


@pytest.mark.parametrize("kind", [pa.time32("s"), pa.time64("us"), pa.string()])
def test_times_of_day_come_back_in_their_type(kind: pa.DataType) -> None:
    times = pa.array(["07:00:00", "23:00:00"])
    cells = times if kind == pa.string() else pa.array([dt.time(7), dt.time(23)], kind)
    back = around(codec_of("kind: time, resolution: hour", kind), cells)
    assert back.type == kind
    assert back.to_pylist() == cells.to_pylist()


def test_delimited_text_gets_natural_types_and_its_marks_back() -> None:
    text = (
        'nulls: ["?"]\n' + HEAD + "  age: {kind: integer, bounds: [0, 99], nullable: true}\n"
        "  day: {kind: date, bounds: [2020-01-01, 2020-12-31], format: '%d/%m/%Y'}\n"
        "  ok: {kind: boolean, labels: [N, Y], nullable: true}\n"
    ).replace("'", '"')
    codec = Codec.from_schema(Schema.parse(text))
    batch = pa.table({"age": ["7", "?"], "day": ["29/02/2020", "01/03/2020"], "ok": ["Y", "?"]})
    back = codec.decode(codec.encode(batch), np.random.default_rng(0))
    assert back.to_pydict() == {"age": [7, None], "day": ["29/02/2020", "01/03/2020"], "ok": ["Y", None]}
    assert back.field("age").metadata == {b"null": b"?"}


def test_a_real_table_looks_the_same_again(shared_data: Any, tmp_path: Any) -> None:
    source = shared_data / "adult" / "train.csv"
    codec = Codec.from_schema(Schema.load(examples.adult_schema()))
    batch = next(iter(Rows.open(source).batches()))
    Table(codec.decode(codec.encode(batch), np.random.default_rng(0))).write(tmp_path / "out.csv")
    back = next(iter(Rows.open(tmp_path / "out.csv").batches()))
    wide = {"fnlwgt", "capital-gain", "capital-loss"}
    for name in codec.schema.names:
        same = back.column(name).to_pylist() == batch.column(name).to_pylist()
        assert same or name in wide, name
    np.testing.assert_array_equal(codec.encode(back), codec.encode(batch))


def test_codes_take_the_smallest_type_and_lie_by_column() -> None:
    codec = codec_of("kind: integer, bounds: [0, 255]")
    codes = codec.encode(pa.table({"x": [0, 255]}))
    assert codes.dtype == np.uint8
    assert codes.flags.f_contiguous
    assert codec_of("kind: integer, bounds: [0, 256]").encode(pa.table({"x": [0]})).dtype == np.uint16


@pytest.mark.parametrize(
    ("facts", "cells", "out", "count"),
    [
        ("kind: integer, bounds: [0, 9]", ["-5", "99", "3", "inf"], [0, 9, 3, 9], 3),
        (
            "kind: integer, bounds: [0, 9], outside: missing, nullable: true",
            ["-5", "3.5", "x", "3"],
            [None] * 3 + [3],
            3,
        ),
        ("kind: integer, bounds: [0, 9], nullable: true", ["3.5", "x", "", "-inf"], [None, None, None, 0], 3),
        ("kind: category, categories: [a], outside: other", ["a", "ZEBRA"], ["a", "OTHER"], 1),
        ("kind: category, categories: [a], outside: missing, nullable: true", ["a", "ZEBRA"], ["a", None], 1),
        ("kind: boolean, outside: missing, nullable: true", ["yes", "maybe"], [True, None], 1),
        ("kind: date, bounds: [2020-01-01, 2020-01-09]", ["1999-01-01", "2020-01-05"], ["2020-01-01", "2020-01-05"], 1),
        ("kind: time, resolution: hour, outside: missing, nullable: true", ["07:00", "99:00"], [dt.time(7), None], 1),
    ],
)
def test_what_lies_outside_goes_where_the_schema_says_and_is_counted(
    facts: str, cells: list[str], out: list[Any], count: int
) -> None:
    codec = codec_of(facts)
    encoded = codec.encode_rows(pa.table({"x": cells}))
    back = codec.decode(encoded.codes, np.random.default_rng(0))["x"].to_pylist()
    assert [str(b) if isinstance(b, dt.date) else b for b in back] == out
    assert encoded.outside.sum() == count
    assert not encoded.refused.any()


@pytest.mark.parametrize(
    ("facts", "cells"),
    [
        ("kind: integer, bounds: [0, 9], outside: refuse", ["8675309"]),
        ("kind: integer, bounds: [0, 9]", ["8675309x"]),
        ("kind: integer, bounds: [0, 9]", [None]),
        ("kind: category, categories: [a]", ["8675309"]),
        ("kind: category, categories: [a]", [""]),
        ("kind: boolean", ["8675309"]),
        ("kind: date, bounds: [2020-01-01, 2020-01-09], outside: refuse", ["8675-03-09"]),
    ],
)
def test_refusals_name_the_column_and_the_mend_but_no_value(facts: str, cells: list[Any]) -> None:
    with pytest.raises(RefusedValue, match=r"column 'x'.*'nullable: true'") as caught:
        codec_of(facts).encode(pa.table({"x": pa.array(cells, pa.string())}))
    assert "8675" not in str(caught.value)
    encoded = codec_of(facts).encode_rows(pa.table({"x": pa.array(cells, pa.string())}))
    assert (encoded.outside.tolist(), encoded.refused.tolist(), len(encoded.records)) == ([True], [True], 0)


def test_a_row_with_a_refused_cell_makes_no_record_and_moves_no_other() -> None:
    codec = codec_of("kind: integer, bounds: [0, 9]")
    cells = ["3", "x", None, "", "99", "4.5", "7"]
    encoded = codec.encode_rows(pa.table({"x": pa.array(cells, pa.string())}))
    assert encoded.refused.tolist() == [False, True, True, True, False, True, False]
    assert encoded.outside.tolist() == [False, True, True, True, True, True, False]
    assert encoded.records[:, 0].tolist() == [3, 9, 7]


def test_nan_is_missing_and_infinity_is_clipped() -> None:
    codec = codec_of("kind: real, bounds: [0, 50], step: 0.5, nullable: true", pa.float64())
    cells = pa.array([float("nan"), float("inf"), float("-inf"), 1e308, None, 2.5])
    assert around(codec, cells).to_pylist() == [None, 50.0, 0.0, 50.0, None, 2.5]


def test_a_dictionary_may_hold_a_null_or_a_marker() -> None:
    codec = codec_of('kind: category, categories: [a, b], nullable: true, nulls: ["?"]')
    cells = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["b", None, "?"]))
    assert around(codec, cells).to_pylist() == ["b", None, None, None]


@pytest.mark.parametrize(
    "facts",
    [
        "kind: real, bounds: [0, 50]",
        "kind: integer, bounds: [0, 50]",
        "kind: category, categories: [a, b]",
        "kind: boolean",
        "kind: date, bounds: [2020-01-01, 2021-01-01]",
        "kind: time",
    ],
)
def test_a_column_that_came_without_a_type_gets_its_natural_one(facts: str) -> None:
    """As an all-null column of pandas does; that all are null is the rows' own."""
    untyped, typed = codec_of(f"{facts}, nullable: true", pa.null()), codec_of(f"{facts}, nullable: true")
    assert around(untyped, pa.nulls(3)).null_count == 3
    assert untyped.to_json() == typed.to_json()


def test_identifiers_are_made_anew_and_text_is_dropped() -> None:
    text = HEAD + "  id: {kind: identifier, pattern: 'P-##/#'}\n  n: {kind: identifier}\n  memo: {kind: text}\n"
    schema = Schema.parse(text.replace("'", '"') + "  x: {kind: boolean}")
    codec = Codec.from_schema(schema)
    batch = pa.table({"id": ["ZEBRA"] * 12, "n": ["7"] * 12, "memo": ["ZEBRA"] * 12, "x": ["yes"] * 12})
    back = codec.decode(codec.encode(batch), np.random.default_rng(0))
    assert codec.dropped == ("memo",)
    assert back.column_names == ["id", "n", "x"]
    assert back["id"].to_pylist()[:2] == ["P-00/1", "P-00/2"]
    assert back["id"].to_pylist()[-1] == "P-01/2"
    assert back["n"].to_pylist() == list(range(1, 13))
    with pytest.raises(SchemaError, match="makes no int64; write 'type: string'"):
        Codec.from_schema(schema, types={"id": pa.int64()})
    with pytest.raises(SchemaError, match="no room for 1000 identifiers"):
        codec.decode(np.zeros((1000, 1), np.uint8), np.random.default_rng(0))


def test_columns_must_match_by_name_in_any_order() -> None:
    schema = Schema.parse(HEAD + "  a: {kind: boolean}\n  b: {kind: boolean}")
    codec = Codec.from_schema(schema)
    assert codec.encode(pa.table({"b": [True], "a": [False]})).tolist() == [[0, 1]]
    with pytest.raises(SchemaError, match="lacks the column 'b'"):
        codec.encode(pa.table({"a": [True]}))
    with pytest.raises(SchemaError, match="column 'c' that the schema lacks"):
        codec.encode(pa.table({"a": [True], "b": [True], "c": [1]}))


@pytest.mark.parametrize(
    ("facts", "value", "allowed"),
    [
        ("kind: integer, bounds: [0, 9]", "3..5", [3, 4, 5]),
        ("kind: integer, bounds: [0, 9]", "8..", [8, 9]),
        ("kind: integer, bounds: [0, 9]", "..1", [0, 1]),
        ("kind: integer, bounds: [0, 9]", 7, [7]),
        ("kind: integer, bounds: [0, 9], nullable: true", None, [None]),
        ("kind: integer, bounds: [0, 9], nullable: true", "", [None]),
        ("kind: category, categories: [a, b, c]", "a|c", ["a", "c"]),
        ('kind: category, categories: ["a|c", b]', "a|c", ["a|c"]),
        ("kind: boolean", "yes", [True]),
        ("kind: boolean", True, [True]),
        ("kind: date, bounds: [2020-01-01, 2020-01-09]", "2020-01-08..", ["2020-01-08", "2020-01-09"]),
        ("kind: integer, bounds: [0, 99999]", "15001..15003", [15001, 15002, 15003]),
    ],
)
def test_conditions_allow_what_they_say(facts: str, value: Any, allowed: list[Any]) -> None:
    codec = codec_of(facts)
    mask = codec.given({"x": value})[0]
    codes = np.repeat(np.flatnonzero(mask), 100)[:, None]
    back = codec.decode(codes, np.random.default_rng(0), {"x": value})["x"].unique().to_pylist()
    assert sorted(map(str, back)) == sorted(map(str, allowed))


@pytest.mark.parametrize(
    ("facts", "name", "value", "says"),
    [
        ("kind: integer, bounds: [0, 9]", "y", "3", "'y', which is no learnt column; there are 'x'"),
        ("kind: integer, bounds: [0, 9]", "x", "77", "no value within 0 .. 9"),
        ("kind: integer, bounds: [0, 9]", "x", "old", "names no integer"),
        ("kind: integer, bounds: [0, 9]", "x", "..", "30..40"),
        ("kind: integer, bounds: [0, 9]", "x", None, "no missing values"),
        ("kind: category, categories: [a, b]", "x", "z", "no category 'z'; it has 'a', 'b'"),
        ("kind: boolean", "x", "perhaps", "write true or false"),
        ("kind: date, bounds: [2020-01-01, 2020-01-09]", "x", "soon", "names no date"),
    ],
)
def test_conditions_that_name_nothing_are_refused(facts: str, name: str, value: Any, says: str) -> None:
    with pytest.raises(ConditionError, match=says):
        codec_of(facts).given({name: value})


def test_json_gives_the_same_codec_back() -> None:
    schema = Schema.load(examples.adult_schema())
    codec = Codec.from_schema(schema, types={"age": pa.int16(), "income": pa.dictionary(pa.int8(), pa.string())})
    again = Codec.from_json(codec.to_json())
    assert again == codec
    assert again.domain == codec.domain
    assert str(again.field("income").type) == "dictionary<values=string, indices=int8, ordered=0>"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda f: "[" * 100_000,
        lambda f: "{}",
        lambda f: "null",
        lambda f: json.dumps({**f, "format": "codec/9"}),
        lambda f: json.dumps({**f, "more": 1}),
        lambda f: json.dumps({**f, "schema": []}),
        lambda f: json.dumps({**f, "types": {"x": "void"}}),
        lambda f: json.dumps({**f, "types": [1]}),
        lambda f: json.dumps({**f, "schema": {**f["schema"], "columns": []}}),
        lambda f: json.dumps({**f, "schema": {**f["schema"], "columns": [{"kind": "integer", "name": "x"}]}}),
        lambda f: json.dumps({**f, "schema": {**f["schema"], "target": "zz"}}),
        lambda f: json.dumps(f).replace("9]", "1e999]"),
        lambda f: json.dumps(f).replace("[0, 9]", f"[0, {10**30}]"),
    ],
)
def test_hostile_json_is_a_value_error(spoil: Any) -> None:
    fields = json.loads(codec_of("kind: integer, bounds: [0, 9]").to_json())
    with pytest.raises(ValueError, match=r"codec|type"):
        Codec.from_json(spoil(fields))


def test_many_columns_and_many_categories() -> None:
    labels = [f"c{i}" for i in range(5000)]
    text = HEAD + f"  big: {{kind: category, categories: [{', '.join(labels)}]}}\n"
    text += "".join(f"  x{i}: {{kind: integer, bounds: [0, 9]}}\n" for i in range(299))
    codec = Codec.from_schema(Schema.parse(text))
    rng = np.random.default_rng(0)
    table = {"big": rng.choice(labels, 1000)} | {f"x{i}": rng.integers(0, 10, 1000) for i in range(299)}
    batch = pa.table(table)
    codes = codec.encode(batch)
    assert codes.shape == (1000, 300)
    back = codec.decode(codes, rng)
    assert back["big"].to_pylist() == batch["big"].to_pylist()


def test_a_table_of_no_rows_and_of_one() -> None:
    codec = codec_of("kind: integer, bounds: [0, 99999], nullable: true")
    empty = codec.encode(pa.table({"x": pa.array([], pa.string())}))
    assert empty.shape == (0, 1)
    assert codec.decode(empty, np.random.default_rng(0)).num_rows == 0
    assert codec.encode(pa.table({"x": ["12"]})).shape == (1, 1)


def test_wide_values_are_drawn_evenly_inside_their_interval() -> None:
    """A public rule: nothing is known of where in an interval people's values heap, so none of it is preferred."""
    codec = codec_of("kind: integer, bounds: [0, 99999]")
    inner = codec.columns["x"]
    assert isinstance(inner, QuantityCodec)
    code = inner.grid.codes(np.array([15_500]))[0]
    drawn = codec.decode(np.full((100_000, 1), code), np.random.default_rng(1))["x"].to_numpy()
    counts = np.bincount(drawn - 15_000, minlength=1000)
    chi2 = ((counts - 100) ** 2 / 100).sum()
    assert chi2 < 1187  # the 1 - 1e-5 quantile of chi-square with 999 degrees of freedom


def test_decimals_are_read_as_numbers() -> None:
    cells = pa.array([Decimal("1.5"), None], pa.decimal128(5, 2))
    back = around(codec_of("kind: real, bounds: [0, 5], step: 0.01, nullable: true", cells.type), cells)
    assert back.to_pylist() == cells.to_pylist()
