"""Cells that some parser somewhere reads otherwise, by kind of column and by how they are stored."""

from __future__ import annotations

import datetime as dt
import math
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

FACTS = {
    "integer": "kind: integer, bounds: [-5, 90]",
    "integer, moved": "kind: integer, bounds: [-5, 90], outside: missing",
    "wide integer": f"kind: integer, bounds: [{-(2**62)}, {2**62}]",
    "stepped integer": "kind: integer, bounds: [-10, 90], step: 5",
    "real": "kind: real, bounds: [-2, 10], step: 0.1",
    "real, moved": "kind: real, bounds: [-2, 10], outside: missing",
    "heavy real": "kind: real, bounds: [0, 1000000]",
    "boolean": "kind: boolean, outside: missing",
    "date": "kind: date, bounds: [1990-01-01, 2030-12-31]",
    "datetime": "kind: datetime, bounds: [2019-01-01, 2021-01-01]",
    "zoned datetime": "kind: datetime, bounds: [2019-01-01, 2021-01-01], tz: Europe/Amsterdam",
    "time": "kind: time, outside: missing, resolution: minute",
    "category": "kind: category, categories: [a, A, NaN, '1', '1.5', Köln, \"true\", '2020-02-29'], outside: other",
    "category, moved": "kind: category, categories: ['7', '1.50', 'a '], outside: missing",
}
WRITTEN = {
    "integer, 1.234": 'kind: integer, bounds: [-5, 9000], decimal: ",", thousands: "."',
    "real, 1.234,5": 'kind: real, bounds: [-2, 100000], decimal: ",", thousands: "."',
    "labelled boolean": "kind: boolean, labels: [No, '1'], outside: missing",
    "formatted date": 'kind: date, bounds: [1990-01-01, 2030-12-31], format: "%d.%m.%Y"',
    "datetime with offset": 'kind: datetime, bounds: [2019-01-01, 2021-01-01], format: "%Y-%m-%d %H:%M%z", tz: UTC',
    "formatted time": 'kind: time, outside: missing, format: "%H.%M"',
}
"""Kinds whose facts say how text is written."""

STRICT = {
    "refusing integer": "kind: integer, bounds: [-5, 90], outside: refuse",
    "refusing real": "kind: real, bounds: [-2, 10], step: 0.1",
    "refusing date": "kind: date, bounds: [1990-01-01, 2030-12-31]",
    "refusing category": "kind: category, categories: [a, A, '1', '1.5', Köln]",
}
"""Kinds of which some cells leave their row out; not nullable."""


def _words(text: str) -> list[str]:
    return text.split()


WHOLE = _words("7 -3 5 007 +5 90 0 -0 12 1 9007199254740993 9223372036854775807")
REALS = [*_words("1.5 NaN 0.5 2.25 nan 1e1 -0.0 inf 1E2 9.9 1. .5 0.30000000000000004 1.50"), *WHOLE]
ODD = [
    *_words("9223372036854775808 1e9999 -1e9999 1e-9999 0e9999 -Infinity +INF -nan infinite 0x10 0b1 1L 1d5 1_000 1,5"),
    *_words("1.234,5 1.234 12.34 1'234.5 + - . e 1e --1 +-1 1.2.3 1- $5 5% <0.1 five 1e0005 1e-3 99.5 -5.5"),
    *("-" + "9" * 40, "0." + "0" * 400 + "1", "1e" + "9" * 30, "１２", "\u0661", "5\u00a0", "1 000", " 12 ", "\t9\n"),
]
DAYS = _words("2020-02-29 2019-07-01 2020-12-31 1990-01-01 2030-12-31 2020-02-30 0000-01-01 9999-12-31 20200229")
MOMENTS = [
    *_words("2019-07-01T12:00 2019-07-01T12:00:15.5 2019-07-01T12:00:15.123456789 2019-07-01Z 2020-01-01T24:00"),
    *("2019-07-01 12:00:00", "2019-07-01 12:00Z", "2019-07-01 12:00+0530", "2019-10-27 02:30", "2019-03-31 02:30"),
    *_words("29.02.2020 1.2.2020 31.02.2020 2020-06-30T23:59:60 07.15 7.5"),
    *("29/02/2020 10:30:15", "29 Feb 2020", "2019-07-01 12:00+05:30", "0001-01-01 00:00+0530"),
]
CLOCKS = _words("12:30 12:30:15 24:00 12:60 23:59 00:00 7:30 12:30:15.5 25:00")
WORDS = ["a", "A", "a ", " a", "true", "TRUE", "f", "No", "no", "1", "0", "yes", "Köln", "Zürich", "OTHER", "TRÜE", "ſ"]
NULLS = ["", "?", "NA", "?"]
SHAPES = [
    *(
        '"',
        '""',
        "a,b",
        "a;b",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "\n",
        "\r",
        "'",
        "\\",
        "\\N",
        "#",
        "\ufeff",
        "\u0085",
        "\u2028",
    ),
    *("\x01", "\x1a", "\x7f", "e\u0301", "é", "ﬁ", "\u202e1", "x" * 5000, "😀", " ", "  ", "NULL", "None", "nan "),
]
TEXTS = [WHOLE, REALS, ODD, DAYS, MOMENTS, CLOCKS, WORDS, NULLS, SHAPES]
RAW = [b"\xff", b"K\xf6ln", b"caf\xc3", b"\xe9\xe9", b"\xf0\x9f\x98", b"1\x80", b"\xc0\xaf", b"Z\xfcrich", b"\xa01"]
"""Bytes that are no UTF-8."""

NATURAL = {
    "integer": WHOLE,
    "real": REALS,
    "heavy": REALS,
    "boolean": ["true", "f", "No", "1", "0", "yes", "1"],
    "date": DAYS,
    "datetime": [*MOMENTS[:6], "2020-02-29"],
    "time": CLOCKS,
    "category": ["a", "A", "1", "Köln", "1.5"],
    "formatted": ["29.02.2020", "1.2.2020", "07.15"],
    "labelled": ["No", "1"],
}
_ALPHABETS = ("0123456789.-+eE", "0123456789-:T+Z ", "aA1.ö\u0301\u00a0 ", "\",;\n\r\t\\'x")


def natural(name: str) -> list[str]:
    """Texts as a column of the kind commonly holds them."""
    kind = next(word for word in reversed(name.split(",")[0].split()) if word in NATURAL)
    return NATURAL["formatted" if "formatted" in name else "labelled" if "labelled" in name else kind]


def any_text(rng: random.Random) -> str:
    """A text that nobody thought of."""
    alphabet = rng.choice(_ALPHABETS)
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 9)))


def text_classes(name: str) -> list[list[Any]]:
    """Texts of a column in classes: one alone is read by one way of any parser that has several ways."""
    return [natural(name), *TEXTS]


_INFINITE, _NOT = math.inf, math.nan
_SECONDS = [0, 1_561_975_200, 1_582_934_400, -1, 2**40, -(2**40), 253_402_300_799, 2**62, -(2**62)]
TYPED: dict[str, tuple[pa.DataType, list[list[Any]]]] = {
    "int64": (pa.int64(), [[1, 2, 7, -3, 90], [2**53 + 1, 2**63 - 1, -(2**63), 0, 91], [None]]),
    "int8": (pa.int8(), [[1, 2, 7], [127, -128, None]]),
    "uint64": (pa.uint64(), [[1, 2, 7], [2**64 - 1, 2**63, None, 0]]),
    "double": (
        pa.float64(),
        [[1.0, 2.0, 7.0], [1.5, 0.1 + 0.2, -0.0, 0.0], [_NOT, _INFINITE, -_INFINITE, 1e300, None]],
    ),
    "float": (pa.float32(), [[1.0, 1.5, 7.0], [_NOT, _INFINITE, 3e38, None]]),
    "bool": (pa.bool_(), [[True, False], [None]]),
    "decimal": (pa.decimal128(38, 4), [[Decimal(1), Decimal("1.5"), Decimal("7.25")], [Decimal(10) ** 33, None]]),
    "string": (pa.string(), [*TEXTS, [None]]),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), [*TEXTS, [None]]),
    "long string": (pa.large_string(), [*TEXTS, [None]]),
    "null entry": (pa.dictionary(pa.int16(), pa.string()), [*TEXTS, [None]]),
    "half": (pa.float16(), [[np.float16(x) for x in (1, 7, 0)], [np.float16("-0"), np.float16("nan"), None]]),
    "day": (pa.date64(), [[s * 1000 for s in _SECONDS[1:3]], [5, 0, -1, None]]),
    "date": (
        pa.date32(),
        [[dt.date(2020, 2, 29), dt.date(1990, 1, 1)], [dt.date(1, 1, 1), dt.date(9999, 12, 31), None]],
    ),
    "second": (pa.timestamp("s"), [_SECONDS[:3], _SECONDS[3:]]),
    "moment": (pa.timestamp("us"), [[s * 10**6 for s in _SECONDS[:5]], [2**62, -(2**63) + 1, None]]),
    "instant": (pa.timestamp("us", "UTC"), [[s * 10**6 for s in _SECONDS[:5]], [2**62, -(2**62), None]]),
    "clock": (pa.time64("us"), [[0, 45_000_000_000], [86_399_999_999, None]]),
    "nothing": (pa.null(), [[None]]),
}
"""Stored types, with values in classes."""


class NoOffset(dt.tzinfo):
    """A zone that knows of no offset."""

    def utcoffset(self, dt: dt.datetime | None) -> None:
        """None."""


OBJECTS: list[list[Any]] = [
    [1, 2, 7, -3],
    [1.0, 1.5, 7.0],
    [True, False],
    ["a", "1", "1.5", "Köln", "NaN"],
    [Decimal("1.5"), Decimal("7")],
    [Decimal("1.50"), Decimal("1.234567"), Decimal("1E+5")],
    [dt.date(2020, 2, 29), dt.date(2019, 7, 1)],
    [dt.datetime(2019, 7, 1, 12), dt.datetime(2020, 2, 29)],
    [dt.datetime(2019, 7, 1, 12, tzinfo=dt.UTC)],
    [dt.datetime(2019, 7, 1, 0, 30, tzinfo=ZoneInfo("Europe/Amsterdam"))],
    [np.timedelta64(5, "D"), bytearray(b"a"), dt.datetime(2020, 2, 29, tzinfo=NoOffset()), Decimal("-0E+9")],
    [dt.time(12, 30), dt.time(0)],
    [None],
    [None, _NOT, Decimal("NaN"), Decimal("sNaN")],
    [10**30, -(10**400), 10**5000, 2**63, _INFINITE, -0.0, np.int8(7), np.float32(0.1), np.bool_(True)],
    [b"a", b"\xff", "\ud800", UUID(int=7), [1], {"a": 1}, object, (1, 2), np.array([1, 2]), 1 + 2j, dt.timedelta(1)],
    [*ODD, *SHAPES],
]
"""Python objects, in classes."""


@dataclass(frozen=True)
class Column:
    """A column to fill.

    Attributes:
        name: of the column; facts: its line in the schema.
        classes: cells, of which a plain table holds one class alone, the first of them most.
        kind: the type that the storage declares; None for text and for objects.
        strict: some cells leave their row out.
    """

    name: str
    facts: str
    classes: list[list[Any]]
    kind: pa.DataType | None = None
    strict: bool = False
