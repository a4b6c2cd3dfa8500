"""All utility measures of a synthetic table in one mapping, each between two anchors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from time import perf_counter
from typing import Any

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import TooFewRows
from sfumato.metrics.associations import associations
from sfumato.metrics.coverage import coverage
from sfumato.metrics.detection import detect, detection_auc
from sfumato.metrics.learning import LEARNERS, Prediction, majority, predict
from sfumato.metrics.marginals import Binning, cliques, tvds
from sfumato.metrics.queries import query_errors, random_queries
from sfumato.metrics.regression import coefficient_overlap
from sfumato.metrics.subgroups import subgroups

_FEWEST = 20
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
    leaves out detection, coverage, coefficients, subgroups and the slowest learner: a third of the time.

    Not private: the result is a statistic of real rows. Deterministic for a ``seed``. Raises ``TooFewRows``.
    """
    for name, table in (("real", real), ("test", test), ("synthetic", synthetic)):
        if len(table) < _FEWEST:
            raise TooFewRows(f"the {name} table has {len(table)} rows; at least {_FEWEST} are needed to evaluate")
    began = perf_counter()
    tables = _Tables(real, test, synthetic, seed)
    measures, columns = _marginal_measures(tables, domain, seed)
    learners = LEARNERS[:2] if quick else LEARNERS
    learning, predictions = None, None
    if target is not None:
        learning, predictions = _learning(tables, domain, target, learners, measures, seed)
    details = {} if quick else _details(tables, domain, target, predictions, measures, seed)
    return {
        "rows": {"real": len(real), "test": len(test), "synthetic": len(synthetic)},
        "measures": measures,
        "columns": columns,
        "learning": learning,
        **details,
        "memorisation": _memorisation(tables, measures),
        "seconds": round(perf_counter() - began, 2),
    }


def _details(
    t: _Tables,
    domain: Domain,
    target: int | None,
    predictions: tuple[Prediction, Prediction] | None,
    measures: dict[str, Any],
    seed: int,
) -> dict[str, Any]:
    """The slower measures, added to ``measures``, and what they are made of."""
    detection = detect(t.fresh, t.matched, domain, seed=seed)
    measures["detection_auc"] = _measure(
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


class _Tables:
    """The three tables, and what the anchors are made of, all of one size where they are compared."""

    def __init__(self, real: np.ndarray, test: np.ndarray, synthetic: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        m = min(len(real), len(test), len(synthetic))
        self.real, self.test, self.synthetic = real, test, synthetic
        self.fresh = test[rng.permutation(len(test))[:m]]
        self.matched = synthetic[rng.permutation(len(synthetic))[:m]]
        self.other = real[rng.permutation(len(real))[:m]]
        self.independent = np.stack([rng.permutation(real[:, i])[:m] for i in range(real.shape[1])], axis=1)


def _measure(
    value: float, matched: float, fresh: float, independent: float, *, higher: bool = False
) -> dict[str, float | None]:
    """One entry of ``measures``; no score where independent columns are not clearly worse than fresh rows."""
    width = (fresh - independent) if higher else (independent - fresh)
    gain = (matched - independent) if higher else (independent - matched)
    score = gain / width if width > 0.1 * max(abs(independent), abs(fresh), 1e-9) else None
    entries = {"value": value, "matched": matched, "fresh": fresh, "independent": independent, "score": score}
    return {k: None if v is None else round(float(v), 5) for k, v in entries.items()}


def _marginal_measures(t: _Tables, domain: Domain, seed: int) -> tuple[dict[str, Any], dict[str, float]]:
    measures: dict[str, Any] = {}
    columns: dict[str, float] = {}
    four = (t.synthetic, t.matched, t.fresh, t.independent)
    for suffix, binning in (("", Binning.of(domain, max(domain.sizes))), ("_b32", Binning.of(domain, 32))):
        real, *others = (binning.apply(x) for x in (t.real, *four))
        for order, limit in ((1, None), (2, _PAIRS), (3, _TRIPLES)):
            if order > len(domain):
                continue
            chosen = cliques(binning.domain, order, limit, seed)
            each = [tvds(real, x, binning.domain, chosen) for x in others]
            measures[f"tvd{order}{suffix}"] = _measure(*(e.mean() for e in each))
            if order == 1 and not suffix:
                columns = dict(zip(domain.names, each[0].round(5).tolist(), strict=True))
    queries = random_queries(domain, _QUERIES, seed=seed)
    measures["query3"] = _measure(*(query_errors(t.real, x, domain, queries).mean() for x in four))
    pairs = Binning.of(domain, 32)
    reference, *others = (associations(pairs.apply(x), pairs.domain) for x in (t.real, *four))
    measures["association"] = _measure(*(_off_diagonal(np.abs(a - reference)) for a in others))
    return measures, columns


def _off_diagonal(gaps: np.ndarray) -> float:
    d = len(gaps)
    return float((gaps.sum() - np.trace(gaps)) / (d * (d - 1))) if d > 1 else 0.0


def _coverage_measures(t: _Tables, domain: Domain, seed: int) -> dict[str, Any]:
    full, matched, fresh, independent = (
        coverage(t.real, x, domain, seed=seed) for x in (t.synthetic, t.matched, t.fresh, t.independent)
    )
    return {k: _measure(full[k], matched[k], fresh[k], independent[k], higher=True) for k in full}


def _learning(
    t: _Tables, domain: Domain, target: int, chosen: Sequence[str], measures: dict[str, Any], seed: int
) -> tuple[dict[str, Any], tuple[Prediction, Prediction]]:
    base = majority(t.real, t.test, domain, target)
    learners: dict[str, Any] = {}
    pairs: dict[str, tuple[Prediction, Prediction]] = {}
    for learner in chosen:
        tested, reference = (predict(x, t.test, domain, target, learner, seed=seed) for x in (t.synthetic, t.real))
        pairs[learner] = tested, reference
        tstr, trtr = tested.scores(), reference.scores()
        learners[learner] = {"tstr": _rounded(tstr), "trtr": _rounded(trtr)}
        headline = "r2" if "r2" in base else "auc"
        measures[f"tstr_{headline}_{learner}"] = _measure(
            tstr[headline], tstr[headline], trtr[headline], base[headline], higher=True
        )
    first = pairs[chosen[0]]
    found = {"target": domain.names[target], "task": first[0].task, "majority": _rounded(base), "learners": learners}
    return found, first


def _rounded(scores: dict[str, float]) -> dict[str, float]:
    return {k: round(v, 5) for k, v in scores.items()}


def _coefficient_measure(t: _Tables, domain: Domain, target: int, found: list[Any]) -> dict[str, Any]:
    mean = [
        float(np.mean([c.overlap for c in coefficient_overlap(t.real, x, domain, target)]))
        for x in (t.matched, t.fresh, t.independent)
    ]
    return _measure(float(np.mean([c.overlap for c in found])), *mean, higher=True)


def _memorisation(t: _Tables, measures: dict[str, Any]) -> dict[str, Any]:
    """Flag fidelity that fresh rows do not reach, and more exact copies of real rows than chance gives."""
    m = len(t.fresh)
    known = {row.tobytes() for row in np.ascontiguousarray(t.real, dtype=np.int64)}
    copies = [
        sum(row.tobytes() in known for row in np.ascontiguousarray(x, dtype=np.int64)) / m for x in (t.matched, t.fresh)
    ]
    spread = np.sqrt(max(copies[1] * (1 - copies[1]), 1 / m) * 2 / m)
    tightest = measures[max(k for k in measures if k.startswith("tvd") and k.endswith("_b32"))]
    closer = tightest["matched"] < _MEMORISED * tightest["fresh"]
    copied = bool(copies[0] - copies[1] > 4 * spread)
    return {
        "flag": bool(closer or copied),
        "closer_than_fresh_rows": bool(closer),
        "more_copies_than_fresh_rows": copied,
        "copies": round(copies[0], 5),
        "copies_fresh": round(copies[1], 5),
    }
