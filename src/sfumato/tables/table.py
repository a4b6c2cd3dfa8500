"""A public table: what sampling gives, in the types of what went in, to be shown, converted and written."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from sfumato.errors import MissingExtra
from sfumato.printable import printable
from sfumato.tables.frames import open_frame
from sfumato.tables.images import described, image_levels, image_shape
from sfumato.tables.objects import declared_types, without_objects
from sfumato.tables.rows import open_file
from sfumato.tables.source import RowSource
from sfumato.tables.writing import write_blocks

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl

_SHOWN_ROWS = 8
"""Of a table in a notebook."""
_SHOWN_COLUMNS = 8
"""The same."""


@dataclass(frozen=True, repr=False, eq=False)
class Table:
    """Public rows in named, typed columns; immutable.

    Attributes:
        arrow: the rows as a ``pyarrow.Table``; anything that speaks the Arrow C stream takes the Table itself.
    """

    arrow: pa.Table

    @classmethod
    def read(cls, source: RowSource) -> Table:
        """Read a whole public table: a path or a table in memory, of the kinds that `write` and ``to_*`` give.

        Delimited text gives columns of strings, and null where a field is empty.

        Raises:
            TableError: one line that says what is wrong with the source and how to fix it.
        """
        if isinstance(source, Table):
            return source
        opened = open_file(source, None, True) if isinstance(source, str | os.PathLike) else open_frame(source)
        batches = map(without_objects, opened.batches(1 << 18))
        return cls(pa.Table.from_batches(batches, schema=declared_types(opened.schema)))

    def write(self, path: str | os.PathLike[str], *, escape_formulas: bool = False, overwrite: bool = False) -> None:
        """Write all rows, whole or not at all: ``.csv``, ``.csv.gz``, ``.tsv``, ``.parquet``, ``.arrow``, ``.feather``.

        Images go to ``.npz``, ``.parquet``, ``.arrow``, a folder of PNG files (a path without a suffix; a sub-folder
        for each value of ``label``, else a ``labels.csv``), or a few of them to one picture (``.png``), a row a label.

        Args:
            path: where; a file that is there is replaced only where it is a table that sfumato wrote and nobody changed
                since.
            escape_formulas: in delimited text, put an apostrophe before a text that a spreadsheet would run as a
                formula (it begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return, and is no number).
            overwrite: replace any other table too; never a data set with a ledger beside it.

        Raises:
            OutputError: another suffix, a place that cannot be written to, a file that must stay, or a full disk.
        """
        write_blocks([self.arrow], self.arrow.schema, path, escape_formulas, overwrite)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.arrow.column_names)

    def to_pandas(self) -> pd.DataFrame:
        """As a pandas frame; whole numbers stay whole, with pandas' nullable types where there are nulls.

        Raises:
            MissingExtra: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise MissingExtra("frames", "pandas") from None
        return pd.DataFrame({name: _series(self.arrow[name]) for name in self.columns})

    def to_polars(self) -> pl.DataFrame:
        """As a polars frame.

        Raises:
            MissingExtra: polars is not installed.
        """
        try:
            import polars as pl
        except ImportError:
            raise MissingExtra("frames", "polars") from None
        return pl.DataFrame(self.arrow)

    def to_duckdb(self, connection: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyRelation:
        """As a DuckDB relation on ``connection`` (else DuckDB's default one).

        Raises:
            MissingExtra: DuckDB is not installed.
        """
        try:
            import duckdb
        except ImportError:
            raise MissingExtra("frames", "DuckDB") from None
        return (connection or duckdb).from_arrow(self.arrow)

    def __len__(self) -> int:
        return self.arrow.num_rows

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.arrow.__arrow_c_stream__(requested_schema)

    def __repr__(self) -> str:
        shown = self.columns[:_SHOWN_COLUMNS]
        more = len(self.columns) - len(shown)
        head = self.arrow.slice(0, _SHOWN_ROWS)
        cells = [[printable(name), *_cells(head[name])] for name in shown]
        widths = [max(map(len, column)) for column in cells]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
            for line in zip(*cells, strict=True)
        ]
        tail = f", {more} columns not shown" if more else ""
        return "\n".join([*lines, f"Table: {len(self):,} rows x {len(self.columns)} columns{tail}"])


def _cells(column: pa.ChunkedArray) -> list[str]:
    shape = image_shape(column.type)
    return [_cell(v) for v in column.to_pylist()] if shape is None else [f"({described(shape)})"] * len(column)


def _cell(value: object) -> str:
    text = "" if value is None else printable(value)
    return text if len(text) <= 24 else text[:23] + "…"


def _series(column: pa.ChunkedArray) -> pd.Series:
    """One column in pandas' closest type that loses nothing; images are arrays (height, width, channels)."""
    import pandas as pd

    kind = column.type
    if image_shape(kind) is not None:
        return pd.Series(list(image_levels(column)), dtype=object)
    if pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_decimal(kind):
        return pd.Series(pd.array(column, dtype=pd.ArrowDtype(kind)))
    if column.null_count and pa.types.is_boolean(kind):
        return column.to_pandas(types_mapper=lambda _: pd.BooleanDtype())
    if column.null_count and pa.types.is_integer(kind):
        nullable = pd.api.types.pandas_dtype(str(kind).replace("uint", "UInt").replace("int", "Int"))
        return column.to_pandas(types_mapper=lambda _: nullable)
    return column.to_pandas()
