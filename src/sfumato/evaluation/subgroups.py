"""Who is served worse: shares, conditional marginals and prediction per subgroup."""

from __future__ import annotations

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.evaluation.details import Subgroup
from sfumato.evaluation.learning import Prediction
from sfumato.evaluation.marginals import tvd


def subgroups(
    real: np.ndarray,
    holdout: np.ndarray,
    synthetic: np.ndarray,
    domain: Domain,
    predictions: tuple[Prediction, Prediction] | None = None,
    *,
    widest: int = 12,
    fewest: int = 20,
) -> list[Subgroup]:
    """Every value with at least ``fewest`` real rows of every column with at most ``widest`` codes, worst first.

    ``predictions`` are the TSTR and TRTR predictions for ``holdout``.
    """
    found = []
    for i, axis in enumerate(domain.axes):
        if axis.size > widest:
            continue
        for code in range(axis.size):
            a, h, s = (t[t[:, i] == code] for t in (real, holdout, synthetic))
            if len(a) < fewest:
                continue
            gap = None if predictions is None else _accuracy_gap(*predictions, holdout[:, i] == code)
            shares = len(a) / len(real), len(s) / len(synthetic)
            found.append(
                Subgroup(axis.name, code, *shares, _within(a, s, domain, i) or 1.0, _within(a, h, domain, i), gap)
            )
    return sorted(found, key=lambda g: -(g.tvd - (g.holdout_tvd or 0.0)))


def _within(a: np.ndarray, b: np.ndarray, domain: Domain, column: int) -> float | None:
    others = [j for j in range(len(domain)) if j != column]
    if not len(b) or not others:
        return None
    return float(np.mean([tvd(a, b, domain, (j,)) for j in others]))


def _accuracy_gap(tstr: Prediction, trtr: Prediction, member: np.ndarray) -> float | None:
    inside = member[tstr.rows]
    if tstr.task == "regression" or not inside.any():
        return None
    hits = [float((p.values[inside].argmax(1) == p.truth[inside]).mean()) for p in (tstr, trtr)]
    return hits[0] - hits[1]
