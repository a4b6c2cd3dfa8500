"""What can be read as rows."""

from __future__ import annotations

import os
from typing import Protocol, TypeAlias, runtime_checkable


@runtime_checkable
class ArrowStream(Protocol):
    """A table in memory or in an engine: pandas, polars, pyarrow, a DuckDB relation, an Ibis table, a `Table`."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """The rows as an Arrow C stream (PyCapsule interface)."""
        ...


RowSource: TypeAlias = "str | os.PathLike[str] | ArrowStream"
"""A path, the address of a table in a database, or a table in memory."""
