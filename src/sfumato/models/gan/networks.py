"""The two players: a generator that never sees a record, and a discriminator that does."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Integer, Key

from sfumato.models.networks.initial import BEFORE_ACTIVATION, SCORE
from sfumato.models.networks.layout import Layout
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape

POINTS = 512
"""Latent points; each stands for one product distribution over the columns."""
LATENT = 32
"""Numbers of a latent point: fewer than points, so that points share what they say."""
HIDDEN = 256
"""Width of the layers of both players."""
_TEMPERATURE = 0.5
"""Of relaxed rows: between one-hot rows, which have no gradient, and mixtures, which no record looks like."""
SLOPE = 0.2
"""Of a discriminator's activation below zero (Radford, Metz, Chintala 2016): it never stops learning."""
_POINTS_SEED = 7
"""Of the latent points, which are public and no part of what is saved."""


class TableGenerator(eqx.Module):
    """From a latent point to the distribution of every column given it, as in GEM (Liu, Vietri, Wu 2021)."""

    layers: tuple[Dense, Dense, Dense]

    def __init__(self, width: int, key: Key[Array, ""]) -> None:
        a, b, c = jax.random.split(key, 3)
        self.layers = (
            Dense(LATENT, HIDDEN, a, BEFORE_ACTIVATION),
            Dense(HIDDEN, HIDDEN, b, BEFORE_ACTIVATION),
            Dense(HIDDEN, width, c),
        )

    def __call__(self, points: Float[Array, "batch latent"], tape: Tape) -> Float[Array, "batch width"]:
        """(B, LATENT) to outputs (B, width)."""
        a, b, c = self.layers
        return c(jax.nn.silu(b(jax.nn.silu(a(points, tape)), tape)), tape)


class TableDiscriminator(eqx.Module):
    """Tells records from generated rows."""

    first: EmbeddingSum
    layers: tuple[Dense, Dense]

    def __init__(self, width: int, columns: int, key: Key[Array, ""]) -> None:
        a, b, c = jax.random.split(key, 3)
        self.first = EmbeddingSum(width, HIDDEN, a, scale=columns**-0.5)
        self.layers = (Dense(HIDDEN, HIDDEN, b, BEFORE_ACTIVATION), Dense(HIDDEN, 1, c, SCORE))

    def on_records(self, rows: Integer[Array, "batch columns"], tape: Tape) -> Float[Array, " batch"]:
        """Scores (B,) of rows (B, d)."""
        return self._rest(self.first(rows, tape), tape)

    def on_generated(self, soft: Float[Array, "batch width"]) -> Float[Array, " batch"]:
        """Scores (B,) of relaxed rows (B, width)."""
        return self._rest(soft @ self.first.table + self.first.bias, Tape())

    def _rest(self, h: Float[Array, "batch hidden"], tape: Tape) -> Float[Array, " batch"]:
        a, b = self.layers
        return b(jax.nn.leaky_relu(a(jax.nn.leaky_relu(h, SLOPE), tape), SLOPE), tape)[:, 0]


def latent_points() -> Float[Array, "points latent"]:
    """(POINTS, LATENT), fixed: the same for every model."""
    return jax.random.normal(jax.random.key(_POINTS_SEED), (POINTS, LATENT))


def relaxed_rows(
    layout: Layout, outputs: Float[Array, "batch width"], key: Key[Array, ""]
) -> Float[Array, "batch width"]:
    """Nearly one-hot rows through which gradients flow (Gumbel-softmax: Jang et al. 2017), (B, width)."""
    noisy = layout.log_probabilities(outputs) + jax.random.gumbel(key, outputs.shape)
    return jnp.exp(layout.log_probabilities(noisy / _TEMPERATURE))


def negative_log_likelihood(
    layout: Layout, generator: TableGenerator, rows: Integer[Array, "batch columns"], tape: Tape
) -> Float[Array, " batch"]:
    """Of public rows (B, d) under the mixture of all latent points, (B,)."""
    each = layout.log_probabilities(generator(latent_points(), tape))
    return jnp.log(POINTS) - jax.nn.logsumexp(layout.one_hot(rows) @ each.T, axis=1)
