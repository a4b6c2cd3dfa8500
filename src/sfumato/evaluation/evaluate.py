"""What a synthetic table is good for, measured against the real one; internal, for it is a statistic of real rows."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import pyarrow as pa

from sfumato.encoding.codec import Codec
from sfumato.encoding.facts import settled
from sfumato.encoding.measure import measure
from sfumato.errors import RefusedValue, TableError
from sfumato.extras import require
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.tables.dialect import Dialect
from sfumato.trust.facts import CentralFacts
from sfumato.trust.purse import Purse


def evaluate(
    real: Any,
    test: Any,
    synthetic: Any,
    schema: Schema | str | os.PathLike[str],
    target: str | None = None,
    *,
    quick: bool = False,
) -> dict[str, Any]:
    """Compare ``synthetic`` rows with the ``real`` ones they stand for and with fresh ones, ``test``.

    Args:
        real: the rows a model was fitted to: a path or a frame.
        test: rows of the same kind that the model never saw.
        synthetic: rows of the model.
        schema: describes all three; its bounds and categories fix the public binning.
        target: column to predict; default: the schema's.
        quick: marginals, queries and two learners only, in a third of the time.

    Returns:
        The mapping of :func:`sfumato.evaluation.summary.utility`: each measure between fresh rows and independent
        columns; and ``violations``: shares of rows that break the schema. Synthetic cells that the schema refuses count
        as missing.

    Raises:
        MissingExtra: an extra that this needs is not installed.
        SfumatoError: a table that cannot be read or does not fit the schema.

    *Formal guarantee.* None: the result depends on real rows without noise. Keep it inside, or pay for it.
    """
    require("report", "an evaluation")
    from sfumato.evaluation.summary import utility
    from sfumato.evaluation.violations import tolerant, violations

    loaded = schema if isinstance(schema, Schema) else Schema.load(schema)
    known = _settled(loaded, real)
    rows, test_rows = (_whole(source, known, known.dialect) for source in (real, test))
    made_rows = _whole(synthetic, known, known.written)
    target = target or known.target
    codec = Codec.from_schema(Schema(columns=tuple(c for c in known.columns if c.modelled), nulls=known.nulls))
    position = None if target is None else codec.position(target)
    used, fresh = _encoded(rows, codec), _encoded(test_rows, codec)
    try:
        made = _encoded(made_rows, codec)
    except RefusedValue:  # the rows of other generators may break the schema; how often is part of the answer
        codec = Codec.from_schema(tolerant(known))
        used, fresh, made = (_encoded(table, codec) for table in (rows, test_rows, made_rows))
    found = utility(used, fresh, made, codec.domain, position, quick=quick)
    return {**found, "violations": violations(rows, test_rows, made_rows, known)}


def _settled(schema: Schema, real: Any) -> Schema:
    """The schema with open facts read exactly off the real rows: nothing of this is released."""
    rows = Rows.open(real, schema.dialect)
    schema.check_columns(rows.columns)
    with Ledger.open(None) as ledger, ledger.begin(Guarantee(math.inf), "evaluate") as exact:
        return settled(schema, measure(schema, CentralFacts(rows, schema, Purse(exact), Silent())))


def _whole(source: Any, schema: Schema, dialect: Dialect) -> pa.Table:
    rows = Rows.open(source, dialect)
    lacking = [c.name for c in schema.columns if c.modelled and c.name not in rows.columns]
    if lacking:
        raise TableError(f"{rows.name}: lacks the column {lacking[0]!r} of the schema")
    kept = [name for name in schema.names if name in rows.columns]
    return pa.Table.from_batches([batch.select(kept) for batch in rows.batches()])


def _encoded(table: pa.Table, codec: Codec) -> np.ndarray:
    names = list(codec.schema.names)
    return np.concatenate([codec.encode(batch.select(names)) for batch in table.to_batches(max_chunksize=1 << 18)])
