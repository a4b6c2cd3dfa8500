"""True and false, however they are written."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.column import Encoded, Policy
from sfumato.encoding.domain import Axis
from sfumato.encoding.parsing import missing_mask
from sfumato.encoding.rendering import number_as
from sfumato.errors import ConditionError
from sfumato.schema.arrow_types import is_text
from sfumato.schema.columns import BooleanColumn
from sfumato.tables.objects import plain

WORDS = (("false", "f", "no", "n", "0"), ("true", "t", "yes", "y", "1"))
"""How false and true are commonly written, in lower case."""

_SPELLINGS = tuple([s for w in words for s in map("".join, product(*({c, c.upper()} for c in w)))] for words in WORDS)
"""The same in any case of the letters of ASCII."""


@dataclass(frozen=True)
class BooleanCodec:
    """Codec of true and false.

    Attributes:
        column: the schema's facts.
        markers: texts that stand for a missing value.
        type: Arrow type of what comes out.
    """

    column: BooleanColumn
    markers: tuple[str, ...]
    type: pa.DataType

    @cached_property
    def axis(self) -> Axis:
        """0 false, 1 true, then missing."""
        missing = 2 if self.column.may_be_missing else None
        return Axis(self.column.name, 2 + (missing is not None), False, missing)

    @cached_property
    def policy(self) -> Policy:
        """What becomes of other cells."""
        return Policy(self.column.name, self.column.outside, self.axis.missing)

    def encode(self, values: pa.Array) -> Encoded:
        """Cells to codes; anything but the declared words cannot be read."""
        values = plain(values)
        missing = missing_mask(values, self.markers)
        if is_text(values.type):
            false, true = ([word] for word in self.column.labels) if self.column.labels else _SPELLINGS
            words = values
        else:
            false, true = WORDS[0][-1:], WORDS[1][-1:]
            words = values.cast(pa.int8()) if pa.types.is_boolean(values.type) else values
            words = words.cast(pa.string())
        codes = pc.index_in(words, value_set=pa.array([*false, *true])).fill_null(-1).to_numpy()
        bad = codes < 0
        coded = (codes >= len(false)).astype(np.int64)
        if missing is not None:
            bad &= ~missing
        return self.policy.place(coded, missing, bad)

    def decode(self, codes: np.ndarray, rng: np.random.Generator, within: tuple[int, int] | None = None) -> pa.Array:
        """Codes to true, false and null."""
        del rng, within
        mask = codes == self.axis.missing if self.axis.missing is not None else None
        return pa.array(codes == 1, mask=mask)

    def render(self, values: pa.Array) -> pa.Array:
        """In the type that went in; as text, by the declared labels."""
        kind = self.type.value_type if pa.types.is_dictionary(self.type) else self.type
        if is_text(kind):
            false, true = self.column.labels or ("false", "true")
            return pc.if_else(values, true, false).cast(self.type)
        whole = values if pa.types.is_boolean(kind) else values.cast(pa.int8())
        return number_as(whole, self.type)

    def condition(self, text: str) -> tuple[np.ndarray, None]:
        """A word for true or false, or a null marker for missing."""
        mask = np.zeros(self.axis.size, bool)
        words = tuple((label,) for label in self.column.labels) if self.column.labels else WORDS
        for code, known in enumerate(words):
            mask[code] = text in known or (not self.column.labels and text.lower() in known)
        if self.axis.missing is not None and text in self.markers:
            mask[self.axis.missing] = True
        if not mask.any():
            raise ConditionError(f"column {self.column.name!r} is true or false; write {words[1][0]} or {words[0][0]}")
        return mask, None
