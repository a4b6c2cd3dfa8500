"""All utility measures of a synthetic table, each between two anchors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from threadpoolctl import threadpool_limits

from sfumato.encoding.domain import Domain
from sfumato.evaluation.associations import associations
from sfumato.evaluation.coverage import coverage
from sfumato.evaluation.details import Coefficient, Detection, Subgroup
from sfumato.evaluation.detection import detect, detection_auc
from sfumato.evaluation.images import image_utility
from sfumato.evaluation.learning import LEARNERS, MOST_ROWS, Prediction, majority, predict
from sfumato.evaluation.marginals import Binning, cliques, tvds_of_each
from sfumato.evaluation.queries import query_errors, random_queries
from sfumato.evaluation.regression import coefficient_overlap
from sfumato.evaluation.result import Learning, Measure, Scores, TrainedOn, Utility, rounded
from sfumato.evaluation.subgroups import subgroups
from sfumato.evaluation.tables import Tables, check_sizes
from sfumato.progress import Progress, Silent

_PAIRS, _TRIPLES, _QUERIES = 2000, 200, 1000
"""Cliques of two and of three columns, and random queries, that are compared at most."""
_MEMORISED = 0.9
"""Marginals nearer to the real ones than this share of the distance of holdout rows are more than chance gives."""
_QUICK = 10_000
"""Rows of each table that a learner of a quick evaluation is trained on at most; the result says how many."""
_SUBGROUPS = 30
"""Worst subgroups that are kept."""


@threadpool_limits.wrap(limits=1)  # several threads of small jobs mostly wait for each other
def utility(
    real: np.ndarray,
    holdout: np.ndarray,
    synthetic: np.ndarray,
    domain: Domain,
    target: int | None = None,
    *,
    seed: int = 0,
    quick: bool = False,
    progress: Progress | None = None,
) -> Utility:
    """Compare ``synthetic`` (k, d) with the rows it was made from, ``real`` (n, d), and with ``holdout`` (m, d) rows.

    ``target`` is a column's position. ``quick`` leaves out detection, coverage, coefficients, subgroups and the slowest
    learner, and trains the others on at most 10,000 rows of each table: a third of the time. A table of images gets the
    measures of :func:`.images.image_utility`, quick or not.

    Not private: the result is a statistic of real rows. Deterministic for a ``seed``. Raises ``TooFewRows``.
    """
    seen = progress or Silent()
    if domain.content == "images":
        seen.stage("images")
        return image_utility(real, holdout, synthetic, domain, target, seed)
    check_sizes(real, holdout, synthetic)
    began = perf_counter()
    seen.stage("marginals, queries")
    tables = Tables(real, holdout, synthetic, seed)
    measures, columns = _marginal_measures(tables, domain, seed)
    learning, predictions = None, None
    if target is not None:
        seen.stage("prediction")
        learning, predictions, found = _learning(tables, domain, target, quick, seed)
        measures |= found
    if not quick:
        seen.stage("detection, coverage")
    slow = _Slow() if quick else _slower(tables, domain, target, predictions, seed)
    measures |= slow.measures
    return Utility(
        rows=tables.sizes,
        measures=measures,
        columns=columns,
        learning=learning,
        detection=slow.detection,
        subgroups=slow.subgroups,
        coefficients=slow.coefficients,
        memorisation=tables.memorisation(_closer(measures)),
        seconds=round(perf_counter() - began, 2),
    )


@dataclass(frozen=True)
class _Slow:
    """What a quick evaluation leaves out."""

    measures: Mapping[str, Measure] = field(default_factory=dict)
    detection: Detection | None = None
    subgroups: tuple[Subgroup, ...] = ()
    coefficients: tuple[Coefficient, ...] = ()


def _slower(
    t: Tables, domain: Domain, target: int | None, predictions: tuple[Prediction, Prediction] | None, seed: int
) -> _Slow:
    """The slower measures, and what they are made of."""
    detection = detect(t.some_holdout, t.some_synthetic, domain, seed=seed)
    anchors = (detection_auc(t.some_holdout, x, domain, seed=seed) for x in (t.some_real, t.independent))
    measures = {"detection_auc": Measure.between((detection.auc, detection.auc, *anchors))}
    measures |= _coverage_measures(t, domain, seed)
    coefficients = [] if target is None else coefficient_overlap(t.real, t.synthetic, domain, target)
    if target is not None and coefficients:
        measures["coefficient_overlap"] = _coefficient_measure(t, domain, target, coefficients)
    worst = subgroups(t.real, t.holdout, t.synthetic, domain, predictions)[:_SUBGROUPS]
    return _Slow(measures, detection, tuple(worst), tuple(coefficients))


def _marginal_measures(t: Tables, domain: Domain, seed: int) -> tuple[dict[str, Measure], dict[str, float]]:
    measures: dict[str, Measure] = {}
    columns: dict[str, float] = {}
    for suffix, binning in (("", Binning.of(domain, max(domain.sizes))), ("_b32", Binning.of(domain))):
        real, *others = (binning.apply(x) for x in (t.real, *t.four))
        for order, limit in ((1, None), (2, _PAIRS), (3, _TRIPLES)):
            if order > len(domain):
                continue
            chosen = cliques(binning.domain, order, limit, seed)
            each = tvds_of_each(real, others, binning.domain, chosen)
            measures[f"tvd{order}{suffix}"] = Measure.between(e.mean() for e in each)
            if order == 1 and not suffix:
                columns = dict(zip(domain.names, each[0].round(5).tolist(), strict=True))
    queries = random_queries(domain, _QUERIES, seed=seed)
    measures["query3"] = Measure.between(e.mean() for e in query_errors(t.real, t.four, domain, queries))
    pairs = Binning.of(domain)
    reference, *others = (associations(pairs.apply(x), pairs.domain) for x in (t.real, *t.four))
    measures["association"] = Measure.between(_off_diagonal(np.abs(a - reference)) for a in others)
    return measures, columns


def _off_diagonal(gaps: np.ndarray) -> float:
    d = len(gaps)
    return float((gaps.sum() - np.trace(gaps)) / (d * (d - 1))) if d > 1 else 0.0


def _coverage_measures(t: Tables, domain: Domain, seed: int) -> dict[str, Measure]:
    found = [coverage(t.real, x, domain, seed=seed) for x in t.four]
    return {name: Measure.between((f[name] for f in found), higher=True) for name in found[0]}


def _learning(
    t: Tables, domain: Domain, target: int, quick: bool, seed: int
) -> tuple[Learning, tuple[Prediction, Prediction], dict[str, Measure]]:
    """Scores, the predictions of the first learner, and the headline of each as a measure."""
    chosen, limit = (LEARNERS[:2], _QUICK) if quick else (LEARNERS, MOST_ROWS)
    base = majority(t.real, t.holdout, domain, target)
    headline = "r2" if "r2" in base else "auc"
    learners: dict[str, Scores] = {}
    measures: dict[str, Measure] = {}
    pairs: dict[str, tuple[Prediction, Prediction]] = {}
    for learner in chosen:
        tested, reference = (
            predict(x, t.holdout, domain, target, learner, limit=limit, seed=seed) for x in (t.synthetic, t.real)
        )
        pairs[learner] = tested, reference
        tstr, trtr = tested.scores(), reference.scores()
        learners[learner] = Scores(rounded(tstr), rounded(trtr), TrainedOn(tested.trained, reference.trained))
        four = (tstr[headline], tstr[headline], trtr[headline], base[headline])
        measures[f"tstr_{headline}_{learner}"] = Measure.between(four, higher=True)
    first = pairs[chosen[0]]
    return Learning(domain.names[target], first[0].task, rounded(base), learners), first, measures


def _coefficient_measure(t: Tables, domain: Domain, target: int, found: Sequence[Coefficient]) -> Measure:
    others = (coefficient_overlap(t.real, x, domain, target) for x in (t.some_synthetic, t.some_holdout, t.independent))
    return Measure.between((float(np.mean([c.overlap for c in each])) for each in (found, *others)), higher=True)


def _closer(measures: Mapping[str, Measure]) -> bool:
    """Whether the widest marginals are nearer to the real ones than those of holdout rows."""
    tightest = measures[max(k for k in measures if k.startswith("tvd") and k.endswith("_b32"))]
    return tightest.matched < _MEMORISED * tightest.holdout
