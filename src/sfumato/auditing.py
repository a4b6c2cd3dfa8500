"""Attack a synthetic table, whoever made it, with the rows it was made from and fresh ones; internal."""

from __future__ import annotations

import os
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from sfumato.encoding.codec import Codec
from sfumato.errors import TableError
from sfumato.privacy.guarantee import Guarantee
from sfumato.schema import Schema, sketch
from sfumato.tables import Rows


def audit(
    real: Any,
    holdout: Any,
    synthetic: Any,
    schema: Schema | str | os.PathLike[str] | None = None,
    claimed: Guarantee | None = None,
    suite: Literal["quick", "full"] = "quick",
) -> dict[str, Any]:
    """Attack ``synthetic`` rows and say what the attacks show beside what was claimed.

    Args:
        real: the rows the synthetic ones were made from: a path or a frame.
        holdout: rows of the same population that were not used.
        synthetic: rows of any generator.
        schema: describes all three; without one it is drafted from the three tables, for this audit alone.
        claimed: the guarantee that the synthetic rows are said to carry, if any.
        suite: ``quick``: membership attacks; ``full``: more candidates, attribute inference, reconstruction, singling
            out, linkability.

    Returns:
        The mapping of :meth:`sfumato.attacks.AuditReport.to_json`, and ``schema``: ``given`` or ``drafted``.

    Raises:
        SfumatoError: a table that cannot be read, does not fit the schema or is too small.

    *Formal guarantee.* None: the result depends on real rows without noise. Keep it inside.
    """
    from sfumato.attacks import audit as attack

    tables = [_arrow(t) for t in (real, holdout, synthetic)]
    names = [c for c in tables[0].column_names if all(c in t.column_names for t in tables[1:])]
    if not names:
        raise TableError("the three tables share no column; nothing can be compared")
    known = _drafted([t.select(names) for t in tables]) if schema is None else _loaded(schema)
    learnt = Schema(columns=tuple(c for c in known.columns if c.modelled), nulls=known.nulls)
    lacking = [n for n in learnt.names if n not in names]
    if lacking:
        raise TableError(f"a table lacks the column {lacking[0]!r} of the schema")
    codec = Codec.from_schema(learnt)
    used, fresh, made = (_encoded(t.select(list(learnt.names)), codec) for t in tables)
    found = attack(used, fresh, made, codec.domain, claimed, suite).to_json()
    return {**found, "schema": "drafted" if schema is None else "given", "columns": list(codec.domain.names)}


def _arrow(source: Any) -> pa.Table:
    return pa.Table.from_batches(Rows.open(source).batches())


def _drafted(tables: list[pa.Table]) -> Schema:
    """A schema of the union; a column whose type differs between the tables is read as text."""
    fields = []
    for field in tables[0].schema:
        kinds = {t.schema.field(field.name).type for t in tables}
        fields.append(pa.field(field.name, field.type if len(kinds) == 1 else pa.string()))
    return sketch(pa.concat_tables(t.cast(pa.schema(fields)) for t in tables))


def _loaded(schema: Schema | str | os.PathLike[str]) -> Schema:
    return schema if isinstance(schema, Schema) else Schema.load(schema)


def _encoded(table: pa.Table, codec: Codec) -> np.ndarray:
    return np.concatenate([codec.encode(batch) for batch in table.to_batches(max_chunksize=1 << 18)])
