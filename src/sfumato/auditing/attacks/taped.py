"""A setting whose every answer goes through a tape, beside one without noise that gives the exact values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sfumato.auditing.attacks.trace import AnswerTape
from sfumato.encoding.domain import Domain
from sfumato.privacy.mechanisms import lattice
from sfumato.trust.questions import FeatureSum, Marginals, Scatter
from sfumato.trust.setting import Candidate, Measurement, Query, Setting


class Taped:
    """Wraps a ``Setting`` for :func:`sfumato.auditing.attacks.trace.trace`.

    Args:
        noisy: the setting that is audited.
        exact: the same records without noise (epsilon = inf).
        tape: where questions and answers go.
        max_rows: how many records one unit may hold.
    """

    def __init__(self, noisy: Setting, exact: Setting, tape: AnswerTape, max_rows: int = 1) -> None:
        self._noisy, self._exact, self._tape, self._rows = noisy, exact, tape, max_rows

    @property
    def domain(self) -> Domain:
        """The encoded columns."""
        return self._noisy.domain

    @property
    def remaining(self) -> float:
        """Share of the squared budget that is left."""
        return self._tape.answer("remaining", (), [], [], lambda: self._noisy.remaining)

    @property
    def compares(self) -> bool:
        """Whether candidates can be compared."""
        return self._noisy.compares

    def mu(self, share: float) -> float:
        """The cost of a share of the squared budget."""
        return self._noisy.mu(share)

    def sigma(self, mu: float) -> float:
        """The noise of a count at a cost."""
        return self._noisy.sigma(mu)

    def count(self, mu: float) -> float:
        """Noisy number of records."""
        exact = [np.array(self._exact.count(math.inf))]
        return self._tape.answer("count", mu, exact, [self._rows], lambda: self._noisy.count(mu))

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy contingency tables."""
        exact = [m.values for m in self._exact.marginals(queries, [math.inf] * len(queries))]
        declared = [float(self._rows)] * len(exact)
        asked = Marginals(tuple(queries)).digest, list(mu)
        return self._tape.answer("marginals", asked, exact, declared, lambda: self._noisy.marginals(queries, mu))

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """Index of a candidate with a nearly largest score."""
        exact, declared = self._scores(candidates)
        return self._tape.answer(
            "select", (list(candidates), epsilon), exact, declared, lambda: self._noisy.select(candidates, epsilon)
        )

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """Noisy scores of all candidates."""
        exact, declared = self._scores(candidates)
        return self._tape.answer(
            "distances", (list(candidates), mu), exact, declared, lambda: self._noisy.distances(candidates, mu)
        )

    def feature_sum(self, question: FeatureSum, mu: float) -> np.ndarray:
        """Noisy sum of a bounded feature."""
        exact = [self._exact.feature_sum(question, math.inf)]
        declared = [_size(question.scale) * self._rows]
        return self._tape.answer(
            "feature_sum", (question.digest, mu), exact, declared, lambda: self._noisy.feature_sum(question, mu)
        )

    def scatter(self, question: Scatter, mu: float) -> np.ndarray:
        """Noisy sums of outer products of a bounded feature."""
        exact = [self._exact.scatter(question, math.inf)]
        declared = [_size(question.scale) * self._rows]
        return self._tape.answer(
            "scatter", (question.digest, mu), exact, declared, lambda: self._noisy.scatter(question, mu)
        )

    def coarsened(self, recode: Sequence[np.ndarray]) -> Taped:
        """The same records through public maps."""
        return Taped(self._noisy.coarsened(recode), self._exact.coarsened(recode), self._tape, self._rows)

    def _scores(self, candidates: Sequence[Candidate]) -> tuple[list[np.ndarray], list[float]]:
        tables = self._exact.marginals([c.query for c in candidates], [math.inf] * len(candidates))
        scores = [
            np.array(c.weight * (np.abs(t.values - c.estimate).sum() - c.bias))
            for c, t in zip(candidates, tables, strict=True)
        ]
        return scores, [c.weight * self._rows for c in candidates]


def _size(scale: lattice.Scale) -> float:
    return scale.step * scale.sensitivity
