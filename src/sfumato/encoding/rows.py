"""The cells of one column to codes, each by itself; and what becomes of rows whose cells are refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from sfumato.encoding.column import ColumnCodec, Encoded
from sfumato.encoding.integer import IntegerCodec
from sfumato.encoding.real import RealCodec
from sfumato.errors import RefusedValue, SchemaError
from sfumato.tables.images import image_shape
from sfumato.tables.objects import NUMERAL, OBJECTS, parts


@dataclass(frozen=True)
class EncodedRows:
    """Rows as codes; which of them make a record is private.

    Attributes:
        codes: (n, d) of every row; arbitrary, but within the domain, where ``refused``.
        outside: (n,) mask of the rows with some cell that the schema does not allow.
        refused: (n,) mask of those among them that make no record.
        why: what to raise where a refusal is an error; None where nothing is refused.
    """

    codes: np.ndarray
    outside: np.ndarray
    refused: np.ndarray
    why: RefusedValue | None = None

    @property
    def records(self) -> np.ndarray:
        """The codes (m, d) of the rows that make a record, in their order."""
        return self.codes[~self.refused] if self.refused.any() else self.codes


class RowMasks:
    """What has been seen of the ``n`` rows of a batch, column after column."""

    def __init__(self, n: int) -> None:
        self.outside, self.refused = np.zeros(n, bool), np.zeros(n, bool)
        self.why: RefusedValue | None = None

    def noted(self, encoded: Encoded) -> np.ndarray:
        """The codes of ``encoded``, after its masks were added to those of the rows."""
        if encoded.outside is not None:
            self.outside |= encoded.outside
        if encoded.refused is not None:
            self.refused |= encoded.refused
            self.why = self.why or encoded.why
        return encoded.codes


def encode_cells(codec: ColumnCodec, cells: pa.Array) -> Encoded:
    """``codec.encode``, where a cell at which Arrow fails cannot be read, and stops no other."""
    if shape := image_shape(cells.type):
        raise SchemaError(
            f"column {codec.axis.name!r} holds images; write for it: "
            f"{{kind: image, height: {shape[0]}, width: {shape[1]}, channels: {shape[2]}}}"
        )
    if cells.type == OBJECTS:
        return _objects_encoded(codec, cells)
    try:
        return codec.encode(cells)
    except pa.ArrowException:  # its text may quote a cell
        pass
    try:
        codec.encode(cells.slice(0, 0))
    except pa.ArrowException:  # nothing of this type can be read
        return _unreadable(codec, len(cells))
    if len(cells) == 1:
        return _unreadable(codec, 1)
    half = len(cells) // 2
    halves = [encode_cells(codec, cells.slice(0, half)), encode_cells(codec, cells.slice(half))]
    codes = np.concatenate([h.codes for h in halves])
    return Encoded(codes, _joined(halves, "outside"), _joined(halves, "refused"), halves[0].why or halves[1].why)


def _objects_encoded(codec: ColumnCodec, cells: pa.Array) -> Encoded:
    """Cells that have a type each, as a column of that type would be read."""
    codes, outside, refused = (np.zeros(len(cells), kind) for kind in (np.int64, bool, bool))
    why = None
    for name, positions, values in parts(cells):
        encoded = encode_cells(_plain_numerals(codec) if name == NUMERAL else codec, values)
        codes[positions] = encoded.codes
        for mask, own in ((outside, encoded.outside), (refused, encoded.refused)):
            mask[positions] = False if own is None else own
        why = why or encoded.why
    return Encoded(codes, outside, refused, why)


def _plain_numerals(codec: ColumnCodec) -> ColumnCodec:
    """The codec where numbers are written with a decimal point and without groups, whatever the schema says of text."""
    if not isinstance(codec, IntegerCodec | RealCodec):
        return codec
    return replace(codec, column=codec.column.model_copy(update={"decimal": ".", "thousands": None}))


def _joined(halves: Sequence[Encoded], name: str) -> np.ndarray:
    masks = [(h.codes, getattr(h, name)) for h in halves]
    return np.concatenate([np.zeros(len(codes), bool) if mask is None else mask for codes, mask in masks])


def _unreadable(codec: ColumnCodec, n: int) -> Encoded:
    return codec.policy.place(np.zeros(n, np.int64), None, np.ones(n, bool))
