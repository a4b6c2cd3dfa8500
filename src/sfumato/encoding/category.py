"""Labels: one code each, one for all other values where the schema wants it, one for missing."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.column import Encoded, Policy
from sfumato.encoding.domain import Axis
from sfumato.encoding.parsing import missing_mask
from sfumato.encoding.rendering import cast_text
from sfumato.errors import ConditionError
from sfumato.schema.arrow_types import is_text
from sfumato.schema.columns import CategoryColumn
from sfumato.tables.objects import as_text, plain


@dataclass(frozen=True)
class CategoryCodec:
    """Codec of a declared list of labels.

    Attributes:
        column: the schema's facts, with categories.
        markers: texts that stand for a missing value.
        type: Arrow type of what comes out.
    """

    column: CategoryColumn
    markers: tuple[str, ...]
    type: pa.DataType = field(default_factory=pa.string)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The label of each code but the missing one."""
        labels = self.column.categories or ()
        return (*labels, self.column.other) if self.column.outside == "other" else labels

    @cached_property
    def axis(self) -> Axis:
        """One code per label, then other, then missing."""
        size = len(self.labels)
        missing = size if self.column.may_be_missing else None
        ordered = self.column.ordered and self.column.outside != "other"
        return Axis(self.column.name, size + (missing is not None), ordered, missing)

    @cached_property
    def policy(self) -> Policy:
        """What becomes of other cells."""
        other = len(self.labels) - 1 if self.column.outside == "other" else None
        return Policy(self.column.name, self.column.outside, self.axis.missing, other)

    @cached_property
    def _declared(self) -> pa.Array:
        return pa.array(self.column.categories, pa.string())

    def encode(self, values: pa.Array) -> Encoded:
        """Cells to codes; a value that is not declared goes where the schema says."""
        if not pa.types.is_dictionary(values.type) and not is_text(values.type):
            values = values.dictionary_encode()
        if pa.types.is_dictionary(values.type):
            return self._encode_dictionary(values)
        return self._encode_text(plain(values))

    def _encode_text(self, values: pa.Array) -> Encoded:
        found = pc.index_in(values, value_set=self._declared)
        codes = found.fill_null(0).to_numpy().astype(np.int64)
        if not found.null_count:
            return Encoded(codes)
        missing = missing_mask(values, self.markers)
        bad = found.is_null().to_numpy(zero_copy_only=False)
        return self.policy.place(codes, missing, bad & ~missing if missing is not None else bad)

    def _encode_dictionary(self, values: pa.DictionaryArray) -> Encoded:
        """The few distinct values are looked up, the many indices follow."""
        entries = plain(values.dictionary)
        absent = missing_mask(entries, self.markers)
        found = pc.index_in(as_text(entries), value_set=self._declared)
        table = np.append(found.fill_null(-1).to_numpy(), -2)
        if absent is not None:
            table[:-1][absent & (table[:-1] < 0)] = -2
        codes = table[values.indices.fill_null(len(entries)).to_numpy()].astype(np.int64)
        if codes.size == 0 or codes.min() >= 0:
            return Encoded(codes)
        missing, bad = codes == -2, codes == -1
        return self.policy.place(codes, missing if missing.any() else None, bad)

    def decode(self, codes: np.ndarray, rng: np.random.Generator, within: tuple[int, int] | None = None) -> pa.Array:
        """Codes to labels."""
        del rng, within
        mask = codes == self.axis.missing if self.axis.missing is not None else None
        indices = pa.array(codes.astype(np.int32), mask=mask)
        return pa.DictionaryArray.from_arrays(indices, pa.array(self.labels, pa.string()))

    def render(self, values: pa.Array) -> pa.Array:
        """Labels in the type that went in; a label that it cannot hold (other, among numbers) becomes null."""
        return cast_text(values, self.type)

    def condition(self, text: str) -> tuple[np.ndarray, None]:
        """One label, several with ``|`` between, a null marker for missing."""
        mask = np.zeros(self.axis.size, bool)
        codes = {label: code for code, label in enumerate(self.labels)}
        whole = text in codes or text in self.markers
        for part in [text] if whole else text.split("|"):
            if part in codes:
                mask[codes[part]] = True
            elif part in self.markers and self.axis.missing is not None:
                mask[self.axis.missing] = True
            else:
                known = ", ".join(map(repr, self.labels[:12])) + (", ..." if len(self.labels) > 12 else "")
                raise ConditionError(f"column {self.column.name!r} has no category {part!r}; it has {known}")
        return mask, None
