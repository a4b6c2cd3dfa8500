"""The networks whose steps ``benchmarks.dp_step`` times; ``opacus_step`` writes the same ones for PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array

from sfumato.encoding.domain import Domain
from sfumato.models.diffusion.diffusion import TableDenoiser, order_agnostic_bound
from sfumato.models.gan.adversarial import real_loss
from sfumato.models.gan.networks import TableDiscriminator
from sfumato.models.networks.layout import Layout
from sfumato.privacy.gradients import Convolution, Dense, GroupNorm

SIZES = (85, 9, 100, 16, 7, 15, 6, 5, 2, 100, 100, 99, 42, 2)  # of the columns of Adult
LAYOUT = Layout(Domain.of([f"column {i}" for i in range(len(SIZES))], SIZES))
LATENT = 16


class Vae(eqx.Module):
    """Six dense layers, 150 columns, 256 wide, 16 latent."""

    layers: list[Dense]

    def __init__(self, key):
        widths = [(150, 256), (256, 256), (256, 2 * LATENT), (LATENT, 256), (256, 256), (256, 150)]
        self.layers = [Dense(*w, k) for w, k in zip(widths, jax.random.split(key, 6), strict=True)]


def vae_loss(network, records, tape):
    x, noise = records
    a, b, c, d, e, f = network.layers
    out = c(jax.nn.relu(b(jax.nn.relu(a(x, tape)), tape)), tape)
    mean, log_variance = out[:, :LATENT], out[:, LATENT:]
    z = mean + jnp.exp(log_variance / 2) * noise
    y = f(jax.nn.relu(e(jax.nn.relu(d(z, tape)), tape)), tape)
    divergence = jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=1) / 2
    return jnp.sum((y - x) ** 2, axis=1) + divergence


class Denoiser(eqx.Module):
    """Convolutions on 28x28: down once, up once, a skip."""

    convolutions: list[Convolution]
    norms: list[GroupNorm]

    def __init__(self, key):
        shapes = [(1, 32, 1), (32, 64, 2), (64, 64, 1), (96, 32, 1), (32, 1, 1)]
        keys = jax.random.split(key, 5)
        self.convolutions = [Convolution(i, o, 3, k, stride=s) for (i, o, s), k in zip(shapes, keys, strict=True)]
        self.norms = [GroupNorm(c, 8) for c in (32, 64, 64, 32)]


def denoiser_loss(network, records, tape):
    x, noise = records
    enter, down, middle, up, leave = network.convolutions
    a, b, c, d = network.norms
    fine = jax.nn.silu(a(enter(x + noise, tape), tape))
    coarse = jax.nn.silu(b(down(fine, tape), tape))
    coarse = jax.nn.silu(c(middle(coarse, tape), tape))
    both = jnp.concatenate([coarse.repeat(2, 1).repeat(2, 2), fine], -1)
    out = leave(jax.nn.silu(d(up(both, tape), tape)), tape)
    return jnp.sum((out - x) ** 2, axis=(1, 2, 3))


class Discriminator(eqx.Module):
    """Two strided convolutions and a dense layer on 28x28."""

    first: Convolution
    second: Convolution
    last: Dense

    def __init__(self, key):
        a, b, c = jax.random.split(key, 3)
        self.first, self.second = Convolution(1, 32, 3, a, stride=2), Convolution(32, 64, 3, b, stride=2)
        self.last = Dense(64 * 49, 1, c)


def discriminator_loss(network, records, tape):
    h = jax.nn.leaky_relu(network.first(records[0], tape), 0.2)
    h = jax.nn.leaky_relu(network.second(h, tape), 0.2)
    return jax.nn.softplus(-network.last(h.reshape(h.shape[0], -1), tape)[:, 0])


def normal(*shapes: tuple[int, ...]) -> Callable[[int], tuple[Array, ...]]:
    """Records and their noise: normal numbers."""
    return lambda batch: tuple(jax.random.normal(jax.random.key(i), (batch, *s)) for i, s in enumerate(shapes))


def rows(batch: int) -> Array:
    """Rows of codes, as positions among the outputs."""
    return LAYOUT.rows(jax.random.randint(jax.random.key(0), (batch, len(SIZES)), 0, jnp.asarray(SIZES)))


def masked_rows(batch: int) -> tuple[Array, Array]:
    """Rows, and which columns are masked: one at least."""
    masked = jax.random.bernoulli(jax.random.key(1), 0.5, (batch, len(SIZES)))
    return rows(batch), masked.at[:, 0].set(True)


class Case(NamedTuple):
    """What is timed.

    Attributes:
        family: the row of the table it belongs to, ``dense`` or ``conv``.
        build: key -> network.
        loss: (network, records, tape) -> (B,).
        records: B -> a batch.
        batches: sizes that are timed.
        chunk: records worked on at a time by the private step.
    """

    family: str
    build: Callable[[Array], Any]
    loss: Callable[..., Array]
    records: Callable[[int], Any]
    batches: tuple[int, ...]
    chunk: int


_DENSE, _CONV = (256, 1024, 4096), (256, 1024)
CASES = {
    "vae": Case("dense", Vae, vae_loss, normal((150,), (LATENT,)), _DENSE, 1024),
    "gan": Case("dense", partial(TableDiscriminator, LAYOUT.width, len(SIZES)), real_loss, rows, _DENSE, 1024),
    "diffusion": Case(
        "dense",
        partial(TableDenoiser, LAYOUT.width, len(SIZES)),
        partial(order_agnostic_bound, LAYOUT),
        masked_rows,
        _DENSE,
        1024,
    ),
    "denoiser": Case("conv", Denoiser, denoiser_loss, normal((28, 28, 1), (28, 28, 1)), _CONV, 8),
    "discriminator": Case("conv", Discriminator, discriminator_loss, normal((28, 28, 1)), _CONV, 32),
}
