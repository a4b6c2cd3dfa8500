"""Synthetic rows obey the schema's constraints, whatever codes a model samples."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.encoding.codec import Codec
from sfumato.errors import ConditionError, RefusedValue, SchemaError
from sfumato.schema import (
    CategoryColumn,
    Column,
    DateColumn,
    FixedCombinations,
    IdentifierColumn,
    Inequality,
    IntegerColumn,
    NonNull,
    RealColumn,
    Schema,
    Unique,
)

LEVEL = CategoryColumn(name="level", categories=("mid", "low", "high"), nullable=True)
GRADE = IntegerColumn(name="grade", bounds=(1, 3), nullable=True)
PAIRS = (("high", "3"), ("low", "1"), ("mid", "2"))


def combined(outside: Any = "nearest", level: Column = LEVEL, grade: Column = GRADE) -> Codec:
    rule = FixedCombinations(columns=("level", "grade"), combinations=PAIRS, outside=outside)
    return Codec.from_schema(
        Schema(columns=(level, IntegerColumn(name="x", bounds=(0, 1)), grade), constraints=(rule,))
    )


def random_codes(codec: Codec, n: int = 2000) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([rng.integers(0, size, n) for size in codec.domain.sizes], axis=1)


def test_combined_columns_are_one_ordered_axis_with_its_missing_code() -> None:
    codec = combined()
    axis = codec.domain.axes[0]
    assert (axis.name, axis.size, axis.ordered, axis.missing) == ("level+grade", 4, True, 3)
    assert codec.position("grade") == codec.position("level") == 0
    back = codec.decode(np.array([[0, 0], [1, 0], [2, 0], [3, 0]]), np.random.default_rng(0))
    assert back["level"].to_pylist() == ["low", "mid", "high", None]
    assert back["grade"].to_pylist() == [1, 2, 3, None]
    assert back.column_names == ["level", "x", "grade"]


def test_any_codes_give_declared_combinations_and_come_back() -> None:
    codec = combined()
    codes = random_codes(codec)
    back = codec.decode(codes, np.random.default_rng(0))
    allowed = {(a, int(b)) for a, b in PAIRS} | {(None, None)}
    assert set(zip(back["level"].to_pylist(), back["grade"].to_pylist(), strict=True)) <= allowed
    np.testing.assert_array_equal(codec.encode(back), codes)


def test_other_combinations_take_the_nearest_or_are_refused() -> None:
    batch = pa.table({"level": ["low", "low"], "x": [0, 0], "grade": [1, 3]})
    codec = combined()
    encoded = codec.encode_rows(batch)
    back = codec.decode(encoded.codes, np.random.default_rng(0))
    assert back["grade"].to_pylist() == [1, 1]
    assert (encoded.outside.sum(), encoded.refused.sum()) == (1, 0)
    with pytest.raises(RefusedValue, match="columns level, grade"):
        combined("refuse").encode(batch)
    assert combined("refuse").encode_rows(batch).refused.tolist() == [False, True]


def test_conditions_on_either_member() -> None:
    codec = combined()
    assert codec.given({"grade": "2.."})[0].tolist() == [False, True, True, False]
    assert codec.given({"grade": "2..", "level": "mid|low"})[0].tolist() == [False, True, False, False]
    with pytest.raises(ConditionError, match="no declared combination of level, grade"):
        codec.given({"grade": "3", "level": "low"})


def test_combinations_must_fit_their_columns() -> None:
    with pytest.raises(SchemaError, match="'level' does not allow"):
        combined(level=CategoryColumn(name="level", categories=("mid", "low")))
    with pytest.raises(SchemaError, match="'grade' is in fixed combinations"):
        combined(grade=IntegerColumn(name="grade", bounds=(1, 9999)))


BOUND = st.integers(-3000, 3000)


@settings(max_examples=60, deadline=None)
@given(low=st.tuples(BOUND, BOUND).map(sorted), high=st.tuples(BOUND, BOUND).map(sorted), gap=st.booleans())
def test_inequalities_hold_for_any_codes(low: list[int], high: list[int], gap: bool) -> None:
    if low[0] > high[1]:
        low, high = high, low
    schema = Schema(
        columns=(
            IntegerColumn(name="a", bounds=(low[0], low[1]), nullable=gap),
            RealColumn(name="b", bounds=(high[0], high[1]), step=1.0, nullable=gap),
        ),
        constraints=(Inequality(low="a", high="b"),),
    )
    codec = Codec.from_schema(schema)
    back = codec.decode(random_codes(codec, 500), np.random.default_rng(0)).to_pydict()
    for a, b in zip(back["a"], back["b"], strict=True):
        assert a is None or b is None or a <= b
        assert a is None or low[0] <= a <= low[1]
        assert b is None or high[0] <= b <= high[1]


def test_rows_that_obey_are_left_alone_and_others_change_places() -> None:
    bounds = (dt.date(2020, 1, 1), dt.date(2020, 12, 31))
    schema = Schema(
        columns=(DateColumn(name="from", bounds=bounds), DateColumn(name="to", bounds=bounds)),
        constraints=(Inequality(low="from", high="to"),),
    )
    codec = Codec.from_schema(schema)
    codes = codec.encode(pa.table({"from": ["2020-02-01", "2020-05-05"], "to": ["2020-03-01", "2020-01-02"]}))
    back = codec.decode(codes, np.random.default_rng(0))
    assert back["from"].to_pylist() == [dt.date(2020, 2, 1), dt.date(2020, 1, 2)]
    assert back["to"].to_pylist() == [dt.date(2020, 3, 1), dt.date(2020, 5, 5)]


def test_an_inequality_that_bounds_contradict_is_refused() -> None:
    columns = (IntegerColumn(name="a", bounds=(5, 9)), IntegerColumn(name="b", bounds=(0, 4)))
    with pytest.raises(SchemaError, match="'a' is never at most 'b'"):
        Codec.from_schema(Schema(columns=columns, constraints=(Inequality(low="a", high="b"),)))


def test_unique_keys_are_unique_and_non_null_columns_full() -> None:
    schema = Schema(
        columns=(IdentifierColumn(name="id"), IntegerColumn(name="x", bounds=(0, 3))),
        constraints=(Unique(columns=("id", "x")), NonNull(columns=("x",))),
    )
    codec = Codec.from_schema(schema)
    back = codec.decode(random_codes(codec), np.random.default_rng(0))
    assert len(back["id"].unique()) == len(back)
    assert back["x"].null_count == 0
    with pytest.raises(RefusedValue):
        codec.encode(pa.table({"id": [1], "x": pa.array([None], pa.int64())}))
