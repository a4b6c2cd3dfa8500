"""The latent space of a model that gives one column after the other: exact both ways."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

from sfumato.models.networks.layout import Layout

_LEAST = 1e-9
"""Chance of a code, so that every code has a place of its own on the scale of the normal distribution."""


def rosenblatt(layout: Layout, outputs: Callable[[np.ndarray, int], np.ndarray], codes: np.ndarray) -> np.ndarray:
    """Independent normal coordinates of records (n, d), one per column (Rosenblatt 1952).

    Coordinate j is the normal quantile of the middle of the code's interval in the distribution of column j given the
    columns before it. ``outputs(codes, j)`` gives the network's outputs (n, width) with columns from j on masked.
    """
    points = np.empty(codes.shape)
    for column in range(codes.shape[1]):
        points[:, column] = ndtri(middle(layout, outputs(codes, column), column, codes[:, column]))
    return points


def inverse_rosenblatt(
    layout: Layout, outputs: Callable[[np.ndarray, int], np.ndarray], points: np.ndarray
) -> np.ndarray:
    """The inverse of :func:`rosenblatt`, exact on its results: points (n, d) -> codes (n, d)."""
    codes = np.zeros(points.shape, layout.domain.code_dtype())
    for column in range(points.shape[1]):
        codes[:, column] = code_at(layout, outputs(codes, column), column, ndtr(points[:, column]))
    return codes


def middle(layout: Layout, outputs: np.ndarray, column: int, codes: np.ndarray) -> np.ndarray:
    """(n,) the middle of each code's interval between 0 and 1, for outputs (n, width) and codes (n,) of one column."""
    ends, rows, own = _cumulative(layout, outputs, column), np.arange(len(codes)), codes.astype(int)
    return (ends[rows, own] + ends[rows, own + 1]) / 2


def code_at(layout: Layout, outputs: np.ndarray, column: int, position: np.ndarray) -> np.ndarray:
    """(n,) the code of one column whose interval holds each position (n,) between 0 and 1."""
    ends = _cumulative(layout, outputs, column)
    return np.minimum((ends[:, 1:] <= position[:, None]).sum(axis=1), layout.domain.sizes[column] - 1)


def _cumulative(layout: Layout, outputs: np.ndarray, column: int) -> np.ndarray:
    """(n, size + 1) ends of the codes' intervals between 0 and 1."""
    start = int(layout.offsets[column])
    logits = outputs[:, start : start + layout.domain.sizes[column]].astype(np.float64)
    mass = np.exp(logits - logits.max(axis=1, keepdims=True))
    mass = np.maximum(mass / mass.sum(axis=1, keepdims=True), _LEAST)
    ends = np.cumsum(mass / mass.sum(axis=1, keepdims=True), axis=1)
    return np.concatenate([np.zeros((len(ends), 1)), ends], axis=1)
