"""The autoencoder of tables in the form for rows that are secret shares (``networks.shares``): one variance for all."""

from __future__ import annotations

import math
from functools import partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.networks.initial import BEFORE_ACTIVATION, LOGITS
from sfumato.models.networks.layout import Layout
from sfumato.models.networks.shares import HIDDEN, hot_of, logits
from sfumato.privacy.dp_sgd import Objective, SecretView
from sfumato.privacy.gradients import Dense, EmbeddingSum, OneHots, Tape
from sfumato.trust.questions import PublicArrays, fitting

LATENT = 16
"""Numbers of a latent point."""
DEVIATION = 0.25
"""Of a latent point given its record."""
_DIVERGENCE = 0.02
"""Of the divergence in units of Brier's score: with more of it, all records have one latent point."""

RowsOrHots: TypeAlias = Integer[Array, "batch columns"] | OneHots


class ShareAutoencoder(eqx.Module):
    """Encoder and decoder, two layers each."""

    encoder: tuple[EmbeddingSum, Dense]
    decoder: tuple[Dense, Dense]

    def __init__(self, width: int, columns: int, key: Key[Array, ""]) -> None:
        a, b, c, d = jax.random.split(key, 4)
        self.encoder = EmbeddingSum(width, HIDDEN, a, scale=columns**-0.5), Dense(HIDDEN, LATENT, b)
        self.decoder = Dense(LATENT, HIDDEN, c, BEFORE_ACTIVATION), Dense(HIDDEN, width, d, LOGITS)

    def encode(self, rows: RowsOrHots, tape: Tape) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and log-variance of the latent point, (B, LATENT) each; the latter is the same for all."""
        a, b = self.encoder
        mean = b(jax.nn.relu(a(rows, tape)), tape)
        return mean, jnp.full_like(mean, 2 * math.log(DEVIATION))

    def chances(self, points: Float[Array, "batch latent"], tape: Tape) -> Float[Array, "batch width"]:
        """Probabilities (B, width), about, of latent points."""
        c, d = self.decoder
        return d(jax.nn.relu(c(points, tape)), tape)

    def decode(self, points: Float[Array, "batch latent"], tape: Tape) -> Float[Array, "batch width"]:
        """Outputs (B, width) of latent points, as logits."""
        return logits(self.chances(points, tape))


def squared_elbo(
    layout: Layout, weight: float, network: ShareAutoencoder, records: tuple[RowsOrHots, Array], tape: Tape
) -> Float[Array, " batch"]:
    """Brier's score of all columns given z, and ``weight`` of the divergence; see ``vae.negative_elbo``."""
    rows, noise = records
    mean, _ = network.encode(rows, tape)
    outputs = network.chances(mean + DEVIATION * noise, tape)
    squared = layout.squared_errors(outputs, hot_of(layout, rows)).sum(axis=1)
    return squared + (weight * _DIVERGENCE / 2) * jnp.sum(mean**2, axis=1)


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "vae of tables for shares", given the ``weight`` () of the divergence."""
    (weight,) = fitting(arrays, {"weight": ()})
    layout = Layout(domain)
    like = jax.eval_shape(partial(ShareAutoencoder, layout.width, len(domain)), jax.random.key(0))
    view = SecretView(_noise, lambda network, hot, _: hot @ network.encoder[0].table, lambda hots, noise: (hots, noise))
    return Objective(like, partial(_prepare, layout), partial(squared_elbo, layout, float(weight)), view)


def _prepare(
    layout: Layout, codes: Integer[Array, "batch columns"], key: Key[Array, ""]
) -> tuple[Integer[Array, "batch columns"], Float[Array, "batch latent"]]:
    return layout.rows(codes), _noise(key, codes.shape[0])


def _noise(key: Key[Array, ""], n: int) -> Float[Array, "batch latent"]:
    return jax.random.normal(key, (n, LATENT))
