"""Residual blocks that the denoisers of tables and of images share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from jax import Array

from sfumato.models.networks.initial import BEFORE_ACTIVATION, LEAVING_BLOCK
from sfumato.privacy.gradients import Dense

Blocks: TypeAlias = tuple[Dense, Dense, Dense, Dense]
"""Two residual blocks: a layer that enters each, and one that leaves it."""


def residual_blocks(width: int, keys: Sequence[Array]) -> Blocks:
    """Untrained, from four keys."""
    scales = (BEFORE_ACTIVATION, LEAVING_BLOCK) * 2
    a, b, c, d = (Dense(width, width, key, scale) for key, scale in zip(keys, scales, strict=True))
    return a, b, c, d
