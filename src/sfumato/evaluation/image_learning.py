"""Classifiers of images that are trained on synthetic ones or on real ones: a perceptron, a linear one, a forest."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sfumato.encoding.domain import LEVELS, Domain, Pixels
from sfumato.evaluation.learning import Prediction

LEARNERS = ("linear", "forest")
"""Beside the perceptron."""
COMPONENTS = 64
"""Principal components that learners see."""
TRAINED = 60_000
"""Images that the reference network is trained on at most: those of Fashion-MNIST."""
_FEW = 10_000
"""Images that other learners are fitted to at most."""
_HIDDEN = (256, 128)
"""Widths of the layers of the reference network."""
_EPOCHS = 4
"""In which it learns what hidden responses are good for."""


def pixel_values(codes: np.ndarray, pixels: Pixels) -> np.ndarray:
    """The images of encoded rows as points: (n, height * width * channels) float32 in [0, 1]."""
    return codes[:, pixels.span].astype(np.float32) / (LEVELS - 1)


@dataclass(frozen=True)
class ImageClassifier:
    """A multi-layer perceptron of 256 and 128 units that predicts ``target``, trained for four passes.

    Attributes:
        network: scikit-learn's, fitted.
        pixels: where the images are.
        target: position of the label.
        trained: rows it was fitted to.
    """

    network: MLPClassifier
    pixels: Pixels
    target: int
    trained: int

    @classmethod
    def fit(cls, train: np.ndarray, domain: Domain, target: int, seed: int = 0) -> ImageClassifier | None:
        """Train on at most 60,000 seeded rows; None where they have a single label."""
        train = _known(train, domain, target, TRAINED, seed)
        if len(np.unique(train[:, target])) < 2:
            return None
        network = MLPClassifier(_HIDDEN, max_iter=_EPOCHS, random_state=seed)
        with warnings.catch_warnings(), threadpool_limits(1):
            warnings.simplefilter("ignore", ConvergenceWarning)
            network.fit(pixel_values(train, domain.image), train[:, target])
        return cls(network, domain.image, target, len(train))

    def hidden(self, codes: np.ndarray) -> np.ndarray:
        """The activations of the last hidden layer, (n, 128)."""
        values = pixel_values(codes, self.pixels)
        for weights, bias in zip(self.network.coefs_[:-1], self.network.intercepts_[:-1], strict=True):
            values = np.maximum(values @ weights + bias, 0)
        return values

    def predict(self, test: np.ndarray, domain: Domain) -> Prediction:
        """Predictions for the rows of ``test`` that have a label."""
        return _prediction(self.network, test, domain, self.target, self.trained)


def predict(
    train: np.ndarray, test: np.ndarray, domain: Domain, target: int, learner: str, seed: int = 0
) -> Prediction | None:
    """Fit one of ``LEARNERS`` on at most 10,000 seeded rows and predict the label of ``test``; None for a single label.

    Both see the first 64 principal components of the images that they are trained on.
    """
    train = _known(train, domain, target, _FEW, seed)
    if len(np.unique(train[:, target])) < 2:
        return None
    components = PCA(
        min(COMPONENTS, len(train), math.prod(domain.image.shape)), svd_solver="randomized", random_state=seed
    )
    kind = LogisticRegression(max_iter=300) if learner == "linear" else RandomForestClassifier(60, random_state=seed)
    model = make_pipeline(components, StandardScaler(), kind)
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(pixel_values(train, domain.image), train[:, target])
    return _prediction(model, test, domain, target, len(train))


def _prediction(model: Any, test: np.ndarray, domain: Domain, target: int, trained: int) -> Prediction:
    """Of the rows that have a label."""
    rows = np.flatnonzero(_labelled(test, domain, target))
    values = np.zeros((len(rows), domain.axes[target].size))
    values[:, model.classes_] = model.predict_proba(pixel_values(test[rows], domain.image))
    task = "binary" if values.shape[1] <= 2 else "multiclass"
    return Prediction(task, test[rows, target].astype(np.int64), values, rows, trained)


def _known(rows: np.ndarray, domain: Domain, target: int, most: int, seed: int) -> np.ndarray:
    """At most so many seeded rows that have a label."""
    known = np.flatnonzero(_labelled(rows, domain, target))
    return rows[np.random.default_rng(seed).permutation(known)[:most]]


def _labelled(rows: np.ndarray, domain: Domain, target: int) -> np.ndarray:
    missing = domain.axes[target].missing
    return np.ones(len(rows), bool) if missing is None else rows[:, target] != missing
