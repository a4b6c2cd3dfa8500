"""A cell gets the code that it gets alone: whatever other cells there are, in whatever order and however cut."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.encoding.hostile import CELLS, FACTS, codec_of

from sfumato.encoding.column import ColumnCodec
from sfumato.encoding.measure import label_counts
from sfumato.tables.objects import as_text
from sfumato.trust.gathering import identifiers

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
    pa.float16(): st.floats(width=16).map(np.float16),
    pa.date64(): st.integers(-(2**40), 2**40),
    pa.timestamp("ms", "+01:30"): st.integers(-(2**40), 2**40),
    pa.decimal256(50, 4): st.decimals(-(10**30), 10**30, places=4),
    pa.time32("s"): st.times(),
}

Found = list[tuple[int, bool, bool]]


def read(codec: ColumnCodec, cells: pa.Array) -> Found:
    """The code of each cell, whether it lay outside the facts, and whether it was refused."""
    encoded = codec.encode(cells)
    masks = [np.zeros(len(cells), bool) if m is None else m for m in (encoded.outside, encoded.refused)]
    return list(zip(encoded.codes.tolist(), *(mask.tolist() for mask in masks), strict=True))


def check(codec: ColumnCodec, cells: Sequence[Any], kind: pa.DataType, order: Sequence[int], cut: int) -> None:
    """Alone, together, in another order and in two pieces, as they lie in memory in any form."""
    array = pa.array(cells, kind)
    alone = [read(codec, array.slice(i, 1).take([0]))[0] for i in range(len(array))]
    assert read(codec, array.take(pa.array(order, pa.int64()))) == [alone[i] for i in order]
    for held in forms(array):
        assert read(codec, held) == alone
        assert read(codec, held.slice(0, cut)) + read(codec, held.slice(cut)) == alone


def forms(cells: pa.Array) -> Iterator[pa.Array]:
    """The same cells: as they are; as a part of a longer array; text in other types, and with offsets of such a part;
    in dictionaries, also with null or with equal ones among the entries."""
    yield cells
    longer = pa.concat_arrays([cells, cells, cells]).slice(len(cells), len(cells))
    yield longer
    if pa.types.is_string(cells.type):
        yield cells.cast(pa.string_view())
        large = longer.cast(pa.large_string())
        yield large
        yield pa.concat_arrays([large, large]).slice(len(cells)).cast(pa.string())
    yield longer.dictionary_encode()
    yield longer.dictionary_encode(null_encoding="encode")
    yield pa.DictionaryArray.from_arrays(pa.array(range(len(cells)), pa.int16()), longer)


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


def check_labels(cells: pa.Array, markers: tuple[str, ...] = ("?", "NA")) -> None:
    """Labels and units of cells are those of each alone, and counts of labels add up, in every form."""
    for held in forms(cells):
        singly: Counter[str] = Counter()
        for i in range(len(held)):
            singly.update(label_counts(held.slice(i, 1), markers))
        assert label_counts(held, markers) == singly
        alone = [identifiers(cells.slice(i, 1), markers)[0].as_py() for i in range(len(cells))]
        assert identifiers(held, markers).to_pylist() == alone


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_labels_and_units_are_those_of_each_cell_alone(data: st.DataObject) -> None:
    kinds = {pa.string(): ANY_TEXT, **TYPED}
    kind = data.draw(st.sampled_from(list(kinds)))
    check_labels(pa.array(data.draw(st.lists(st.one_of(st.none(), kinds[kind]), min_size=1, max_size=8)), kind))


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64()], ids=str)
def test_zeros_of_two_signs_are_one_label(kind: pa.DataType) -> None:
    cells = pa.array(np.array([0.0, 0.0, -0.0, 1.5, np.nan], kind.to_pandas_dtype()))
    check_labels(cells)
    for held in forms(cells):
        assert label_counts(held, ()) == {"0": 3, "1.5": 1}


def test_days_with_a_time_inside_are_one_label() -> None:
    days = pa.array([0, 0, 5], pa.int64()).view(pa.date64())
    check_labels(days)
    assert label_counts(days, ()) == {"1970-01-01": 3}


def test_labels_that_overwrite_each_other_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: one more -0.0 put a count of 1 in the place of that of all zeros."""

    def overwritten(labels: pa.Array, counts: np.ndarray, markers: tuple[str, ...]) -> dict[str, int]:
        del markers
        return dict(zip(as_text(labels).to_pylist(), counts.tolist(), strict=True))

    monkeypatch.setattr("sfumato.encoding.measure.labelled", overwritten)
    for cells in (pa.array([0.0, 0.0, -0.0]), pa.array([0, 0, 5], pa.int64()).view(pa.date64())):
        with pytest.raises(AssertionError):
            check_labels(cells)


def test_offsets_of_a_longer_array_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault as it was: letters were put in lower case by offsets of the array of which the cells are a part."""
    monkeypatch.setattr("sfumato.encoding.boolean.plain", lambda cells: pc.ascii_lower(cells.cast(pa.string())))
    with pytest.raises(AssertionError):
        check(CODECS["boolean"], ["yes", "no", "true", "f"] * 3, pa.string(), range(12), 5)


def test_a_cell_without_a_text_takes_the_unit_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(cells: pa.Array) -> pa.Array:
        if "x" in cells.to_pylist():
            raise pa.ArrowInvalid("no text")
        return cells.cast(pa.string())

    monkeypatch.setattr("sfumato.trust.gathering.as_text", failing)
    assert identifiers(pa.array(["a", "x", "b", "x"]), ()).to_pylist() == ["a", None, "b", None]


def test_text_far_inside_a_large_array_is_read(tmp_path: Path) -> None:
    """Offsets beyond 2^31 cannot be cast as they are; the file is sparse and takes no room."""
    ends = np.array([0, 3, 2**31 - 2, 2**31 + 1, 2**31 + 4], np.int64)
    path = tmp_path / "text"
    with path.open("wb") as file:
        for start in (0, int(ends[2]), int(ends[3])):
            file.seek(start)
            file.write(b"yes")
    with pa.memory_map(str(path)) as mapped:
        cells = pa.Array.from_buffers(pa.large_string(), 4, [None, pa.py_buffer(ends), mapped.read_buffer()]).slice(2)
        assert read(CODECS["boolean"], cells) == read(CODECS["boolean"], pa.array(["yes", "yes"]))
        assert identifiers(cells, ()).to_pylist() == ["yes", "yes"]
        assert label_counts(cells, ()) == {"yes": 2}


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
    from sfumato.encoding import parsing

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
