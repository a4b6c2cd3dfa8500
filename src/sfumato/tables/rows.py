"""Private rows: opened, streamed, never shown."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from sfumato.errors import TableError
from sfumato.tables.columnar import ArrowFile, ParquetFile
from sfumato.tables.databases import DatabaseTable, display_url, is_url
from sfumato.tables.delimited import DelimitedFile
from sfumato.tables.dialect import Dialect, display_name
from sfumato.tables.frames import BatchSource, open_frame
from sfumato.tables.guessing import guessed
from sfumato.tables.idx import IdxFile, idx_mark
from sfumato.tables.image_folder import ImageFolder
from sfumato.tables.images import Shape, image_shape
from sfumato.tables.npz import NpzFile, is_npz
from sfumato.tables.objects import declared_types, without_objects
from sfumato.tables.pieces import even
from sfumato.tables.source import RowSource

_BATCH_CELLS = 1 << 22
"""Cells of a batch: tens of megabytes as text."""
_LEAST_ROWS = 1 << 10
"""Rows of a batch of a wide table, so that what is done once for each column of a batch is not done for each row."""
_FOREIGN = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"SQLite format 3": "an SQLite database",
    b"BZh": "compressed by bzip2",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"\xfd7zXZ": "compressed by xz",
    b"%PDF": "a PDF",
}
_UNTYPED = ("csv", "folder", "pandas", "mapped")
_TYPED = (".parquet", ".arrow", ".feather")
"""Ends of names that are no name of delimited text."""
_PICTURES = (b"\x89PNG", b"\xff\xd8\xff")


@dataclass(frozen=True, repr=False)
class Rows:
    """The rows of one private table, wherever they lie; they can be read several times, batch by batch.

    Formal guarantee: none. What is read here is private, un-noised data; only a trust setting and the internal
    evaluation may hold it. Its ``repr`` and its errors show no value and no count of rows.
    """

    source: BatchSource = field(repr=False)
    name: str

    @classmethod
    def open(cls, source: RowSource | Rows, file: Dialect | None = None, picture: Shape | None = None) -> Rows:
        """Open a path, a table in memory or one in a database.

        Args:
            source: a path to delimited text (perhaps gzipped), Parquet or Arrow; to images: a folder of PNG or JPEG,
                ``.npz`` or idx; a URL that names a table in a database
                (``postgresql://user@host/database?table=people``); or a pandas, polars or pyarrow table, a DuckDB
                relation, an Ibis table, or any Arrow C stream.
            file: how delimited text is written down, as the schema declares it: `Schema.dialect`. None guesses by all
                of its bytes, for a draft or for public rows; private rows are never read by a guess.
            picture: the size of the images in a folder, as the schema declares it: `Schema.picture`. A file that is no
                such image is then a missing one. None takes the size of the first, and refuses all others.

        Raises:
            TableError: one line that says what is wrong with the source and how to fix it.
        """
        if isinstance(source, Rows):
            return source
        if isinstance(source, str) and is_url(source):
            return cls(DatabaseTable.open(source), display_url(source))
        if type(source).__module__.startswith("ibis.expr"):
            return cls(DatabaseTable.of(source), "the Ibis table")
        if isinstance(source, str | os.PathLike):
            return cls(open_file(source, file, picture=picture), display_name(source))
        return cls(open_frame(source), display_name(source))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.source.schema.names)

    @property
    def schema(self) -> pa.Schema:
        """Names and Arrow types of the columns; delimited text and pandas' object columns are strings."""
        return declared_types(self.source.schema)

    @property
    def stored_types(self) -> dict[str, pa.DataType]:
        """The types that the storage declares, by column: those of Parquet, Arrow, a database, an array on disk.

        None of delimited text and of pandas, whose types follow from the rows: one missing value makes whole numbers
        floats, and one text makes them objects. None of a site's table that is mapped: its types are not the schema's.
        """
        return {} if self.kind in _UNTYPED else {f.name: f.type for f in self.schema}

    @property
    def kind(self) -> str:
        """``csv``, ``parquet``, ``arrow``, ``database``; images: ``folder``, ``npz``, ``idx``; a frame's library.

        ``mapped`` is a site's table in the columns of the schema, whatever it is stored as.
        """
        return self.source.kind

    def batches(self, size: int = 1 << 18) -> Iterator[pa.RecordBatch]:
        """Record batches of at most ``size`` rows (fewer where columns or pixels are many), from the first row on.

        What people would write for a cell stands for one that has a type of its own; see `cells`.

        Raises:
            TableError: there is no row, or a row is malformed (delimited text: says which line).
        """
        return map(without_objects, self.cells(size))

    def cells(self, size: int = 1 << 18) -> Iterator[pa.RecordBatch]:
        """As `batches`, with each cell of an object column in its own type (`objects.OBJECTS`), for a codec to read."""
        shapes = [image_shape(field.type) for field in self.schema]
        cells = sum(math.prod(shape or ()) for shape in shapes)
        least = _LEAST_ROWS if not any(shapes) else 1
        size = max(1, min(size, max(least, _BATCH_CELLS // max(1, cells))))
        empty = True
        for batch in even(self.source.batches(size), size):
            empty = False
            yield batch
        if empty:
            raise TableError(f"{self.name}: has columns but no rows; give at least one row")

    def __repr__(self) -> str:
        return f"Rows({self.kind}, {len(self.columns)} columns)"


def open_file(
    path: str | os.PathLike[str],
    file: Dialect | None = None,
    empty_is_null: bool = False,
    picture: Shape | None = None,
) -> BatchSource:
    """The file as a source; delimited text by ``file``, or by a guess; a folder of images in the size ``picture``.

    Without ``picture`` images have the size of the first. The kind of a file is told from its first bytes; where these
    are a row's, ``file`` having no header, its name tells it.

    Raises:
        TableError: missing, unreadable, empty, or of a kind that is not read.
    """
    name = os.fspath(path)
    try:
        if os.path.isdir(name):
            return ImageFolder.open(name, file, picture)
        if _is_device(name):
            raise TableError(f"{name}: is a device, which may never end; give a file")
        if file is not None and not file.header and not name.lower().endswith(_TYPED):
            return DelimitedFile.open(name, _named(name, file), empty_is_null)
        with open(name, "rb") as stream:
            start = stream.read(16)
        return _by_first_bytes(name, start, file, empty_is_null)
    except FileNotFoundError:
        raise TableError(f"{name}: there is no such file") from None
    except OSError as error:
        raise TableError(f"{name}: cannot be read ({error.strerror or type(error).__name__})") from None


def _by_first_bytes(path: str, start: bytes, file: Dialect | None, empty_is_null: bool) -> BatchSource:
    if start.startswith(b"PAR1"):
        return ParquetFile.open(path)
    if start.startswith(b"ARROW1"):
        return ArrowFile.open(path, streamed=False)
    if start.startswith(b"\xff\xff\xff\xff"):
        return ArrowFile.open(path, streamed=True)
    if start[8:12] == b"DUCK":
        raise TableError(f"{path}: is a DuckDB database; name a table in it: duckdb://{path}?table=NAME")
    if start.startswith(b"PK") and is_npz(path):
        return NpzFile.open(path)
    if start.startswith((b"\0\0\x08", b"\x1f\x8b")) and idx_mark(path):
        return IdxFile.open(path)
    for mark, what in _FOREIGN.items():
        if start.startswith(mark):
            raise TableError(f"{path}: is {what}; export the table as CSV (.csv, .csv.gz) or Parquet")
    if start.startswith(_PICTURES):
        raise TableError(f"{path}: is one picture; give the folder that holds the images")
    if start and Path(path).suffix.lower() in _TYPED:
        raise TableError(f"{path}: is not what its suffix says; name it .csv if it is delimited text")
    return DelimitedFile.open(path, guessed(path) if file is None else _named(path, file), empty_is_null)


def _is_device(path: str) -> bool:
    mode = os.stat(path).st_mode
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)


def _named(path: str, file: Dialect) -> Dialect:
    """A name that ends in .tsv says tab, where no other delimiter than the default is declared."""
    tabs = path.lower().endswith((".tsv", ".tsv.gz")) and file.delimiter == Dialect.delimiter
    return replace(file, delimiter="\t") if tabs else file
