"""Which rows break what the schema says: values that are not declared, gaps that cannot be, constraints."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.codec import Codec
from sfumato.encoding.column import ColumnCodec, Encoded
from sfumato.encoding.constraints import CombinedAxis
from sfumato.encoding.quantity import QuantityCodec
from sfumato.schema import Column, FixedCombinations, Inequality, Schema, Unique
from sfumato.tables.objects import plain


def tolerant(schema: Schema) -> Schema:
    """The learnt columns of ``schema`` alone, without constraints, so that any cell can be encoded.

    What the schema would refuse or clip becomes missing; a label that it puts into "other" stays there. Images, which
    have no such facts, stay as they are.
    """
    columns: list[Column] = [c for c in schema.columns if c.kind == "image"]
    for column in schema.columns:
        if column.modelled and column.kind != "image":
            outside = "other" if getattr(column, "outside", None) == "other" else "missing"
            columns.append(column.model_copy(update={"nullable": True, "outside": outside}))
    return Schema(columns=tuple(columns), nulls=schema.nulls)


def broken(table: pa.Table, schema: Schema) -> dict[str, np.ndarray]:
    """Rule -> (n,) mask of the rows of ``table`` that break it.

    There is a rule for the declared facts of each learnt column and one for each constraint; a constraint on a column
    that the table lacks is left out. ``schema`` has no fact left to be measured.
    """
    codec = Codec.from_schema(tolerant(schema))
    encoded = {name: c.encode(plain(_whole(table.column(name)))) for name, c in codec.columns.items()}
    codes = {name: e.codes for name, e in encoded.items()}
    rules = {
        f"facts of {name}": _undeclared(schema.column(name), encoded[name], c.axis.missing)
        for name, c in codec.columns.items()
    }
    rules.update(_constraints(table, schema, codec, codes))
    return rules


def _undeclared(column: Column, encoded: Encoded, missing: int | None) -> np.ndarray:
    """Cells outside the facts, and gaps where none can be."""
    absent = encoded.codes == missing
    if not column.may_be_missing:
        return absent
    return np.zeros(len(absent), bool) if encoded.outside is None else absent & encoded.outside


def _constraints(
    table: pa.Table, schema: Schema, codec: Codec, codes: dict[str, np.ndarray]
) -> Iterator[tuple[str, np.ndarray]]:
    for rule in schema.constraints:
        if any(name not in table.column_names for name in rule.columns):
            continue
        label = f"{rule.kind.replace('_', ' ')}: {', '.join(rule.columns)}"
        if isinstance(rule, FixedCombinations):
            axis = CombinedAxis(rule, tuple(codec.columns[name] for name in rule.columns))
            yield label, ~_listed(axis, np.stack([codes[name] for name in rule.columns], axis=1))
        elif isinstance(rule, Inequality):
            low, high = (_values(codec.columns[name], codes[name], table.column(name)) for name in rule.columns)
            yield label, pc.fill_null(pc.greater(low, high), False).to_numpy(zero_copy_only=False)
        elif isinstance(rule, Unique):
            keys = [_whole(table.column(name)).dictionary_encode().indices.fill_null(-1) for name in rule.columns]
            _, inverse, count = np.unique(np.stack(keys, axis=1), axis=0, return_inverse=True, return_counts=True)
            yield label, count[inverse] > 1


def _listed(axis: CombinedAxis, codes: np.ndarray) -> np.ndarray:
    sizes = tuple(m.axis.size for m in axis.members)
    allowed, own = (np.ravel_multi_index(tuple(t.T.astype(np.int64)), sizes) for t in (axis.table, codes))
    return np.isin(own, allowed)


def _values(codec: ColumnCodec, codes: np.ndarray, cells: pa.ChunkedArray) -> pa.Array:
    """Natural values, null where the cell has none that is declared."""
    assert isinstance(codec, QuantityCodec)  # the schema orders no columns but numbers and times
    values = plain(_whole(cells))
    absent = codes == codec.axis.missing
    present = pc.if_else(pa.array(absent), pa.scalar(None, values.type), values)
    return codec.values(codec.ticks(np.clip(codec.read(present)[0], *codec.limits)), absent)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


@dataclass(frozen=True)
class Shares:
    """Shares of rows in the synthetic table and in its two anchors: holdout rows and independent columns."""

    synthetic: float
    holdout: float
    independent: float


@dataclass(frozen=True)
class Rule(Shares):
    """The shares of rows that break one rule."""

    rule: str


@dataclass(frozen=True)
class Violations:
    """Rows that break the schema: any rule of it, and each rule that some row breaks, worst first."""

    rows: Shares
    rules: tuple[Rule, ...]


def violations(real: pa.Table, holdout: pa.Table, synthetic: pa.Table, schema: Schema, *, seed: int = 0) -> Violations:
    """Shares of rows that break the schema in ``synthetic`` and in its two anchors: holdout and column-shuffled rows.

    An identifier is made anew, never learnt, so it is shuffled like any other column.
    """
    rng = np.random.default_rng(seed)
    images = [c.name for c in schema.columns if c.kind == "image"]
    names = [n for n in real.column_names if all(n in t.column_names for t in (holdout, synthetic)) and n not in images]
    apart = pa.table({n: real.column(n).take(pa.array(rng.permutation(len(real)))) for n in names})
    made, held, mixed = (broken(table, schema) for table in (synthetic.select(names), holdout.select(names), apart))
    rules = [Rule(_share(made[rule]), _share(held[rule]), _share(mixed[rule]), rule) for rule in made]
    some = [r for r in rules if r.synthetic or r.holdout or r.independent]
    every = Shares(_share_of_any(made), _share_of_any(held), _share_of_any(mixed))
    return Violations(every, tuple(sorted(some, key=lambda r: -r.synthetic)))


def _share(mask: np.ndarray) -> float:
    return round(float(mask.mean()), 5)


def _share_of_any(masks: Mapping[str, np.ndarray]) -> float:
    return _share(np.any(list(masks.values()), axis=0))
