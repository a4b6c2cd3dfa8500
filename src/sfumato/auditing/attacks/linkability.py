"""Linkability: does the synthetic table bridge two halves of a person's columns that two holders know apart?

Source: distance-based record linkage (Domingo-Ferrer and Torra 2001), through the synthetic row nearest to one half.
"""

from __future__ import annotations

import numpy as np

from sfumato.auditing.attacks.game import Population
from sfumato.auditing.attacks.neighbours import nearest
from sfumato.encoding.domain import Domain
from sfumato.evaluation.features import metric_features


def linkability(
    population: Population, synthetic: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Whether each member's and each control's two halves were linked among all of its kind, and the naive rate.

    The columns are split at random in two; the first half of a row leads to its nearest synthetic row, whose second
    half is compared with the second halves of all members (or of all controls): linked if the own one is nearest, a
    tie being broken at random. Both kinds are cut to one number. The naive attacker bridges through reference rows.
    """
    order = rng.permutation(len(population.domain))
    halves = np.sort(order[: len(order) // 2]).tolist(), np.sort(order[len(order) // 2 :]).tolist()
    if not halves[0]:
        raise ValueError("linkability needs at least two columns")
    m = min(len(population.members), len(population.controls))
    members, controls = population.members[:m], population.controls[:m]
    bridges = ((members, synthetic), (controls, synthetic), (members, population.reference))
    train, control, naive = (_linked(rows, bridge, population.domain, halves, rng) for rows, bridge in bridges)
    return train, control, float(naive.mean())


def _linked(
    rows: np.ndarray,
    bridge: np.ndarray,
    domain: Domain,
    halves: tuple[list[int], list[int]],
    rng: np.random.Generator,
) -> np.ndarray:
    first, second = halves
    points, queries = (metric_features(t, domain, first) for t in (bridge, rows))
    reached = bridge[nearest(points, queries, 1)[1][:, 0]]
    own, seen = (metric_features(t, domain, second) for t in (rows, reached))
    order = rng.permutation(len(rows))  # of several that are nearest, any one is taken
    return order[nearest(own[order], seen, 1)[1][:, 0]] == np.arange(len(rows))
