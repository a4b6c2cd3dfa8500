"""Clipped per-record gradients at the price of ordinary ones."""

from sfumato.privacy.gradients.clipped import Loss, clipped_sum, fixed_sensitivity, fixed_sum, needs, whole_sum
from sfumato.privacy.gradients.grid import GradientGrid, Needs
from sfumato.privacy.gradients.layers import (
    Constant,
    Convolution,
    Dense,
    Embedding,
    EmbeddingSum,
    GroupNorm,
    OneHots,
)
from sfumato.privacy.gradients.tape import Tape

__all__ = [
    "Constant",
    "Convolution",
    "Dense",
    "Embedding",
    "EmbeddingSum",
    "GradientGrid",
    "GroupNorm",
    "Loss",
    "Needs",
    "OneHots",
    "Tape",
    "clipped_sum",
    "fixed_sensitivity",
    "fixed_sum",
    "needs",
    "whole_sum",
]
