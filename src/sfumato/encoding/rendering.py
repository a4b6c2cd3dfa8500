"""Values in the type that went in."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.numerals import wholes
from sfumato.encoding.parsing import cast_or_null
from sfumato.schema.arrow_types import is_text
from sfumato.schema.numeral import PLAIN, Numeral
from sfumato.tables.objects import plain


def cast_text(labels: pa.DictionaryArray, kind: pa.DataType) -> pa.Array:
    """Labels (a dictionary of text) as ``kind``: text, numbers, true/false, dates, or a dictionary of them."""
    if pa.types.is_dictionary(kind):
        entries = cast_text_values(labels.dictionary, kind.value_type)
        made = pa.DictionaryArray.from_arrays(labels.indices.cast(kind.index_type), entries, ordered=kind.ordered)
        return made.cast(kind) if made.type != kind else made
    stored = pa.string() if is_text(kind) else kind
    made = cast_text_values(labels.dictionary, stored).take(labels.indices)
    return made if made.type == kind else made.cast(kind)


def cast_text_values(labels: pa.Array, kind: pa.DataType) -> pa.Array:
    """Labels as ``kind``; null where a label is no such value."""
    if is_text(kind):
        return labels.cast(kind)
    if pa.types.is_boolean(kind):
        return pc.if_else(pc.is_in(labels, pa.array(["true", "false"])), pc.equal(labels, "true"), None)
    if pa.types.is_integer(kind) and kind != pa.uint64():
        return number_as(wholes(labels).array, kind)
    return cast_or_null(labels, kind)


def number_as(values: pa.Array, kind: pa.DataType, form: Numeral = PLAIN) -> pa.Array:
    """Numbers as ``kind``: whole, real, decimal, true/false or text in ``form``, plain or in a dictionary."""
    if pa.types.is_dictionary(kind):
        return number_as(values, kind.value_type, form).dictionary_encode().cast(kind)
    if is_text(kind):
        return _numerals(values, form).cast(kind)
    if pa.types.is_decimal(kind):
        return pc.round(values.cast(pa.float64()), kind.scale).cast(pa.string()).cast(kind)
    return values.cast(kind, safe=False)


def _numerals(values: pa.Array, form: Numeral) -> pa.Array:
    """Numbers as text, the groups of three digits before the decimal sign apart where ``form`` says how."""
    if form.thousands is not None:
        encoded = values.dictionary_encode()
        texts = pa.array([_grouped(x, form) for x in encoded.dictionary.cast(pa.string()).to_pylist()], pa.string())
        return texts.take(encoded.indices)
    text = values.cast(pa.string())
    return text if form.decimal == "." else pc.replace_substring(text, ".", form.decimal)


def _grouped(number: str, form: Numeral) -> str:
    sign, digits, rest = re.fullmatch(r"(-?)([0-9]+)(.*)", number).groups()  # pyright: ignore[reportOptionalMemberAccess]
    return f"{sign}{int(digits):,}".replace(",", form.thousands or "") + rest.replace(".", form.decimal)


def moment_as(values: pa.Array, kind: pa.DataType, format: str | None) -> pa.Array:
    """Dates, times and timestamps as ``kind``; text by ``format``, or ISO 8601."""
    if pa.types.is_dictionary(kind):
        return moment_as(values, kind.value_type, format).dictionary_encode().cast(kind)
    if is_text(kind):
        if format is None:
            return _iso(values).cast(kind)
        if pa.types.is_time(values.type):
            values = values.cast(pa.int64()).cast(pa.timestamp("us"))
        return pc.strftime(values, format=format).cast(kind)
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(values.type) and kind.tz and not values.type.tz:
        values = pc.assume_timezone(values, kind.tz, ambiguous="earliest", nonexistent="earliest")
    elif pa.types.is_timestamp(kind) and pa.types.is_timestamp(values.type) and values.type.tz and not kind.tz:
        values = pc.local_timestamp(values)
    return values.cast(kind, safe=False)


def _iso(values: pa.Array) -> pa.Array:
    """Whole seconds without a fraction; an offset where there is a zone."""
    if pa.types.is_timestamp(values.type):
        zone = "%z" if values.type.tz else ""
        return pc.strftime(
            values.cast(pa.timestamp("s", values.type.tz), safe=False), format=f"%Y-%m-%dT%H:%M:%S{zone}"
        )
    if pa.types.is_time(values.type):
        return pc.strftime(
            values.cast(pa.int64()).cast(pa.timestamp("us")).cast(pa.timestamp("s"), safe=False), format="%H:%M:%S"
        )
    return plain(values).cast(pa.string())
