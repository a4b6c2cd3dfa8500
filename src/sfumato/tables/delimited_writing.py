"""Delimited text written from blocks of rows, in the dialect that their schema carries along."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from sfumato.tables.dialect import Dialect

if TYPE_CHECKING:
    from gzip import GzipFile

ROWS_AT_ONCE = 1 << 16
"""Lines that are made in memory before they are written."""
DELIMITERS = {".csv": ",", ".tsv": "\t"}
_DIALECT = b"dialect"
_FORMULA = "^[=+\\-@\t\r\uff1d\uff0b\uff0d\uff20]"
"""What a cell begins with that spreadsheets take for a formula, in full width too."""
_NUMBER = r"^[+-]?[0-9][0-9.,' ]*([eE][+-]?[0-9]+)?$"


def dialect_metadata(dialect: Dialect) -> dict[bytes, bytes] | None:
    """What a schema of Arrow carries along, so that a file is written as the one that went in; None for the default."""
    stated = dialect.bare()
    return {_DIALECT: json.dumps(stated).encode()} if stated else None


def _dialect(schema: pa.Schema, suffix: str) -> Dialect:
    """As the schema says; a tab in a file named so, where it says no delimiter."""
    stated = json.loads((schema.metadata or {}).get(_DIALECT, b"{}"))
    return Dialect(**{"delimiter": DELIMITERS.get(suffix, ","), **stated})


def write_delimited(
    blocks: Iterable[pa.Table],
    schema: pa.Schema,
    out: BinaryIO | GzipFile,
    suffix: str = ".csv",
    escape_formulas: bool = False,
) -> None:
    """Write blocks of rows of ``schema`` to a stream of bytes: one record a line, a field quoted only where it must be.

    The dialect is the one that ``schema`` carries along. Null is an empty field, or the text under ``null`` in the
    metadata of its column. With ``escape_formulas`` a text that a spreadsheet would run (one that begins with ``=``,
    ``+``, ``-``, ``@``, a tab or a carriage return, and is no number) gets an apostrophe before it, also in the header.
    """
    dialect = _dialect(schema, suffix)
    encoder = codecs.getincrementalencoder(dialect.codec)("replace")
    if dialect.header:
        names = pa.table({str(i): [name] for i, name in enumerate(schema.names)})
        out.write(encoder.encode(_lines(names, dialect, escape_formulas)))
    elif dialect.marked:
        out.write(codecs.BOM_UTF8)
    for block in blocks:
        for start in range(0, block.num_rows, ROWS_AT_ONCE):
            out.write(encoder.encode(_lines(block.slice(start, ROWS_AT_ONCE), dialect, escape_formulas)))


def _lines(table: pa.Table, dialect: Dialect, escape_formulas: bool) -> str:
    """The records as text: one string kernel per column, then the string array's own bytes."""
    fields = [
        _fields(table[i], (table.field(i).metadata or {}).get(b"null"), dialect, escape_formulas)
        for i in range(table.num_columns)
    ]
    records = pc.binary_join_element_wise(*fields, dialect.delimiter)
    ended = pc.binary_join_element_wise(records, "\n", "").combine_chunks()
    return str(ended.cast(pa.large_string()).buffers()[2], "utf-8") if len(ended) else ""


def _fields(column: pa.ChunkedArray, null: bytes | None, dialect: Dialect, escape_formulas: bool) -> pa.ChunkedArray:
    """As text, in quotation marks where it holds what some reader might take for a delimiter."""
    text = column.cast(pa.string())
    if escape_formulas:
        runs = pc.and_not(pc.match_substring_regex(text, _FORMULA), pc.match_substring_regex(text, _NUMBER))
        text = pc.if_else(runs, pc.binary_join_element_wise("'", text, ""), text)
    if null is not None:
        text = pc.fill_null(text, null.decode())
    if not dialect.quote:
        return pc.fill_null(pc.replace_substring_regex(text, rf"[\r\n{re.escape(dialect.delimiter)}]", " "), "")
    structural = pc.match_substring_regex(
        text, rf'[",;|\t\r\n{re.escape(dialect.delimiter + dialect.quote)}]|^$|^\s|\s$'
    )
    doubled = pc.replace_substring(text, dialect.quote, 2 * dialect.quote)
    quoted = pc.binary_join_element_wise(dialect.quote, doubled, dialect.quote, "")
    return pc.fill_null(pc.if_else(structural, quoted, text), "")
