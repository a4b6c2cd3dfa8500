"""The strict grammar of delimited text: where records end, and that every one of them is well formed.

Everything here is told from bytes, before any is decoded: in the charsets that are read a delimiter, a quotation mark
and an end of line are single bytes that occur in no character. See `Dialect` for the grammar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

import numpy as np

from sfumato.errors import TableError
from sfumato.tables.dialect import Dialect

LONGEST = 1 << 20
"""The most bytes of a record: a parser that reads in blocks must have it whole. Rows are not documents."""

_CHUNK = 1 << 16  # arrays of this size stay in the cache and cost no new pages: four times as fast as half a MiB
_SPARSE = 64
"""With fewer quotation marks than one in so many bytes it is quicker to look at each of them."""

_NEWLINE, _RETURN = ord("\n"), ord("\r")


_BARE = "a carriage return stands without a line feed; end lines by a line feed, or by both"
_STRAY = (
    "a quotation mark stands inside a field that does not begin with one; quote the field and double the mark "
    '(""), or write in %s: file: {quote: ""}'
)
_UNCLOSED = 'a quotation mark opens a field that is not closed properly; close it, or double it ("") inside a field'
TOO_LONG = (
    f"a record of more than {LONGEST >> 20} MiB; leave out documents and pictures, "
    "or look for a quotation mark that is not closed"
)


@dataclass(frozen=True)
class Block:
    """Some whole records.

    Attributes:
        text: their bytes, the last one's end of line included (added where the file lacks it).
        line: the number of the first line.
    """

    text: bytes
    line: int


def blocks(stream: BinaryIO, dialect: Dialect, path: str, chunk: int = _CHUNK) -> Iterator[Block]:
    """Cut a stream where records end.

    Raises:
        TableError: a record that is longer than `LONGEST`, by its line.
    """
    rest, line = b"", 1
    while piece := stream.read(chunk):
        text = rest + piece
        end = _end_of_records(text, dialect.quote.encode())
        if end:
            yield Block(text[:end], line)
            line += _count(text[:end], b"\n")
        rest = text[end:]
        if len(rest) > LONGEST:
            raise _damage(Block(rest + b"\n", line), dialect, path, 0) or TableError(f"{path}, line {line}: {TOO_LONG}")
    if rest:
        half = b"\r" if rest.endswith(b"\r") else b""  # so that half an end of line is not made whole
        yield Block(rest + half + b"\n", line)


def _end_of_records(text: bytes, quote: bytes) -> int:
    """Behind the last end of line that no quotation marks enclose; 0 for none."""
    end = text.rfind(b"\n")
    if not quote or quote not in text:
        return end + 1
    before = _count(text[: end + 1], quote)
    while end >= 0 and before % 2:
        earlier = text.rfind(b"\n", 0, end)
        before -= text.count(quote, earlier + 1, end)
        end = earlier
    return end + 1


def _count(text: bytes, byte: bytes) -> int:
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == byte[0]))


def first_record(block: Block, dialect: Dialect) -> int:
    """Where the first record of a block ends, empty lines before it passed over."""
    quote, end = dialect.quote.encode(), 0
    while True:
        start, end = end, block.text.find(b"\n", end) + 1
        if not end:
            return len(block.text)
        while quote and block.text.count(quote, start, end) % 2 and end < len(block.text):
            end = block.text.find(b"\n", end) + 1
        if block.text[start:end].strip(b"\r\n"):
            return end


def check_structure(block: Block, dialect: Dialect, path: str, width: int) -> None:
    """Every record has ``width`` fields and is well formed.

    Raises:
        TableError: which line is not, and what to do; without its text.
    """
    if not _plainly_regular(block.text, dialect, width):
        damage = _damage(block, dialect, path, width)
        if damage is not None:
            raise damage


def _plainly_regular(text: bytes, dialect: Dialect, width: int) -> bool:
    """Whether nothing is wrong, by quick means; False leaves it to `_damage`, which is slow and exact."""
    if len(text) > LONGEST:
        return False
    quote = dialect.quote.encode()
    if quote and quote in text:
        if _count(text, quote) > len(text) // _SPARSE:
            return _quoted_evenly(text, dialect, width)
        text = _outside_quotes(text, dialect)
    if b"\r" in text and text.count(b"\r") != text.count(b"\r\n"):
        return False
    line = dialect.delimiter.encode() * (width - 1) + b"\n"
    return _only(text, dialect.delimiter.encode() + b"\n") == line * _count(text, b"\n") != b""


def _only(text: bytes, kept: bytes) -> bytes:
    return text.translate(None, bytes(set(range(256)) - set(kept)))


def _outside_quotes(text: bytes, dialect: Dialect) -> bytes:
    """What stands outside quotation marks, where every one of them is in its place; else nothing."""
    pieces = text.split(dialect.quote.encode())
    before = (dialect.delimiter.encode(), b"\n")
    after = (*before, b"\r\n")
    outside = pieces[::2]
    fits = (not outside[0] or outside[0].endswith(before)) and len(pieces) % 2 == 1 and outside[-1].startswith(after)
    fits = fits and all(not piece or (piece.startswith(after) and piece.endswith(before)) for piece in outside[1:-1])
    return b"".join(outside) if fits else b""


def _quoted_evenly(text: bytes, dialect: Dialect, width: int) -> bool:
    """Whether the same fields of every record are quoted, and hold nothing that must be."""
    delimiter, quote = dialect.delimiter.encode(), dialect.quote.encode()
    line = _only(text[: text.find(b"\n") + 1], delimiter + quote + b"\n")
    fields = line[:-1].split(delimiter)
    if len(fields) != width or not {b"", quote + quote}.issuperset(fields):
        return False
    if _only(text, delimiter + quote + b"\n") != line * _count(text, b"\n"):
        return False
    array = np.frombuffer(text, np.uint8)
    marks, separators, newlines = array == quote[0], array == delimiter[0], array == _NEWLINE
    returns = array == _RETURN
    if np.count_nonzero(returns) != np.count_nonzero(returns[:-1] & newlines[1:]):
        return False
    pairs = np.count_nonzero(marks) // 2
    begun = marks[0] + np.count_nonzero(marks[1:] & (separators | newlines)[:-1])
    ended = np.count_nonzero(marks[:-1] & (separators | newlines | returns)[1:])
    return begun == ended == pairs


class _Fault(NamedTuple):
    """What is wrong: the byte at which it shows, one in the line to name, and words."""

    shown: int
    at: int
    what: str


def _damage(block: Block, dialect: Dialect, path: str, width: int) -> TableError | None:
    """The first fault of a block, exactly; ``width`` 0 where the number of fields is not asked."""
    text = np.frombuffer(block.text, np.uint8)
    quoted = np.zeros(len(text), bool)
    found: list[_Fault] = []
    if dialect.quote:
        quotes = text == ord(dialect.quote)
        quoted = np.bitwise_xor.accumulate(quotes.view(np.uint8)).view(bool)
        found += _faults_of_quotes(text, np.flatnonzero(quotes), dialect)
    bare = np.flatnonzero((text == _RETURN) & ~quoted)
    bare = bare[text[np.minimum(bare + 1, len(text) - 1)] != _NEWLINE]
    found += [_Fault(int(at), int(at), _BARE) for at in bare[:1]]
    found += _faults_of_records(text, quoted, dialect, width)
    if not found:
        return None
    first = min(found, key=lambda fault: fault.shown)
    line = block.line + block.text.count(b"\n", 0, first.at)
    return TableError(f"{path}, line {line}: {first.what}")


def _faults_of_quotes(text: np.ndarray, at: np.ndarray, dialect: Dialect) -> list[_Fault]:
    """A quotation mark begins a field or follows one that closes; one that closes ends a field or is doubled."""
    open_, close = at[0::2], at[1::2]
    edges = [ord(dialect.delimiter), _NEWLINE, ord(dialect.quote)]
    stray = open_[(open_ > 0) & ~np.isin(text[open_ - 1], edges)]
    after = text[close + 1] if len(close) else close
    ends = np.isin(after, edges)
    ends |= (after == _RETURN) & (text[np.minimum(close + 2, len(text) - 1)] == _NEWLINE)
    unclosed = open_[: len(close)][~ends]
    last = at[-1:] if len(at) % 2 else at[:0]
    found = [_Fault(int(x), int(x), _STRAY % dialect.declared_in) for x in stray[:1]]
    return found + [_Fault(int(x), int(x), _UNCLOSED) for x in (*unclosed[:1], *last)]


def _faults_of_records(text: np.ndarray, quoted: np.ndarray, dialect: Dialect, width: int) -> list[_Fault]:
    parts = np.flatnonzero(((text == ord(dialect.delimiter)) | (text == _NEWLINE)) & ~quoted)
    ends = np.flatnonzero(text[parts] == _NEWLINE)
    if not len(ends):
        return []
    fields = np.diff(ends, prepend=-1)
    stops = parts[ends]
    starts = np.concatenate([[0], stops[:-1] + 1])
    found = [_Fault(int(at) + LONGEST, int(at), TOO_LONG) for at in starts[stops - starts >= LONGEST][:1]]
    if width:
        length = stops - starts - ((stops > starts) & (text[stops - 1] == _RETURN))
        whole = "header" if dialect.header else "schema"
        for i in np.flatnonzero((fields != width) & ((length > 0) | (width == 1)))[:1]:
            what = (
                f"{fields[i]} fields where the {whole} has {width} (delimiter {dialect.delimiter!r}); "
                "correct or quote the line"
            )
            found.append(_Fault(int(stops[i]), int(starts[i]), what))
    return found
