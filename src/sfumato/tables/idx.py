"""Images in idx files, the form of MNIST: a big-endian header, then bytes; perhaps gzipped, labels in a file beside."""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import numpy as np
import pyarrow as pa

from sfumato.errors import TableError
from sfumato.tables.dialect import is_gzip
from sfumato.tables.images import IMAGE, LABEL, Shape, check_expansion, checked_shape, image_array, image_type

_IMAGES, _LABELS = b"\0\0\x08\x03", b"\0\0\x08\x01"


def idx_mark(path: str) -> bool:
    """Whether the file, perhaps gzipped, begins as idx images or idx labels do."""
    try:
        with gzip.open(path) if is_gzip(path) else open(path, "rb") as stream:
            return stream.read(4) in (_IMAGES, _LABELS)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return False


@dataclass(frozen=True)
class IdxFile:
    """A file of images, with the file of their labels where one lies beside it.

    Attributes:
        path: the images, such as ``train-images-idx3-ubyte.gz``.
        labels: the labels, such as ``train-labels-idx1-ubyte.gz``, or None.
        shape: height, width, channels.
        schema: ``image``, and ``label`` as whole numbers.
    """

    path: str
    labels: str | None = field(repr=False)
    shape: Shape
    schema: pa.Schema = field(repr=False)
    kind = "idx"

    @classmethod
    def open(cls, path: str) -> IdxFile:
        """Read the headers.

        Raises:
            TableError: a file of labels alone, images of a size that is not read, or labels that do not fit.
        """
        with _opened(path) as stream:
            sizes = _header(path, stream, _IMAGES, 3)
        shape = checked_shape(path, sizes[1:])
        check_expansion(path, math.prod(sizes))
        fields = [pa.field(IMAGE, image_type(shape))]
        labels = _beside(path)
        if labels is not None:
            with _opened(labels) as stream:
                if _header(labels, stream, _LABELS, 1)[0] != sizes[0]:
                    raise TableError(f"{labels}: does not hold as many labels as there are images beside it")
            fields.append(pa.field(LABEL, pa.uint8()))
        return cls(path, labels, shape, pa.schema(fields))

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` images, as they are read."""
        if self.labels is None:
            for images in self._images(size):
                yield pa.record_batch([image_array(images)], schema=self.schema)
            return
        labels = _blocks(self.labels, _LABELS, 1, size)
        for images, own in zip(self._images(size), labels, strict=True):
            yield pa.record_batch([image_array(images), pa.array(own)], schema=self.schema)

    def _images(self, size: int) -> Iterator[np.ndarray]:
        for block in _blocks(self.path, _IMAGES, 3, size):
            yield block.reshape(-1, *self.shape)


def _beside(path: str) -> str | None:
    """The file of labels that belongs to the file of images ``path``."""
    folder, name = os.path.split(path)
    stem = name.replace("images", "labels").replace("idx3", "idx1").removesuffix(".gz")
    if stem == name.removesuffix(".gz"):
        return None
    candidates = (os.path.join(folder, stem + suffix) for suffix in ("", ".gz"))
    return next((c for c in candidates if os.path.isfile(c)), None)


def _header(path: str, stream: BinaryIO, mark: bytes, dimensions: int) -> tuple[int, ...]:
    """The sizes that stand after the mark."""
    found = stream.read(4)
    if found != mark:
        what = "labels" if found == _LABELS else "no bytes in idx form"
        raise TableError(f"{path}: holds {what}; give the file of images, and keep that of the labels beside it")
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise _cut(path)
    return struct.unpack(f">{dimensions}I", sizes)


def _blocks(path: str, mark: bytes, dimensions: int, size: int) -> Iterator[np.ndarray]:
    """The entries as rows of bytes, at most ``size`` at a time: exactly as many as the header says."""
    with _opened(path) as stream:
        count, *rest = _header(path, stream, mark, dimensions)
        each = math.prod(rest)
        for start in range(0, count, size):
            wanted = min(size, count - start) * each
            block = stream.read(wanted)
            if len(block) < wanted:
                raise _cut(path)
            yield np.frombuffer(block, np.uint8)
        if stream.read(1):
            raise TableError(f"{path}: goes on after the last entry that its header announces; copy it again")


@contextmanager
def _opened(path: str) -> Iterator[BinaryIO]:
    try:
        with cast(BinaryIO, gzip.open(path) if is_gzip(path) else open(path, "rb")) as stream:
            yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise _cut(path) from None


def _cut(path: str) -> TableError:
    return TableError(f"{path}: the idx file is cut short or damaged; copy it again")
