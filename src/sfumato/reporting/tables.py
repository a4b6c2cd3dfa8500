"""What the report shows of encoded tables: labelled marginals, and the charts of measures and attacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np

from sfumato.auditing.attacks.rates import lower, upper
from sfumato.auditing.result import AuditReport
from sfumato.encoding.domain import Domain
from sfumato.evaluation.associations import associations
from sfumato.evaluation.details import Subgroup
from sfumato.evaluation.marginals import Binning, cliques, tvds_of_each
from sfumato.evaluation.queries import query_errors, random_queries
from sfumato.evaluation.result import Learning
from sfumato.reporting import charts
from sfumato.reporting.column_chart import column_chart
from sfumato.reporting.contents import Distance
from sfumato.reporting.wording import Labels, attack_name

_CATEGORIES, _BINS, _COLUMNS = 12, 24, 60
"""Bars of a chart of categories, intervals of one of numbers, and charts."""
_PAIRS, _WORST = 2000, 8
"""Pairs that are compared, and that are named."""
_LEVEL = 0.05
"""One less the confidence of the bounds on epsilon."""


def marginal_charts(tables: Mapping[str, np.ndarray], domain: Domain, labels: Labels) -> tuple[str, ...]:
    """One chart per column of the tables' shares, pixels left out; rare categories are put together."""
    return tuple(_marginal(tables, domain, i, labels) for i in flat_columns(domain)[:_COLUMNS])


def flat_columns(domain: Domain) -> list[int]:
    """Positions of all axes but pixels."""
    pixels = range(*domain.image.span.indices(len(domain))) if domain.content == "images" else range(0)
    return [i for i in range(len(domain)) if i not in pixels]


def _marginal(tables: Mapping[str, np.ndarray], domain: Domain, i: int, labels: Labels) -> str:
    axis = domain.axes[i]
    binning = Binning.of(Domain((axis,)), _BINS)
    groups = binning.maps[0]
    counts = {name: np.bincount(groups[t[:, i]], minlength=groups.max() + 1) / len(t) for name, t in tables.items()}
    firsts = np.unique(groups, return_index=True)[1]
    shown = labels(i, firsts)
    if axis.missing is not None:
        shown[int(groups[axis.missing])] = "missing"
    if axis.ordered and len(firsts) > _CATEGORIES:
        return column_chart(axis.name, shown, counts, True)
    order = np.arange(len(firsts)) if axis.ordered else np.argsort(-next(iter(counts.values())), kind="stable")
    kept, rest = order[:_CATEGORIES], order[_CATEGORIES:]
    names = [shown[k] for k in kept] + (["all others"] if len(rest) else [])
    series = {n: np.append(c[kept], c[rest].sum()) if len(rest) else c[kept] for n, c in counts.items()}
    return column_chart(axis.name, names, series, False)


def heat_map(synthetic: np.ndarray, real: np.ndarray | None, domain: Domain) -> str:
    """Association of all pairs in the synthetic rows, or how far it is from the real one; empty for images."""
    if domain.content == "images" or len(domain) < 2:
        return ""
    binning = Binning.of(domain)
    found = associations(binning.apply(synthetic), binning.domain)
    if real is None:
        return charts.heat_map(domain.names, found, "association in the synthetic rows")
    gap = np.abs(found - associations(binning.apply(real), binning.domain))
    return charts.heat_map(domain.names, gap, "error of the association (0 is right)")


def column_quality(real: np.ndarray, tables: Mapping[str, np.ndarray], domain: Domain) -> tuple[Distance, ...]:
    """Of each column, worst first."""
    return _distances(real, tables, domain, [(i,) for i in range(len(domain))])


def worst_pairs(real: np.ndarray, tables: Mapping[str, np.ndarray], domain: Domain) -> tuple[Distance, ...]:
    """Of the pairs of columns that are furthest off beyond what holdout rows are."""
    return _distances(real, tables, domain, cliques(domain, min(2, len(domain)), _PAIRS))[:_WORST]


def _distances(
    real: np.ndarray, tables: Mapping[str, np.ndarray], domain: Domain, chosen: Sequence[tuple[int, ...]]
) -> tuple[Distance, ...]:
    binning = Binning.of(domain)
    reference = binning.apply(real)
    both = tvds_of_each(
        reference, [binning.apply(tables[kind]) for kind in ("synthetic rows", "holdout rows")], binning.domain, chosen
    )
    names = [" and ".join(domain.names[i] for i in clique) for clique in chosen]
    found = [Distance(*line) for line in zip(names, *(each.tolist() for each in both), strict=True)]
    return tuple(sorted(found, key=lambda line: line.holdout - line.synthetic))


def beside_chart(real: np.ndarray, synthetic: np.ndarray, domain: Domain, labels: Labels) -> str:
    """Real beside synthetic rows in the two ordered columns that hang together most; empty without two."""
    ordered = [i for i, axis in enumerate(domain.axes) if axis.ordered and axis.size > _CATEGORIES]
    if len(ordered) < 2:
        return ""
    binning = Binning.of(domain, _BINS)
    coarse, made = binning.apply(real), binning.apply(synthetic)
    found = associations(coarse, binning.domain)
    i, j = max(combinations(ordered, 2), key=lambda pair: found[pair])
    sizes = binning.domain.axes[i].size, binning.domain.axes[j].size
    shares = {
        name: np.histogram2d(t[:, i], t[:, j], bins=sizes, range=[(0, sizes[0]), (0, sizes[1])])[0] / len(t)
        for name, t in (("real", coarse), ("synthetic", made))
    }
    ends = [labels(k, np.array([0, domain.axes[k].size - 1])) for k in (i, j)]
    return charts.beside(shares, (domain.names[i], domain.names[j]), ends)


def error_chart(real: np.ndarray, tables: Mapping[str, np.ndarray], domain: Domain) -> str:
    """Errors of 1,000 random conjunctions of three columns."""
    queries = random_queries(domain)
    errors = query_errors(real, list(tables.values()), domain, queries)
    return charts.error_curve(dict(zip(tables, errors, strict=True)))


def learning_chart(learning: Learning) -> str:
    """TSTR beside TRTR for all learners."""
    score = "accuracy" if "mlp" in learning.learners else "auc" if "auc" in learning.majority else "r2"
    return charts.learning_bars(learning.learners, score, learning.majority[score])


def subgroup_chart(groups: Sequence[tuple[str, Subgroup]]) -> str:
    """The twelve subgroups that are furthest from what holdout rows of the group give."""
    return charts.subgroup_bars([(label, g.tvd, g.holdout_tvd or 0.0) for label, g in groups[:12]])


def _provable(report: AuditReport) -> tuple[int, float]:
    """The real rows that a membership attack is tested on, and what it would show if it were never wrong."""
    tested = report.rows.members // 2
    return tested, float(np.log(lower(tested, tested, _LEVEL) / upper(0, report.rows.controls, _LEVEL)))


def attack_charts(report: AuditReport) -> tuple[str, str]:
    """Claimed against measured epsilon, and the ROC curves."""
    claimed = report.claimed if report.claimed is not None and report.claimed.private else None
    bounds = {
        attack_name(a.attack): (a.epsilon_lower_bound, 0.0 if a.power is None else a.power.epsilon_lower_bound)
        for a in report.attacks
    }
    curves = {a.attack: a.roc for a in report.attacks if a.roc}
    epsilon, delta = (claimed.epsilon, claimed.delta) if claimed else (None, 0.0)
    return charts.claimed_and_measured(bounds, epsilon, _provable(report)), charts.roc(curves, epsilon, delta)
