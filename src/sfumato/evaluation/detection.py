"""Classifier two-sample test (C2ST) with trees: can synthetic rows be told from real ones, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from sfumato.encoding.domain import Domain
from sfumato.evaluation.details import Detection, Region
from sfumato.evaluation.features import categorical, training_features, tree_features

_FEWEST = 4
"""Rows of each table: two to learn from, two to test on."""
_REGIONS = 6
"""Where the tables differ most, of those that a small tree finds."""

_LEAF = 0.005
"""Share of the rows that a region holds at least: fewer say little, and could be one person."""


@dataclass(frozen=True)
class _Split:
    """Balanced codes with label 1 for synthetic, and which rows are trained on."""

    codes: np.ndarray
    label: np.ndarray
    train: np.ndarray


def _split(real: np.ndarray, synthetic: np.ndarray, limit: int, seed: int) -> _Split:
    rng = np.random.default_rng(seed)
    n = min(len(real), len(synthetic), limit)
    if n < _FEWEST:
        raise ValueError(f"a two-sample test needs at least {_FEWEST} rows of each table, got {n}")
    codes = np.concatenate([t[rng.permutation(len(t))[:n]] for t in (real, synthetic)])
    return _Split(codes, np.repeat([0, 1], n), np.tile(np.arange(n) < n // 2, 2))


def _fit(split: _Split, domain: Domain, seed: int) -> HistGradientBoostingClassifier:
    every = range(len(domain))
    model = HistGradientBoostingClassifier(
        categorical_features=categorical(domain, every), max_iter=60, random_state=seed, early_stopping=False
    )
    with threadpool_limits(1, "openmp"):
        return model.fit(training_features(split.codes[split.train], domain, every), split.label[split.train])


def _auc(model: HistGradientBoostingClassifier, x: np.ndarray, label: np.ndarray) -> float:
    return float(roc_auc_score(label, model.predict_proba(x)[:, 1]))


def detection_auc(
    real: np.ndarray, synthetic: np.ndarray, domain: Domain, *, limit: int = 10_000, seed: int = 0
) -> float:
    """Held-out AUC of boosted trees that tell ``synthetic`` from ``real``; the ``auc`` of :func:`detect`."""
    split = _split(real, synthetic, limit, seed)
    held = tree_features(split.codes[~split.train], domain, range(len(domain)))
    return _auc(_fit(split, domain, seed), held, split.label[~split.train])


def detect(real: np.ndarray, synthetic: np.ndarray, domain: Domain, *, limit: int = 10_000, seed: int = 0) -> Detection:
    """Train boosted trees on half of both tables (balanced, at most ``limit`` rows each), test on the other half.

    Source: Lopez-Paz and Oquab 2017. Linear classifiers miss most of what trees find, so there is no linear choice.
    """
    split = _split(real, synthetic, limit, seed)
    model = _fit(split, domain, seed)
    held, truth = tree_features(split.codes[~split.train], domain, range(len(domain))), split.label[~split.train]
    drops = _drops(model, held, truth, seed)
    order = np.argsort(-drops, kind="stable")
    columns = tuple((domain.names[i], float(drops[i])) for i in order)
    return Detection(_auc(model, held, truth), columns, _regions(split, domain, seed))


def _drops(
    model: HistGradientBoostingClassifier, x: np.ndarray, label: np.ndarray, seed: int, limit: int = 4000
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    some = rng.permutation(len(x))[:limit]
    x, label = x[some], label[some]
    whole = _auc(model, x, label)
    drops = np.zeros(x.shape[1])
    for i in range(x.shape[1]):
        shuffled = x.copy()
        shuffled[:, i] = rng.permutation(shuffled[:, i])
        drops[i] = whole - _auc(model, shuffled, label)
    return drops


def _regions(split: _Split, domain: Domain, seed: int) -> tuple[Region, ...]:
    codes, label, train = split.codes, split.label, split.train
    tree = DecisionTreeClassifier(max_leaf_nodes=12, min_samples_leaf=_LEAF, random_state=seed)
    tree.fit(codes[train], label[train])
    leaf, truth = tree.apply(codes[~train]), label[~train]
    boxes = _boxes(tree, domain)
    regions = [
        Region(boxes[k], float(np.mean(leaf[truth == 0] == k)), float(np.mean(leaf[truth == 1] == k))) for k in boxes
    ]
    return tuple(sorted(regions, key=lambda r: -abs(r.real - r.synthetic))[:_REGIONS])


def _boxes(tree: DecisionTreeClassifier, domain: Domain) -> dict[int, tuple[tuple[str, int, int], ...]]:
    nodes = tree.tree_
    boxes: dict[int, tuple[tuple[str, int, int], ...]] = {}
    stack = [(0, [(0, s - 1) for s in domain.sizes])]
    while stack:
        node, box = stack.pop()
        left, right = int(nodes.children_left[node]), int(nodes.children_right[node])
        if left < 0:
            cut = [(i, b) for i, b in enumerate(box) if b != (0, domain.sizes[i] - 1)]
            boxes[node] = tuple((domain.names[i], *b) for i, b in cut)
            continue
        i, at = int(nodes.feature[node]), int(np.floor(nodes.threshold[node]))
        low, high = box[i]
        stack.append((left, [*box[:i], (low, at), *box[i + 1 :]]))
        stack.append((right, [*box[:i], (at + 1, high), *box[i + 1 :]]))
    return boxes
