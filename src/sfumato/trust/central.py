"""One trusted curator: sums are made in memory and noised with the operating system's entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import UnsupportedUnit
from sfumato.privacy.events import DiscreteGaussian, Exponential
from sfumato.privacy.mechanisms import lattice
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.mechanisms.exponential import select
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.progress import Progress
from sfumato.results.plain import Json
from sfumato.trust import summing
from sfumato.trust.budget import Budget
from sfumato.trust.records import ExactRecords
from sfumato.trust.setting import Candidate, GroupedFeature, Measurement, Query, Setting

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters, Records

_GRID = 2.0**-10  # of a record


class Central:
    """The setting of one curator who holds all rows.

    Args:
        records: the encoded rows.
        budget: what may be spent.
        max_rows: how many records one protected unit may hold; the caller has enforced it.
        entropy: source of noise.
        saved: where a training keeps its checkpoint, one file per training; None: beside the answer log, if any.

    *Formal guarantee.* Each answer is a mechanism of ``privacy.mechanisms`` applied to a function of the records that
    one unit (at most ``max_rows`` records) moves by at most the sensitivity used, under adding or removing the unit;
    its event is charged to the run's ledger before the noise is drawn.
    """

    compares = True

    def __init__(
        self,
        records: ExactRecords,
        budget: Budget,
        max_rows: int = 1,
        entropy: Entropy = SYSTEM,
        saved: Path | None = None,
    ) -> None:
        self._records, self._budget, self._max_rows, self._entropy = records, budget, max_rows, entropy
        self._saved = saved if budget.answer_log is None else budget.answer_log.training

    def __repr__(self) -> str:
        return f"<central setting over {len(self.domain)} columns>"

    @property
    def domain(self) -> Domain:
        """The encoded columns; public."""
        return self._records.domain

    def mu(self, share: float) -> float:
        """The GDP cost that uses ``share`` of the run's squared budget."""
        return self._budget.mu(share)

    @property
    def remaining(self) -> float:
        """Share of the squared budget that is left."""
        return self._budget.remaining

    def count(self, mu: float) -> float:
        """Noisy number of records: integer noise, sensitivity ``max_rows``."""
        return float(self._counts(["count"], [mu], lambda: [np.array(len(self._records))])[0][0])

    def outside(self, mu: float) -> tuple[float, float]:
        """Noisy number of records with some cell that the schema's facts did not allow, and the scale of its noise."""
        found = self._counts(["outside"], [mu], lambda: [np.array(self._records.outside)])
        return float(found[0][0]), self._sigma(mu)

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy tables; a unit moves each by at most ``max_rows`` in l1, so each is one ``DiscreteGaussian`` event."""
        if not queries:
            return []
        shapes = [q.shape(self.domain) for q in queries]
        question = ["marginals", [(q.clique, shape) for q, shape in zip(queries, shapes, strict=True)]]
        tables = self._counts(question, mu, lambda: (self._records.table(q) for q in queries), shapes)
        return [
            Measurement(q, t.reshape(shape).astype(np.float64), self._sigma(m))
            for q, t, shape, m in zip(queries, tables, shapes, mu, strict=True)
        ]

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """Exponential mechanism over the candidates' scores; one unit moves each by at most weight x ``max_rows``."""
        sensitivity = max(c.weight for c in candidates) * self._max_rows
        if not self._budget.private:
            return int(np.argmax([self._score(c) for c in candidates]))

        def chosen() -> np.ndarray:
            scores = np.array([self._score(c) for c in candidates])
            return np.array(select(scores, epsilon, sensitivity, self._entropy))

        return int(self._budget.answer(["select", _cliques(candidates)], [Exponential(epsilon)], chosen))

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """All scores, rounded down to integers and given integer noise.

        Rounding down keeps the sensitivity: scores within an integer distance stay within it. ``weight`` must be 1.
        """
        if any(c.weight != 1 for c in candidates):
            raise ValueError("distances are unweighted; divide the answer instead")
        sigma = self._budget.integer_sigma(mu / math.sqrt(len(candidates)), self._max_rows)
        events = [DiscreteGaussian(sigma, self._max_rows, len(candidates))] if sigma else []

        def noised() -> np.ndarray:
            scores = np.array([math.floor(self._score(c)) for c in candidates])
            return self._noised(scores, sigma)

        return self._budget.answer(["distances", _cliques(candidates)], events, noised).astype(np.float64)

    def feature_sum(
        self, feature: Callable[[np.ndarray], np.ndarray], dimension: int, bound: float, mu: float
    ) -> np.ndarray:
        """Sum of ``feature`` over the records, each row clipped to l2 norm ``bound``; noise on a fine grid.

        Rows of ``feature`` that are not finite count as zero. One unit moves the sum by at most
        ``max_rows * bound`` in l2 norm, and a little for rounding, provided that ``feature`` treats every record alone.
        """
        scale = lattice.feature_scale(dimension, bound)

        def total() -> np.ndarray:
            return summing.feature_sum(feature, self._records.matrix(), dimension, bound)

        return self._total(["feature_sum", dimension], mu, scale, np.ones(dimension), total)

    def scatter(self, feature: GroupedFeature, dimension: int, groups: int, bound: float, mu: float) -> np.ndarray:
        """Sums of outer products of clipped vectors by group; noise on a fine grid, on the upper triangles.

        One unit moves them by at most ``max_rows * bound^2`` in l2 norm, and a little for rounding, provided that
        ``feature`` treats every record alone; see ``summing.scatter_sum``.
        """
        scale = lattice.scatter_scale(dimension, bound)
        weights = np.where(summing.diagonal(dimension), 1.0, math.sqrt(2))

        def packed() -> np.ndarray:
            return summing.scatter_sum(feature, self._records.matrix(), dimension, groups, bound)

        noised = self._total(["scatter", dimension, groups], mu, scale, np.tile(weights, (groups, 1)), packed)
        return summing.unpacked(noised, dimension)

    def dp_sgd(self, training: DpSgd[Carry, Parameters, Records], share: float, progress: Progress) -> Carry:
        """DP-SGD over the records; see ``training.Trainer``. UnsupportedUnit when a unit may hold several records."""
        if self._max_rows != 1:
            raise UnsupportedUnit(
                f"gradients are clipped per row, but a unit may hold {self._max_rows} rows: declare max_rows 1, or take"
                " a model over marginals"
            )
        from sfumato.trust.training import Trainer  # imports jax, which models over marginals do without

        return Trainer(self._records.matrix(), self._budget, self._entropy, self._saved).dp_sgd(
            training, share, progress
        )

    def coarsened(self, recode: Sequence[np.ndarray]) -> Setting:
        """The same records through public maps code -> coarser code."""
        return Central(self._records.coarsened(recode), self._budget, self._max_rows, self._entropy, self._saved)

    def _sigma(self, mu: float) -> float:
        return self._budget.integer_sigma(mu, self._max_rows)

    def _counts(
        self,
        question: Sequence[Json],
        mu: Sequence[float],
        exact: Callable[[], Iterable[np.ndarray]],
        shapes: Sequence[tuple[int, ...]] = ((),),
    ) -> list[np.ndarray]:
        """Counts, flat, each with the integer noise of its ``mu``; a unit moves each by at most ``max_rows`` in l1."""
        sigmas = [self._sigma(m) for m in mu]
        events = [DiscreteGaussian(s, self._max_rows) for s in sigmas if s]

        def noised() -> np.ndarray:
            return np.concatenate([self._noised(x.ravel(), s) for x, s in zip(exact(), sigmas, strict=True)])

        ends = np.cumsum([math.prod(shape) for shape in shapes])
        return np.split(self._budget.answer(question, events, noised), ends[:-1])

    def _total(
        self,
        question: Sequence[Json],
        mu: float,
        scale: lattice.Scale,
        weights: np.ndarray,
        exact: Callable[[], np.ndarray],
    ) -> np.ndarray:
        """A sum of vectors, of the shape of ``weights``, with the noise of ``mu``; noise is divided by the weights.

        One record moves it by at most ``scale.sensitivity``, in the l2 norm of coordinates times ``weights``.
        """
        sensitivity = scale.sensitivity * self._max_rows
        paid = self._budget.sigma(mu, sensitivity)
        sigma = lattice.scale(paid / sensitivity, sensitivity, weights.max()) if paid else 0.0
        events = [lattice.event(sigma, sensitivity, weights.size, weights.max())] if paid else []

        def noised() -> np.ndarray:
            values = exact()
            answer = np.empty(values.shape)
            for weight in np.unique(weights):
                chosen = weights == weight
                answer[chosen] = self._noised(values[chosen], sigma / weight)
            return answer * scale.step

        return self._budget.answer(question, events, noised)

    def _noised(self, counts: np.ndarray, sigma: float) -> np.ndarray:
        return add_discrete_gaussian(counts, sigma, self._entropy) if sigma else counts

    def _score(self, candidate: Candidate) -> float:
        """The score with public guesses rounded to ``_GRID``: sums are then exact, and sensitivity holds to the bit."""
        guess = np.rint(np.asarray(candidate.estimate) / _GRID) * _GRID
        distance = float(np.abs(self._records.table(candidate.query) - guess).sum())
        return candidate.weight * (distance - float(np.rint(candidate.bias / _GRID)) * _GRID)


def _cliques(candidates: Sequence[Candidate]) -> list[tuple[int, ...]]:
    return [c.query.clique for c in candidates]
