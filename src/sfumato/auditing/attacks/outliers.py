"""Shadow models against single vulnerable rows: the attack that averages and distances do not show.

Source: Meeus et al. 2023 (Achilles' heels: vulnerable rows by mean distance to their neighbours); Houssiau et al. 2022
(shadow models whose features are counts of the target's values in the synthetic table).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from sfumato.auditing.attacks.neighbours import nearest
from sfumato.auditing.attacks.rates import halves
from sfumato.auditing.attacks.result import AttackResult, Terms, from_scores
from sfumato.encoding.domain import Domain
from sfumato.evaluation.features import metric_features

RowGenerator = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Fits on (n, d) encoded rows and returns about as many synthetic rows."""
_LEAST_SPREAD = 1e-2
"""Standard deviation that a coordinate is scaled by at least: one that hardly varies says little."""
_LARGEST_SET = 4
"""Columns of a query."""
_AGREES = 16
"""An ordered column agrees within its range over this."""


def vulnerable_rows(rows: np.ndarray, domain: Domain, count: int, k: int = 5) -> np.ndarray:
    """Positions of the ``count`` rows whose ``k`` nearest neighbours are furthest on average, furthest first.

    Coordinates are standardised among ``rows``, so that a rare category weighs as much as an extreme number.
    """
    points = metric_features(rows, domain)
    points = points / np.maximum(points.std(axis=0), _LEAST_SPREAD)
    gaps = nearest(points, points, k + 1)[0][:, 1:].mean(1)
    return np.argsort(-gaps, kind="stable")[:count]


@dataclass(frozen=True)
class Queries:
    """Counting queries about one target: how many synthetic rows agree with it on a set of columns.

    An ordered column agrees within a sixteenth of its range.
    """

    target: np.ndarray
    subsets: tuple[tuple[int, ...], ...]
    domain: Domain

    @classmethod
    def draw(cls, target: np.ndarray, domain: Domain, rng: np.random.Generator, count: int = 60) -> Queries:
        """All single columns and random sets of 2 to 4 columns, ``count`` in all."""
        d = len(domain)
        subsets = [(i,) for i in range(d)][:count]
        while len(subsets) < count:
            subsets.append(tuple(rng.choice(d, min(d, int(rng.integers(2, _LARGEST_SET + 1))), replace=False).tolist()))
        return cls(target, tuple(subsets), domain)

    def features(self, synthetic: np.ndarray) -> np.ndarray:
        """Shares of agreeing rows, of equal values per column, then moments and ends of ordered columns."""
        agree = np.empty(synthetic.shape, bool)
        for i, axis in enumerate(self.domain.axes):
            gap = np.abs(synthetic[:, i].astype(np.int64) - int(self.target[i]))
            agree[:, i] = gap <= (axis.size // _AGREES if axis.ordered else 0)
        shares = [agree[:, list(s)].all(1).mean() for s in self.subsets]
        ordered = [i for i, axis in enumerate(self.domain.axes) if axis.ordered]
        numbers = synthetic[:, ordered]
        equal = (synthetic == self.target).mean(0)
        return np.concatenate([shares, equal, numbers.mean(0), numbers.std(0), numbers.min(0), numbers.max(0)])


def outlier_shadow(
    generator: RowGenerator,
    auxiliary: np.ndarray,
    target: np.ndarray,
    domain: Domain,
    terms: Terms,
    *,
    rows: int = 500,
    shadows: int = 150,
) -> AttackResult:
    """Tell whether ``target`` (d,) was among the ``rows`` that ``generator`` was fitted on.

    Fits ``2 * shadows`` generators on random sets of auxiliary rows, half of each kind with the target; a forest learns
    on half of them and is scored on the other. Nothing of a released table is used: it judges the generator.
    """
    began = perf_counter()
    rng = terms.rng()
    queries = Queries.draw(target, domain, rng)
    x = []
    for t in range(2 * shadows):
        sample = auxiliary[rng.choice(len(auxiliary), rows, replace=False)]
        if t % 2:
            sample = np.concatenate([sample[:-1], target[None]])
        x.append(queries.features(generator(sample, rng)))
    features, inside = np.array(x), np.arange(2 * shadows) % 2 == 1
    train = np.arange(2 * shadows) < shadows
    forest = RandomForestClassifier(n_estimators=300, min_samples_leaf=2, random_state=terms.seed)
    scores = forest.fit(features[train], inside[train]).predict_proba(features[~train])[:, 1]
    a, b = scores[inside[~train]], scores[~inside[~train]]
    knowledge = "the generator's code, rows like the real ones"
    return from_scores("outlier_shadow", knowledge, *halves(a, b, rng), terms, perf_counter() - began)
