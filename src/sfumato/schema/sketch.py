"""A draft of a schema, made by looking at the rows: every fact in it is unreviewed."""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from typing import Literal, TypedDict

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from sfumato.errors import SchemaError, TableError
from sfumato.schema.columns import BooleanColumn, CategoryColumn, Column, IdentifierColumn, ImageColumn, TextColumn
from sfumato.schema.constraints import FixedCombinations
from sfumato.schema.file import FileFacts
from sfumato.schema.numeral import DecimalSign, GroupSign
from sfumato.schema.quantities import INTEGER_LIMIT, DateColumn, DatetimeColumn, IntegerColumn, RealColumn, TimeColumn
from sfumato.schema.schema import Schema
from sfumato.schema.sources import TEXT_LIMIT
from sfumato.schema.survey import NUMERALS, Survey
from sfumato.tables import Rows
from sfumato.tables.delimited import DelimitedFile
from sfumato.tables.guessing import guessed
from sfumato.tables.images import LABEL, image_shape
from sfumato.tables.objects import plain
from sfumato.tables.source import RowSource
from sfumato.written import claim

CODED_LIMIT = 12
"""Whole numbers with at most so many distinct values are taken for codes, not quantities."""

_ENOUGH_ROWS = 100
"""From which what rows look like says something of the column."""
_PAIRED_ROWS = 1 << 17
"""First rows that combinations are looked for in."""
_PAIRED_LABELS = (3, 512)
"""Fewest and most labels of columns that are paired."""
_ID_NAME = re.compile(r"(^|[^a-z])(id|uuid|guid|key|ssn)$|^(id|uuid)([^a-z]|$)|[a-z](Id|ID)$", re.IGNORECASE)
_EPOCH = dt.datetime(1970, 1, 1)
"""Moment 0 of Arrow."""
_WORDS = {("false", "true"), ("f", "t"), ("no", "yes"), ("n", "y")}
_TOO_MANY = "left out: too many different texts to be categories"
_REPEATS = "values repeat: if it names people, write unit: {column: it, max_rows: the most rows of one that count}"
_EMPTY = "left out: no value was seen"
_NOT_HELD = "left out: numbers that are infinite, or too large or too close to 0 to be bounds"


class _Said(TypedDict):
    """What a person says of delimited text; None is guessed."""

    charset: str | None
    delimiter: str | None
    quote: str | None
    header: bool | None


class _Common(TypedDict):
    """What is drafted of every column."""

    name: str
    source: Literal["unreviewed"]
    nullable: bool
    nulls: tuple[str, ...] | None


class _Number(_Common, total=False):
    """And of a number that is not written plainly."""

    decimal: DecimalSign
    thousands: GroupSign | None


def sketch(
    source: RowSource,
    *,
    charset: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    header: bool | None = None,
) -> Schema:
    """Draft a schema from a path or a table in memory, in bounded memory.

    Args:
        source: as `Synthesizer.fit` takes it.
        charset: how delimited text is written down; this and the next three are guessed where they are left out, and
            drafted as the schema's ``file``.
        delimiter: what stands between two fields.
        quote: what encloses a field; "" for nothing.
        header: whether the first record names the columns.

    Formal guarantee: none. Everything is read off the private rows, and one row can decide each fact: that a column is
    never missing as much as its bounds. So each is ``unreviewed``, and a model that rests on one gets no certificate.

    Raises:
        TableError: the source cannot be read, or is no delimited text that could be read so.

    >>> import sfumato as sf
    >>> draft = sf.sketch(sf.examples.adult_test())
    >>> draft.column("age").bounds, draft.unreviewed()[0]
    ((17, 90), 'age: kind')
    """
    rows = _opened(source, {"charset": charset, "delimiter": delimiter, "quote": quote, "header": header})
    images = {f.name: shape for f in rows.schema if (shape := image_shape(f.type))}
    surveys = {f.name: Survey(f.type) for f in rows.schema if f.name not in images}
    first: list[pa.RecordBatch] = []
    for batch in rows.batches():
        if sum(b.num_rows for b in first) < _PAIRED_ROWS:
            first.append(batch.select(list(surveys)))
        for name, survey in surveys.items():
            survey.add(batch.column(name))
    columns = [_image(n, images[n]) if n in images else _column(n, surveys[n], bool(images)) for n in rows.columns]
    draft = Schema(columns=tuple(columns), file=_file(rows))
    if images and LABEL in surveys and draft.column(LABEL).kind == "category":
        draft = draft.with_target(LABEL)
    return _with_combinations(draft, pa.Table.from_batches(first))


def _opened(source: RowSource, said: _Said) -> Rows:
    """The rows, delimited text by what is said of it and a guess of the rest."""
    stated = [key for key, value in said.items() if value is not None]
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
    claim(source)
    rows = Rows.open(source, guessed(path, **said) if stated and os.path.isfile(path) else None)
    if stated and not isinstance(rows.source, DelimitedFile):
        raise TableError(f"{rows.name}: {', '.join(stated)} can be said of delimited text alone, this is {rows.kind}")
    return rows


def _file(rows: Rows) -> FileFacts | None:
    """How delimited text is written down: the default is drafted too, for one row could have decided otherwise."""
    if not isinstance(rows.source, DelimitedFile):
        return None
    d = rows.source.dialect
    return FileFacts(charset=d.charset, delimiter=d.delimiter, quote=d.quote, header=d.header, source="unreviewed")


def _image(name: str, shape: tuple[int, int, int]) -> ImageColumn:
    size = dict(zip(("height", "width", "channels"), shape, strict=True))
    return ImageColumn.model_validate({"name": name, **size, "source": "unreviewed"})


def _markers(survey: Survey) -> tuple[str, ...] | None:
    """The null markers seen in a column, and the empty text; the first is the one that will be written."""
    seen = survey.markers
    if seen <= {""}:
        return None
    return tuple(sorted(seen)) if "" in seen else (*sorted(seen), "")


def _column(name: str, survey: Survey, pictured: bool) -> Column:
    """The kind and facts that the survey suggests; the label of images is always a category."""
    common: _Common = {"name": name, "source": "unreviewed", "nullable": survey.missing > 0, "nulls": _markers(survey)}
    if survey.present == 0:
        common["nullable"] = True
        return TextColumn(**common, description=_EMPTY)
    if pictured and name == LABEL and survey.distinct is not None:
        return CategoryColumn(**common, categories=_sorted(survey.distinct))
    if boolean := _boolean(survey, common):
        return boolean
    if survey.rare and not survey.low:
        survey.readings.clear()
    if survey.rare and survey.readings:
        common["nullable"], common["nulls"] = True, tuple(sorted(survey.rare | survey.markers))
        survey.distinct = None if survey.distinct is None else survey.distinct - survey.rare
    if _is_identifier(name, survey):
        common["nullable"] = False
        return IdentifierColumn(**common, description=None if survey.unique else _REPEATS)
    if survey.readings:
        return _quantity(survey, common)
    distinct = survey.distinct
    many = distinct is None or (len(distinct) > CODED_LIMIT and len(distinct) > survey.present / 2)
    if distinct is None or many or survey.longest > TEXT_LIMIT:
        return TextColumn(**common, description=_TOO_MANY)
    return CategoryColumn(**common, categories=_sorted(distinct))


def _boolean(survey: Survey, common: _Common) -> BooleanColumn | None:
    if pa.types.is_boolean(survey.type):
        return BooleanColumn(**common)
    words = sorted(survey.distinct or (), key=str.lower)
    if len(words) != 2 or (words[0].lower(), words[1].lower()) not in _WORDS:
        return None
    return BooleanColumn(**common, labels=(words[0], words[1]))


def _is_identifier(name: str, survey: Survey) -> bool:
    """Unique whole numbers or short texts; or a column named like a key with very many values."""
    if "real" in survey.readings and ("integer" not in survey.readings or _decimal_point(survey)):
        return False
    if survey.readings - {"integer", "real", *NUMERALS}:
        return False
    if survey.readings and "real" not in survey.readings:
        return False
    named = _ID_NAME.search(name) is not None
    many = survey.distinct is None or len(survey.distinct) > survey.present / 20
    if named and many and survey.present >= _ENOUGH_ROWS:
        return True
    compact = bool(survey.readings) or (survey.longest <= 64 and not survey.spaced)
    return survey.unique and compact and survey.present >= (2 if named else _ENOUGH_ROWS)


def _quantity(survey: Survey, common: _Common) -> Column:
    readings = survey.readings
    if "integer" in readings:
        coded = survey.distinct is not None and len(survey.distinct) <= CODED_LIMIT and survey.rows >= _ENOUGH_ROWS
        if coded and not pa.types.is_floating(survey.type) and not _decimal_point(survey):
            return CategoryColumn(**common, categories=_sorted(survey.distinct or set()))
        if not _decimal_point(survey):
            return IntegerColumn(**common, bounds=(int(survey.low["integer"]), int(survey.high["integer"])))
    if "real" in readings:
        return _real(survey, {**common}, "real")
    if "time" in readings:
        return TimeColumn(**common)
    if written := [reading for reading in NUMERALS if reading in readings]:
        return _written(survey, common, written[0])
    return _moment(survey, common, readings)


def _written(survey: Survey, common: _Common, reading: str) -> Column:
    """A number that is not written plainly, with the signs that it is written with."""
    form = NUMERALS[reading]
    number: _Number = {**common, "decimal": form.decimal}
    number["thousands"] = form.thousands if reading in survey.grouped else None
    low, high = (ends.get(reading, math.inf) for ends in (survey.low, survey.high))
    step = _step(survey, reading)
    if step == 1 and max(abs(low), abs(high)) <= INTEGER_LIMIT:
        return IntegerColumn(**number, bounds=(int(low), int(high)))
    return _real(survey, number, reading)


def _real(survey: Survey, number: _Number, reading: str) -> Column:
    """A real with its step; without one, or left out, where bounds cannot be as they were seen."""
    bounds = (float(survey.low.get(reading, math.inf)), float(survey.high.get(reading, math.inf)))
    for step in dict.fromkeys((_step(survey, reading), None)):
        with suppress(ValidationError):
            return RealColumn(**number, bounds=bounds, step=step)
    plain_facts = {key: number[key] for key in _Common.__required_keys__}
    return TextColumn.model_validate({**plain_facts, "description": _NOT_HELD})


def _step(survey: Survey, reading: str) -> float | None:
    digits = survey.decimals.get(reading, 0)
    return None if digits is None else float(f"1e-{digits}")


def _decimal_point(survey: Survey) -> bool:
    """Whether whole numbers are written 5000.0, so that they come out as reals."""
    return pa.types.is_string(survey.type) and survey.distinct is not None and any("." in v for v in survey.distinct)


def _moment(survey: Survey, common: _Common, readings: set[str]) -> Column:
    reading = next((r for r in ("iso", "offset") if r in readings), sorted(readings)[0])
    low, high = (_EPOCH + dt.timedelta(microseconds=t[reading]) for t in (survey.low, survey.high))
    format = None if reading in ("iso", "offset") else reading
    tz = "UTC" if reading == "offset" else None
    if pa.types.is_timestamp(survey.type) and survey.type.tz:
        tz = survey.type.tz
        low, high = (pa.scalar(x, pa.timestamp("us", "UTC")).cast(pa.timestamp("us", tz)).as_py() for x in (low, high))
        low, high = low.replace(tzinfo=None), high.replace(tzinfo=None)
    days = survey.midnight and not pa.types.is_timestamp(survey.type) and tz is None
    if days:
        return DateColumn(**common, bounds=(low.date(), high.date()), format=format)
    whole = high.replace(microsecond=0)
    return DatetimeColumn(**common, bounds=(low.replace(microsecond=0), whole), tz=tz, format=format)


def _sorted(labels: set[str]) -> tuple[str, ...]:
    """Numbers by size, texts by letter: an order that tells nothing of the rows."""
    try:
        return tuple(sorted(labels, key=lambda v: (float(v), v)))
    except ValueError:
        return tuple(sorted(labels))


def _with_combinations(draft: Schema, first: pa.Table) -> Schema:
    """Add fixed combinations for pairs of columns that determine each other."""
    if first.num_rows < 10 * _ENOUGH_ROWS:
        return draft
    found = []
    for a, b in _determining(draft, first):
        pairs = first.select([a, b]).group_by([a, b]).aggregate([])
        found.append(_combination(draft, a, b, pairs))
    try:
        return draft.with_constraints(tuple(found))
    except SchemaError:
        return draft


def _determining(draft: Schema, first: pa.Table) -> Iterator[tuple[str, str]]:
    """Each column with the next one that it determines and that determines it, no column twice.

    Two columns are such where their values, numbered as they come, are the same numbers: so each is read once.
    """
    few, many = _PAIRED_LABELS
    waiting: dict[bytes, str] = {}
    for column in draft.columns:
        if column.kind in ("category", "integer"):
            numbered = plain(first[column.name].combine_chunks()).dictionary_encode(null_encoding="encode")
            if few <= len(numbered.dictionary) <= many:
                key = sha256(np.asarray(numbered.indices).data).digest()
                if key in waiting:
                    yield waiting.pop(key), column.name
                else:
                    waiting[key] = column.name


def _combination(draft: Schema, a: str, b: str, pairs: pa.Table) -> FixedCombinations:
    columns = [pairs[name].cast(pa.string()).to_pylist() for name in (a, b)]
    gaps = [set(draft.null_markers(draft.column(name))) for name in (a, b)]
    rows = {
        tuple(None if v is None or v in gap else v for v, gap in zip(row, gaps, strict=True))
        for row in zip(*columns, strict=True)
    }
    ordered = sorted(rows, key=lambda row: tuple(v or "" for v in row))
    return FixedCombinations(columns=(a, b), combinations=tuple(ordered), source="unreviewed")
