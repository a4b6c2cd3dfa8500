"""Which rows break what the schema says: values that are not declared, gaps that cannot be, constraints."""
# pyarrow.compute makes its functions when it is imported:
# pyright: reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sfumato.encoding.codec import Codec
from sfumato.encoding.column import Encoded
from sfumato.encoding.constraints import CombinedAxis
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


def _values(codec: Any, codes: np.ndarray, cells: pa.ChunkedArray) -> pa.Array:
    """Natural values, null where the cell has none that is declared."""
    values = plain(_whole(cells))
    absent = codes == codec.axis.missing
    present = pc.if_else(pa.array(absent), pa.scalar(None, values.type), values)
    return codec.values(codec.ticks(np.clip(codec.read(present)[0], *codec.limits)), absent)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def violations(
    real: pa.Table, fresh: pa.Table, synthetic: pa.Table, schema: Schema, *, seed: int = 0
) -> dict[str, Any]:
    """Shares of rows that break the schema in ``synthetic`` and in its two anchors: fresh and column-shuffled rows.

    ``rows`` has the shares that break any rule, ``rules`` lists each rule that some row breaks, worst first. An
    identifier is made anew, never learnt, so it is shuffled like any other column.
    """
    rng = np.random.default_rng(seed)
    images = [c.name for c in schema.columns if c.kind == "image"]
    names = [n for n in real.column_names if all(n in t.column_names for t in (fresh, synthetic)) and n not in images]
    apart = pa.table({n: real.column(n).take(pa.array(rng.permutation(len(real)))) for n in names})
    tables = {"synthetic": synthetic.select(names), "fresh": fresh.select(names), "independent": apart}
    found = {kind: broken(table, schema) for kind, table in tables.items()}
    rules = [
        {"rule": rule, **{kind: round(float(masks[rule].mean()), 5) for kind, masks in found.items()}}
        for rule in found["synthetic"]
    ]
    return {
        "rows": {k: round(float(np.any(list(masks.values()), axis=0).mean()), 5) for k, masks in found.items()},
        "rules": sorted((r for r in rules if any(r[k] for k in tables)), key=lambda r: -r["synthetic"]),
    }
