"""Cells are read strictly: what is not plainly of the kind is null."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest

from sfumato.encoding.numerals import exact, reals, wholes
from sfumato.encoding.parsing import clock, moments
from sfumato.schema.numeral import PLAIN, Numeral

UTC = dt.UTC


INFINITE = float("inf")
NO_NUMBER = (
    "NaN",
    "nan",
    "-nan",
    "0x10",
    "1_000",
    "1,000",
    "1 000",
    "five",
    "",
    " ",
    "1e",
    "e5",
    ".",
    "--1",
    "+-1",
    "1.2.3",
)
OTHER_SCRIPTS = ("\uff11\uff12", "\u0661\u0662", "1\u00a0", "\u22125", "in\u017f", "\u0131nf")
"""Full-width and Arabic digits, a space that does not break, a minus of typographers, letters like those of inf."""

NUMBERS = [
    ("5", 5, 5.0),
    ("-5", -5, -5.0),
    ("+5", 5, 5.0),
    (" 5\t", 5, 5.0),
    ("005", 5, 5.0),
    ("5.", 5, 5.0),
    ("5.0", 5, 5.0),
    (".5", None, 0.5),
    ("-0.5", None, -0.5),
    ("1e3", 1000, 1000.0),
    ("1e0005", 100_000, 100_000.0),
    ("12.5E1", 125, 125.0),
    ("99999999999999.9", None, 99999999999999.9),
    ("9007199254740993", 9007199254740993, 9007199254740992.0),
    ("9007199254740993.0", 9007199254740993, 9007199254740992.0),
    ("4611686018427387904", 2**62, 2.0**62),
    ("9223372036854775808", "beyond", 2.0**63),
    ("-" + "9" * 40, "below", -1e40),
    ("1e9999", "beyond", INFINITE),
    ("1e" + "9" * 5000, "beyond", INFINITE),
    ("1e-9999", None, 0.0),
    ("0e9999", 0, 0.0),
    ("-Infinity", "below", -INFINITE),
    ("inf", "beyond", INFINITE),
    *((text, "unreadable", None) for text in (*NO_NUMBER, *OTHER_SCRIPTS)),
]


def whole(values: pa.Array, form: Numeral = PLAIN) -> list[int | str | None]:
    """A whole number, None for a fraction, or what else a cell is."""
    read = wholes(values, form)
    found: list[int | str | None] = []
    for i, number in enumerate(read.floor.tolist()):
        if read.unreadable is not None and read.unreadable[i]:
            found.append("unreadable")
        elif read.fraction is not None and read.fraction[i]:
            found.append(None)
        else:
            found.append("beyond" if number > 2**62 else "below" if number < -(2**62) else number)
    return found


def real(values: pa.Array, form: Numeral = PLAIN) -> list[float | None]:
    return [None if math.isnan(x) else x for x in reals(values, form).tolist()]


@pytest.mark.parametrize(("text", "as_whole", "as_real"), NUMBERS)
def test_numbers(text: str, as_whole: int | str | None, as_real: float | None) -> None:
    for others in ([], ["7"], ["x"], [None, "1.5", "1e9999"]):
        cells = pa.array([text, *others])
        assert whole(cells)[0] == as_whole
        assert real(cells)[0] == as_real


@pytest.mark.parametrize(
    ("text", "form", "value"),
    [
        ("1.234,5", Numeral(",", "."), 1234.5),
        ("1234,5", Numeral(",", "."), 1234.5),
        ("-1.234.567", Numeral(",", "."), -1234567.0),
        ("1,5e2", Numeral(",", None), 150.0),
        (",5", Numeral(",", None), 0.5),
        (" 12\u00a0345 ", Numeral(",", "\u00a0"), 12345.0),
        ("1'234.5", Numeral(".", "'"), 1234.5),
        ("1.5", Numeral(",", "."), None),
        ("1.5", Numeral(",", None), None),
        ("12.34.567", Numeral(",", "."), None),
        ("1234.567", Numeral(",", "."), None),
        (".234", Numeral(",", "."), None),
        ("1,234", Numeral(".", ","), 1234.0),
        ("1,23", Numeral(".", ","), None),
        ("inf", Numeral(",", "."), INFINITE),
    ],
)
def test_numbers_of_a_declared_form(text: str, form: Numeral, value: float | None) -> None:
    for others in ([], ["7"], ["x"], ["1.5", "1,5"]):
        assert real(pa.array([text, *others]), form)[0] == value
        expected = {None: "unreadable", INFINITE: "beyond"}.get(
            value, value if value is None or value % 1 == 0 else None
        )
        assert whole(pa.array([text, *others]), form)[0] == expected
    assert exact(text, form) == (None if value in (None, INFINITE) else Fraction(value))


def test_a_number_is_the_same_in_every_type_that_can_hold_it() -> None:
    kinds = [pa.int64(), pa.uint64(), pa.float64(), pa.decimal128(38, 0), pa.decimal128(38, 9), pa.decimal256(70, 30)]
    for kind in kinds:
        cells = pa.array([2**53 - 1, 0, None], pa.int64()).cast(kind)
        assert whole(cells) == [2**53 - 1, 0, "unreadable"]
        assert real(cells) == [2.0**53 - 1, 0.0, None]
    assert whole(pa.array([2**64 - 1, 2**53 + 1], pa.uint64())) == ["beyond", 2**53 + 1]
    assert whole(pa.array([-0.5, 2.0**70, -INFINITE, None])) == [None, "beyond", "below", "unreadable"]
    assert whole(pa.array([Decimal("9007199254740993.00"), Decimal("-0.25")])) == [9007199254740993, None]
    assert wholes(pa.array([-0.5, 1.5])).floor.tolist() == [-1, 1]
    assert whole(pa.array([True, False, None])) == [1, 0, "unreadable"]


def test_slices_are_read_as_their_own_cells() -> None:
    cells = pa.array(["no", "12", None, "-7", "1.5", "8"])
    for start in range(6):
        for stop in range(start + 1, 7):
            piece = cells.slice(start, stop - start)
            assert whole(piece) == whole(cells)[start:stop]
            assert real(piece) == real(cells)[start:stop]


@pytest.mark.parametrize(
    ("text", "format", "tz", "value"),
    [
        ("2020-02-29", None, None, dt.datetime(2020, 2, 29)),
        ("2020-02-31", None, None, None),
        ("2020-02-29 10:30", None, None, dt.datetime(2020, 2, 29, 10, 30)),
        ("2020-02-29T10:30:15.5", None, None, dt.datetime(2020, 2, 29, 10, 30, 15, 500_000)),
        ("29.02.2020", None, None, None),
        ("29.02.2020", "%d.%m.%Y", None, dt.datetime(2020, 2, 29)),
        ("1.2.2020", "%d.%m.%Y", None, dt.datetime(2020, 2, 1)),
        ("31.02.2020", "%d.%m.%Y", None, None),
        ("2020-07-01T12:00:00", None, "Europe/Amsterdam", dt.datetime(2020, 7, 1, 10, tzinfo=UTC)),
        ("2020-07-01T12:00:00Z", None, "Europe/Amsterdam", dt.datetime(2020, 7, 1, 12, tzinfo=UTC)),
        ("2020-07-01T12:00:00+05:30", None, "UTC", dt.datetime(2020, 7, 1, 6, 30, tzinfo=UTC)),
        ("2020-10-25T02:30:00", None, "Europe/Amsterdam", dt.datetime(2020, 10, 25, 0, 30, tzinfo=UTC)),
        ("2020-03-29T02:30:00", None, "Europe/Amsterdam", dt.datetime(2020, 3, 29, 0, 59, 59, 999_999, tzinfo=UTC)),
        ("12 o'clock", None, "UTC", None),
        ("2020-02-29 10:30:15.123456789", None, None, dt.datetime(2020, 2, 29, 10, 30, 15, 123_456)),
        ("2020-02-29T23:30-02:00", None, None, dt.datetime(2020, 3, 1, 1, 30)),
        ("2020-02-29Z", None, None, None),
        ("\uff12020-02-29", "%Y-%m-%d", None, None),
        ("29/02/2020 10:30:15", "%d/%m/%Y %H:%M:%S", None, dt.datetime(2020, 2, 29, 10, 30, 15)),
        ("2020-07-01 12:00+0530", "%Y-%m-%d %H:%M%z", "Europe/Amsterdam", dt.datetime(2020, 7, 1, 6, 30, tzinfo=UTC)),
        ("2020-07-01 12:00+0530", "%Y-%m-%d %H:%M%z", None, dt.datetime(2020, 7, 1, 6, 30)),
        ("0001-01-01 00:00+0530", "%Y-%m-%d %H:%M%z", "UTC", None),
    ],
)
def test_moments(text: str, format: str | None, tz: str | None, value: dt.datetime | None) -> None:
    for others in ([], ["x"], ["2020-01-01"], ["2020-01-01T10:00Z", "2020-01-01 10:00+0200"]):
        assert moments(pa.array([text, *others]), format, tz)[0].as_py() == value


def test_moments_of_any_unit_stay_where_they_are_or_go_to_the_far_end() -> None:
    far = [-(2**63) + 1, 2**63 - 1]
    for unit in ("s", "ms", "us"):
        for zone in (None, "Europe/Amsterdam"):
            cells = pa.array(far, pa.int64()).cast(pa.timestamp(unit, zone))
            for tz in (None, "Asia/Kolkata"):
                low, high = moments(cells, None, tz).cast(pa.int64()).to_pylist()
                assert low < -(2**60)
                assert high > 2**60


@pytest.mark.parametrize(
    ("text", "format", "value"),
    [
        ("12:30", None, dt.time(12, 30)),
        ("12:30:15", None, dt.time(12, 30, 15)),
        ("24:30", None, None),
        ("noon", None, None),
        ("07.15", "%H.%M", dt.time(7, 15)),
    ],
)
def test_times_of_day(text: str, format: str | None, value: dt.time | None) -> None:
    assert clock(pa.array([text, "x"]), format).to_pylist() == [value, None]
