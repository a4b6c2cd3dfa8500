"""The grammar of numbers: what one cell says, whatever stands in the cells beside it.

::

    number   = [sign] (decimal [exponent] | "inf" | "infinity")     white space of ASCII around it, letters in any case
    decimal  = whole [point [digits]] | point digits
    whole    = digits | one to three digits, then (thousands, three digits) once or more
    exponent = "e" [sign] digits
    sign     = "+" | "-"
    digits   = one or more of 0 to 9, of ASCII

``point`` and ``thousands`` are the column's declared ``decimal`` and ``thousands``; without the latter there are no
groups. All else is no number: it is unreadable, and never stands for a bound.

| cell | number |
|---|---|
| ``12``, `` 12 ``, ``+12``, ``012``, ``12.``, ``1.2e1``, ``1.2E01`` | 12 |
| ``9007199254740993`` | that whole number in an integer column; the nearest double in a real one |
| forty digits, ``9223372036854775808`` | that number, so beyond any bounds of an integer column |
| ``1e9999``, ``inf``, ``-Infinity`` | infinite: beyond any bounds, clipped like any other number beyond them |
| ``1e-9999`` | 0 in a real column, a fraction in an integer one |
| ``NaN``, ``nan``, ``0x10``, ``1_000``, ``1e``, ``--1``, full-width digits | none |
| ``1,000``, ``1.000,5`` | none, unless ``thousands`` and ``decimal`` are declared so |
| a fraction in an integer column | unreadable within the bounds, clipped beyond them |

The same value stored as another type (int, uint, float, decimal of any scale, text) is the same number. *Formal
guarantee*: each cell is read by itself, by declared facts; nothing here looks at two cells at once, but to be quick.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from fractions import Fraction
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.schema.arrow_types import is_text
from sfumato.schema.numeral import PLAIN, Numeral

_Read = TypeVar("_Read")

_LARGEST = 2**62 + 2**61
"""It stands for all larger whole numbers: bounds lie within 2^62; it is a double; and one more is still 64 bits."""

_SHORT = 18
"""So many digits always fit into 64 bits."""

_EXACT = 16
"""So many characters, one of them the point, are a double that is whole only where the number is."""

ASCII_SPACE = " \t\n\v\f\r"
"""White space that may stand around a number."""
_MOST_EXPONENT = 10**9
"""No cell has so many digits that a larger exponent would matter."""

# What Arrow's parsers read as this grammar does, without overflow or underflow: all but a few cells of any file.
_WHOLE = rf"^[+-]?[0-9]{{1,{_SHORT}}}$"
_POINTED = r"^[+-]?([0-9]+\.[0-9]*|\.[0-9]+)$"
_MODEST = r"^[+-]?([0-9]{1,100}(\.[0-9]{0,100})?|\.[0-9]{1,100})([eE][+-]?[0-9]{1,2})?$"
_NUMBER = re.compile(
    r"([+-]?)(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?)0*([0-9]+))?|([+-]?)inf(?:inity)?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Wholes:
    """Cells as whole numbers, rounded down.

    Attributes:
        floor: (n,) int64, arbitrary where unreadable; 1.5 * 2^62 stands for all beyond.
        fraction: (n,) mask of the numbers that are not whole, or None for none.
        unreadable: (n,) mask of the cells that are no number, or None for none.
    """

    floor: np.ndarray
    fraction: np.ndarray | None = None
    unreadable: np.ndarray | None = None

    @property
    def array(self) -> pa.Array:
        """As int64, null where a cell is no whole number."""
        masks = [mask for mask in (self.fraction, self.unreadable) if mask is not None]
        return pa.array(self.floor, mask=np.logical_or.reduce(masks) if masks else None)


def reals(values: pa.Array, form: Numeral = PLAIN) -> np.ndarray:
    """Cells to the nearest doubles (n,), NaN where a cell is no number."""
    kind = values.type
    if is_text(kind):
        return _reals_in_text(spelt_plainly(values, form))
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        return _reals_in_text(values.cast(pa.string()))
    elif not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
        return np.full(len(values), np.nan)
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def wholes(values: pa.Array, form: Numeral = PLAIN) -> Wholes:
    """Cells to whole numbers, exact up to 1.5 * 2^62, which lies beyond all bounds."""
    kind = values.type
    if is_text(kind):
        return _wholes_in_text(spelt_plainly(values, form))
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    elif pa.types.is_decimal(kind):
        return _wholes_in_text(values.cast(pa.string()))
    elif pa.types.is_floating(kind):
        return _rounded_down(reals(values))
    elif kind == pa.uint64():
        values = pc.min_element_wise(values, pa.scalar(_LARGEST, kind), skip_nulls=False)
    elif not pa.types.is_integer(kind):
        return Wholes(np.zeros(len(values), np.int64), None, np.ones(len(values), bool))
    null = values.is_null().to_numpy(zero_copy_only=False) if values.null_count else None
    return Wholes(_within(values.cast(pa.int64()).fill_null(0).to_numpy()), None, null)


def exact(text: str, form: Numeral = PLAIN) -> Fraction | None:
    """The number that one text says, exactly; None for no number, or one that is beyond all bounds."""
    cell = spelt_plainly(pa.array([text]), form)[0].as_py()
    number = None if cell is None else decimal_in(cell.strip(ASCII_SPACE))
    if number is None or not number.is_finite() or abs(number.adjusted()) > 400:
        return None
    return Fraction(number)


def spelt_plainly(cells: pa.Array, form: Numeral) -> pa.Array:
    """Text (n,) of another form in the plain one, null where it is no number; text of the plain form as it is."""
    if form == PLAIN:
        return cells
    point = re.escape(form.decimal)
    groups = "" if form.thousands is None else rf"|[0-9]{{1,3}}(?:{re.escape(form.thousands)}[0-9]{{3}})+"
    finite = rf"(?:(?:[0-9]+{groups})(?:{point}[0-9]*)?|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?"
    pattern = rf"^[+-]?(?:{finite}|(?i:inf|infinity))$"
    cells = pc.ascii_trim_whitespace(cells)
    cells = pc.if_else(pc.match_substring_regex(cells, pattern), cells, pa.scalar(None, cells.type))
    if form.thousands is not None:
        cells = pc.replace_substring(cells, form.thousands, "")
    return cells if form.decimal == "." else pc.replace_substring(cells, form.decimal, ".")


def _reals_in_text(cells: pa.Array) -> np.ndarray:
    if _only_digits(cells):
        return cells.cast(pa.float64()).to_numpy(zero_copy_only=False)
    cells = pc.ascii_trim_whitespace(cells)
    modest = _matches(cells, _MODEST)
    found = _parsed(cells, modest, pa.float64())
    rest = np.flatnonzero(~_mask(modest))
    found[rest] = [math.nan if x is None else x for x in _one_by_one(cells, rest, _real)]
    return found


def _wholes_in_text(cells: pa.Array) -> Wholes:
    if _only_digits(cells):
        null = _mask(cells.is_null()) if cells.null_count else None
        return Wholes(cells.cast(pa.int64()).fill_null(0).to_numpy(), None, null)
    cells = pc.ascii_trim_whitespace(cells)
    short = _matches(cells, _WHOLE)
    pointed = pc.and_(_matches(cells, _POINTED), pc.less_equal(pc.fill_null(pc.binary_length(cells), 0), _EXACT))
    floor, fraction = _parsed(cells, short, pa.int64()), np.zeros(len(cells), bool)
    if pc.any(pointed).as_py():
        read = _parsed(cells, pointed, pa.float64())
        down = np.floor(read)
        floor, fraction = floor + down.astype(np.int64), down != read
    unreadable = np.zeros(len(cells), bool)
    rest = np.flatnonzero(~_mask(pc.or_(short, pointed)))
    for at, found in zip(rest, _one_by_one(cells, rest, _whole), strict=True):
        unreadable[at] = found is None
        floor[at], fraction[at] = found or (0, False)
    return Wholes(floor, fraction, unreadable)


def _only_digits(cells: pa.Array) -> bool:
    """Whether every cell but null is 1 to 18 digits, perhaps after a minus: seen from the bytes of the whole array.

    Only for speed: such cells are read alike with it and without.
    """
    if not len(cells):
        return False
    _, offsets, data = cells.buffers()
    ends = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    text = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    lengths = np.diff(ends)
    if cells.null_count:
        lengths = lengths[_mask(cells.is_valid())]
    if not len(lengths) or lengths.min() < 1 or lengths.max() > _SHORT:
        return False
    odd = np.count_nonzero(text - np.uint8(ord("0")) > 9)
    if not odd:
        return True
    firsts = text[(ends[:-1] - ends[0])[np.diff(ends) > 1]]
    return odd == np.count_nonzero(firsts == ord("-"))


def _matches(cells: pa.Array, pattern: str) -> pa.Array:
    return pc.fill_null(pc.match_substring_regex(cells, pattern), False)


def _mask(flags: pa.Array) -> np.ndarray:
    return flags.to_numpy(zero_copy_only=False)


def _parsed(cells: pa.Array, chosen: pa.Array, kind: pa.DataType) -> np.ndarray:
    """The chosen cells by Arrow's parser, which reads each of them; 0 for the others."""
    texts = pc.utf8_ltrim(pc.if_else(chosen, cells, "0"), characters="+")
    return texts.cast(kind).to_numpy(zero_copy_only=False).copy()


def _one_by_one(cells: pa.Array, at: np.ndarray, read: Callable[[str], _Read]) -> list[_Read | None]:
    """Some cells by a Python function, once for each distinct one; None for null."""
    encoded = cells.take(pa.array(at)).dictionary_encode()
    found = [read(text) for text in encoded.dictionary.to_pylist()]
    return [None if i is None else found[i] for i in encoded.indices.to_pylist()]


def _real(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


def _whole(text: str) -> tuple[int, bool] | None:
    """The number rounded down and kept within 64 bits, and whether it had a fraction."""
    number = decimal_in(text)
    if number is None:
        return None
    if number.is_infinite() or number.adjusted() > 2 * _SHORT:
        return (0 if number == 0 else _LARGEST if number > 0 else -_LARGEST), False
    down = -1 if number < 0 else 0
    if number.adjusted() >= 0:
        down = int(number.to_integral_value(ROUND_FLOOR))
    return max(-_LARGEST, min(down, _LARGEST)), down != number


def decimal_in(text: str) -> Decimal | None:
    """The number of a text in the plain form without space around it: exact, but for exponents beyond all use."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, whole, part, only, below, exponent, unbounded = match.groups()
    if whole is None and only is None:
        return Decimal(f"{unbounded}Infinity")
    power = min(_MOST_EXPONENT, int((exponent or "0")[:12]))
    digits = f"{whole or '0'}.{part or only or ''}"
    return Decimal(f"{sign}{digits}e{below or ''}{power}")


def _rounded_down(found: np.ndarray) -> Wholes:
    unreadable = np.isnan(found)
    down = np.floor(np.where(unreadable, 0.0, found))
    fraction = ~unreadable & (down != found)
    floor = np.clip(down, -float(_LARGEST), float(_LARGEST)).astype(np.int64)
    return Wholes(floor, fraction if fraction.any() else None, unreadable if unreadable.any() else None)


def _within(numbers: np.ndarray) -> np.ndarray:
    return np.clip(numbers, -_LARGEST, _LARGEST)
