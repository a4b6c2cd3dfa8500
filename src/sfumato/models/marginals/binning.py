"""Merging codes into groups heavy enough to rise above the noise, from public (already noised) masses alone."""

from __future__ import annotations

import numpy as np

from sfumato.encoding.domain import Axis


def merge(mass: np.ndarray, axis: Axis, threshold: float) -> np.ndarray:
    """Group the codes of a column so that each group holds at least ``threshold`` mass, as far as possible.

    Ordered columns merge neighbours (a heavy code stays alone: spikes such as zero keep their edge), others pool their
    light codes in one group. The missing code is always a group of its own.

    Args:
        mass: (size,) non-negative estimates of the counts; public.
        axis: the column.
        threshold: least mass of a group.

    Returns:
        (size,) group of each code, 0 .. groups-1.
    """
    if axis.missing is None:
        return _merge(mass, axis.ordered, threshold)
    present = np.arange(axis.size) != axis.missing
    groups = np.empty(axis.size, np.int64)
    groups[present] = _merge(mass[present], axis.ordered, threshold) if present.any() else 0
    groups[axis.missing] = groups[present].max() + 1 if present.any() else 0
    return groups


def _merge(mass: np.ndarray, ordered: bool, threshold: float) -> np.ndarray:
    return _neighbours(mass, threshold) if ordered else _pool(mass, threshold)


def _pool(mass: np.ndarray, threshold: float) -> np.ndarray:
    heavy = np.flatnonzero(mass >= threshold)
    heavy = heavy[np.argsort(-mass[heavy], kind="stable")]
    groups = np.full(mass.size, heavy.size)
    groups[heavy] = np.arange(heavy.size)
    light = mass[groups == heavy.size]
    if light.size and heavy.size > 1 and light.sum() < threshold:
        groups[groups == heavy.size] = heavy.size - 1
    return groups


def _neighbours(mass: np.ndarray, threshold: float) -> np.ndarray:
    groups = np.zeros(mass.size, np.int64)
    current, held, empty = 0, 0.0, True
    for code, m in enumerate(mass.tolist()):
        if not empty and m >= threshold:
            current, held = current + 1, 0.0
        groups[code] = current
        held, empty = held + m, False
        if held >= threshold:
            current, held, empty = current + 1, 0.0, True
    return _join_light(groups, mass, threshold)


def _join_light(groups: np.ndarray, mass: np.ndarray, threshold: float) -> np.ndarray:
    """Groups closed too early (before a heavy code, or at the end) join their lighter neighbour."""
    weights = np.bincount(groups, weights=mass).tolist()
    while len(weights) > 1:
        light = min(range(len(weights)), key=weights.__getitem__)
        if weights[light] >= threshold:
            break
        left = weights[light - 1] if light else np.inf
        right = weights[light + 1] if light + 1 < len(weights) else np.inf
        into = light - 1 if left <= right else light
        groups = np.where(groups > into, groups - 1, groups)
        weights[into : into + 2] = [weights[into] + weights[into + 1]]
    return groups
