"""Cells that some parser somewhere reads otherwise, and a column of each kind to read them."""

from __future__ import annotations

from sfumato.encoding.codec import Codec
from sfumato.encoding.column import ColumnCodec
from sfumato.schema import Schema

FACTS = {
    "integer": "kind: integer, bounds: [-5, 90]",
    "integer, not clipped": "kind: integer, bounds: [-5, 90], outside: missing",
    "wide integer": f"kind: integer, bounds: [{-(2**62)}, {2**62}]",
    "stepped integer": "kind: integer, bounds: [-10, 90], step: 5",
    "integer, 1.234": 'kind: integer, bounds: [-5, 9000], decimal: ",", thousands: "."',
    "real": "kind: real, bounds: [-2, 10], step: 0.1",
    "real, not clipped": "kind: real, bounds: [-2, 10], outside: missing",
    "real, 1.234,5": 'kind: real, bounds: [-2, 100000], decimal: ",", thousands: "."',
    "real, 1'234.5": 'kind: real, bounds: [-2, 100000], thousands: "\'"',
    "boolean": "kind: boolean, outside: missing",
    "labelled boolean": "kind: boolean, labels: [No, '1'], outside: missing",
    "date": "kind: date, bounds: [1990-01-01, 2030-12-31]",
    "formatted date": 'kind: date, bounds: [1990-01-01, 2030-12-31], format: "%d.%m.%Y"',
    "named month": 'kind: date, bounds: [1990-01-01, 2030-12-31], format: "%d %b %Y"',
    "datetime": "kind: datetime, bounds: [2019-01-01, 2021-01-01]",
    "zoned datetime": "kind: datetime, bounds: [2019-01-01, 2021-01-01], tz: Europe/Amsterdam",
    "formatted datetime": 'kind: datetime, bounds: [2019-01-01, 2021-01-01], format: "%d/%m/%Y %H:%M:%S"',
    "datetime with offset": 'kind: datetime, bounds: [2019-01-01, 2021-01-01], format: "%Y-%m-%d %H:%M%z", tz: UTC',
    "time": "kind: time, outside: missing, resolution: minute",
    "formatted time": 'kind: time, outside: missing, format: "%H.%M"',
    "refusing integer": "kind: integer, bounds: [-5, 90], outside: refuse",
    "category": "kind: category, categories: [a, A, NaN, '1', '1.0'], outside: other",
}


def _words(text: str) -> list[str]:
    return text.split()


NUMBERS = (
    *_words("7 -3 +5 007 1. .5 -.5 1.50 1e1 1E0005 1e-3 2.5 99.5 -5.5 9007199254740993 9223372036854775807"),
    *_words("9223372036854775808 1e9999 -1e9999 1e-9999 0e9999 inf -Infinity +INF NaN nan -nan infinite"),
    *_words("0x10 0b1 1L 1d5 1_000 1,5 1.234,5 1.234 12.34 1'234.5 + - . e 1e --1 +-1 1.2.3 1- $5 5% <0.1 five"),
    *("-" + "9" * 40, "0." + "0" * 400 + "1", "1e" + "9" * 30, "\uff11\uff12", "\u0661", "5\u00a0", "1 000"),
    *(" 12 ", "\t9\n", "", " "),
)
MOMENTS = (
    *_words("2020-02-29 2020-02-30 2019-07-01T12:00 2019-07-01T12:00:15.5 2019-07-01T12:00:15.123456789 2019-07-01Z"),
    *("2019-07-01 12:00:00", "2019-07-01 12:00Z", "2019-07-01 12:00+0530", "2019-10-27 02:30", "2019-03-31 02:30"),
    *_words("29.02.2020 1.2.2020 31.02.2020 0000-01-01 9999-12-31 2020-01-01T24:00 2020-06-30T23:59:60 20200229"),
    *("29/02/2020 10:30:15", "9/2/2020 1:2:3", "29 Feb 2020", "29 feb 2020", "0001-01-01 00:00+0530"),
    *_words("12:30 12:30:15 24:00 12:60 07.15 7.5 \uff12020-02-29 \uff12\uff19.02.2020 today"),
)
WORDS = (*_words("true TRUE f No no 1 0 yes a A 1.0 TR\u00dcE \u017f ? NA"), "a ", "x\0y")
CELLS = tuple(dict.fromkeys((*NUMBERS, *MOMENTS, *WORDS)))


def codec_of(facts: str) -> ColumnCodec:
    """The codec of a nullable column ``x``."""
    text = f'sfumato: schema/1\nnulls: ["?", NA]\ncolumns:\n  x: {{{facts}, nullable: true, source: public}}\n'
    return Codec.from_schema(Schema.parse(text)).columns["x"]
