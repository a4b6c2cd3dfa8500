"""The form of networks whose rows are secret shares: narrow, piecewise linear, and with squared losses.

On shares a product costs little, a comparison more, an exponential or a quotient much more, and a look-up by a secret
code cannot be made at all. So these networks know relu and squares alone. What they say of a column are probabilities
themselves, by Brier's score, and no logits. They learn in the open as they do on shares.
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Integer

from sfumato.models.networks.layout import Layout
from sfumato.privacy.gradients import OneHots

HIDDEN = 64
"""Width of the layers: bytes between parties grow with it."""
_LEAST = 1e-3
"""Probability of a code of which a network says less."""


def logits(outputs: Float[Array, "... width"]) -> Float[Array, "... width"]:
    """What is a network's say on probabilities, as logits for those who draw."""
    return jnp.log(jnp.maximum(outputs, _LEAST))


def hot_of(layout: Layout, rows: Integer[Array, "batch columns"] | OneHots) -> Float[Array, "batch width"]:
    """One-hots (B, width) of positions (B, d), or those that were given."""
    return rows.hot if isinstance(rows, OneHots) else layout.one_hot(rows)
