"""Who is served worse: shares, conditional marginals and prediction per subgroup."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.evaluation.learning import Prediction
from sfumato.evaluation.marginals import tvd


@dataclass(frozen=True)
class Subgroup:
    """One value of one column.

    Attributes:
        column: name of the column; ``code``: its code.
        real_share: share of the real rows; ``synthetic_share``: of the synthetic rows.
        tvd: mean total variation over the other columns' marginals within the group (1 if no synthetic row is in it).
        fresh_tvd: the same of fresh real rows, the floor for a group of this size (None if none is in it).
        accuracy_gap: TSTR accuracy minus TRTR accuracy within the group; None without a class target or test rows.
    """

    column: str
    code: int
    real_share: float
    synthetic_share: float
    tvd: float
    fresh_tvd: float | None
    accuracy_gap: float | None


def subgroups(
    real: np.ndarray,
    fresh: np.ndarray,
    synthetic: np.ndarray,
    domain: Domain,
    predictions: tuple[Prediction, Prediction] | None = None,
    *,
    widest: int = 12,
    fewest: int = 20,
) -> list[Subgroup]:
    """Every value with at least ``fewest`` real rows of every column with at most ``widest`` codes, worst first.

    ``predictions`` are the TSTR and TRTR predictions for ``fresh``.
    """
    found = []
    for i, axis in enumerate(domain.axes):
        if axis.size > widest:
            continue
        for code in range(axis.size):
            a, f, s = (t[t[:, i] == code] for t in (real, fresh, synthetic))
            if len(a) < fewest:
                continue
            gap = None if predictions is None else _accuracy_gap(*predictions, fresh[:, i] == code)
            shares = len(a) / len(real), len(s) / len(synthetic)
            found.append(
                Subgroup(axis.name, code, *shares, _within(a, s, domain, i) or 1.0, _within(a, f, domain, i), gap)
            )
    return sorted(found, key=lambda g: -(g.tvd - (g.fresh_tvd or 0.0)))


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
