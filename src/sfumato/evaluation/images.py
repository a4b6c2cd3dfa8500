"""Utility of synthetic images: classifiers' accuracy, precision and recall, and Fréchet distances in named spaces.

No space here is that of the Inception network, so no distance here is an FID; none may be compared with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from time import perf_counter

import numpy as np
from scipy import linalg
from sklearn.decomposition import PCA

from sfumato.encoding.domain import Domain, Pixels
from sfumato.evaluation.coverage import alpha_precision_beta_recall, prdc
from sfumato.evaluation.features import nearest_distances
from sfumato.evaluation.image_learning import COMPONENTS, LEARNERS, TRAINED, ImageClassifier, pixel_values, predict
from sfumato.evaluation.learning import Prediction, majority
from sfumato.evaluation.marginals import tvd
from sfumato.evaluation.result import Learning, Measure, Scores, TrainedOn, Utility, rounded
from sfumato.evaluation.tables import Tables, check_sizes

_COMPARED = 5000
"""Images of each side that are compared."""
_CLOSER = 0.9
"""Part of the usual distance below which images are said to be closer than they should be."""


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Fréchet distance of the Gaussians with the means and covariances of points (n, f) and (m, f).

    ``|mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))``. Source: Dowson and Landau 1982; Heusel et al. 2017 use it
    in the space of the Inception network, this function in whatever space its points are.
    """
    roots, covariances = [], []
    for points in (a, b):
        covariance = np.atleast_2d(np.cov(points, rowvar=False, dtype=np.float64))
        values, vectors = linalg.eigh(covariance)
        roots.append(vectors * np.sqrt(np.maximum(values, 0)))
        covariances.append(covariance)
    # the trace of the root is the sum of the singular values of the product of the two factors
    shared = linalg.svdvals(roots[0].T @ roots[1]).sum()
    apart = a.mean(0, dtype=np.float64) - b.mean(0, dtype=np.float64)
    return max(0.0, float(apart @ apart + np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * shared))


@dataclass(frozen=True)
class _Points:
    """Tables, at most 5,000 rows of each, in the space of the principal components of real pixels."""

    real: np.ndarray
    pixels: Pixels

    @cached_property
    def components(self) -> PCA:
        real = pixel_values(self.real[:TRAINED], self.pixels)
        return PCA(min(COMPONENTS, *real.shape), svd_solver="randomized", random_state=0).fit(real)

    def of(self, rows: np.ndarray) -> np.ndarray:
        return self.components.transform(pixel_values(rows[:_COMPARED], self.pixels))


def pixel_distances(real: np.ndarray, others: Sequence[np.ndarray], pixels: Pixels) -> list[float]:
    """The Fréchet distance to ``real`` (n, d) of each of ``others``, on the principal components of real pixels."""
    points = _Points(real, pixels)
    reference = points.of(real)
    return [frechet(reference, points.of(rows)) for rows in others]


def image_utility(
    real: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray, domain: Domain, target: int | None, seed: int = 0
) -> Utility:
    """Compare synthetic images (k, d) with those they were made from, ``real`` (n, d), and with ``holdout`` (m, d).

    The rows are encoded, ``domain.pixels`` says where the images are and ``target`` is the position of their label.
    ``spaces`` says what each Fréchet distance and the precision, recall, density and coverage are computed on.
    Independent columns are here pixels shuffled apart.

    Not private: the result is a statistic of real rows. Deterministic for a ``seed``. Raises ``TooFewRows``.
    """
    check_sizes(real, holdout, synthetic)
    began = perf_counter()
    tables = Tables(real, holdout, synthetic, seed)
    measures: dict[str, Measure] = {}
    spaces = {"pixels": f"the first {COMPONENTS} principal components of the real images' pixels, levels in [0, 1]"}
    learning, balance = None, {}
    if target is not None:
        balance = _balance(tables, domain, target)
        measures["tvd1_label"] = Measure.between(tvd(tables.real, x, domain, (target,)) for x in tables.four)
        learning = _learning(tables, domain, target, measures, spaces, seed)
    points = _Points(tables.real, domain.image)
    reference, *others = (points.of(t) for t in (tables.some_real, *tables.four))
    measures["frechet_pixels"] = Measure.between(frechet(reference, x) for x in others)
    found = [{**prdc(reference, x), **alpha_precision_beta_recall(reference, x)} for x in others]
    measures |= {k: Measure.between((f[k] for f in found), higher=True) for k in found[0]}
    return Utility(
        rows=tables.sizes,
        measures=measures,
        columns={},
        learning=learning,
        balance=balance,
        spaces=spaces,
        memorisation=tables.memorisation(_closer(points, others[1], others[2])),
        seconds=round(perf_counter() - began, 2),
    )


def _balance(t: Tables, domain: Domain, target: int) -> dict[str, tuple[float, ...]]:
    """Shares of the labels, by code."""
    size = domain.axes[target].size
    tables = {"real": t.real, "synthetic": t.synthetic}
    return {k: tuple((np.bincount(v[:, target], minlength=size) / len(v)).round(5).tolist()) for k, v in tables.items()}


def _learning(
    t: Tables, domain: Domain, target: int, measures: dict[str, Measure], spaces: dict[str, str], seed: int
) -> Learning:
    """TSTR beside TRTR for three learners, and the Fréchet distance in the space of one."""
    base = majority(t.real, t.holdout, domain, target)
    tested, reference = (ImageClassifier.fit(x, domain, target, seed) for x in (t.synthetic, t.real))
    pairs: dict[str, list[Prediction | None]] = {
        "mlp": [None if c is None else c.predict(t.holdout, domain) for c in (tested, reference)]
    }
    for learner in LEARNERS:
        pairs[learner] = [predict(x, t.holdout, domain, target, learner, seed) for x in (t.synthetic, t.real)]
    learners: dict[str, Scores] = {}
    for learner, pair in pairs.items():
        tstr, trtr = (base if p is None else p.scores() for p in pair)
        trained = TrainedOn(*(0 if p is None else p.trained for p in pair))
        learners[learner] = Scores(rounded(tstr), rounded(trtr), trained)
        four = (tstr["accuracy"], tstr["accuracy"], trtr["accuracy"], base["accuracy"])
        measures[f"tstr_accuracy_{learner}"] = Measure.between(four, higher=True)
    if reference is not None:
        own, *others = (reference.hidden(x[:_COMPARED]) for x in (t.some_real, *t.four))
        measures["frechet_classifier"] = Measure.between(frechet(own, x) for x in others)
        spaces["classifier"] = "the last hidden layer (128) of the perceptron that was trained on the real images"
    task = "binary" if domain.axes[target].size <= 2 else "multiclass"
    return Learning(domain.names[target], task, rounded(base), learners)


def _closer(points: _Points, matched: np.ndarray, holdout: np.ndarray) -> bool:
    """Whether synthetic images are clearly nearer to real ones than holdout images are."""
    real = points.components.transform(pixel_values(points.real[:TRAINED], points.pixels))
    near, usual = (float(np.median(nearest_distances(real, x))) for x in (matched, holdout))
    return near < _CLOSER * usual
