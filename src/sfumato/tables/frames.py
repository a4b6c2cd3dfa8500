"""Tables that already lie in memory: pandas, polars, pyarrow, DuckDB relations, any Arrow C stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from sfumato.errors import TableError
from sfumato.tables.columnar import conforming, flat_schema
from sfumato.tables.databases import unread
from sfumato.tables.dialect import checked_names, display_name
from sfumato.tables.objects import OBJECTS, alone, as_alone, as_text, object_cells, readable
from sfumato.tables.pieces import MOST_TEXT, bytes_of_text

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_ENGINE_ONLY = ("UHUGEINT", "BIT", "INTERVAL", "BIGNUM")
"""DuckDB's types that Arrow cannot hold: numbers of 128 bits without a sign come out negative from 2^127 on."""


class BatchSource(Protocol):
    """Something that delivers the same rows each time it is asked, as record batches of one schema."""

    @property
    def kind(self) -> str:
        """What it is: ``csv``, ``parquet``, ``folder``, ``pandas`` and so on; see `Rows.kind`."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        ...

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """The rows from the first on, in batches of about ``size`` rows."""
        ...


def open_frame(frame: Any) -> BatchSource:  # of libraries that are not imported to ask for their types
    """The frame as a source; types come with it, and nothing is copied before it is asked for.

    Raises:
        TableError: not a table, or a column of a type that is not read, or names that are not unique strings.
    """
    module = type(frame).__module__.partition(".")[0]
    if module == "pandas" and hasattr(frame, "columns"):
        return PandasFrame(frame, _pandas_schema(frame))
    if module in ("duckdb", "_duckdb") and hasattr(frame, "to_arrow_reader"):
        for name, kind in zip(frame.columns, frame.types, strict=True):
            if str(kind) in _ENGINE_ONLY:
                raise TableError(unread("the DuckDB relation", name, str(kind)))
        with frame.to_arrow_reader(1) as reader:
            return DuckdbRelation(frame, flat_schema("the DuckDB relation", reader.schema))
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if (
        hasattr(frame, "__arrow_c_stream__")
        and not hasattr(frame, "to_frame")
        and not isinstance(frame, pa.ChunkedArray)
    ):
        kind = module if module in ("pyarrow", "polars") else "arrow"
        table = frame if isinstance(frame, pa.Table) else pa.table(frame)
        return ArrowTable(table, flat_schema(display_name(frame), table.schema), kind)
    raise TableError(
        f"cannot read rows from {display_name(frame)}; give a path to a CSV, Parquet or Arrow file, or a pandas, "
        "polars, pyarrow or DuckDB table (a series: to_frame(); a lazy frame: collect())"
    )


@dataclass(frozen=True)
class ArrowTable:
    """A table in Arrow memory; a one-pass stream has been read into it, so that it can be read again."""

    table: pa.Table = field(repr=False)
    schema: pa.Schema = field(repr=False)
    kind: str

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Slices of at most ``size`` rows, without a copy where the types are kept."""
        return conforming(self.table.to_batches(max_chunksize=size), self.schema)


@dataclass(frozen=True)
class DuckdbRelation:
    """A DuckDB relation: the query runs anew, streaming, each time its rows are asked for."""

    relation: duckdb.DuckDBPyRelation = field(repr=False)
    schema: pa.Schema = field(repr=False)
    kind = "duckdb"

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` rows."""
        with self.relation.to_arrow_reader(size) as reader:
            yield from conforming(reader, self.schema)


@dataclass(frozen=True)
class PandasFrame:
    """A pandas frame, converted slice by slice; its index is no column.

    Types follow from the dtypes of the columns alone, never from a cell: in a column of objects each
    cell has a type of its own.
    """

    frame: pd.DataFrame = field(repr=False)
    schema: pa.Schema = field(repr=False)
    kind = "pandas"

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` rows."""
        for start in range(0, len(self.frame), size):
            yield from self._pieces(start, min(start + size, len(self.frame)))

    def _pieces(self, start: int, stop: int) -> Iterator[pa.RecordBatch]:
        """Rows ``start .. stop``, halved where their text is too long for one batch."""
        batch = None
        try:
            piece = self.frame.iloc[start:stop]
            cells = [_cells(piece[field.name], field.type) for field in self.schema]
            batch = pa.record_batch(cells, schema=self.schema)
        except pa.ArrowException:
            if stop - start < 2:
                raise
        if batch is not None and (stop - start < 2 or bytes_of_text(batch) <= MOST_TEXT):
            yield batch
            return
        half = (start + stop) // 2
        yield from self._pieces(start, half)
        yield from self._pieces(half, stop)


def _pandas_schema(frame: pd.DataFrame) -> pa.Schema:
    """Types of all columns by their dtypes."""
    names = list(frame.columns)
    for position, name in enumerate(names, start=1):
        if not isinstance(name, str):
            raise TableError(
                f"the DataFrame: the name of column {position} is of type {type(name).__name__}; "
                "make it a string: frame.columns = frame.columns.map(str)"
            )
    checked_names("the DataFrame", names)
    fields = []
    for name in names:
        try:
            fields.append(pa.field(name, _type(frame[name])))
        except (pa.ArrowException, TypeError, ValueError):
            raise TableError(
                f"the DataFrame: column {name!r} is of dtype {frame[name].dtype}, which is not read; convert it, "
                f"as in frame[{name!r}].astype(str)"
            ) from None
    return flat_schema("the DataFrame", pa.schema(fields))


def _type(column: pd.Series | pd.Index) -> pa.DataType:
    """The Arrow type of a column, by its dtype and, where it has them, that of its categories.

    Times have the type that each has in a column of objects, which one cell of another sort makes of a column.
    """
    if hasattr(column, "cat"):
        kind = _type(column.cat.categories)
        return OBJECTS if kind == OBJECTS else pa.dictionary(pa.int32(), kind, bool(column.cat.ordered))
    if column.dtype == object:
        return OBJECTS
    texts = getattr(column.dtype, "storage", None) == "python"
    kind = pa.string() if texts else pa.array(column[:0], from_pandas=True).type
    return alone(kind)


def _cells(column: pd.Series | pd.Index, kind: pa.DataType) -> pa.Array:
    if kind == OBJECTS:
        return object_cells(column.to_numpy(object))
    if hasattr(column, "cat"):
        codes = column.cat.codes.to_numpy()
        indices = pa.array(codes, pa.int32(), mask=codes < 0)
        entries = _cells(column.cat.categories, kind.value_type)
        return pa.DictionaryArray.from_arrays(indices, entries, ordered=kind.ordered)
    if getattr(column.dtype, "storage", None) == "python":
        return as_text(object_cells(column.to_numpy(object)))
    made = pa.array(column, from_pandas=True)
    made = as_alone(made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made)
    return readable(made if made.type == kind else made.cast(kind))
