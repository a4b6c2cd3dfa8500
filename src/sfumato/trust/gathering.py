"""From private rows to private records: encoded in one pass, with each unit's contribution bounded."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.codec import Codec
from sfumato.encoding.rows import EncodedRows
from sfumato.progress import Progress
from sfumato.schema import IdUnit, Schema
from sfumato.tables import Rows
from sfumato.tables.databases import DatabaseTable
from sfumato.tables.objects import NUMERAL, OBJECTS, as_text, parts, plain
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
        bound = bound_of(codec.schema)
        for batch in rows.cells():
            kept = batch if bound is None else batch.filter(bound.keep(batch.column(bound.column)))
            yield codec.encode_rows(kept)

    return Records.gathered(blocks(), codec.domain)


def identifiers(cells: pa.Array, markers: tuple[str, ...]) -> pa.Array:
    """Identifiers (n,) as the text by which units are told apart, null where there is none.

    | cells | unit |
    |---|---|
    | null, NaN, a null marker, what has no text | none: all such rows are one unit together |
    | ``7``, ``7.0`` and ``-0.0`` as numbers | ``7``, ``7`` and ``0``, the same as the texts |
    | 7.00 as a decimal | ``7`` |
    | text | itself: ``7``, ``07``, ``7 `` and ``7.0`` are four units, ``a`` and ``A`` are two |

    *Formal guarantee.* The text of a cell follows from the cell alone.
    """
    if cells.type == OBJECTS:
        texts = np.full(len(cells), None, object)
        for name, positions, values in parts(cells):
            own = _trimmed(values) if name == NUMERAL else identifiers(values, ())
            texts[positions] = own.to_numpy(zero_copy_only=False)
        written = pa.array(texts, pa.string())
    else:
        written = _written(cells)
        written = _trimmed(written) if pa.types.is_decimal(plain(cells).type) else written
    return pc.if_else(pc.is_in(written, value_set=pa.array(markers, pa.string())), None, written)


def _written(cells: pa.Array) -> pa.Array:
    """Text of each cell, null where it has none: halves are tried until such cells stand alone."""
    try:
        return as_text(cells)
    except pa.ArrowException:
        half = len(cells) // 2
        if not half:
            return pa.nulls(len(cells), pa.string())
        return pa.concat_arrays([_written(cells.slice(0, half)), _written(cells.slice(half))])


def _trimmed(decimals: pa.Array) -> pa.Array:
    """Decimal numbers in text without zeros behind the last digit."""
    return pc.replace_substring_regex(decimals, r"^(-?\d+)\.0*$|^(-?\d+\.\d*[1-9])0*$", r"\1\2")


class ContributionBound:
    """Lets through the first ``max_rows`` rows of each unit, by what `identifiers` says.

    *Formal guarantee.* Whether a row is let through depends on the earlier rows of its own unit alone. A unit is all
    rows of one identifier as `identifiers` writes it: adding or removing it adds or removes at most ``max_rows`` rows
    and changes no other. Somebody who shares it with others (rows without an identifier do) and is added or removed
    alone can also put one of the others' rows in the place of each of theirs: up to ``max_rows`` rows go, and as many
    come.
    """

    def __init__(self, unit: IdUnit, markers: tuple[str, ...] = ()) -> None:
        self.column, self._max_rows, self._markers = unit.column, unit.max_rows, markers
        self._seen: dict[str | None, int] = {}

    def keep(self, ids: pa.Array) -> pa.Array:
        """Which of the next rows, by their identifiers (n,), are used."""
        encoded = identifiers(ids, self._markers).dictionary_encode(null_encoding="encode")
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


def bound_of(schema: Schema) -> ContributionBound | None:
    """The bound that the unit of ``schema`` needs; None where a row is a unit."""
    unit = schema.unit
    if not isinstance(unit, IdUnit):
        return None
    return ContributionBound(unit, schema.null_markers(schema.column(unit.column)))
