"""What a synthetic table is good for, measured against the real one; internal, for it is a statistic of real rows."""

from __future__ import annotations

import os
from dataclasses import replace

from sfumato.evaluation.result import Utility
from sfumato.extras import require
from sfumato.progress import Progress, shown
from sfumato.schema import Schema
from sfumato.tables.source import RowSource


def evaluate(
    real: RowSource,
    holdout: RowSource,
    synthetic: RowSource,
    schema: Schema | str | os.PathLike[str],
    target: str | None = None,
    *,
    quick: bool = False,
    progress: Progress | None = None,
    verbose: bool = False,
) -> Utility:
    """Compare ``synthetic`` rows with the ``real`` ones they stand for and with ``holdout`` rows.

    Args:
        real: the rows a model was fitted to: a path or a frame.
        holdout: rows of the same population that the model never saw.
        synthetic: rows of the model.
        schema: describes all three; its bounds and categories fix the public binning.
        target: column to predict; default: the schema's.
        quick: marginals, queries and two learners only, in a third of the time.
        progress: receives stages and steps.
        verbose: draw bars of the progress where none is given.

    Returns:
        Each measure between holdout rows and independent columns, and the shares of rows that break the schema.
        Synthetic cells that the schema refuses count as missing.

    Raises:
        MissingExtra: an extra that this needs is not installed.
        SfumatoError: a table that cannot be read or does not fit the schema.

    *Formal guarantee.* None: the result depends on real rows without noise. Keep it inside, or pay for it.

    >>> import sfumato as sf
    >>> rows = sf.examples.adult_test().arrow
    >>> real, holdout, synthetic = (sf.Table(rows.slice(start, 500)) for start in (0, 500, 1000))
    >>> sf.evaluate(real, holdout, synthetic, sf.examples.adult_schema(), quick=True)
    Utility(overall ...
    """
    require("report", "an evaluation")
    from sfumato.evaluation.data import EvaluationData
    from sfumato.evaluation.summary import utility

    known = schema if isinstance(schema, Schema) else Schema.load(schema)
    with shown(progress, verbose) as seen:
        seen.stage("reading the tables")
        data = EvaluationData.of_schema(known, real, holdout, synthetic)
        position = data.position(target or known.target)
        tables = (data.real, data.holdout, data.synthetic)
        found = utility(*tables, data.domain, position, quick=quick, progress=seen)
        seen.stage("rules of the schema")
        return replace(found, violations=data.violations(), left_out=data.left_out)
