"""Delimited text (CSV and its kin), read as a stream of columns of strings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
from pyarrow import csv

from sfumato.errors import TableError
from sfumato.tables.dialect import Dialect, find_damage, find_dialect

_BLOCK = 1 << 21


@dataclass(frozen=True)
class DelimitedFile:
    """A delimited text file; every column is delivered as strings, for a schema says what they mean.

    Attributes:
        path: where it is.
        dialect: how it is written down.
        empty_is_null: an empty field without quotation marks is null (else the empty string).
    """

    path: str
    dialect: Dialect = field(repr=False)
    empty_is_null: bool = False
    kind = "csv"

    @classmethod
    def open(cls, path: str, empty_is_null: bool = False) -> DelimitedFile:
        """Scan the file once for its dialect; see `find_dialect` for the errors."""
        return cls(path, find_dialect(path), empty_is_null)

    @property
    def schema(self) -> pa.Schema:
        """All columns, all strings."""
        return pa.schema([(name, pa.string()) for name in self.dialect.columns])

    def batches(self, size: int) -> Iterator[pa.RecordBatch]:
        """Batches as the parser makes them: a few megabytes of text each, whatever ``size``."""
        del size
        try:
            with self._stream() as stream:
                yield from csv.open_csv(
                    stream,
                    read_options=csv.ReadOptions(block_size=_BLOCK, encoding=self._encoding),
                    parse_options=csv.ParseOptions(
                        delimiter=self.dialect.delimiter,
                        newlines_in_values=self.dialect.quotes,
                        ignore_empty_lines=len(self.dialect.columns) > 1,
                    ),
                    convert_options=csv.ConvertOptions(
                        column_types=self.schema,
                        strings_can_be_null=self.empty_is_null,
                        quoted_strings_can_be_null=False,
                        null_values=[""],
                    ),
                )
        except (pa.ArrowInvalid, UnicodeDecodeError):
            unknown = TableError(
                f"{self.path}: cannot be read as delimited text; a record may be longer than "
                f"{_BLOCK >> 20} MiB, or the file changed while it was read"
            )
            raise find_damage(self.path, self.dialect) or unknown from None

    def _stream(self) -> pa.NativeFile:
        return pa.input_stream(os.fspath(self.path), compression="gzip" if self.dialect.gzipped else None)

    @property
    def _encoding(self) -> str:
        return "utf8" if self.dialect.encoding in ("utf-8", "utf-8-sig") else self.dialect.encoding
