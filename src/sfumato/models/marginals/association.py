"""How far pairs of columns are from what is publicly believed of them: the scores that choose what to measure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from sfumato.models.marginals.columns import Resolution
from sfumato.models.marginals.projection import expected_noise, noise_deviation
from sfumato.trust.setting import Candidate, Clique, Measurement, Query, Setting

Expected = Callable[[Query], np.ndarray]
_DEVIATIONS = 3.0
"""By which a distance stands clear of what noise alone gives."""
WORTH = 1.5
"""Times the noise of its table that a pair is off by, to be worth measuring."""


def pairs_of(columns: int) -> list[Clique]:
    """All pairs i < j."""
    return list(combinations(range(columns), 2))


def distance(table: Measurement, belief: Expected) -> float:
    """Estimated l1 distance of a noisy table from a belief, in counts: less what noise alone would give."""
    seen = float(np.abs(table.values - belief(table.query)).sum())
    return seen - expected_noise(table.sigma, table.values.size)


def clear_of_noise(tables: Sequence[Measurement], belief: Expected) -> dict[Clique, float]:
    """Distance from a belief of those of the tables, one for each pair, whose distance noise does not explain."""
    found = {}
    for table in tables:
        far = distance(table, belief)
        if far > _DEVIATIONS * noise_deviation(table.sigma, table.values.size):
            found[table.query.clique] = far
    return found


class Associations:
    """l1 distances of pair tables from a belief, asked of a setting.

    A setting that compares answers distances directly, each time for its own share of the budget. One that only adds
    is asked once for all pairs, as coarse as that noise demands, for the sum of both shares; later beliefs are compared
    with the same answers.
    """

    def __init__(self, setting: Setting, resolution: Resolution, share: float) -> None:
        self._setting, self._resolution, self._share = setting, resolution, share
        self._coarse: dict[Clique, Measurement] = {}

    def distances(self, cliques: Sequence[Clique], belief: Expected, sigma: float, part: float) -> dict[Clique, float]:
        """Estimated distance per clique, in counts.

        Args:
            cliques: pairs to score.
            belief: query -> believed counts.
            sigma: noise that a later measurement would have: sets the resolution that is compared.
            part: which part (0..1) of the share a comparing setting spends on this.
        """
        if not cliques:
            return {}
        if not self._setting.compares:
            return {c: distance(self._coarsely()[c], belief) for c in cliques}
        candidates = []
        for clique in cliques:
            query = self._resolution.query(clique, sigma)
            candidates.append(Candidate(query, belief(query)))
        answers = self._setting.distances(candidates, self._setting.mu(self._share * part))
        return dict(zip(cliques, answers.tolist(), strict=True))

    def coarse(self, cliques: Sequence[Clique]) -> list[Measurement]:
        """The answers about these pairs of a setting that only adds."""
        return [self._coarsely()[c] for c in cliques]

    def _coarsely(self) -> dict[Clique, Measurement]:
        if not self._coarse:
            cliques = pairs_of(len(self._setting.domain))
            mu = self._setting.mu(self._share) / math.sqrt(len(cliques))
            queries = [self._resolution.query(c, self._setting.sigma(mu)) for c in cliques]
            answers = self._setting.marginals(queries, [mu] * len(cliques))
            self._coarse = dict(zip(cliques, answers, strict=True))
        return self._coarse


def worth(scores: dict[Clique, float], noise: Callable[[Clique, int], float], least: float, most: int) -> list[Clique]:
    """The best-scoring pairs, as many as still stand clear of the noise that measuring that many would bring.

    Args:
        scores: distance per pair, in counts.
        noise: (pair, number of pairs measured) -> expected l1 noise of its table.
        least: distance below which a pair is not worth modelling, in counts.
        most: number of pairs at most.
    """
    chosen: list[Clique] = []
    for clique in sorted(scores, key=lambda c: -scores[c])[:most]:
        if scores[clique] < max(least, WORTH * noise(clique, len(chosen) + 1)):
            break
        chosen.append(clique)
    return chosen
