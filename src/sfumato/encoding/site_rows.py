"""A site's table as a table of the public schema, block by block: all that reads rows goes on as if it were one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import pyarrow as pa

from sfumato.encoding.site_cells import SiteCells
from sfumato.errors import SchemaError
from sfumato.schema import Schema
from sfumato.schema.site_mapping import SiteMapping
from sfumato.tables import Rows
from sfumato.tables.source import RowSource


@dataclass(frozen=True)
class MappedTable:
    """The table of a site in the columns of the schema, in its order.

    Attributes:
        table: the site's rows.
        mapping: the site's own file.
        of: the schema.

    *Formal guarantee.* Rows are mapped one by one: each makes one row, whose cells follow from its own cells and the
    public files alone; see ``site_cells``.
    """

    table: Rows = field(repr=False)
    mapping: SiteMapping
    of: Schema
    kind = "mapped"

    @cached_property
    def schema(self) -> pa.Schema:
        """Names of the schema's columns, and the types that their cells have."""
        given = self.table.source.schema
        cells = {n: c.type_of(given.field(c.site.source).type) for n, c in self._cells.items()}
        return pa.schema([(name, cells.get(name, pa.null())) for name in self.of.names])

    @cached_property
    def _cells(self) -> dict[str, SiteCells]:
        columns = {name: self.of.column(name) for name in self.mapping.columns}
        return {
            name: SiteCells(c, self.mapping.columns[name], self.mapping.marks(name), self.of.null_markers(c))
            for name, c in columns.items()
        }

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches of about ``size`` rows; a column that the site lacks, of those that are not learnt, is null."""
        for batch in self.table.source.batches(size):
            yield pa.record_batch([self._column(batch, name) for name in self.of.names], schema=self.schema)

    def _column(self, batch: pa.RecordBatch, name: str) -> pa.Array:
        cells = self._cells.get(name)
        return pa.nulls(len(batch)) if cells is None else cells.converted(batch.column(cells.site.source))


def mapped(rows: Rows, mapping: SiteMapping, schema: Schema) -> Rows:
    """The rows of a site as rows of ``schema``: opened by ``mapping.dialect``, read as its file says.

    Raises:
        SchemaError: the table lacks a column that the site's file names; no row was read.
    """
    given = set(rows.columns)
    for name, own in mapping.columns.items():
        if own.source not in given:
            raise SchemaError(
                f"the table has no column {own.source!r}, from which the site's file takes {name!r}; "
                "write its name as the header has it behind 'from:'"
            )
    return Rows(MappedTable(rows, mapping, schema), rows.name)


def site_rows(source: RowSource, schema: Schema, mapping: SiteMapping | None = None) -> Rows:
    """Open the table of a site, mapped to ``schema`` where it is written otherwise; no row is read.

    Raises:
        SchemaError: the table's columns are not those of the schema, or of the site's file.
        TableError: the table cannot be opened, or is not well formed.
    """
    if mapping is not None:
        return mapped(Rows.open(source, mapping.dialect(schema), schema.picture), mapping, schema)
    rows = Rows.open(source, schema.dialect, schema.picture)
    schema.check_columns(rows.columns)
    return rows
