"""Utility of synthetic codes against real ones: the figures that the benchmarks of tables share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.evaluation.learning import predict
from sfumato.evaluation.marginals import Binning, cliques, tvds
from sfumato.evaluation.queries import query_errors, random_queries

Figures = dict[str, float]


def figures(real: np.ndarray, test: np.ndarray, drawn: np.ndarray, domain: Domain, target: int) -> Figures:
    """How good ``drawn`` codes (n, d) are: close to ``real`` ones, and useful to predict the target of ``test``.

    ``auc``, ``accuracy`` and ``f1`` are of gradient boosting, for an ordered target of more than two values (a decile)
    of whether it lies in the upper half of its declared values; ``tvd1``, ``tvd2`` and ``tvd3`` mean total variation
    over all columns, all pairs and 200 seeded triples of the codes as they are; ``tvd3_b32`` the last with wide ordered
    columns cut to 32 bins; ``tvd2_target`` over the pairs with the target; ``query3`` mean error of 1,000 random
    queries.
    """
    pairs, triples = cliques(domain, 2, None), cliques(domain, 3, 200)
    coarse = Binning.of(domain, 32)
    two = tvds(real, drawn, domain, pairs)
    return {
        **_scores(drawn, test, domain, target),
        "tvd1": float(tvds(real, drawn, domain, cliques(domain, 1, None)).mean()),
        "tvd2": float(two.mean()),
        "tvd3": float(tvds(real, drawn, domain, triples).mean()),
        "tvd3_b32": float(tvds(coarse.apply(real), coarse.apply(drawn), coarse.domain, triples).mean()),
        "tvd2_target": float(two[[target in pair for pair in pairs]].mean()),
        "query3": float(query_errors(real, [drawn], domain, random_queries(domain, 1000))[0].mean()),
    }


def _scores(drawn: np.ndarray, test: np.ndarray, domain: Domain, target: int) -> Figures:
    halves = Binning.of(domain, 2)
    axes, tables = list(domain.axes), (drawn.astype(np.int64), test.astype(np.int64))
    axes[target] = halves.domain.axes[target]
    for codes in tables:
        codes[:, target] = halves.maps[target][codes[:, target]]
    scores = predict(*tables, Domain(tuple(axes)), target, "gradient_boosting", seed=0).scores()
    return {key: scores[key] for key in ("auc", "accuracy", "f1")}


def auc_without(test: np.ndarray, drawn: np.ndarray, domain: Domain, target: int, left_out: Sequence[str]) -> float:
    """AUC of the target when the learner is not given the columns ``left_out``."""
    kept = [i for i, name in enumerate(domain.names) if name not in left_out]
    rest = Domain(tuple(domain.axes[i] for i in kept))
    return _scores(drawn[:, kept], test[:, kept], rest, kept.index(target))["auc"]


def mean(runs: Sequence[Figures]) -> Figures:
    """Mean of each figure over independent runs."""
    return {key: round(float(np.mean([run[key] for run in runs])), 5) for key in runs[0]}
