"""The header line of a file, and what it alone shows of the dialect: no row is looked at."""

from __future__ import annotations

import csv
import gzip
import os
import zlib

from sfumato.errors import TableError
from sfumato.tables.decoding import open_bytes
from sfumato.tables.dialect import Dialect
from sfumato.tables.guessing import charset_by_mark
from sfumato.tables.structure import LONGEST, Block, first_record

_DELIMITERS = (",", ";", "\t", "|")
_QUOTE = '"'


def heading(path: str | os.PathLike[str]) -> tuple[tuple[str, ...], Dialect] | None:
    """Names in the first record of delimited text, and the dialect that shows in it; None where it is no text.

    The delimiter is the one that splits the record into most fields; the charset UTF-8 or UTF-16 where the record is
    such, else cp1252. What other records may show (quotation marks, letters beyond ASCII) is not asked.

    Raises:
        TableError: the file cannot be read, or is empty.
    """
    name = os.fspath(path)
    try:
        with open_bytes(name, Dialect()) as stream:
            charset = charset_by_mark(stream.read(LONGEST))
        with open_bytes(name, Dialect(charset)) as stream:
            start = stream.read(LONGEST)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError(f"{name}: the gzip file is cut short or damaged; copy it again") from None
    except OSError as error:
        raise TableError(f"{name}: cannot be read ({error.strerror or type(error).__name__})") from None
    record = start[: first_record(Block(start, 1), Dialect())].lstrip(b"\r\n")
    if b"\0" in record:
        return None
    try:
        text = record.decode("utf-8")
    except UnicodeDecodeError:
        charset, text = "cp1252", record.decode("cp1252", "replace")
    text = text.removeprefix("\ufeff").strip("\r\n")
    if not text:
        raise TableError(f"{name}: the file is empty; give a file with a header line and rows")
    delimiter = max(_DELIMITERS, key=lambda d: len(_fields(text, d)))
    return tuple(_fields(text, delimiter)), Dialect(charset, delimiter)


def _fields(record: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([record], delimiter=delimiter, quotechar=_QUOTE, strict=True))
    except csv.Error:
        return []
