"""All utility measures of a synthetic table in one mapping, each between two anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.evaluation.associations import associations
from sfumato.evaluation.coverage import coverage
from sfumato.evaluation.detection import detect, detection_auc
from sfumato.evaluation.images import image_utility
from sfumato.evaluation.learning import LEARNERS, Prediction, majority, predict
from sfumato.evaluation.marginals import Binning, cliques, tvds
from sfumato.evaluation.queries import query_errors, random_queries
from sfumato.evaluation.regression import coefficient_overlap
from sfumato.evaluation.subgroups import subgroups
from sfumato.evaluation.tables import Tables, check_sizes, measure, rounded

_PAIRS, _TRIPLES, _QUERIES = 2000, 200, 1000
_MEMORISED = 0.9


def utility(
    real: np.ndarray,
    test: np.ndarray,
    synthetic: np.ndarray,
    domain: Domain,
    target: int | None = None,
    *,
    seed: int = 0,
    quick: bool = False,
) -> dict[str, Any]:
    """Compare ``synthetic`` (k, d) with the rows it was made from, ``real`` (n, d), and fresh ones, ``test`` (m, d).

    ``measures`` maps a name to ``value`` (all rows), ``matched`` (as many synthetic rows as there are fresh ones),
    ``fresh`` (the test rows in place of the synthetic), ``independent`` (real columns shuffled apart) and ``score``
    (of ``matched``: 1 as good as fresh rows, 0 as bad as independent columns; None where independent
    columns are not clearly worse than fresh rows).
    ``learning``, ``detection``, ``subgroups``, ``coefficients`` and ``columns`` hold the details, ``memorisation`` says
    whether the synthetic rows are closer to ``real`` than fresh rows are. ``target`` is a column's position. ``quick``
    leaves out detection, coverage, coefficients, subgroups and the slowest learner: a third of the time. A table of
    images gets the measures of :func:`sfumato.evaluation.image_utility`, quick or not.

    Not private: the result is a statistic of real rows. Deterministic for a ``seed``. Raises ``TooFewRows``.
    """
    if domain.pixels is not None:
        return image_utility(real, test, synthetic, domain, target, seed)
    check_sizes(real, test, synthetic)
    began = perf_counter()
    tables = Tables(real, test, synthetic, seed)
    measures, columns = _marginal_measures(tables, domain, seed)
    learners = LEARNERS[:2] if quick else LEARNERS
    learning, predictions = None, None
    if target is not None:
        learning, predictions = _learning(tables, domain, target, learners, measures, seed)
    details = {} if quick else _details(tables, domain, target, predictions, measures, seed)
    return {
        "rows": tables.sizes,
        "measures": measures,
        "columns": columns,
        "learning": learning,
        **details,
        "spaces": {},
        "memorisation": tables.memorisation(_closer(measures)),
        "seconds": round(perf_counter() - began, 2),
    }


def _details(
    t: Tables,
    domain: Domain,
    target: int | None,
    predictions: tuple[Prediction, Prediction] | None,
    measures: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """The slower measures, added to ``measures``, and what they are made of."""
    detection = detect(t.fresh, t.matched, domain, seed=seed)
    measures["detection_auc"] = measure(
        detection.auc,
        detection.auc,
        detection_auc(t.fresh, t.other, domain, seed=seed),
        detection_auc(t.fresh, t.independent, domain, seed=seed),
    )
    measures |= _coverage_measures(t, domain, seed)
    coefficients = [] if target is None else coefficient_overlap(t.real, t.synthetic, domain, target)
    if target is not None and coefficients:
        measures["coefficient_overlap"] = _coefficient_measure(t, domain, target, coefficients)
    return {
        "detection": asdict(detection),
        "subgroups": [asdict(g) for g in subgroups(t.real, t.test, t.synthetic, domain, predictions)[:30]],
        "coefficients": [asdict(c) for c in coefficients],
    }


def _marginal_measures(t: Tables, domain: Domain, seed: int) -> tuple[dict[str, Any], dict[str, float]]:
    measures: dict[str, Any] = {}
    columns: dict[str, float] = {}
    for suffix, binning in (("", Binning.of(domain, max(domain.sizes))), ("_b32", Binning.of(domain, 32))):
        real, *others = (binning.apply(x) for x in (t.real, *t.four))
        for order, limit in ((1, None), (2, _PAIRS), (3, _TRIPLES)):
            if order > len(domain):
                continue
            chosen = cliques(binning.domain, order, limit, seed)
            each = [tvds(real, x, binning.domain, chosen) for x in others]
            measures[f"tvd{order}{suffix}"] = measure(*(e.mean() for e in each))
            if order == 1 and not suffix:
                columns = dict(zip(domain.names, each[0].round(5).tolist(), strict=True))
    queries = random_queries(domain, _QUERIES, seed=seed)
    measures["query3"] = measure(*(query_errors(t.real, x, domain, queries).mean() for x in t.four))
    pairs = Binning.of(domain, 32)
    reference, *others = (associations(pairs.apply(x), pairs.domain) for x in (t.real, *t.four))
    measures["association"] = measure(*(_off_diagonal(np.abs(a - reference)) for a in others))
    return measures, columns


def _off_diagonal(gaps: np.ndarray) -> float:
    d = len(gaps)
    return float((gaps.sum() - np.trace(gaps)) / (d * (d - 1))) if d > 1 else 0.0


def _coverage_measures(t: Tables, domain: Domain, seed: int) -> dict[str, Any]:
    full, matched, fresh, independent = (coverage(t.real, x, domain, seed=seed) for x in t.four)
    return {k: measure(full[k], matched[k], fresh[k], independent[k], higher=True) for k in full}


def _learning(
    t: Tables, domain: Domain, target: int, chosen: Sequence[str], measures: dict[str, Any], seed: int
) -> tuple[dict[str, Any], tuple[Prediction, Prediction]]:
    base = majority(t.real, t.test, domain, target)
    learners: dict[str, Any] = {}
    pairs: dict[str, tuple[Prediction, Prediction]] = {}
    for learner in chosen:
        tested, reference = (predict(x, t.test, domain, target, learner, seed=seed) for x in (t.synthetic, t.real))
        pairs[learner] = tested, reference
        tstr, trtr = tested.scores(), reference.scores()
        learners[learner] = {"tstr": rounded(tstr), "trtr": rounded(trtr)}
        headline = "r2" if "r2" in base else "auc"
        measures[f"tstr_{headline}_{learner}"] = measure(
            tstr[headline], tstr[headline], trtr[headline], base[headline], higher=True
        )
    first = pairs[chosen[0]]
    found = {"target": domain.names[target], "task": first[0].task, "majority": rounded(base), "learners": learners}
    return found, first


def _coefficient_measure(t: Tables, domain: Domain, target: int, found: list[Any]) -> dict[str, Any]:
    mean = [
        float(np.mean([c.overlap for c in coefficient_overlap(t.real, x, domain, target)]))
        for x in (t.matched, t.fresh, t.independent)
    ]
    return measure(float(np.mean([c.overlap for c in found])), *mean, higher=True)


def _closer(measures: dict[str, Any]) -> bool:
    """Whether the widest marginals are nearer to the real ones than those of fresh rows."""
    tightest = measures[max(k for k in measures if k.startswith("tvd") and k.endswith("_b32"))]
    return tightest["matched"] < _MEMORISED * tightest["fresh"]
