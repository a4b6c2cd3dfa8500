"""Tables written to files, by suffix, whole or not at all."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import codecs
import gzip
import json
import os
import re
from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from sfumato.atomic import atomic_write
from sfumato.errors import OutputError
from sfumato.tables.dialect import Dialect
from sfumato.tables.images import image_column
from sfumato.tables.pictures import SUFFIXES, write_pictures

_ROWS_AT_ONCE = 1 << 16
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_DIALECT = b"dialect"


def write_blocks(blocks: Iterable[pa.Table], schema: pa.Schema, path: str | os.PathLike[str]) -> None:
    """Write one table, given as blocks of rows of ``schema``, to ``path`` in the form that its suffix names.

    A block is asked for when the one before it is written; images go to other forms than Parquet and Arrow as a whole.

    Raises:
        OutputError: an unknown suffix, one that cannot hold images, a place that cannot be written to, or a full disk.
    """
    name = os.fspath(path)
    image = image_column(schema)
    stem, suffix = os.path.splitext(name.lower())
    zipped = suffix == ".gz"
    if zipped:
        suffix = os.path.splitext(stem)[1]
    if image is not None and not zipped and suffix in SUFFIXES and not name.startswith("/dev/"):
        write_pictures(pa.concat_tables(blocks), image, path)
    elif not zipped and suffix == ".parquet":
        with atomic_write(path) as stream, parquet.ParquetWriter(stream, schema, compression="zstd") as out:
            for block in blocks:
                out.write_table(block)
    elif not zipped and suffix in (".arrow", ".feather"):
        with atomic_write(path) as stream:
            _write_arrow(blocks, schema, stream)
    elif image is not None:
        raise OutputError(
            f"cannot write images to {name}; take .npz, .parquet, .arrow, .png (a grid of samples), "
            "or a path without a suffix (a folder of PNG files)"
        )
    elif suffix in _DELIMITERS or name.startswith("/dev/"):
        with atomic_write(path) as stream, _zipping(stream, zipped) as out:
            _write_delimited(blocks, schema, out, _dialect(schema, suffix))
    else:
        raise OutputError(
            f"cannot write {name}: the suffix names no format that is written; "
            "take .csv, .csv.gz, .tsv, .parquet, .arrow or .feather"
        )


def _zipping(stream: Any, zipped: bool) -> Any:
    return gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=6, mtime=0) if zipped else nullcontext(stream)


def _write_arrow(blocks: Iterable[pa.Table], schema: pa.Schema, stream: Any) -> None:
    """The file form, which is Feather version 2; it holds one dictionary per column, so those are made one first."""
    if any(pa.types.is_dictionary(kind) for kind in schema.types):
        blocks = [pa.concat_tables(blocks).unify_dictionaries()]
    with pa.ipc.new_file(stream, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as out:
        for block in blocks:
            out.write_table(block, _ROWS_AT_ONCE)


def dialect_metadata(dialect: Dialect) -> dict[bytes, bytes] | None:
    """What a schema of Arrow carries along, so that a file is written as the one that went in; None for the default."""
    stated = dialect.bare()
    return {_DIALECT: json.dumps(stated).encode()} if stated else None


def _dialect(schema: pa.Schema, suffix: str) -> Dialect:
    """As the schema says; a tab in a file named so, where it says no delimiter."""
    stated = json.loads((schema.metadata or {}).get(_DIALECT, b"{}"))
    return Dialect(**{"delimiter": _DELIMITERS.get(suffix, ","), **stated})


def _write_delimited(blocks: Iterable[pa.Table], schema: pa.Schema, out: Any, dialect: Dialect) -> None:
    """One record a line; a field is quoted only where it must be.

    Null is an empty field, or the text under ``null`` in the metadata of its column.
    """
    encoder = codecs.getincrementalencoder(dialect.codec)("replace")
    if dialect.header:
        names = pa.table({str(i): [name] for i, name in enumerate(schema.names)})
        out.write(encoder.encode(_lines(names, dialect)))
    elif dialect.marked:
        out.write(codecs.BOM_UTF8)
    for block in blocks:
        for start in range(0, block.num_rows, _ROWS_AT_ONCE):
            out.write(encoder.encode(_lines(block.slice(start, _ROWS_AT_ONCE), dialect)))


def _lines(table: pa.Table, dialect: Dialect) -> str:
    """The records as text: one string kernel per column, then the string array's own bytes."""
    fields = [
        _fields(table[i], (table.field(i).metadata or {}).get(b"null"), dialect) for i in range(table.num_columns)
    ]
    records = pc.binary_join_element_wise(*fields, dialect.delimiter)
    ended = pc.binary_join_element_wise(records, "\n", "").combine_chunks()
    return str(ended.cast(pa.large_string()).buffers()[2], "utf-8") if len(ended) else ""


def _fields(column: pa.ChunkedArray, null: bytes | None, dialect: Dialect) -> pa.ChunkedArray:
    """As text, in quotation marks where it holds what some reader might take for a delimiter."""
    text = column.cast(pa.string())
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
