"""A small population with dependent columns, for tests of metrics and attacks."""

from __future__ import annotations

import numpy as np

from sfumato.encoding.domain import Axis, Domain

DOMAIN = Domain(
    (
        Axis("age", 41, ordered=True, missing=40),
        Axis("job", 6),
        Axis("region", 12),
        Axis("score", 64, ordered=True),
        Axis("member", 2),
    )
)


def people(n: int, seed: int) -> np.ndarray:
    """``n`` fresh rows, (n, 5): age drives job, score and membership."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 40, n)
    job = np.minimum(5, (age // 8 + rng.integers(0, 2, n)))
    score = np.clip(age + rng.normal(0, 6, n) + 10, 0, 63).astype(int)
    member = (rng.random(n) < 1 / (1 + np.exp(-(score - 30) / 5))).astype(int)
    age = np.where(rng.random(n) < 0.05, 40, age)
    return np.stack([age, job, rng.integers(0, 12, n), score, member], axis=1).astype(np.uint8)


def shuffled(rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Independent columns: each shuffled on its own."""
    return np.random.default_rng(seed).permuted(rows, axis=0)
