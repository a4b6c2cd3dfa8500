"""Tables that already lie in memory: pandas, polars, pyarrow, DuckDB relations, any Arrow C stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from sfumato.errors import TableError
from sfumato.tables.columnar import conforming, flat_schema
from sfumato.tables.dialect import checked_names, display_name


class Source(Protocol):
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


def open_frame(frame: Any) -> Source:
    """The frame as a source; types come with it, and nothing is copied before it is asked for.

    Raises:
        TableError: not a table, or a column of no single type, or names that are not unique strings.
    """
    module = type(frame).__module__.partition(".")[0]
    if module == "pandas" and hasattr(frame, "columns"):
        return PandasFrame(frame, _pandas_schema(frame))
    if module in ("duckdb", "_duckdb") and hasattr(frame, "to_arrow_reader"):
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

    relation: Any = field(repr=False)
    schema: pa.Schema = field(repr=False)
    kind = "duckdb"

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` rows."""
        with self.relation.to_arrow_reader(size) as reader:
            yield from reader


@dataclass(frozen=True)
class PandasFrame:
    """A pandas frame, converted slice by slice; its index is no column."""

    frame: Any = field(repr=False)
    schema: pa.Schema = field(repr=False)
    kind = "pandas"

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of at most ``size`` rows."""
        for start in range(0, len(self.frame), size):
            piece = self.frame.iloc[start : start + size]
            yield pa.RecordBatch.from_pandas(piece, schema=self.schema, preserve_index=False)


def _pandas_schema(frame: Any) -> pa.Schema:
    """Types of all columns, from all rows: a slice alone could not tell ints with gaps, or text, from nothing.

    What would follow from single rows (the digits of decimals, the number of categories) is set to its widest.
    """
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
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            if any(isinstance(cell, np.ndarray) for cell in frame[name].head(1)):
                raise TableError(
                    f"the DataFrame: column {name!r} holds arrays; give images as .npz, Parquet, pyarrow or polars"
                ) from None
            raise TableError(
                f"the DataFrame: column {name!r} mixes values of several types; convert it to one, "
                f"as in frame[{name!r}].astype(str)"
            ) from None
    return flat_schema("the DataFrame", pa.schema(fields))


def _type(column: Any) -> pa.DataType:
    kind = pa.array(column, from_pandas=True).type
    if pa.types.is_dictionary(kind):
        return pa.dictionary(pa.int32(), kind.value_type, kind.ordered)
    return pa.decimal128(38, kind.scale) if pa.types.is_decimal128(kind) and column.dtype == object else kind
