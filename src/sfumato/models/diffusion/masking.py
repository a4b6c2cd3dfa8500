"""Which columns of a batch are hidden."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Key


def hidden_columns(key: Key[Array, ""], records: int, columns: int) -> Bool[Array, "batch columns"]:
    """Between one and all columns of each record, in random order."""
    many, order = jax.random.split(key)
    ranks = jnp.argsort(jnp.argsort(jax.random.uniform(order, (records, columns)), axis=1), axis=1)
    return ranks < jax.random.randint(many, (records, 1), 1, columns + 1)
