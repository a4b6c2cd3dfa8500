"""What a synthetic table is good for, measured against the real one; internal, for it is a statistic of real rows."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np

from sfumato.encoding.codec import Codec
from sfumato.encoding.facts import settled
from sfumato.encoding.measure import measure
from sfumato.errors import TableError
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.schema import Schema
from sfumato.tables import Rows
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
        The mapping of :func:`sfumato.metrics.utility`: each measure between fresh rows and independent columns.

    Raises:
        SfumatoError: a table that cannot be read or does not fit the schema.

    *Formal guarantee.* None: the result depends on real rows without noise. Keep it inside, or pay for it.
    """
    from sfumato.metrics import utility

    known = schema if isinstance(schema, Schema) else Schema.load(schema)
    target = target or known.target
    codec = Codec.from_schema(_learnt(known, real))
    position = None if target is None else codec.position(target)
    coded = [_encoded(table, codec) for table in (real, test, synthetic)]
    return utility(coded[0], coded[1], coded[2], codec.domain, position, quick=quick)


def _learnt(schema: Schema, real: Any) -> Schema:
    """The learnt columns alone, with open facts read exactly off the real rows: nothing of this is released."""
    rows = Rows.open(real)
    schema.check_columns(rows.columns)
    with Ledger.open(None) as ledger, ledger.begin(Guarantee(math.inf), "evaluate") as exact:
        known = settled(schema, measure(schema, CentralFacts(rows, schema, Purse(exact), Silent())))
    return Schema(columns=tuple(c for c in known.columns if c.modelled), nulls=known.nulls)


def _encoded(source: Any, codec: Codec) -> np.ndarray:
    rows = Rows.open(source)
    wanted = list(codec.schema.names)
    lacking = [n for n in wanted if n not in rows.columns]
    if lacking:
        raise TableError(f"{rows.name}: lacks the column {lacking[0]!r} of the schema")
    return np.concatenate([codec.encode(batch.select(wanted)) for batch in rows.batches()])
