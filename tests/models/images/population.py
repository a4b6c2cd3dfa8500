"""scikit-learn's digits as coded records: 8x8 grey images and a label."""

from __future__ import annotations

import math

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sfumato.encoding.domain import Axis, Domain, Pixels
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger, Run
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

DELTA = 1e-5
PIXELS = Pixels(0, 8, 8, 1)
DOMAIN = Domain((*PIXELS.axes("image"), Axis("digit", 10)), PIXELS)
LABEL = 64


def digits() -> np.ndarray:
    """(1797, 65) codes."""
    images, labels = load_digits(return_X_y=True)
    return np.hstack([np.rint(images * (255 / 16)), labels[:, None]]).astype(np.uint8)


def begin(epsilon: float) -> Run:
    return Ledger.open(cap=Guarantee(math.inf, DELTA)).begin(Guarantee(epsilon, DELTA), "fit")


def curator(codes: np.ndarray, run: Run, domain: Domain = DOMAIN) -> Central:
    return Central(Records.of(codes, domain), Budget(run))


def accuracy(train: np.ndarray, test: np.ndarray) -> float:
    """Of a logistic regression on pixels, trained on one and tested on the other."""
    classifier = LogisticRegression(max_iter=1000, C=0.1).fit(train[:, :LABEL] / 255, train[:, LABEL])
    return float(classifier.score(test[:, :LABEL] / 255, test[:, LABEL]))
