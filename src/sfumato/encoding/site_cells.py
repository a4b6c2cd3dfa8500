"""Cells of a site as cells of the schema: its marks of missing values, its labels, its numbers, its dates.

| cell of the site | what it becomes |
|---|---|
| null, NaN, one of the site's marks | null |
| a label that the site's file names | the label of the schema that it stands for |
| any other label | itself |
| a number in another unit, or written otherwise | that number of the schema, exactly, up to `_DIGITS` digits |
| a day or a time in the site's format | that day or time |
| text that is no number, or no day by the format, and no mark of the schema | U+FFFD, which is no value of any kind |
| a number that is stored as such | in the schema's unit; a float by the shortest decimal that is it |
| a day or a time that is stored as such | itself |

*Formal guarantee.* What becomes of a cell follows from that cell and the public files (the schema and the site's own)
alone; no cell is an error, and none is ever part of a message.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.numerals import ASCII_SPACE, decimal_in, spelt_plainly
from sfumato.encoding.parsing import clock, moments
from sfumato.schema.arrow_types import is_text
from sfumato.schema.columns import Column
from sfumato.schema.numeral import PLAIN, Numeral
from sfumato.schema.quantities import DatetimeColumn, NumericColumn, TimeColumn
from sfumato.schema.site_mapping import SiteColumn, UnitConversion
from sfumato.tables.objects import NUMERAL, OBJECTS, UNREADABLE, as_text, of_parts, parts, plain

_DIGITS = 800
"""Significant digits to which a number is converted: more than any number that is stored as such has."""
_EXACTLY = Context(prec=_DIGITS, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_WRITTEN_OUT = 40
"""Power of ten, either way, within which a number is written without an exponent, as people write it."""


@dataclass(frozen=True)
class SiteCells:
    """Turns the cells of one column of a site into cells of the schema.

    Attributes:
        column: the schema's.
        site: what the site's file says of it.
        marks: the site's texts for a missing value.
        markers: those of the schema.
    """

    column: Column
    site: SiteColumn
    marks: tuple[str, ...]
    markers: tuple[str, ...]

    def type_of(self, kind: pa.DataType) -> pa.DataType:
        """The type of the cells that come out, where cells of type ``kind`` go in."""
        return self.converted(pa.array([], kind) if kind != OBJECTS else of_parts(0, ())).type

    def converted(self, cells: pa.Array) -> pa.Array:
        """Cells (n,) of any type of a table, by the rules of this module."""
        if self.site.labels:
            return self._relabelled(cells)
        if self._reader is None and not self.marks:
            return cells
        if cells.type != OBJECTS:
            return self._read(plain(cells), False)
        pieces = []
        for name, at, own in parts(cells):
            read = self._read(own, name == NUMERAL)
            if read.type == OBJECTS:
                pieces += [(n, at[where], values) for n, where, values in parts(read)]
            else:
                pieces.append((name, at, read))
        return of_parts(len(cells), pieces)

    def _read(self, cells: pa.Array, plainly: bool) -> pa.Array:
        """Cells of one plain type; ``plainly``: numbers in text are in the plain form, whatever the site says."""
        read, left = self._reader, self._without_marks(cells)
        return left if read is None else read(left, plainly)

    def _relabelled(self, cells: pa.Array) -> pa.Array:
        """By the text of each; the few distinct ones are looked up, the many indices follow."""
        encoded = _texts(cells).dictionary_encode()
        labels, marks = self.site.labels, set(self.marks)
        known = [None if text in marks else labels.get(text, text) for text in encoded.dictionary.to_pylist()]
        distinct = pa.array(known, pa.string()).dictionary_encode()
        return pa.DictionaryArray.from_arrays(distinct.indices.take(encoded.indices), distinct.dictionary)

    def _without_marks(self, cells: pa.Array) -> pa.Array:
        if not self.marks or pa.types.is_nested(cells.type):
            return cells
        marked = pc.is_in(_texts(cells), value_set=pa.array(self.marks, pa.string()), skip_nulls=True)
        return pc.if_else(marked, pa.scalar(None, cells.type), cells)

    @property
    def _reader(self) -> Callable[[pa.Array, bool], pa.Array] | None:
        """What reads cells of one plain type; None where they stay."""
        if isinstance(self.column, NumericColumn) and (self.site.unit or self.site.numeral):
            return self._numbers
        return self._times if self.site.format is not None else None

    def _numbers(self, cells: pa.Array, plainly: bool) -> pa.Array:
        assert isinstance(self.column, NumericColumn)
        text = is_text(cells.type)
        if not text and not (self.site.unit and _is_number(cells.type)):
            return cells
        form = (self.site.numeral or self.column.numeral) if text and not plainly else PLAIN
        numbers = _in_unit(cells if text else _shortest(cells), form, self.site.unit or UnitConversion())
        return self._placed(cells, NUMERAL, numbers)

    def _times(self, cells: pa.Array, plainly: bool) -> pa.Array:
        del plainly
        if not is_text(cells.type):
            return cells
        if isinstance(self.column, TimeColumn):
            return self._placed(cells, "clock", clock(cells, self.site.format))
        tz = self.column.tz if isinstance(self.column, DatetimeColumn) else None
        return self._placed(cells, "moment" if tz is None else "instant", moments(cells, self.site.format, tz))

    def _placed(self, cells: pa.Array, name: str, values: pa.Array) -> pa.Array:
        """Values where there are some; else null, a mark of the schema, or what cannot be read."""
        found = values.is_valid().to_numpy(zero_copy_only=False)
        texts = _texts(cells).filter(pa.array(~found))
        kept = pc.or_(texts.is_null(), pc.is_in(texts, value_set=pa.array(self.markers, pa.string())))
        read, rest = np.flatnonzero(found), np.flatnonzero(~found)
        pieces = [(name, read, values.take(pa.array(read))), ("text", rest, pc.if_else(kept, texts, UNREADABLE))]
        return of_parts(len(cells), pieces)


def _texts(cells: pa.Array) -> pa.Array:
    """Text of each cell, null where it is missing: halves are tried until cells without a text stand alone."""
    try:
        return as_text(cells)
    except pa.ArrowException:
        half = len(cells) // 2
        if not half:
            return pc.if_else(cells.is_valid(), UNREADABLE, pa.scalar(None, pa.string()))
        return pa.concat_arrays([_texts(cells.slice(0, half)), _texts(cells.slice(half))])


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _shortest(numbers: pa.Array) -> pa.Array:
    """Stored numbers as people would write them: a float of 32 bits by the few digits that tell it apart."""
    if not pa.types.is_float32(numbers.type):
        return as_text(numbers)
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.string()), numbers.cast(pa.string()))


def _in_unit(texts: pa.Array, form: Numeral, unit: UnitConversion) -> pa.Array:
    """Numbers in text (n,), converted, in the shortest plain form; null where a text is no number."""
    encoded = spelt_plainly(texts, form).dictionary_encode()
    made = [_converted(text.strip(ASCII_SPACE), unit) for text in encoded.dictionary.to_pylist()]
    return pa.array(made, pa.string()).take(encoded.indices)


def _converted(text: str, unit: UnitConversion) -> str | None:
    number = decimal_in(text)
    if number is None:
        return None
    scaled: Decimal = _EXACTLY.normalize(_EXACTLY.fma(number, unit.times, unit.plus))
    if scaled.is_finite() and abs(scaled.adjusted()) <= _WRITTEN_OUT:
        return f"{scaled:f}"
    return str(scaled)
