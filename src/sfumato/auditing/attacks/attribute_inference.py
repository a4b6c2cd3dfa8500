"""Attribute inference: guess a secret column of a row from its other columns and the synthetic table.

Source: Elliot 2014 and Taub et al. 2018 (correct attribution probability, CAP); GTCAP allows near keys. A guess that
does as well on holdout rows is what the population teaches, not a leak: the rate of controls is part of the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfumato.auditing.attacks.game import Population
from sfumato.auditing.attacks.neighbours import nearest
from sfumato.evaluation.features import metric_features

_SAME = 1e-9
"""Distance of keys that are equal, but for rounding."""
_MOST_VALUES = 1000
"""Codes of a column that can be a secret: of more, a guess is right by luck alone."""
_NEARLY_CONSTANT = 0.95
"""Share of the most frequent value from which a column hides nothing."""


@dataclass(frozen=True)
class Attribution:
    """Per-row outcomes of guessing ``column``: right or wrong for members and controls, and the naive rate.

    ``cap`` holds the share of members attributed correctly among those with an exact key match, and that share for
    controls; None where no key matches.
    """

    column: str
    members: np.ndarray
    controls: np.ndarray
    naive: float
    cap: tuple[float | None, float | None]


def attribute_inference(population: Population, synthetic: np.ndarray, column: int) -> Attribution:
    """The value held by the nearest synthetic row on all other columns.

    More neighbours would guess better of people at large, but outvote the one row that gives a person away.
    """
    domain = population.domain
    keys = [i for i in range(len(domain)) if i != column]
    points, queries = (metric_features(t, domain, keys) for t in (synthetic, population.candidates))
    gaps, index = nearest(points, queries, 1)
    truth = population.candidates[:, column]
    right = synthetic[index[:, 0], column] == truth
    n = len(population.members)
    exact = gaps[:, 0] < _SAME
    mode = np.bincount(synthetic[:, column].astype(np.int64)).argmax()
    shares = [_share(right[part][exact[part]]) for part in (slice(None, n), slice(n, None))]
    return Attribution(
        domain.names[column], right[:n], right[n:], float((truth == mode).mean()), (shares[0], shares[1])
    )


def _share(right: np.ndarray) -> float | None:
    return float(right.mean()) if len(right) else None


def secret_columns(population: Population, limit: int) -> list[int]:
    """The columns that are hardest to guess without a release: those whose most frequent value is rarest.

    Ordered columns of many values and columns with a nearly constant value are left out.
    """
    reference, domain = population.reference, population.domain
    shares = {}
    for i, axis in enumerate(domain.axes):
        if axis.size > _MOST_VALUES:
            continue
        top = np.bincount(reference[:, i].astype(np.int64)).max() / len(reference)
        if top < _NEARLY_CONSTANT:
            shares[i] = top
    return sorted(shares, key=lambda i: shares[i])[:limit]
