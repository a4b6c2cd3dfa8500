"""The membership game: which candidates were used to make a synthetic table?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from sklearn.neighbors import NearestNeighbors

from sfumato.encoding.domain import Domain
from sfumato.evaluation.features import metric_features
from sfumato.models.model import RecordLoss

NEIGHBOURS = 5
_NUMBERS = 1 << 23  # held at a time for exact distances


def nearest(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances (m, k), exact also near zero, and indices (m, k) of the ``k`` nearest ``points``."""
    k = min(k, len(points))
    index = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points).kneighbors(queries, return_distance=False)
    gaps = np.empty(index.shape)
    step = max(1, _NUMBERS // (k * points.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        apart = queries[part, None, :].astype(np.float64) - points[index[part]]
        gaps[part] = np.sqrt((apart**2).sum(-1))
    order = np.argsort(gaps, axis=1, kind="stable")
    return np.take_along_axis(gaps, order, 1), np.take_along_axis(index, order, 1)


@dataclass(frozen=True)
class Population:
    """The attacker's candidates and what is known without the release; encoded rows, all (n, d).

    Attributes:
        members: rows that were used.
        controls: fresh rows of the same population that were not.
        reference: other fresh rows, which the attacker has.
        domain: the public columns.
    """

    members: np.ndarray
    controls: np.ndarray
    reference: np.ndarray
    domain: Domain

    def folds(self) -> tuple[Population, Population]:
        """Two games of half the members each, in which controls and reference change roles."""
        even, odd = self.members[::2], self.members[1::2]
        return (
            Population(even, self.controls, self.reference, self.domain),
            Population(odd, self.reference, self.controls, self.domain),
        )

    @cached_property
    def candidates(self) -> np.ndarray:
        """Members, then controls."""
        return np.concatenate([self.members, self.controls])

    @cached_property
    def features(self) -> np.ndarray:
        """The candidates as points."""
        return metric_features(self.candidates, self.domain)

    @cached_property
    def reference_distances(self) -> np.ndarray:
        """Distances of the candidates to their nearest reference rows, (n, 5)."""
        return nearest(metric_features(self.reference, self.domain), self.features, NEIGHBOURS)[0]


@dataclass(frozen=True)
class Game:
    """A population, the synthetic table that is attacked, and the model it came from, if the attacker holds it."""

    population: Population
    synthetic: np.ndarray
    model: RecordLoss | None = None

    @cached_property
    def distances(self) -> np.ndarray:
        """Distances of the candidates to their nearest synthetic rows, (n, 5)."""
        return nearest(metric_features(self.synthetic, self.population.domain), self.population.features, NEIGHBOURS)[0]

    @cached_property
    def losses(self) -> np.ndarray:
        """What the model loses on the candidates, (n,)."""
        return self.loss_of(self.population.candidates)

    def loss_of(self, rows: np.ndarray) -> np.ndarray:
        """What the model loses on ``rows`` (n, d), (n,)."""
        assert self.model is not None
        return np.asarray(self.model.record_loss(rows), np.float64)

    def split(self, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of the members and of the controls."""
        n = len(self.population.members)
        return scores[:n], scores[n:]
