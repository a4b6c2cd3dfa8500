"""Measured facts of a schema, answered by one trusted curator and paid for from the run's budget."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import numpy as np

from sfumato.encoding.codec import Codec
from sfumato.encoding.measure import MEASURED_SHARE, NoisyHistogram, label_counts, labelled
from sfumato.privacy.mechanisms.threshold import plan, release
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.progress import Progress
from sfumato.schema import IdUnit, Schema
from sfumato.tables import Rows
from sfumato.tables.databases import DatabaseTable
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.gathering import bound_of, gather
from sfumato.trust.questions import Query
from sfumato.trust.setting import Setting

THRESHOLD_SHARE = 0.02
"""The part of delta taken for categories that are found in the rows, split evenly over their columns.

Well below ``spending.DELTA_SHARE``, so that several runs fit under a cap of the same delta.
"""


class CentralFacts:
    """The source of measured facts (``encoding.measure.FactSource``) of one curator who holds all rows.

    Args:
        rows: the private table.
        schema: tells which facts are open, and the unit whose contribution is bounded.
        budget: pays ``MEASURED_SHARE`` of its squared total in all.
        progress: told of each reading.
        entropy: source of noise.

    *Formal guarantee.* Bounds come from noised histograms of ``Central``; categories from ``threshold.release``, whose
    event is charged before its noise is drawn. One unit adds at most its declared rows to every count.
    """

    def __init__(
        self, rows: Rows, schema: Schema, budget: Budget, progress: Progress, entropy: Entropy = SYSTEM
    ) -> None:
        self._rows, self._schema, self._budget = rows, schema, budget
        self._progress, self._entropy = progress, entropy
        self._max_rows = schema.unit.max_rows if isinstance(schema.unit, IdUnit) else 1

    def histograms(self, codec: Codec) -> Sequence[NoisyHistogram]:
        """The noised one-way table of each axis of ``codec``."""
        setting = Central(gather(self._rows, codec, self._progress), self._budget, self._max_rows, self._entropy)
        return one_way(setting, self._mu)

    def keys(self, columns: Sequence[str]) -> Mapping[str, Mapping[str, float]]:
        """Per column the labels whose noisy count cleared the threshold; all labels where there is no guarantee."""
        counts = self._counted(columns)
        if not self._budget.private:
            return {name: {label: float(n) for label, n in counts[name].items()} for name in columns}
        delta = THRESHOLD_SHARE * self._budget.run.guarantee.delta / len(columns)
        event = plan(self._budget.integer_sigma(self._mu, self._max_rows), delta, self._max_rows)

        def cleared(name: str) -> np.ndarray:
            shown = {label: float(n) for label, n in release(counts[name], event, self._entropy).items()}
            return np.frombuffer(json.dumps(shown).encode(), np.uint8)

        answers = {name: self._budget.answer(["keys", name], [event], partial(cleared, name)) for name in columns}
        return {name: json.loads(answer.tobytes()) for name, answer in answers.items()}

    @property
    def _mu(self) -> float:
        """What each open column may cost."""
        return self._budget.mu(MEASURED_SHARE / len(self._schema.measured()))

    def _counted(self, columns: Sequence[str]) -> dict[str, Counter[str]]:
        self._progress.stage("finding categories")
        bound = bound_of(self._schema)
        markers = {name: self._schema.null_markers(self._schema.column(name)) for name in columns}
        counts: dict[str, Counter[str]] = {name: Counter() for name in columns}
        if isinstance(self._rows.source, DatabaseTable):
            from sfumato.encoding.expressions import NotExpressible  # imports ibis, which files do without
            from sfumato.trust.database import values_inside

            with suppress(NotExpressible):
                for name, labels, numbers in values_inside(self._rows.source, self._schema, columns):
                    counts[name].update(labelled(labels, numbers, markers[name]))
                return counts
        for batch in self._rows.cells():
            kept = batch if bound is None else batch.filter(bound.keep(batch.column(bound.column)))
            for name in columns:
                counts[name].update(label_counts(kept.column(name), markers[name]))
        return counts


def one_way(setting: Setting, mu: float) -> list[NoisyHistogram]:
    """The noised one-way table of each axis of a setting, each at cost ``mu``."""
    queries = [Query((i,)) for i in range(len(setting.domain))]
    answers = setting.marginals(queries, [mu] * len(queries))
    return [NoisyHistogram(a.values, a.sigma) for a in answers]
