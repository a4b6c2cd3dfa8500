"""A small network for rehearsals: an autoencoder of rows with one hidden layer, for which no model is needed."""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from sfumato.encoding.domain import Domain
from sfumato.privacy.dp_sgd import Objective, SecretView
from sfumato.privacy.gradients import Dense, EmbeddingSum, OneHots, Tape

_HIDDEN = 8
"""Width of its hidden layer."""


class SmallNetwork(eqx.Module):
    """From a row to what it says of the same row."""

    first: EmbeddingSum
    last: Dense

    def __init__(self, width: int, key: Array) -> None:
        a, b = jax.random.split(key)
        self.first, self.last = EmbeddingSum(width, _HIDDEN, a), Dense(_HIDDEN, width, b)

    def loss(self, rows: OneHots, tape: Tape) -> Array:
        """Squared distance of what it says from one-hots (B, width), (B,)."""
        said = self.last(jax.nn.relu(self.first(rows, tape)), tape)
        return jnp.sum((said - rows.hot) ** 2, axis=1)


def small_objective(domain: Domain) -> Objective:
    """What is learnt by it."""
    like = jax.eval_shape(partial(SmallNetwork, sum(domain.sizes)), jax.random.key(0))

    def prepare(codes: Array, key: Array) -> OneHots:
        columns = [jax.nn.one_hot(codes[:, i], size) for i, size in enumerate(domain.sizes)]
        return OneHots(jnp.concatenate(columns, axis=1), len(domain))

    view = SecretView(lambda key, n: (), lambda network, hot, _: hot @ network.first.table, lambda hots, _: hots)
    return Objective(like, prepare, lambda network, rows, tape: network.loss(rows, tape), view)
