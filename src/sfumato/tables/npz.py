"""Images in NumPy's ``.npz``: an array ``images`` of uint8 and an array ``labels``, streamed and never unpickled."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tokenize import TokenError
from typing import IO

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy

from sfumato.errors import TableError
from sfumato.tables.images import IMAGE, LABEL, Shape, check_expansion, checked_shape, image_array, image_type

IMAGES, LABELS = "images", "labels"
"""Names of the arrays."""
_LONGEST_LABEL = 256
"""Letters."""
_END, _LONG_END = b"PK\5\6", b"PK\6\6"
_LONGEST_END = (1 << 16) + 22
"""Bytes in which a zip archive's end of directory begins, a comment behind it."""
_MOST_ARRAYS, _MOST_DIRECTORY = 1 << 10, 1 << 20
"""Entries, and bytes of their directory, which is read before any is looked at; two arrays are used."""
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError)


def is_npz(path: str) -> bool:
    """Whether the file is a zip archive with an array ``images``."""
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            return f"{IMAGES}.npy" in archive.namelist()
    except _DAMAGE:
        return False


@dataclass(frozen=True)
class NpzFile:
    """An archive of ``images`` (n, h, w) or (n, h, w, c) and, perhaps, ``labels`` (n,): whole numbers or text.

    Attributes:
        path: where it is.
        shape: height, width, channels.
        schema: ``image``, and ``label`` where there are labels.
    """

    path: str
    shape: Shape
    schema: pa.Schema = field(repr=False)
    kind = "npz"

    @classmethod
    def open(cls, path: str) -> NpzFile:
        """Read the headers of the arrays.

        Raises:
            TableError: damaged, or arrays of another shape or type.
        """
        with _opened(path) as archive:
            with archive.open(f"{IMAGES}.npy") as stream:
                sizes, dtype = _header(path, IMAGES, stream)
            if dtype != np.uint8:
                raise TableError(f"{path}: 'images' are {dtype}; give levels from 0 to 255 as uint8")
            shape = checked_shape(path, sizes[1:])
            fields = [pa.field(IMAGE, image_type(shape))]
            check_expansion(path, math.prod(sizes))
            if f"{LABELS}.npy" in archive.namelist():
                with archive.open(f"{LABELS}.npy") as stream:
                    fields.append(pa.field(LABEL, _label_type(path, stream, sizes[0])))
        return cls(path, shape, pa.schema(fields))

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` images, as they are read."""
        with _opened(self.path) as archive:
            images = _blocks(self.path, archive, IMAGES, size)
            if len(self.schema) == 1:
                for block in images:
                    yield pa.record_batch([image_array(block.reshape(-1, *self.shape))], schema=self.schema)
                return
            labels = _blocks(self.path, archive, LABELS, size)
            for block, own in zip(images, labels, strict=True):
                columns = [image_array(block.reshape(-1, *self.shape)), pa.array(own, self.schema.field(LABEL).type)]
                yield pa.record_batch(columns, schema=self.schema)


def _header(path: str, name: str, stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Shape and type of an array of at least one dimension, stored row by row."""
    if npy.read_magic(stream) != (1, 0):
        raise TableError(f"{path}: {name!r} is in a form of array that is not read; save it by numpy.savez")
    try:
        sizes, column_major, dtype = npy.read_array_header_1_0(stream)
    except (SyntaxError, TokenError, LookupError, TypeError, ArithmeticError):  # it is a Python literal
        raise ValueError("header") from None
    if dtype.hasobject:
        raise TableError(f"{path}: {name!r} holds Python objects, which are never loaded; give numbers or text")
    if not sizes or (column_major and len(sizes) > 1):
        raise TableError(f"{path}: {name!r} is not stored image by image; save numpy.ascontiguousarray of it")
    return sizes, dtype


def _label_type(path: str, stream: IO[bytes], images: int) -> pa.DataType:
    sizes, dtype = _header(path, LABELS, stream)
    if sizes != (images,):
        raise TableError(f"{path}: 'labels' must be one list of as many labels as there are images")
    if dtype.kind in "iu":
        return pa.from_numpy_dtype(dtype.newbyteorder("="))
    if dtype.kind != "U" or dtype.itemsize > 4 * _LONGEST_LABEL:
        raise TableError(f"{path}: 'labels' are {dtype}; give whole numbers, or text of up to {_LONGEST_LABEL} letters")
    return pa.string()


def _blocks(path: str, archive: zipfile.ZipFile, name: str, size: int) -> Iterator[np.ndarray]:
    """An array from its first row on, at most ``size`` rows at a time."""
    with archive.open(f"{name}.npy") as stream:
        sizes, dtype = _header(path, name, stream)
        each = math.prod(sizes[1:]) * dtype.itemsize
        for start in range(0, sizes[0], size):
            wanted = min(size, sizes[0] - start) * each
            block = stream.read(wanted)
            if len(block) < wanted:
                raise EOFError
            yield np.frombuffer(block, dtype).astype(dtype.newbyteorder("="), copy=False)
        if stream.read(1):
            raise EOFError


def _check_directory(path: str) -> None:
    """ValueError where an end of directory near the end of the file says that it has more than a few entries."""
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - _LONGEST_END))
        end = stream.read()
    at = end.rfind(_END)
    long = end.rfind(_LONG_END, 0, max(0, at))
    said = [end[at + 10 : at + 12], *([end[long + 32 : long + 40]] if long >= 0 else [])]
    sizes = [end[at + 12 : at + 16], *([end[long + 40 : long + 48]] if long >= 0 else [])]
    entries, size = (max(int.from_bytes(n, "little") for n in numbers) for numbers in (said, sizes))
    if at < 0 or entries > _MOST_ARRAYS or size > _MOST_DIRECTORY:
        raise ValueError


@contextmanager
def _opened(path: str) -> Iterator[zipfile.ZipFile]:
    try:
        _check_directory(path)
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _DAMAGE:
        raise TableError(f"{path}: the .npz file is cut short or damaged; save it again") from None
