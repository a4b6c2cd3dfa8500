"""Bytes to text, a cell at a time: a byte that the charset does not know concerns its own cell alone."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

import codecs
import gzip
import io
import os
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.errors import TableError
from sfumato.tables.dialect import Dialect, is_compressed

MOST_EXPANSION = 300
"""Bytes of text per byte of gzip beyond which a large file is taken for a decompression bomb: tables give 3 to 100."""
_SMALL = 1 << 30
"""Bytes of text that any gzip file may give."""
_ASCII = 128
"""Bytes from which on a byte is none."""
_UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_PIECE = 1 << 18
"""Bytes, and letters, that are decoded at a time."""


def decoded(cells: pa.Array, charset: str) -> pa.Array:
    """Cells of bytes as strings; what ``charset`` does not know becomes U+FFFD in its own cell."""
    high = _beyond_ascii(cells)
    if not len(high):
        return cells.cast(pa.string())
    if charset == "utf-8":
        try:
            return cells.cast(pa.string())  # checks every cell; the same as below where all are well formed
        except pa.ArrowInvalid:
            pass
    chosen = np.zeros(len(cells), bool)
    chosen[high] = True
    encoded = cells.take(pa.array(high)).dictionary_encode()
    texts = pa.array([cell.decode(charset, "replace") for cell in encoded.dictionary.to_pylist()], pa.string())
    plain = pc.if_else(pa.array(chosen), pa.scalar(b"", cells.type), cells).cast(pa.string())
    return pc.replace_with_mask(plain, pa.array(chosen), texts.take(encoded.indices))


def _beyond_ascii(cells: pa.Array) -> np.ndarray:
    """Positions of the cells with a byte that is not ASCII."""
    _, offsets, data = cells.buffers()
    if data is None or not len(cells):
        return np.zeros(0, np.int64)
    ends = np.frombuffer(offsets, np.int32)[cells.offset : cells.offset + len(cells) + 1]
    at = np.flatnonzero(np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] >= _ASCII)
    return np.unique(np.searchsorted(ends, at + ends[0], side="right") - 1)


def open_bytes(path: str, dialect: Dialect) -> BinaryIO:
    """The file without compression, as bytes in which those of ASCII mean themselves: UTF-16 becomes UTF-8."""
    stream = cast(BinaryIO, _Gunzipped(path, "rb") if is_compressed(path, dialect) else open(path, "rb"))  # noqa: SIM115 - given on
    if not dialect.wide:
        return stream
    peeked = io.BufferedReader(cast(io.RawIOBase, stream), _PIECE)
    if dialect.codec == "utf-16" and not dialect.header and not peeked.peek(2).startswith(_UTF_16_MARKS):
        stream.close()
        where = dialect.declared_in
        raise TableError(f"{path}: begins with no byte-order mark; write in {where}: file: {{charset: utf-16-le}}")
    return cast(BinaryIO, io.BufferedReader(_AsUtf8(peeked, dialect.codec), _PIECE))


class _Gunzipped(gzip.GzipFile):
    """A gzip file that ends in a TableError where it gives far more text than tables do."""

    _given = 0

    def read(self, size: int | None = -1) -> bytes:
        """The next bytes, at most ``size``."""
        piece = super().read(size)
        self._given += len(piece)
        if self._given > _SMALL and self._given > MOST_EXPANSION * os.path.getsize(self.name):
            raise TableError(
                f"{self.name}: gives more than {MOST_EXPANSION} times its own size, as no table does; if it is"
                " one all the same, decompress it first: gunzip"
            )
        return piece


class _AsUtf8(io.RawIOBase):
    """A stream of another charset as UTF-8, what it does not know as U+FFFD."""

    def __init__(self, stream: BinaryIO, charset: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding=charset, errors="replace", newline="")
        self._left = b""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fill ``buffer`` as far as there is text."""
        if not self._left:
            self._left = self._text.read(_PIECE).encode("utf-8", "replace")
        n = min(len(buffer), len(self._left))
        buffer[:n] = self._left[:n]
        self._left = self._left[n:]
        return n

    def close(self) -> None:
        """With the stream below."""
        if not self.closed:
            self._text.close()
        super().close()
