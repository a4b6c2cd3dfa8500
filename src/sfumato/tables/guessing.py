"""The dialect of a delimited file, guessed from its bytes: for drafts alone, since one row can decide it."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import replace

from sfumato.errors import TableError
from sfumato.tables.decoding import open_bytes
from sfumato.tables.dialect import Dialect, is_gzip
from sfumato.tables.structure import LONGEST, TOO_LONG

_DELIMITERS = (",", "\t", ";", "|")
_OTHER_DELIMITERS = (":", "^", "~", "\x1f", "\x01", "!", "#")
_CHUNK = 1 << 24
"""Bytes read at a time to see which charset holds all of them."""
_SAMPLE = 1 << 18
"""First bytes by which a dialect is guessed."""
_SAMPLE_RECORDS = 200
"""First records of them."""

_ZEROS = 0.25
"""Share of zeros among every second byte from which text is UTF-16: most letters of Latin scripts have one."""


def guessed(
    path: str,
    charset: str | None = None,
    delimiter: str | None = None,
    quote: str | None = None,
    header: bool | None = None,
) -> Dialect:
    """What is not said is guessed: the charset that fits every byte, the delimiter that splits most records alike.

    Raises:
        TableError: empty, cut short, no delimiter that is read, or something said that no file can be read by.
    """
    if header is False and is_gzip(path) and not path.lower().endswith(".gz"):
        raise TableError(f"{path}: is compressed, and without a header line only its name can say so; name it .csv.gz")
    try:
        said = Dialect(quote='"' if quote is None else quote, header=header is not False)
        found = replace(said, charset=_charset(path, said.header) if charset is None else charset)
        return replace(found, delimiter=_delimiter(path, _sample(path, found)) if delimiter is None else delimiter)
    except ValueError as error:
        raise TableError(f"{path}: {error}") from None


def _charset(path: str, header: bool) -> str:
    """The charset that fits every byte of the file; before a header a byte-order mark of UTF-8 need not be said."""
    start = next(_chunks(path), b"")
    if not start.strip():
        raise TableError(f"{path}: the file is empty; give a file with a header line and rows")
    if b"\n" not in start and len(start) > LONGEST:  # before all of it is read
        raise TableError(f"{path}, line 1: {TOO_LONG}")
    guess = charset_by_mark(start)
    for charset in (guess, "cp1252", "latin-1"):
        if guess != "utf-8" or _fits(path, charset):
            marked = charset == "utf-8" and not header and start.startswith(codecs.BOM_UTF8)
            return "utf-8-sig" if marked else charset
    raise AssertionError("latin-1 decodes every byte")


def _fits(path: str, charset: str) -> bool:
    decoder = codecs.getincrementaldecoder(charset)()
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def charset_by_mark(start: bytes) -> str:
    """The charset that a byte-order mark, or the zero bytes of UTF-16 without one, give away; else UTF-8."""
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = start[:1000]
    if len(head) >= 4 and head[1::2].count(0) > _ZEROS * len(head[1::2]) and head[::2].count(0) == 0:
        return "utf-16-le"
    if len(head) >= 4 and head[::2].count(0) > _ZEROS * len(head[::2]) and head[1::2].count(0) == 0:
        return "utf-16-be"
    return "utf-8"


def _chunks(path: str) -> Iterator[bytes]:
    try:
        with open_bytes(path, Dialect()) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError(f"{path}: the gzip file is cut short or damaged; copy it again") from None


def _sample(path: str, dialect: Dialect) -> str:
    with open_bytes(path, dialect) as stream:
        sample = stream.read(_SAMPLE)
        whole = sample if len(sample) < _SAMPLE else sample + stream.readline(_SAMPLE)
    charset = "utf-8" if dialect.wide else dialect.codec
    return whole.decode(charset, "replace").removeprefix("\ufeff")


def _records(sample: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, strict=True)
    found = []
    try:
        for record in reader:
            if record:
                found.append(record)
            if len(found) > _SAMPLE_RECORDS:
                break
    except csv.Error:
        if found and len(sample) < _SAMPLE:
            found.append([])  # like no other; a longer file may be cut inside a field here, and is not blamed
    return found


def _delimiter(path: str, sample: str) -> str:
    """The delimiter that splits the header and most records into the same number, the largest such, of fields."""
    best, best_score = "", (0.0, 0)
    for delimiter in _DELIMITERS:
        records = _records(sample, delimiter)
        width = len(records[0]) if records else 0
        alike = sum(len(record) == width for record in records) / max(len(records), 1)
        if width > 1 and (round(alike, 1), width) > best_score:
            best, best_score = delimiter, (round(alike, 1), width)
    if best:
        return best
    lines = sample.splitlines()[:_SAMPLE_RECORDS]
    for other in _OTHER_DELIMITERS:
        if lines and lines[0].count(other) and all(line.count(other) == lines[0].count(other) for line in lines):
            raise TableError(
                f"{path}: no usual delimiter is found in the header, but every line holds {other!r}; if it separates "
                f"the columns, say so: sketch --delimiter {other!r}"
            )
    return ","
