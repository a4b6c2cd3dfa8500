"""Parquet and Arrow (Feather) files, read as a stream of record batches."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import parquet

from sfumato.errors import TableError
from sfumato.tables.dialect import checked_names
from sfumato.tables.images import image_shape
from sfumato.tables.objects import OBJECTS, readable
from sfumato.tables.pieces import in_pieces

_READ_AHEAD = 1 << 20
"""Bytes of a buffer of a column: of many columns, megabytes."""
MOST_METADATA = 1 << 27
"""Bytes of the footer of a Parquet file, or of the schema of an Arrow file: read whole, they take ten times as much."""
_MOST_ENTRIES = 1 << 17
"""Entries of one list in a Parquet footer: columns, or row groups."""


_AS_BYTES = {pa.string(): pa.binary(), pa.large_string(): pa.large_binary(), pa.string_view(): pa.binary_view()}


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file; read by row group in bounded memory.

    Attributes:
        path: where it is.
        schema: names and types of the columns.
    """

    path: str
    schema: pa.Schema = field(repr=False)
    kind = "parquet"

    @classmethod
    def open(cls, path: str) -> ParquetFile:
        """Read the footer.

        Raises:
            TableError: damaged, or a column that is not flat.
        """
        with _damage_named(path, "Parquet"):
            _check_footer(path)
            with _parquet(path) as file:
                return cls(path, flat_schema(path, file.schema_arrow))

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` rows; columns of a row group are decoded as they are needed."""
        with _damage_named(self.path, "Parquet"), _parquet(self.path) as file:
            yield from conforming(file.iter_batches(batch_size=size), self.schema)


@dataclass(frozen=True)
class ArrowFile:
    """An Arrow IPC file or stream (Feather version 2 is the file form).

    Attributes:
        path: where it is.
        schema: names and types of the columns.
        streamed: the stream form, without a footer.
    """

    path: str
    schema: pa.Schema = field(repr=False)
    streamed: bool = False
    kind = "arrow"

    @classmethod
    def open(cls, path: str, streamed: bool) -> ArrowFile:
        """Read the schema.

        Raises:
            TableError: damaged, or a column that is not flat.
        """
        with _damage_named(path, "Arrow"), pa.memory_map(path) as source:
            _check_schema_message(path, source, streamed)
            reader = pa.ipc.open_stream(source) if streamed else pa.ipc.open_file(source)
            return cls(path, flat_schema(path, reader.schema), streamed)

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches as they lie in the file, whatever ``size``; pages are mapped, not copied."""
        del size
        with _damage_named(self.path, "Arrow"), pa.memory_map(self.path) as source:
            reader = pa.ipc.open_stream(source) if self.streamed else _from_file(pa.ipc.open_file(source))
            yield from conforming(map(sound, reader), self.schema)


def conforming(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The batches in the types that `flat_schema` gave, with texts that are UTF-8 throughout."""
    for batch in (piece for whole in batches for piece in in_pieces(whole)):
        typed = batch if batch.schema.equals(schema) else batch.cast(schema)
        given = typed.columns
        cells = [readable(column) for column in given]
        kept = all(new is old for new, old in zip(cells, given, strict=True))
        yield typed if kept else pa.record_batch(cells, schema=schema)


def flat_schema(source: str, schema: pa.Schema) -> pa.Schema:
    """The schema, after checking that names are unique and that no column holds lists, structs, maps, bytes,
    spans of time, or tensors that are no images.

    Views of strings become strings, also in dictionaries (polars' categories), for Arrow cannot select from views yet.
    Indices of dictionaries become int32: how many entries there are may follow from the rows.

    Raises:
        TableError: naming the column.
    """
    checked_names(source, schema.names)
    for column in schema:
        other = isinstance(column.type, pa.BaseExtensionType) and image_shape(column.type) is None
        span = pa.types.is_duration(column.type) or pa.types.is_interval(column.type)
        if (pa.types.is_nested(column.type) and column.type != OBJECTS) or _is_bytes(column.type) or other or span:
            raise TableError(
                f"{source}: column {column.name!r} holds {column.type}; give a number, text, date, time, true/false "
                "or an image (uint8, height x width x channels) in each cell, or leave the column out"
            )
    return pa.schema([f.with_type(_without_views(f.type)) for f in schema])


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), _without_views(kind.value_type), kind.ordered)
    return pa.string() if kind == pa.string_view() else kind


def sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch, after checking that its offsets and indices lie within its buffers, as functions of Arrow rely on.

    Texts that are no UTF-8 pass: they concern their own cells.

    Raises:
        pa.ArrowInvalid: they do not.
    """
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid:
        for column in batch.columns:
            _check_sound(column)
    return batch


def _check_sound(cells: pa.Array) -> None:
    kind = cells.type
    if pa.types.is_dictionary(kind):
        cells.validate()
        _check_sound(cells.dictionary)
        bare = pa.array(range(len(cells.dictionary)), kind.index_type)
        pa.DictionaryArray.from_arrays(cells.indices, bare).validate(full=True)
    elif kind in _AS_BYTES:
        cells.validate()
        cells.view(_AS_BYTES[kind]).validate(full=True)
    else:  # of fixed width: a value that its type does not allow (a decimal of more digits) concerns its own cell
        cells.validate()


def _parquet(path: str) -> parquet.ParquetFile:
    return parquet.ParquetFile(
        path,
        buffer_size=_READ_AHEAD,
        pre_buffer=False,
        thrift_string_size_limit=MOST_METADATA,
        thrift_container_size_limit=_MOST_ENTRIES,
    )


def _check_footer(path: str) -> None:
    """TableError where a Parquet file says that its footer is larger than one may be."""
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - 8))
        _check_metadata(path, stream.read(4), "footer")


def _check_schema_message(path: str, source: pa.MemoryMappedFile, streamed: bool) -> None:
    """TableError where an Arrow file says that its schema is larger than one may be."""
    source.seek(0 if streamed else 8)
    mark = source.read(4)
    _check_metadata(path, source.read(4) if mark == b"\xff\xff\xff\xff" else mark, "schema")
    source.seek(0)


def _check_metadata(path: str, size: bytes, what: str) -> None:
    """Of more bytes than the file has itself the reader says that it is damaged."""
    if MOST_METADATA < int.from_bytes(size, "little") <= os.path.getsize(path):
        raise TableError(
            f"{path}: says that its {what} has more than {MOST_METADATA >> 20} MiB, the most that one may have;"
            " the file is damaged, or write it with fewer columns or larger row groups"
        )


def _from_file(reader: pa.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    return (reader.get_batch(number) for number in range(reader.num_record_batches))


def _is_bytes(kind: pa.DataType) -> bool:
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


@contextmanager
def _damage_named(path: str, form: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise TableError(f"{path}: the {form} file is cut short or damaged; copy or write it again") from None
