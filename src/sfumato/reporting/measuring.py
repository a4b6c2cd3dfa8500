"""What an internal report adds: attacks, utility and charts that need real rows."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from sfumato.auditing.audit import white_box_of
from sfumato.auditing.result import Suite
from sfumato.auditing.suite import Most, run_attacks
from sfumato.encoding.domain import Domain
from sfumato.errors import SfumatoError
from sfumato.evaluation.data import EvaluationData
from sfumato.evaluation.images import pixel_distances
from sfumato.evaluation.marginals import Binning, cliques, tvds
from sfumato.evaluation.meaning import meaning
from sfumato.evaluation.result import Utility
from sfumato.evaluation.summary import utility
from sfumato.progress import Progress
from sfumato.release.release import Release
from sfumato.reporting import charts, tables, wording
from sfumato.reporting.contents import NamedMeasure, ReportPage

_QUICK = Most(candidates=2500, synthetic=20_000)
"""Rows that are attacked in a quick report at most; the page says how many were."""
_PAIRS = 500
"""Pairs of columns whose distance the curve shows: their mean hardly moves with more."""


def measured(
    page: ReportPage,
    release: Release,
    data: EvaluationData,
    others: Sequence[str | os.PathLike[str]],
    suite: Suite,
    seed: int,
    seen: Progress,
) -> ReportPage:
    """The page with all that needs real rows."""
    domain, real, codes = data.domain, data.real, data.synthetic
    target, quick = data.position(release.schema.target), suite == "quick"
    found = utility(real, data.holdout, codes, domain, target, seed=seed, quick=quick, progress=seen)
    found = replace(found, violations=data.violations(seed), left_out=data.left_out)
    claimed, white_box = release.guarantee if page.promise else None, white_box_of(release, real)
    attacked = run_attacks(
        real,
        data.holdout,
        codes,
        domain,
        claimed,
        suite,
        seed=seed,
        most=_QUICK if quick else None,
        white_box=white_box,
        progress=seen,
    )
    seen.stage("charts")
    labels = wording.axis_labels(release.codec)
    anchors = {
        "synthetic rows": codes,
        "holdout rows": data.holdout,
        "independent columns": np.random.default_rng(seed).permuted(real, axis=0),
    }
    bounds, roc = tables.attack_charts(attacked)
    drawn = replace(
        page.charts,
        marginals=tables.marginal_charts({"synthetic": codes, "real": real}, domain, labels),
        learning=tables.learning_chart(found.learning) if found.learning else "",
        bounds=bounds,
        roc=roc,
        curve=_curve(release, codes, others, real, anchors, seed),
    )
    page = replace(
        page,
        utility=found,
        audit=attacked,
        measures=tuple(NamedMeasure(wording.measure_name(k), meaning(k), m) for k, m in found.measures.items()),
        criteria={
            wording.criterion(a.attack): a for a in attacked.attacks if a.attack.split(":")[0] in wording.CRITERIA
        },
        charts=drawn,
        seconds={**page.seconds, "utility": found.seconds, f"attacks ({suite})": attacked.seconds},
    )
    return page if domain.content == "images" else _detailed(page, found, real, anchors, domain, labels)


def _detailed(
    page: ReportPage,
    found: Utility,
    real: np.ndarray,
    anchors: Mapping[str, np.ndarray],
    domain: Domain,
    labels: wording.Labels,
) -> ReportPage:
    """The page with what a table of columns has and one of images has not."""
    groups = tuple((wording.group(g, domain, labels), g) for g in found.subgroups)
    regions = found.detection.regions if found.detection else ()
    drawn = replace(
        page.charts,
        pairs=tables.heat_map(anchors["synthetic rows"], real, domain),
        errors=tables.error_chart(real, anchors, domain),
        beside=tables.beside_chart(real, anchors["synthetic rows"], domain, labels),
        subgroups=tables.subgroup_chart(groups) if groups else "",
    )
    return replace(
        page,
        quality=tables.column_quality(real, anchors, domain),
        worst=tables.worst_pairs(real, anchors, domain),
        coefficients=tuple((wording.effect(c.name, domain, labels), c) for c in found.coefficients),
        subgroups=groups,
        regions=tuple((wording.where(r.conditions, domain, labels), r) for r in regions),
        charts=drawn,
    )


def _curve(
    release: Release,
    codes: np.ndarray,
    others: Sequence[str | os.PathLike[str]],
    real: np.ndarray,
    anchors: Mapping[str, np.ndarray],
    seed: int,
) -> str:
    """Distance from the real rows against epsilon, where several models are given."""
    if not others:
        return ""
    epsilons, drawn = [release.guarantee.epsilon], [codes]
    for path in others:
        other = Release.load(path)
        if other.codec.domain != release.codec.domain:
            raise SfumatoError(f"{os.fspath(path)}: is a model of another table or schema; leave it out")
        epsilons.append(other.guarantee.epsilon)
        drawn.append(other.fitted.sample(len(codes), np.random.default_rng(seed), {}))
    name, (*found, holdout, apart) = _distances(
        real, [*drawn, anchors["holdout rows"], anchors["independent columns"]], release.codec.domain
    )
    finite = [point for point in zip(epsilons, found, strict=True) if math.isfinite(point[0])]
    return charts.utility_curve(finite, name, (holdout, apart))


def _distances(real: np.ndarray, others: Sequence[np.ndarray], domain: Domain) -> tuple[str, list[float]]:
    """What is measured, and the distance of each table from the real one."""
    if domain.content == "images":
        return "Fréchet distance of pixels", pixel_distances(real, others, domain.image)
    binning = Binning.of(domain)
    pairs = cliques(binning.domain, min(2, len(binning.domain)), _PAIRS)
    reference = binning.apply(real)
    found = [float(tvds(reference, binning.apply(rows), binning.domain, pairs).mean()) for rows in others]
    return "mean distance of pairs (TVD)", found
