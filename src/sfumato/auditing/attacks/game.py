"""The membership game: which candidates were used to make a synthetic table?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sfumato.auditing.attacks.neighbours import nearest
from sfumato.encoding.domain import Domain
from sfumato.evaluation.features import metric_features
from sfumato.models.model import RecordLoss

NEIGHBOURS = 5
"""Nearest rows that an attack may look at."""


@dataclass(frozen=True)
class Population:
    """The attacker's candidates and what is known without the release; encoded rows, all (n, d).

    Attributes:
        members: rows that were used.
        controls: holdout rows, which were not.
        reference: other holdout rows, which the attacker has.
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
