"""How synthetic rows obey the schema's constraints.

Fixed combinations: the columns are one axis of the allowed combinations, so that no model can leave them. Inequality:
repaired after sampling, by a rule that reads nothing but the row itself: the two values change places where each lies
within the other's bounds, else the lower one gives way. (A change of variables to a difference would fit other
marginals than the ones people look at.) Unique key: its identifier is made anew. Non-null: no code for missing.
"""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.column import ColumnCodec, Encoded
from sfumato.encoding.domain import Axis
from sfumato.encoding.quantity import QuantityCodec
from sfumato.errors import RefusedValue, SchemaError
from sfumato.schema.constraints import FixedCombinations


@dataclass(frozen=True)
class CombinedAxis:
    """Several columns as one axis: a code per allowed combination.

    Attributes:
        rule: the schema's constraint.
        members: the codecs of its columns, in order.
    """

    rule: FixedCombinations
    members: tuple[ColumnCodec, ...]

    def __post_init__(self) -> None:
        for member in self.members:
            if isinstance(member, QuantityCodec) and not member.grid.exact:
                raise SchemaError(
                    f"column {member.axis.name!r} is in fixed combinations, which needs a code per value; "
                    "narrow its bounds, declare a step, or make it a category"
                )

    @cached_property
    def _sizes(self) -> tuple[int, ...]:
        return tuple(m.axis.size for m in self.members)

    @cached_property
    def table(self) -> np.ndarray:
        """(combinations, columns) int64: each allowed combination as the codes of its members.

        In the order of an ordered column where that tells all combinations apart, else as declared.
        """
        columns = [_codes_of(m, values) for m, values in zip(self.members, zip(*self._rows, strict=True), strict=True)]
        table = np.stack(columns, axis=1)
        ordered = self._ordering(table)
        return table if ordered is None else table[np.argsort(table[:, ordered], kind="stable")]

    @cached_property
    def _rows(self) -> tuple[tuple[str | None, ...], ...]:
        """The declared combinations, and the one in which all is missing if that can be and none has a gap."""
        rows = self.rule.combinations
        gapless = not any(value is None for row in rows for value in row)
        if gapless and all(m.axis.missing is not None for m in self.members):
            return (*rows, (None,) * len(self.members))
        return rows

    def _ordering(self, table: np.ndarray) -> int | None:
        for j, member in enumerate(self.members):
            if member.axis.ordered and len(np.unique(table[:, j])) == len(table):
                return j
        return None

    @cached_property
    def axis(self) -> Axis:
        """One code per combination."""
        gone = [m.axis.missing for m in self.members]
        missing = np.flatnonzero([None not in gone and list(row) == gone for row in self.table])
        name = "+".join(m.axis.name for m in self.members)
        ordered = self._ordering(self.table) is not None
        return Axis(name, len(self.table), ordered, int(missing[0]) if len(missing) else None)

    @cached_property
    def _lookup(self) -> tuple[np.ndarray, np.ndarray]:
        keys = self.keys(self.table)
        order = np.argsort(keys, kind="stable")
        return keys[order], order

    def keys(self, codes: np.ndarray) -> np.ndarray:
        """The members' codes (n, columns) as one number each."""
        keys = np.zeros(len(codes), np.int64)
        for j, size in enumerate(self._sizes):
            keys = keys * size + codes[:, j]
        return keys

    @cached_property
    def nearest(self) -> np.ndarray:
        """Per code of the first column: the combination that stands in for those not listed, or -1."""
        nearest = np.full(self._sizes[0], -1, np.int64)
        if self.rule.outside != "refuse":
            nearest[self.table[::-1, 0]] = np.arange(len(self.table))[::-1]
        return nearest

    def encode(self, codes: Sequence[np.ndarray]) -> Encoded:
        """The members' codes to combinations; one that is refused, or has nothing near it, makes no record."""
        stacked = np.stack(codes, axis=1)
        keys = self.keys(stacked)
        known, order = self._lookup
        at = np.minimum(np.searchsorted(known, keys), len(known) - 1)
        strange = known[at] != keys
        combined = order[at]
        if not strange.any():
            return Encoded(combined)
        nearest = self.nearest[stacked[strange, 0]]
        combined[strange] = np.maximum(nearest, 0)
        refused = np.zeros_like(strange)
        refused[strange] = nearest < 0
        if not refused.any():
            return Encoded(combined, strange)
        return Encoded(combined, strange & ~refused, refused, self.refused())

    def refused(self) -> RefusedValue:
        """What to raise for a combination that is refused or has nothing near it, where a refusal is an error."""
        return RefusedValue(
            f"columns {', '.join(self.rule.columns)} have a combination that the schema does not list; "
            "add it, or say 'outside: nearest' and list each value of the first column"
        )

    def decode(self, codes: np.ndarray) -> list[np.ndarray]:
        """Combinations back to the codes of each member."""
        return [self.table[codes, j] for j in range(len(self.members))]

    def condition(self, masks: Mapping[int, np.ndarray]) -> np.ndarray:
        """A mask over combinations from masks over members' codes."""
        mask = np.ones(len(self.table), bool)
        for j, allowed in masks.items():
            mask &= allowed[self.table[:, j]]
        return mask


def _codes_of(codec: ColumnCodec, values: Sequence[str | None]) -> np.ndarray:
    """Codes of declared values, which must all be in the column's facts."""
    encoded = codec.encode(pa.array(list(values), pa.string()))
    if encoded.refused is not None or encoded.outside is not None:
        raise SchemaError(
            f"a fixed combination lists a value that column {codec.axis.name!r} does not allow; fix either"
        )
    return encoded.codes


def repair_inequality(
    low: pa.Array, high: pa.Array, bounds: Sequence[tuple[pa.Scalar, pa.Scalar]]
) -> tuple[pa.Array, pa.Array]:
    """Values with ``low <= high`` wherever both are present; rows that obey already are not touched.

    Args:
        low, high: natural values of two comparable columns.
        bounds: inclusive bounds of each, as values of the column.
    """
    wrong = pc.fill_null(pc.greater(low, high), False)
    if not pc.any(wrong).as_py():
        return low, high
    (low_first, low_last), (high_first, high_last) = bounds
    fits = pc.and_(
        pc.and_(pc.greater_equal(high, low_first), pc.less_equal(high, low_last)),
        pc.and_(pc.greater_equal(low, high_first), pc.less_equal(low, high_last)),
    )
    swap = pc.and_(wrong, pc.fill_null(fits, False))
    swapped_low = pc.if_else(swap, high.cast(low.type, safe=False), low)
    swapped_high = pc.if_else(swap, low.cast(high.type, safe=False), high)
    still = pc.fill_null(pc.greater(swapped_low, swapped_high), False)
    raised = pc.if_else(still, pc.min_element_wise(swapped_low.cast(high.type, safe=False), high_last), swapped_high)
    still = pc.fill_null(pc.greater(swapped_low, raised), False)
    return pc.if_else(still, raised.cast(low.type, safe=False), swapped_low), raised
