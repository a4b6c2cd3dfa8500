"""A cell gets the code that it gets alone: whatever other cells there are, in whatever order and however cut."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.encoding.hostile import CELLS, FACTS, codec_of

from sfumato.encoding.column import ColumnCodec

CODECS = {name: codec_of(facts) for name, facts in FACTS.items()}
ANY_TEXT = st.one_of(
    st.sampled_from(CELLS),
    st.from_regex(r"[ ]?[+-]?[0-9]{0,25}[.,']?[0-9]{0,25}([eE][+-]?[0-9]{1,6})?[ ]?", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?([+-][0-9]{4}|Z)?)?", fullmatch=True),
    st.text(max_size=6),
)
TYPED = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.uint64(): st.integers(0, 2**64 - 1),
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.bool_(): st.booleans(),
    pa.decimal128(38, 4): st.decimals(-(10**30), 10**30, places=4),
    pa.decimal128(5, 2): st.decimals(Decimal("-999.99"), Decimal("999.99"), places=2),
    pa.date32(): st.dates(),
    pa.timestamp("s"): st.integers(-(2**63) + 1, 2**63 - 1),
    pa.timestamp("us"): st.integers(-(2**63) + 1, 2**63 - 1),
    pa.timestamp("ns", "Asia/Kolkata"): st.integers(-(2**63) + 1, 2**63 - 1),
    pa.time64("us"): st.times(),
}

Found = list[tuple[int, bool, bool]]


def read(codec: ColumnCodec, cells: pa.Array) -> Found:
    """The code of each cell, whether it lay outside the facts, and whether it was refused."""
    encoded = codec.encode(cells)
    masks = [np.zeros(len(cells), bool) if m is None else m for m in (encoded.outside, encoded.refused)]
    return list(zip(encoded.codes.tolist(), *(mask.tolist() for mask in masks), strict=True))


def check(codec: ColumnCodec, cells: Sequence[Any], kind: pa.DataType, order: Sequence[int], cut: int) -> None:
    """Alone, together, in another order and in two pieces."""
    array = pa.array(cells, kind)
    alone = [read(codec, array.slice(i, 1).take([0]))[0] for i in range(len(array))]
    assert read(codec, array) == alone
    assert read(codec, array.take(pa.array(order, pa.int64()))) == [alone[i] for i in order]
    assert read(codec, array.slice(0, cut)) + read(codec, array.slice(cut)) == alone


@pytest.mark.parametrize("name", CODECS)
def test_hostile_cells_get_the_codes_they_get_alone(name: str) -> None:
    check(CODECS[name], CELLS, pa.string(), range(len(CELLS))[::-1], len(CELLS) // 3)


@pytest.mark.parametrize("name", CODECS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_text_gets_the_code_it_gets_alone(name: str, data: st.DataObject) -> None:
    cells = data.draw(st.lists(st.one_of(st.none(), ANY_TEXT), min_size=1, max_size=8))
    order = data.draw(st.permutations(range(len(cells))))
    check(CODECS[name], cells, pa.string(), order, data.draw(st.integers(0, len(cells))))


@pytest.mark.parametrize("name", ["integer", "wide integer", "real", "boolean", "date", "zoned datetime", "time"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_typed_cell_gets_the_code_it_gets_alone(name: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(TYPED)))
    cells = data.draw(st.lists(st.one_of(st.none(), TYPED[kind]), min_size=1, max_size=8))
    order = data.draw(st.permutations(range(len(cells))))
    check(CODECS[name], cells, kind, order, data.draw(st.integers(0, len(cells))))


@settings(max_examples=60, deadline=None)
@given(value=st.integers(-(2**70), 2**70), text=st.sampled_from(["{}", "+{}", " {}", "{}.", "{}.00", "{}e0", "00{}"]))
def test_whole_numbers_stay_exact_however_they_are_written(value: int, text: str) -> None:
    spelt = text.format(value) if value >= 0 or text not in ("+{}", "00{}") else str(value)
    codec = codec_of(f"kind: integer, bounds: [{2**53 - 9}, {2**53 + 9}]")
    near = 2**53 + value % 19 - 9
    for number, cell in ((value, spelt), (near, text.format(near))):
        (code, outside, _), *_ = read(codec, pa.array([cell, "1.5", "x"]))
        assert code == min(max(number, 2**53 - 9), 2**53 + 9) - (2**53 - 9)
        assert outside == (abs(number - 2**53) > 9)


def the_old_cast(values: pa.Array, form: Any = None) -> np.ndarray:
    """The planted bug: the whole array is cast, and only where that fails is each cell looked at."""
    del form
    for kind in (pa.int64(), pa.float64()):
        try:
            return np.nan_to_num(values.cast(kind).cast(pa.float64()).to_numpy(zero_copy_only=False))
        except pa.ArrowInvalid:
            continue
    valid = pa.compute.match_substring_regex(values, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$")  # type: ignore[attr-defined]
    return pa.compute.if_else(valid, values, None).cast(pa.float64()).to_numpy(zero_copy_only=False)  # type: ignore[attr-defined]


def test_a_cast_of_the_whole_array_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sfumato.encoding.real.reals", the_old_cast)
    for cells in (["NaN", "<0.1"], ["0x10", "1.5"], CELLS):
        with pytest.raises(AssertionError):
            check(CODECS["real"], cells, pa.string(), range(len(cells)), 1)


def test_an_offset_that_changes_its_neighbours_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from sfumato.schema import parsing

    def by_any_offset(values: pa.Array, format: str | None, tz: str | None) -> pa.Array:
        zoned = pa.types.is_string(values.type) and any("+" in text for text in values.to_pylist())
        return parsing.moments(values, format, "UTC" if zoned else tz)

    monkeypatch.setattr("sfumato.encoding.datetime.moments", by_any_offset)
    cells = ["2019-07-01 00:00", "2019-07-01 12:00+0530"]
    with pytest.raises(AssertionError):
        check(codec_of(FACTS["zoned datetime"]), cells, pa.string(), (1, 0), 1)


def test_times_before_1970_and_dates_are_read_alone_too() -> None:
    moments = [dt.datetime(1969, 12, 31, 23, 59, 59, 999_999), dt.datetime(2020, 1, 1), None]
    check(CODECS["datetime"], moments, pa.timestamp("us"), (2, 1, 0), 1)
