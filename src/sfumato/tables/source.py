"""What can be read as rows."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from sfumato.tables.rows import Rows


@runtime_checkable
class ArrowStream(Protocol):
    """A table in memory or in an engine: pandas, polars, pyarrow, a DuckDB relation, an Ibis table, a `Table`."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as an Arrow C stream (PyCapsule interface)."""
        ...


RowSource: TypeAlias = "str | os.PathLike[str] | ArrowStream | Rows"
"""A path, the address of a table in a database, a table in memory, or rows that were opened already."""
