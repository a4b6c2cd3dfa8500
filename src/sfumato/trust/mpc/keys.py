"""The keys by which a party knows its persons: how they are written alike, and who has one."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sfumato.errors import FederationError, TableError
from sfumato.progress import Progress
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.trust.gathering import identifiers
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import VerticalSplit

_FORM = "NFKC"
"""Of Unicode: letters with marks in one piece, digits of full width as digits."""


def keys_of(batch: pa.RecordBatch, schema: Schema, split: VerticalSplit) -> pa.StringArray:
    """The key of each row, null of nobody: as ``gathering.identifiers`` writes it, and for an intersection alike.

    Where there is a list, a key is what stands there. Where there is none, spaces around a key and Unicode forms of one
    letter make no difference, which nobody sees in a table; capital letters and zeros do.

    *Formal guarantee.* The key of a row follows from its cell alone.
    """
    raw = _raw(batch, schema, split)
    return raw if split.persons is not None else alike(raw)


def _raw(batch: pa.RecordBatch, schema: Schema, split: VerticalSplit) -> pa.StringArray:
    """The key of each row, as it is written; null of nobody: of an intersection also a null marker with spaces."""
    markers = schema.null_markers(schema.column(split.key))
    raw = identifiers(batch.column(split.key), markers)
    if split.persons is not None:
        return raw
    return pc.if_else(pc.is_in(alike(raw), value_set=pa.array(markers, pa.string())), None, raw)


def alike(keys: pa.StringArray) -> pa.StringArray:
    """Keys without spaces around them, in one Unicode form; null where nothing is left."""
    trimmed = pc.utf8_trim_whitespace(pc.utf8_normalize(keys, form=_FORM))
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)


@dataclass(frozen=True, repr=False)
class OwnKeys:
    """The keys of a party's table; private.

    Attributes:
        persons: the keys, each once.
        raw: of each row, as it is written; null of nobody.
    """

    persons: Persons
    raw: pa.ChunkedArray

    def __repr__(self) -> str:
        return "<private keys of a party>"


def raw_keys(rows: Rows, schema: Schema, split: VerticalSplit, progress: Progress) -> pa.ChunkedArray:
    """The key of each row of a table, as it is written; null of nobody. TableError where the table is malformed."""
    progress.stage("reading keys")
    return pa.chunked_array([_raw(batch, schema, split) for batch in rows.cells()], pa.string())


def own_keys(rows: Rows, schema: Schema, split: VerticalSplit, progress: Progress) -> OwnKeys:
    """Read the keys of a table, which an intersection begins with.

    Raises:
        TableError: the table is malformed, or no row has a key.
        FederationError: there are more of them than the plan allows.
    """
    raw = raw_keys(rows, schema, split, progress)
    keys = [key for key in pc.unique(alike(raw.combine_chunks())).to_pylist() if key is not None]
    if not keys:
        raise TableError(f"no row has a key in {split.key!r}, by which the parties know a person")
    if len(keys) > split.number:
        raise FederationError(
            f"the table has more persons than the {split.number:,} that the plan lets a party bring: ask for a plan"
            " with more"
        )
    return OwnKeys(Persons.of(keys), raw)
