"""How a delimited text file is written down: compression, encoding, delimiter and header, found by reading it."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from sfumato.errors import TableError

_DELIMITERS = (",", "\t", ";", "|")
_OTHER_DELIMITERS = (":", "^", "~", "\x1f", "\x01", "!", "#")
_CHUNK = 1 << 24
_SAMPLE = 1 << 18
_SAMPLE_RECORDS = 200


@dataclass(frozen=True)
class Dialect:
    """What must be known to parse a delimited file.

    Attributes:
        gzipped: the bytes are compressed by gzip.
        encoding: a Python codec name.
        delimiter: one character.
        quotes: the file holds a quotation mark, so that a field may run over lines.
        columns: the names in the header.
    """

    gzipped: bool
    encoding: str
    delimiter: str
    quotes: bool
    columns: tuple[str, ...]


def find_dialect(path: str) -> Dialect:
    """Scan the file once, as a stream, and say how to parse it.

    Raises:
        TableError: empty, cut short, not text, a quotation mark that is never closed, or a header that cannot serve.
    """
    gzipped = is_gzip(path)
    encoding, quote_count = _encoding(path, gzipped)
    sample = _sample(path, gzipped, encoding)
    delimiter = _delimiter(path, sample)
    columns = _header(path, sample, delimiter)
    dialect = Dialect(gzipped, encoding, delimiter, quote_count > 0, columns)
    if quote_count % 2 and (damage := find_damage(path, dialect)):
        raise damage
    return dialect


def is_gzip(path: str) -> bool:
    """Whether the file begins with the mark of gzip."""
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def find_damage(path: str, dialect: Dialect) -> TableError | None:
    """Read record by record to the first that does not have as many fields as the header; the error to raise for it.

    The slow, exact second reading that names a line, never its content; called only where something is known to be
    wrong. None where the file holds no such record.
    """
    expected = len(dialect.columns)
    begin = 1
    with _open_text(path, dialect.gzipped, dialect.encoding) as stream:
        records = csv.reader(stream, delimiter=dialect.delimiter, strict=True)
        try:
            for record in records:
                if len(record) != expected and not (record == [] and expected > 1):
                    return TableError(
                        f"{path}, line {begin}: {len(record)} fields where the header has {expected} "
                        f"(delimiter {dialect.delimiter!r}); mend or quote the line"
                    )
                begin = records.line_num + 1
        except csv.Error:
            return TableError(
                f"{path}, line {begin}: a quotation mark opens a field that is not closed properly; "
                'close it, or double it ("") inside a field'
            )
    return None


def _open_bytes(path: str, gzipped: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if gzipped else open(path, "rb")


def _open_text(path: str, gzipped: bool, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open_bytes(path, gzipped), encoding=encoding, newline="")


def _chunks(path: str, gzipped: bool) -> Iterator[bytes]:
    try:
        with _open_bytes(path, gzipped) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise TableError(f"{path}: the gzip file is cut short or damaged; copy it again") from None


def _encoding(path: str, gzipped: bool) -> tuple[str, int]:
    """The encoding that fits every byte of the file, and how many quotation marks there are."""
    start = next(_chunks(path, gzipped), b"")
    if not start.strip():
        raise TableError(f"{path}: the file is empty; give a file with a header line and rows")
    guess = _by_mark(start)
    try:
        return guess, _count_quotes(path, gzipped, guess)
    except UnicodeDecodeError:
        if guess != "utf-8":
            raise TableError(f"{path}: begins as {guess} but is not; save it as UTF-8") from None
    for western in ("cp1252", "latin-1"):
        try:
            return western, _count_quotes(path, gzipped, western)
        except UnicodeDecodeError:
            continue
    raise AssertionError("latin-1 decodes every byte")


def _by_mark(start: bytes) -> str:
    """The encoding that a byte-order mark, or the zero bytes of UTF-16 without one, give away; else UTF-8."""
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    head = start[:1000]
    if len(head) >= 4 and head[1::2].count(0) > 0.25 * len(head[1::2]) and head[::2].count(0) == 0:
        return "utf-16-le"
    if len(head) >= 4 and head[::2].count(0) > 0.25 * len(head[::2]) and head[1::2].count(0) == 0:
        return "utf-16-be"
    return "utf-8"


def _count_quotes(path: str, gzipped: bool, encoding: str) -> int:
    decoder = codecs.getincrementaldecoder(encoding)()
    quotes, lines = 0, 1
    for chunk in _chunks(path, gzipped):
        text = decoder.decode(chunk)
        if "\0" in text:
            line = lines + text.count("\n", 0, text.index("\0"))
            raise TableError(f"{path}, line {line}: holds a NUL byte; the file is damaged or is not text")
        quotes += text.count('"')
        lines += text.count("\n")
    decoder.decode(b"", final=True)
    return quotes


def _sample(path: str, gzipped: bool, encoding: str) -> str:
    with _open_text(path, gzipped, encoding) as stream:
        sample = stream.read(_SAMPLE)
        return sample if len(sample) < _SAMPLE else sample + stream.readline()


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
        if lines[0].count(other) and all(line.count(other) == lines[0].count(other) for line in lines):
            raise TableError(
                f"{path}: no delimiter is found in the header, but every line holds {other!r}; "
                "separate the columns by comma, semicolon, tab or |"
            )
    return ","


def _header(path: str, sample: str, delimiter: str) -> tuple[str, ...]:
    records = _records(sample, delimiter)
    if not records:
        raise TableError(f"{path}: the header line cannot be read; a quotation mark in it is not closed")
    return checked_names(path, records[0])


def checked_names(source: str, names: list[str]) -> tuple[str, ...]:
    """Column names as a tuple; refuses a name that is empty or stands twice.

    Raises:
        TableError: naming the columns by position, for without a header line the names would be values.
    """
    seen: dict[str, int] = {}
    for position, name in enumerate(names, start=1):
        if not name.strip():
            raise TableError(
                f"{source}: column {position} has no name; name it in the header, or drop it "
                "if it is a row index that was written along"
            )
        if name in seen:
            raise TableError(
                f"{source}: columns {seen[name]} and {position} have the same name; rename one, "
                "or add a header line if the first line is a row"
            )
        seen[name] = position
    return tuple(names)


def display_name(source: object) -> str:
    """How an error names a source: its path, or the kind of object."""
    return os.fspath(source) if isinstance(source, str | os.PathLike) else f"the {type(source).__name__}"
