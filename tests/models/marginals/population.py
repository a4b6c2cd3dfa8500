"""A small table whose dependence is known, and fits of it by a curator."""

from __future__ import annotations

import math

import numpy as np

from sfumato.encoding.domain import Axis, Domain
from sfumato.models import MODELS
from sfumato.models.marginals.fitted import FittedMarginals
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

NAMES = ("independent", "mst", "aim", "loglinear")
DELTA = 1e-6
DOMAIN = Domain((Axis("a", 3), Axis("b", 3), Axis("c", 6, ordered=True, missing=5), Axis("d", 2)))


def people(n: int, seed: int = 0) -> np.ndarray:
    """(n, 4) codes: b follows a, c rises with b and is missing in a tenth, d is an island."""
    rng = np.random.default_rng(seed)
    a = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    b = np.where(rng.random(n) < 0.8, a, rng.integers(0, 3, n))
    c = np.where(rng.random(n) < 0.1, 5, b + rng.integers(0, 3, n))
    return np.stack([a, b, c, rng.integers(0, 2, n)], axis=1).astype(np.uint8)


def curator(codes: np.ndarray, domain: Domain = DOMAIN, epsilon: float = 1.0) -> Central:
    """A fresh in-memory ledger's run over ``codes``."""
    run = Ledger.open(cap=Guarantee(math.inf, DELTA)).begin(Guarantee(epsilon, DELTA), "fit")
    return Central(Records.of(codes, domain), Budget(run))


def fit(name: str, codes: np.ndarray, epsilon: float = 1.0, target: int | None = None) -> FittedMarginals:
    """Model ``name`` of ``codes`` over DOMAIN."""
    return MODELS[name, "table"].recipe().fit(curator(codes, epsilon=epsilon), target=target, progress=Silent())


def frequencies(codes: np.ndarray, clique: tuple[int, ...], domain: Domain = DOMAIN) -> np.ndarray:
    """The marginal of ``codes`` over ``clique``, summing to one."""
    flat = np.ravel_multi_index([codes[:, i].astype(np.int64) for i in clique], domain.shape(clique))
    return np.bincount(flat, minlength=domain.cells(clique)).reshape(domain.shape(clique)) / len(codes)


def distance(codes: np.ndarray, others: np.ndarray, clique: tuple[int, ...]) -> float:
    """Total variation between two tables' marginals over ``clique``."""
    return float(np.abs(frequencies(codes, clique) - frequencies(others, clique)).sum() / 2)
