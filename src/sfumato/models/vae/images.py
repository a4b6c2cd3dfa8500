"""Variational autoencoder of images (Kingma and Welling 2014), conditional on their class.

Warm start: the network is trained on images drawn from a mixture of Gaussians fitted to noisy moments, which is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout, choose
from sfumato.models.networks.frames import Start, frames_of
from sfumato.models.networks.layout import batched
from sfumato.models.networks.training import arrays_of, network_of, train_on_private, train_on_public
from sfumato.models.networks.warm_start import rows_of
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.setting import Setting

LATENT, HIDDEN = 48, 384
DEVIATION = 0.3  # of a pixel about what is decoded, in frames from -1 to 1
_PUBLIC = 60_000


class Autoencoder(eqx.Module):
    """Encoder and decoder, three layers each; both are told the class."""

    encoder: tuple[Dense, Dense, Dense]
    decoder: tuple[Dense, Dense, Dense]
    labels: tuple[EmbeddingSum, EmbeddingSum]

    def __init__(self, size: int, classes: int, key: Array) -> None:
        a, b, c, d, e, f, g, h = jax.random.split(key, 8)
        self.encoder = (Dense(size, HIDDEN, a), Dense(HIDDEN, HIDDEN, b, 1.4), Dense(HIDDEN, 2 * LATENT, c))
        self.decoder = (Dense(LATENT, HIDDEN, d), Dense(HIDDEN, HIDDEN, e, 1.4), Dense(HIDDEN, size, f, 0.3))
        self.labels = (EmbeddingSum(classes, HIDDEN, g), EmbeddingSum(classes, HIDDEN, h))

    def encode(self, frames: Array, classes: Array, tape: Tape) -> tuple[Array, Array]:
        """Mean and log-variance of the latent point, (B, LATENT) each, of frames (B, size) and classes (B, 1)."""
        a, b, c = self.encoder
        seen = jax.nn.silu(a(frames, tape) + self.labels[0](classes, tape))
        out = c(jax.nn.silu(b(seen, tape)), tape)
        return out[:, :LATENT], jnp.clip(out[:, LATENT:], -12, 6)

    def decode(self, points: Array, classes: Array, tape: Tape) -> Array:
        """Frames (B, size) of latent points and classes (B, 1)."""
        return self._decoded(points, self.labels[1](classes, tape), tape)

    def blended(self, points: Array, chances: Array) -> Array:
        """Frames of latent points between classes, by their chances (B, classes)."""
        return self._decoded(points, chances @ self.labels[1].table + self.labels[1].bias, Tape())

    def _decoded(self, points: Array, label: Array, tape: Tape) -> Array:
        d, e, f = self.decoder
        return f(jax.nn.silu(e(jax.nn.silu(d(points, tape) + label), tape)), tape)


def negative_elbo(network: Autoencoder, records: Any, tape: Tape) -> Array:
    """-log p(x | z, class) + KL per record, but for a constant; ``records`` are frames, classes and the noise of z."""
    frames, classes, noise = records
    mean, log_variance = network.encode(frames, classes, tape)
    found = network.decode(mean + jnp.exp(log_variance / 2) * noise, classes, tape)
    divergence = jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=1) / 2
    return divergence + jnp.sum((found - frames) ** 2, axis=1) / (2 * DEVIATION**2)


def _prepare(layout: ImageLayout, codes: Array, key: Array) -> Any:
    return *frames_of(layout, codes), jax.random.normal(key, (codes.shape[0], LATENT))


@dataclass(frozen=True)
class FittedImageVae:
    """A trained autoencoder; latent points are normal.

    Attributes:
        start: the classes; its mixture was used up in training, and is not kept.
        network: weights.
    """

    start: Start
    network: Autoencoder

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.start.layout.domain

    @property
    def total(self) -> float:
        """Noisy number of records."""
        return self.start.total

    @property
    def latent(self) -> int:
        """Dimension of the latent space: normal numbers, then a chance per class."""
        return LATENT + self.start.layout.classes

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent means, then the class as ones and zeros, (n, latent), of records (n, d) that the caller owns."""
        points = batched(lambda part: _encoded(self.start.layout, self.network, jnp.asarray(part)), codes)
        return np.hstack([points, np.eye(self.start.layout.classes)[self.start.layout.classes_of(codes)]])

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The record of each latent point; between classes images are blended, and the likelier class is named."""
        frames = batched(lambda part: _blended(self.network, jnp.asarray(part)), points.astype(np.float32))
        return self.start.layout.codes((frames + 1) / 2, points[:, LATENT:].argmax(axis=1))

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records; see ``ImageLayout.sample`` for conditions."""
        return self.start.layout.sample(self._draw, n, rng, given)

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes = choose(self.start.weights, n, rng, allowed)
        chances = np.eye(self.start.layout.classes, dtype=np.float32)[classes]
        points = np.hstack([rng.standard_normal((n, LATENT), np.float32), chances])
        return (batched(lambda part: _blended(self.network, jnp.asarray(part)), points) + 1) / 2, classes

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """Negative ELBO of records (n, d), averaged over four fixed draws of the noise; see ``RecordLoss``."""
        return batched(lambda part: _mean_loss(self.start.layout, self.network, jnp.asarray(part)), codes)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(facts, arrays) for saving."""
        facts, arrays = self.start.state()
        return facts, {**arrays, **arrays_of(self.network)}


@eqx.filter_jit
def _encoded(layout: ImageLayout, network: Autoencoder, codes: Array) -> Array:
    return network.encode(*frames_of(layout, codes), Tape())[0]


@eqx.filter_jit
def _mean_loss(layout: ImageLayout, network: Autoencoder, codes: Array) -> Array:
    seen = frames_of(layout, codes)
    draws = jax.random.normal(jax.random.key(0), (4, 1, LATENT))
    each = [negative_elbo(network, (*seen, jnp.tile(d, (codes.shape[0], 1))), Tape()) for d in draws]
    return jnp.mean(jnp.stack(each), axis=0)


@eqx.filter_jit
def _blended(network: Autoencoder, points: Array) -> Array:
    return network.blended(points[:, :LATENT], points[:, LATENT:])


@dataclass(frozen=True)
class ImageVae:
    """The recipe: a share for gradients, the rest for the mixture that the network is trained on first.

    Attributes:
        gradients: share of the budget for DP-SGD on the images; 1 means no warm start.
        warm_steps, steps: of training on public images, and on private ones.
    """

    gradients: float = 0.2
    warm_steps: int = 2000
    steps: int = 200

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedImageVae:
        """Learn from a mixture, then from noised gradients."""
        start = Start.asked(setting, self.gradients, target, progress)
        layout = start.layout
        network = jax.jit(partial(Autoencoder, layout.size, layout.classes))(jax.random.key(0))
        prepare, rate = partial(_prepare, layout), 1e-3
        if start.mixture is not None:
            network = train_on_public(
                negative_elbo, prepare, network, rows_of(start.mixture, _PUBLIC), steps=self.warm_steps, batch=256,
                rate=1e-3, progress=progress,
            )  # fmt: skip
            rate = 2e-4
        network = train_on_private(
            setting, min(self.gradients, setting.remaining), negative_elbo, prepare, network, total=start.total,
            steps=self.steps, batch=start.total / 20, clip=10.0, rate=rate, progress=progress,
        )  # fmt: skip
        return FittedImageVae(start.without_mixture(), network)

    def restore(self, domain: Domain, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> FittedImageVae:
        """From a saved state."""
        layout = ImageLayout(domain)
        network = network_of(partial(Autoencoder, layout.size, layout.classes), arrays)
        return FittedImageVae(Start.restored(layout, facts, arrays), network)
