"""Linkability: does the synthetic table bridge two halves of a person's columns that two holders know apart?

Source: distance-based record linkage (Domingo-Ferrer and Torra 2001), through the synthetic row nearest to one half.
"""

from __future__ import annotations

import numpy as np

from sfumato.attacks.game import Population, nearest
from sfumato.metrics.features import metric_features


def linkability(
    population: Population, synthetic: np.ndarray, rng: np.random.Generator, *, pool: int = 100
) -> tuple[np.ndarray, np.ndarray, float]:
    """Whether each member's and each control's two halves were linked in a pool of ``pool``, and the naive rate.

    The columns are split at random in two; the first half of a row leads to its nearest synthetic row, whose second
    half is compared with the second halves of the row and of ``pool - 1`` others of its kind: linked if the own one is
    strictly nearest. The naive attacker bridges through reference rows instead.
    """
    order = rng.permutation(len(population.domain))
    halves = np.sort(order[: len(order) // 2]).tolist(), np.sort(order[len(order) // 2 :]).tolist()
    if not halves[0]:
        raise ValueError("linkability needs at least two columns")
    outcomes = [
        _linked(t, synthetic, population, halves, np.random.default_rng(0), pool)
        for t in (population.members, population.controls)
    ]
    naive = _linked(population.members, population.reference, population, halves, np.random.default_rng(0), pool)
    return outcomes[0], outcomes[1], float(naive.mean())


def _linked(
    rows: np.ndarray,
    bridge: np.ndarray,
    population: Population,
    halves: tuple[list[int], list[int]],
    rng: np.random.Generator,
    pool: int,
) -> np.ndarray:
    first, second = halves
    domain = population.domain
    points, queries = (metric_features(t, domain, first) for t in (bridge, rows))
    index = nearest(points, queries, 1)[1][:, 0]
    seen, own = (metric_features(t, domain, second) for t in (bridge[index], rows))
    apart = np.linalg.norm(seen - own, axis=1)
    linked = np.ones(len(rows), bool)
    for _ in range(pool - 1):
        rival = (np.arange(len(rows)) + rng.integers(1, len(rows), len(rows))) % len(rows)
        linked &= np.linalg.norm(seen - own[rival], axis=1) > apart + 1e-9
    return linked
