"""Batches of a size that one array of strings can hold, and that a machine can: cut, or joined.

How rows are cut into batches changes no row's codes. It only keeps any text of any row from being more than there is
room for, which would end a fit.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.tables.objects import OBJECTS

MOST_TEXT = 1 << 28
"""The most bytes of text in a column of a batch of two rows or more; an array of strings holds 2 GiB."""


def in_pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """The batch, halved until no column of a piece has more than `MOST_TEXT`."""
    if batch.num_rows < 2 or bytes_of_text(batch) <= MOST_TEXT:
        yield batch
        return
    half = batch.num_rows // 2
    yield from in_pieces(batch.slice(0, half))
    yield from in_pieces(batch.slice(half))


def even(batches: Iterable[pa.RecordBatch], size: int) -> Iterator[pa.RecordBatch]:
    """Cut batches that are too long and join runs of short ones, so that cost per batch is paid seldom."""
    waiting: list[pa.RecordBatch] = []
    rows = text = 0
    for batch in batches:
        own = bytes_of_text(batch)
        if waiting and (rows + batch.num_rows > size or text + own > MOST_TEXT):
            yield from _joined(waiting)
            waiting, rows, text = [], 0, 0
        if batch.num_rows * 2 > size:
            yield from (batch.slice(start, size) for start in range(0, batch.num_rows, size))
        elif batch.num_rows:
            waiting.append(batch)
            rows, text = rows + batch.num_rows, text + own
    if waiting:
        yield from _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """One batch; or as they are, where Arrow cannot join their dictionaries (a null among the entries)."""
    try:
        return [pa.concat_batches(batches)]
    except pa.ArrowException:
        return batches


def bytes_of_text(batch: pa.RecordBatch) -> int:
    """The most bytes that any column takes as plain strings, those of a dictionary once for each row."""
    return max((_text(column) for column in batch.columns), default=0)


def _text(cells: pa.Array) -> int:
    kind = cells.type
    if kind == OBJECTS:
        return _text(cells.field(0))
    if not len(cells):
        return 0
    if pa.types.is_dictionary(kind):
        return len(cells) * _longest(cells.dictionary)
    if kind == pa.string_view():
        return int(_view_lengths(cells).sum())
    if kind not in (pa.string(), pa.large_string()):
        return 0
    offsets = np.frombuffer(cells.buffers()[1], np.int32 if kind == pa.string() else np.int64)
    return int(offsets[cells.offset + len(cells)]) - int(offsets[cells.offset])


def _longest(entries: pa.Array) -> int:
    if entries.type == pa.string_view():
        return int(_view_lengths(entries).max(initial=0))
    texts = entries.type in (pa.string(), pa.large_string())
    return pc.max(pc.binary_length(entries)).as_py() or 0 if texts else 0


def _view_lengths(cells: pa.Array) -> np.ndarray:
    """Bytes of each text: the first four of its sixteen bytes of view; 0 for null."""
    views = np.frombuffer(cells.buffers()[1] or b"", np.int32)[cells.offset * 4 : (cells.offset + len(cells)) * 4 : 4]
    return np.where(cells.is_valid().to_numpy(zero_copy_only=False), views, 0).astype(np.int64)
