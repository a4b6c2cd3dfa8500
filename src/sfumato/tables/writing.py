"""Tables written to files, by suffix, whole or not at all."""

from __future__ import annotations

import errno
import gzip
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import BinaryIO

import pyarrow as pa
from pyarrow import parquet

from sfumato.atomic import atomic_write
from sfumato.errors import OutputError
from sfumato.outputs import TABLE, check_output
from sfumato.tables.delimited_writing import DELIMITERS, ROWS_AT_ONCE, write_delimited
from sfumato.tables.images import image_column
from sfumato.tables.pictures import SUFFIXES, check_can_write, write_pictures

STDOUT = ("-", "/dev/stdout")
"""The paths that stand for standard output."""


def write_blocks(
    blocks: Iterable[pa.Table],
    schema: pa.Schema,
    path: str | os.PathLike[str],
    escape_formulas: bool = False,
    overwrite: bool = False,
) -> None:
    """Write one table, given as blocks of rows of ``schema``, to ``path`` in the form that its suffix names.

    A block is asked for when the one before it is written; images go to other forms than Parquet and Arrow as a whole.
    The path ``-``, or ``/dev/stdout``, is standard output, as CSV. ``escape_formulas`` is of ``write_delimited``,
    ``overwrite`` of ``check_output``.

    Raises:
        BrokenPipeError: nobody reads standard output any more.
        MissingExtra: pictures, without Pillow.
        OutputError: an unknown suffix, one that cannot hold images, a place that cannot be written to, or a full disk.
    """
    name = os.fspath(path)
    image = image_column(schema)
    stem, suffix = os.path.splitext(name.lower())
    if suffix and name not in STDOUT:
        check_output(path, TABLE, overwrite=overwrite)
    zipped = suffix == ".gz"
    if zipped:
        suffix = os.path.splitext(stem)[1]
    delimited = name in STDOUT or suffix in DELIMITERS or name.startswith("/dev/")
    if escape_formulas and not delimited:
        raise OutputError(f"cannot write {name}: formulas are escaped in delimited text alone; take .csv or .tsv")
    if image is not None and not zipped and suffix in SUFFIXES and not name.startswith("/dev/") and name not in STDOUT:
        check_can_write(path)  # before a row is drawn
        write_pictures(pa.concat_tables(blocks), image, path, overwrite)
    elif not zipped and suffix == ".parquet":
        with (
            atomic_write(path, TABLE, overwrite) as stream,
            parquet.ParquetWriter(stream, schema, compression="zstd") as out,
        ):
            for block in blocks:
                out.write_table(block)
    elif not zipped and suffix in (".arrow", ".feather"):
        with atomic_write(path, TABLE, overwrite) as stream:
            _write_arrow(blocks, schema, stream)
    elif image is not None:
        raise OutputError(
            f"cannot write images to {name}; take .npz, .parquet, .arrow, .png (a grid of samples), "
            "or a path without a suffix (a folder of PNG files)"
        )
    elif name in STDOUT:
        with _standard_output() as out:
            write_delimited(blocks, schema, out, escape_formulas=escape_formulas)
    elif delimited:
        with atomic_write(path, TABLE, overwrite) as stream, _zipping(stream, zipped) as out:
            write_delimited(blocks, schema, out, suffix, escape_formulas)
    else:
        raise OutputError(
            f"cannot write {name}: the suffix names no format that is written; "
            "take .csv, .csv.gz, .tsv, .parquet, .arrow or .feather"
        )


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    """The bytes of file descriptor 1, behind what was printed before."""
    try:
        sys.stdout.flush()
        with os.fdopen(1, "wb", closefd=False) as stream:
            yield stream
    except BrokenPipeError:
        raise
    except OSError as error:
        reason = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise OutputError(f"cannot write to standard output: {reason}") from None


def _zipping(stream: BinaryIO, zipped: bool) -> AbstractContextManager[BinaryIO | gzip.GzipFile]:
    return gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=6, mtime=0) if zipped else nullcontext(stream)


def _write_arrow(blocks: Iterable[pa.Table], schema: pa.Schema, stream: BinaryIO) -> None:
    """The file form, which is Feather version 2; it holds one dictionary per column, so those are made one first."""
    if any(pa.types.is_dictionary(kind) for kind in schema.types):
        blocks = [pa.concat_tables(blocks).unify_dictionaries()]
    with pa.ipc.new_file(stream, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as out:
        for block in blocks:
            out.write_table(block, ROWS_AT_ONCE)
