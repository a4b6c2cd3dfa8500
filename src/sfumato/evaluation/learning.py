"""Train on synthetic, test on real (TSTR), against train on real, test on real (TRTR), for three kinds of learner."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from sfumato.encoding.domain import Axis, Domain
from sfumato.evaluation.details import Task
from sfumato.evaluation.features import categorical, training_features, tree_features

LEARNERS = ("gradient_boosting", "linear", "forest")
MOST_ROWS = 50_000
"""Training rows at most: more cost much and teach little."""
_REGRESSION_FROM = 20
"""Values of an ordered target beyond which it is predicted as a number."""


def task_of(axis: Axis) -> Task:
    """What predicting this column means: an ordered column of more than 20 values is a regression (on its codes)."""
    values = axis.size - (axis.missing is not None)
    if axis.ordered and values > _REGRESSION_FROM:
        return "regression"
    return "binary" if values <= 2 else "multiclass"


@dataclass(frozen=True)
class Prediction:
    """Predictions for the test rows whose target is known.

    Attributes:
        task: what was predicted.
        truth: (m,) codes.
        values: (m, classes) probabilities over all codes of the target, or (m,) predicted codes for a regression.
        rows: (m,) positions of these rows in the test table.
        trained: rows that the learner was fitted to.
    """

    task: Task
    truth: np.ndarray
    values: np.ndarray
    rows: np.ndarray
    trained: int

    def scores(self) -> dict[str, float]:
        """Accuracy, F1, macro F1 and AUC (one against the rest, mean over classes), or R2 and rank correlation."""
        if self.task == "regression":
            return {"r2": float(r2_score(self.truth, self.values)), "rank_correlation": _rank(self.truth, self.values)}
        return _class_scores(self.truth, self.values)


def _rank(truth: np.ndarray, values: np.ndarray) -> float:
    if np.ptp(values) == 0 or np.ptp(truth) == 0:
        return 0.0
    one, other = (np.argsort(np.argsort(v)).astype(float) for v in (truth, values))
    return float(np.corrcoef(one, other)[0, 1])


def _class_scores(truth: np.ndarray, p: np.ndarray) -> dict[str, float]:
    present = np.unique(truth)
    chosen = p.argmax(1)
    f1 = f1_score(truth, chosen, labels=present, average=None, zero_division=0)
    shown = present if len(present) > 2 else present[-1:]
    areas = [roc_auc_score(truth == c, p[:, c]) for c in shown] if len(present) > 1 else [0.5]
    return {
        "accuracy": float(accuracy_score(truth, chosen)),
        "f1": float(f1[-1]) if len(present) <= 2 else float(np.mean(f1)),
        "macro_f1": float(np.mean(f1)),
        "auc": float(np.mean(areas)),
    }


def predict(
    train: np.ndarray,
    test: np.ndarray,
    domain: Domain,
    target: int,
    learner: str,
    *,
    limit: int = MOST_ROWS,
    seed: int = 0,
) -> Prediction:
    """Fit ``learner`` (one of ``LEARNERS``) on ``train`` and predict ``target`` (a position) on ``test``.

    Rows whose target is missing are left out; at most ``limit`` training rows are used (seeded choice). A training
    table whose target has a single value yields that value for every row.
    """
    axis = domain.axes[target]
    task = task_of(axis)
    columns = [i for i in range(len(domain)) if i != target]
    known = [np.ones(len(t), bool) if axis.missing is None else t[:, target] != axis.missing for t in (train, test)]
    train, rows = train[known[0]], np.flatnonzero(known[1])
    if len(train) > limit:
        train = train[np.sort(np.random.default_rng(seed).choice(len(train), limit, replace=False))]
    truth = test[rows, target].astype(np.int64)
    y = train[:, target].astype(np.int64)
    if len(np.unique(y)) < 2 or not columns:
        return Prediction(task, truth, _constant(task, y, axis.size, len(rows)), rows, len(y))
    model = _build(learner, task, domain, columns, seed)
    with warnings.catch_warnings(), threadpool_limits(1, "openmp"):  # boosting on two threads mostly waits
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(training_features(train, domain, columns), y)
    x = tree_features(test[rows], domain, columns)
    if task == "regression":
        return Prediction(task, truth, np.clip(model.predict(x), 0, axis.size - 1), rows, len(y))
    values = np.zeros((len(rows), axis.size))
    values[:, model.classes_] = model.predict_proba(x)
    return Prediction(task, truth, values, rows, len(y))


def _constant(task: Task, y: np.ndarray, size: int, n: int) -> np.ndarray:
    if task == "regression":
        return np.full(n, float(y.mean()) if len(y) else 0.0)
    shares = np.bincount(y, minlength=size) / max(1, len(y))
    return np.tile(shares, (n, 1))


def _build(learner: str, task: Task, domain: Domain, columns: Sequence[int], seed: int) -> Any:
    regression = task == "regression"
    if learner == "gradient_boosting":
        kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
        return kind(categorical_features=categorical(domain, columns), early_stopping=False, random_state=seed)
    if learner == "forest":
        kind = RandomForestRegressor if regression else RandomForestClassifier
        return kind(n_estimators=60, min_samples_leaf=5, random_state=seed)
    if learner == "linear":
        linear = Ridge(alpha=1.0) if regression else LogisticRegression(max_iter=300)
        return make_pipeline(_one_hot(domain, columns), linear)
    raise ValueError(f"learner must be one of {', '.join(LEARNERS)}, got {learner!r}")


def _one_hot(domain: Domain, columns: Sequence[int]) -> Any:
    ordered = [k for k, i in enumerate(columns) if domain.axes[i].ordered]
    others = [k for k, i in enumerate(columns) if not domain.axes[i].ordered]
    numeric = make_pipeline(SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler())
    return make_column_transformer((numeric, ordered), (OneHotEncoder(handle_unknown="ignore"), others))


def majority(train: np.ndarray, test: np.ndarray, domain: Domain, target: int) -> dict[str, float]:
    """Scores of the constant prediction: what a table without any association would teach."""
    axis = domain.axes[target]
    keep = [t if axis.missing is None else t[t[:, target] != axis.missing] for t in (train, test)]
    y, truth = (t[:, target].astype(np.int64) for t in keep)
    task = task_of(axis)
    return Prediction(task, truth, _constant(task, y, axis.size, len(truth)), np.arange(len(truth)), len(y)).scores()
