"""Three parties' columns, of few codes each, and what they hold."""

from __future__ import annotations

from functools import cache, partial

import jax
import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.networks.layout import Layout
from sfumato.models.vae.shares import ShareAutoencoder
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.encrypted.program import SharedColumns
from sfumato.trust.mpc.encrypted.trial import one_hots

SIZES = (5, 3, 4, 2, 6, 5)
OWNERS = ((0, 0), (1, 0), (2, 0), (0, 1), (2, 1), (1, 1))
PERSONS = 300
SEED = bytes(range(32))
COLUMNS = SharedColumns(Domain.of([f"c{i}" for i in range(len(SIZES))], SIZES), OWNERS, PERSONS)


def codes(seed: int = 0) -> list[np.ndarray]:
    """Of every column, (PERSONS,): they hang together."""
    rng = np.random.default_rng(seed)
    hidden = rng.integers(0, 3, PERSONS)
    return [(hidden * (1 + i % 2) + rng.integers(0, 2, PERSONS)) % size for i, size in enumerate(SIZES)]


def own(columns: list[np.ndarray], place: int, present: np.ndarray | None = None) -> Codes:
    """What the party at ``place`` has of them."""
    there = np.ones(PERSONS, bool) if present is None else present
    return Codes(tuple(c for c, (p, _) in zip(columns, OWNERS, strict=True) if p == place), there)


@cache
def start() -> np.ndarray:
    """First parameters."""
    layout = Layout(COLUMNS.domain)
    network = jax.jit(partial(ShareAutoencoder, layout.width, len(SIZES)))(jax.random.key(0))
    return np.asarray(COLUMNS.objective.flat(network))


def rows(columns: list[np.ndarray], present: np.ndarray) -> list[np.ndarray]:
    """By party, one-hots, of the first without those who are absent."""
    first, *others = one_hots(COLUMNS, columns)
    return [first * present[:, None].astype(np.float32), *others]
