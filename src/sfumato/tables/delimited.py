"""Delimited text (CSV and its kin), read as a stream of columns of strings by a declared dialect."""

from __future__ import annotations

import codecs
import csv
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow

from sfumato.errors import TableError
from sfumato.tables.decoding import decoded, open_bytes
from sfumato.tables.dialect import Dialect, checked_names
from sfumato.tables.structure import LONGEST, Block, blocks, check_structure, first_record

_BLOCK = 2 * LONGEST
"""A record lies within two blocks of the parser at most."""
_BLOCK_OF_COLUMN = 1 << 10
"""Bytes of a block for each column, so that a wide table is not read a few rows at a time."""

_PASSED_OVER = b"-\n"
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_OTHERS = (",", ";", "\t", "|", ":", "^", "~", "!", "#", "\x1f", "\x01")


@dataclass(frozen=True)
class DelimitedFile:
    """A delimited text file; every column is delivered as strings, for a schema says what they mean.

    Attributes:
        path: where it is.
        dialect: how it is written down.
        columns: the names of the columns.
        start: at which byte, uncompressed, the first row begins.
        empty: there is no row.
        empty_is_null: an empty field without quotation marks is null (else the empty string).

    *Formal guarantee*. Of the bytes before a record only their end is asked, and every byte of a well-formed file is in
    the record, and the cell, that its own row wrote: so a row more or less changes no other row's cells. A file that is
    not well formed is an error before anything is charged; that there was one is not hidden.
    """

    path: str
    dialect: Dialect = field(repr=False)
    columns: tuple[str, ...]
    start: int = field(repr=False)
    empty: bool = field(repr=False)
    empty_is_null: bool = False
    kind = "csv"

    @classmethod
    def open(cls, path: str, dialect: Dialect, empty_is_null: bool = False) -> DelimitedFile:
        """Read the header, and the whole file once for its structure.

        Raises:
            TableError: empty, cut short, a header that cannot serve or that shows another delimiter, or a line that is
                not well formed.
        """
        with _damage_named(path), open_bytes(path, dialect) as stream:
            found = blocks(stream, dialect, path)
            first = next(found, None)
            if dialect.header and (first is None or not first.text.strip()):
                raise TableError(f"{path}: the file is empty; give a file with a header line and rows")
            first = first or Block(b"", 1)
            columns, start = _header(path, first, dialect)
            rest = Block(first.text[start:], first.line + first.text.count(b"\n", 0, start))
            empty = _without_record(rest.text, len(columns))
            check_structure(rest, dialect, path, len(columns))
            for block in found:
                empty = empty and _without_record(block.text, len(columns))
                check_structure(block, dialect, path, len(columns))
        return cls(path, dialect, columns, start, empty, empty_is_null)

    @property
    def schema(self) -> pa.Schema:
        """All columns, all strings."""
        return pa.schema([(name, pa.string()) for name in self.columns])

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches as the parser makes them: a few megabytes of text each, whatever ``size``."""
        del size
        if self.empty:
            return
        with _damage_named(self.path), self._stream() as stream:
            try:
                for batch in self._parsed(stream):
                    cells = [decoded(column, self._charset) for column in batch.columns]
                    yield pa.RecordBatch.from_arrays(cells, schema=self.schema)
            except pa.ArrowInvalid:  # its text may quote a cell
                raise TableError(f"{self.path}: the file changed while it was read; read it again") from None

    def _parsed(self, stream: pa.NativeFile) -> Iterator[pa.RecordBatch]:
        return arrow.open_csv(
            stream,
            read_options=arrow.ReadOptions(
                block_size=max(_BLOCK, _BLOCK_OF_COLUMN * len(self.columns)),
                column_names=list(self.columns),
                skip_rows=1,
            ),
            parse_options=arrow.ParseOptions(
                delimiter=self.dialect.delimiter,
                quote_char=self.dialect.quote or False,
                newlines_in_values=bool(self.dialect.quote),
                ignore_empty_lines=len(self.columns) > 1,
            ),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.binary()),
                strings_can_be_null=self.empty_is_null,
                quoted_strings_can_be_null=False,
                null_values=[""],
            ),
        )

    def _stream(self) -> pa.NativeFile:
        """The bytes from the first row on, uncompressed and decoded as for the check: one idea of what the file is.

        A line goes before them, which the parser is told to pass over: it drops a byte-order mark at the very start of
        what it is given, and those of the first row's first cell are no such mark.
        """
        stream = open_bytes(self.path, self.dialect)
        stream.read(self.start)
        return pa.PythonFile(_Behind(_PASSED_OVER, stream), mode="r")

    @property
    def _charset(self) -> str:
        return "utf-8" if self.dialect.wide else self.dialect.codec


class _Behind:
    """A stream with some bytes before it, in pieces of which none but the last ends with a carriage return.

    The parser drops a line feed at the start of a piece behind one that ends so, also where both are in a field.
    """

    def __init__(self, before: bytes, stream: BinaryIO) -> None:
        self._before, self._stream = before, stream

    @property
    def closed(self) -> bool:
        """Whether the stream is."""
        return self._stream.closed

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``; none at the end."""
        piece = self._before + self._stream.read(size - len(self._before))
        self._before = b""
        if len(piece) > 1 and piece.endswith(b"\r"):
            piece, self._before = piece[:-1], b"\r"
        return piece

    def close(self) -> None:
        """With the stream below."""
        self._stream.close()


def _without_record(text: bytes, width: int) -> bool:
    return not (text.strip(b"\r\n") if width > 1 else text)


def _header(path: str, first: Block, dialect: Dialect) -> tuple[tuple[str, ...], int]:
    """The names of the columns, and where the first row begins."""
    if not dialect.header:
        return _without_header(path, first, dialect)
    mark = len(codecs.BOM_UTF8) if dialect.codec == "utf-8" or dialect.wide else 0
    skipped = mark if first.text.startswith(codecs.BOM_UTF8) else 0
    if not dialect.wide and first.text.startswith(tuple(_MARKS)):
        raise TableError(f"{path}: begins as UTF-16; write in {dialect.declared_in}: file: {{charset: utf-16}}")
    body = Block(first.text[skipped:], first.line)
    end = first_record(body, dialect)
    text = _text(body.text[:end], dialect)
    if "\0" in text:
        raise TableError(
            f"{path}: the header holds NUL bytes; if the file is UTF-16, write in {dialect.declared_in}: file: "
            "{charset: utf-16}"
        )
    names = _split(path, text, dialect)
    if dialect.names and set(dialect.names).isdisjoint(names):
        _refuse_delimiter(path, text, dialect)
    return checked_names(path, names), skipped + end


def _without_header(path: str, first: Block, dialect: Dialect) -> tuple[tuple[str, ...], int]:
    """As `_header`, where nothing but a declared byte-order mark stands before the first row."""
    marked = len(codecs.BOM_UTF8) if dialect.marked else 0
    if marked and not first.text.startswith(codecs.BOM_UTF8):
        raise TableError(
            f"{path}: begins with no byte-order mark; write in {dialect.declared_in}: file: {{charset: utf-8}}"
        )
    if dialect.names:
        return dialect.names, marked
    body = Block(first.text[marked:], first.line)
    width = len(_split(path, _text(body.text[: first_record(body, dialect)], dialect), dialect))
    return tuple(f"column_{i}" for i in range(1, width + 1)), marked


def _text(line: bytes, dialect: Dialect) -> str:
    return line.decode("utf-8" if dialect.wide else dialect.codec, "replace").strip("\r\n")


def _split(path: str, text: str, dialect: Dialect) -> list[str]:
    quoting = csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE
    reader = csv.reader(
        [text], delimiter=dialect.delimiter, quotechar=dialect.quote or None, quoting=quoting, strict=True
    )
    try:
        return next(reader)
    except csv.Error:
        raise TableError(
            f"{path}: the header line cannot be read; a quotation mark in it is not closed properly"
        ) from None


def _refuse_delimiter(path: str, text: str, dialect: Dialect) -> None:
    """Raise where the header shows the schema's columns by another delimiter."""
    for other in _OTHERS:
        if not set(text.split(other)).isdisjoint(dialect.names or ()):
            raise TableError(
                f"{path}: its header has the schema's columns where it is split by {other!r}, not by the declared "
                f"delimiter {dialect.delimiter!r}; write in {dialect.declared_in}: file: {{delimiter: {_spelt(other)}}}"
            )


def _spelt(delimiter: str) -> str:
    return '"\\t"' if delimiter == "\t" else f'"{delimiter}"' if delimiter >= " " else f'"\\x{ord(delimiter):02x}"'


@contextmanager
def _damage_named(path: str) -> Iterator[None]:
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError(f"{path}: the gzip file is cut short or damaged; copy it again") from None
    except UnicodeError:
        raise TableError(f"{path}: is not text of the declared charset; write its charset in the schema") from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise TableError(f"{path}: cannot be read; copy it again") from None
