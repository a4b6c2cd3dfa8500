"""Cells are read strictly: what is not plainly of the kind is null."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from sfumato.schema.parsing import clock, moments, numbers

UTC = dt.UTC


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        (" 5 ", 5),
        ("5.0", 5),
        (".5", 0.5),
        ("1e3", 1000),
        ("99999999999999999999", 1e20),
        ("inf", float("inf")),
        ("-Infinity", float("-inf")),
        ("0x10", None),
        ("1,000", None),
        ("1_000", None),
        ("five", None),
        ("nan", None),
        ("", None),
        ("1e", None),
        ("--1", None),
    ],
)
def test_numbers(text: str, value: float | None) -> None:
    assert numbers(pa.array([text, "x"])).to_pylist() == [value, None]


def test_the_strays_of_a_long_column_are_found() -> None:
    cells = [str(i) for i in range(1000)]
    cells[17], cells[900] = "no", "1e999"
    read = numbers(pa.array(cells)).to_pylist()
    assert read[17] is None
    assert read[900] in (None, float("inf"))
    assert read[16] == 16


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
    ],
)
def test_moments(text: str, format: str | None, tz: str | None, value: dt.datetime | None) -> None:
    assert moments(pa.array([text, "x"]), format, tz).to_pylist() == [value, None]


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
