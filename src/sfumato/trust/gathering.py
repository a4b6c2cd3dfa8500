"""From private rows to private records: encoded in one pass, with each unit's contribution bounded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from sfumato.encoding.codec import Codec, EncodedRows
from sfumato.progress import Progress
from sfumato.schema import IdUnit
from sfumato.schema.parsing import plain
from sfumato.tables import Rows
from sfumato.tables.databases import DatabaseTable
from sfumato.trust.records import ExactRecords, Records


def gather(rows: Rows, codec: Codec, progress: Progress) -> ExactRecords:
    """Encode all rows: inside the database that holds them where it can, else a batch at a time, keeping the codes.

    Raises:
        SchemaError: the table's columns are not the schema's.
        TableError: the table is malformed, or has no row.

    *Formal guarantee.* Each row is encoded by itself, by public facts, to one record or to none: a cell that the schema
    refuses leaves its row out, counted among the records' `outside`, and stops nothing. Where the unit is an
    identifier, at most its declared number of rows is used for each value of it: the first ones, or any at random where
    a database encodes. So adding or removing a unit adds or removes at most that many records and changes no other.
    """
    codec.check_columns(rows.columns)
    if isinstance(rows.source, DatabaseTable):
        from sfumato.encoding.expressions import NotExpressible  # imports ibis, which files do without
        from sfumato.trust.database import encoded_inside

        try:
            progress.stage("encoding in the database")
            return encoded_inside(rows.source, codec)
        except NotExpressible as reason:
            progress.stage(f"reading rows: {reason}")
    else:
        progress.stage("reading rows")

    def blocks() -> Iterator[EncodedRows]:
        unit = codec.schema.unit
        bound = ContributionBound(unit) if isinstance(unit, IdUnit) else None
        for batch in rows.batches():
            kept = batch if bound is None else batch.filter(bound.keep(batch.column(bound.column)))
            yield codec.encode_rows(kept)

    return Records.gathered(blocks(), codec.domain)


class ContributionBound:
    """Lets through the first ``max_rows`` rows of each unit; rows without an identifier are one unit together."""

    def __init__(self, unit: IdUnit) -> None:
        self.column, self._max_rows = unit.column, unit.max_rows
        self._seen: dict[Any, int] = {}

    def keep(self, ids: pa.Array) -> pa.Array:
        """Which of the next rows, by their identifiers (n,), are used."""
        ids = plain(ids)
        if pa.types.is_floating(ids.type):
            ids = ids.to_numpy(zero_copy_only=False)
            ids = pa.array(ids, mask=np.isnan(ids))  # no number is no identifier, and equals no other
        encoded = ids.dictionary_encode(null_encoding="encode")
        units, index = encoded.dictionary.to_pylist(), np.asarray(encoded.indices)
        order = np.argsort(index, kind="stable")
        counts = np.bincount(index, minlength=len(units))
        starts = np.cumsum(counts) - counts
        nth = np.empty(len(index), np.int64)
        nth[order] = np.arange(len(index)) - starts[index[order]]
        before = np.array([self._seen.get(u, 0) for u in units], np.int64)
        for unit, count in zip(units, counts.tolist(), strict=True):
            self._seen[unit] = self._seen.get(unit, 0) + count
        return pa.array(nth + before[index] < self._max_rows)
