"""The two players: a generator that never sees a record, and a discriminator that does."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from sfumato.models.networks.layout import Layout
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape

POINTS = 512
"""Latent points; each stands for one product distribution over the columns."""
LATENT = 32
HIDDEN = 256
_TEMPERATURE = 0.5


class TableGenerator(eqx.Module):
    """From a latent point to the distribution of every column given it, as in GEM (Liu, Vietri, Wu 2021)."""

    layers: tuple[Dense, Dense, Dense]

    def __init__(self, width: int, key: Array) -> None:
        a, b, c = jax.random.split(key, 3)
        self.layers = (Dense(LATENT, HIDDEN, a, 1.4), Dense(HIDDEN, HIDDEN, b, 1.4), Dense(HIDDEN, width, c))

    def __call__(self, points: Array, tape: Tape) -> Array:
        """(B, LATENT) to outputs (B, width)."""
        a, b, c = self.layers
        return c(jax.nn.silu(b(jax.nn.silu(a(points, tape)), tape)), tape)


class TableDiscriminator(eqx.Module):
    """Tells records from generated rows."""

    first: EmbeddingSum
    layers: tuple[Dense, Dense]

    def __init__(self, width: int, columns: int, key: Array) -> None:
        a, b, c = jax.random.split(key, 3)
        self.first = EmbeddingSum(width, HIDDEN, a, scale=columns**-0.5)
        self.layers = (Dense(HIDDEN, HIDDEN, b, 1.4), Dense(HIDDEN, 1, c, 0.1))

    def on_records(self, rows: Array, tape: Tape) -> Array:
        """Scores (B,) of rows (B, d)."""
        return self._rest(self.first(rows, tape), tape)

    def on_generated(self, soft: Array) -> Array:
        """Scores (B,) of relaxed rows (B, width)."""
        return self._rest(soft @ self.first.table + self.first.bias, Tape())

    def _rest(self, h: Array, tape: Tape) -> Array:
        a, b = self.layers
        return b(jax.nn.leaky_relu(a(jax.nn.leaky_relu(h, 0.2), tape), 0.2), tape)[:, 0]


def latent_points() -> Array:
    """(POINTS, LATENT), fixed: the same for every model."""
    return jax.random.normal(jax.random.key(7), (POINTS, LATENT))


def relaxed_rows(layout: Layout, outputs: Array, key: Array) -> Array:
    """Nearly one-hot rows through which gradients flow (Gumbel-softmax: Jang et al. 2017), (B, width)."""
    noisy = layout.log_probabilities(outputs) + jax.random.gumbel(key, outputs.shape)
    return jnp.exp(layout.log_probabilities(noisy / _TEMPERATURE))


def negative_log_likelihood(layout: Layout, generator: TableGenerator, rows: Array, tape: Tape) -> Array:
    """Of public rows (B, d) under the mixture of all latent points, (B,)."""
    each = layout.log_probabilities(generator(latent_points(), tape))
    return jnp.log(POINTS) - jax.nn.logsumexp(layout.one_hot(rows) @ each.T, axis=1)
