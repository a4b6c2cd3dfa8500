"""Variational autoencoder of images (Kingma and Welling 2014), conditional on their class.

Encoder and decoder add to what is known in closed form of the warm start, in its own space, so that an untrained
network samples the warm start, and gradients pay for what it does not explain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.networks.initial import ADDED, BEFORE_ACTIVATION
from sfumato.models.networks.layout import batched
from sfumato.models.networks.space import Space, points_of, public_arrays, space_from
from sfumato.models.networks.start import FittedImages, Start
from sfumato.models.networks.training import (
    BATCHES,
    OVERFITTING_IMAGE_SHARE,
    OVERFITTING_IMAGE_STEPS,
    network_of,
    train_on_private,
)
from sfumato.models.settings import count, none_to_all
from sfumato.models.vae.linear import Known, known_in
from sfumato.models.vae.vae import DRAWS, LOG_VARIANCES
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.questions import PublicArrays
from sfumato.trust.setting import Setting

HIDDEN = 384
"""Width of the layers."""
_RATE, _COLD_RATE = 2e-4, 1e-3
"""Learning rates, with a warm start and without."""
_CLIP = 10.0
"""Norm of a record's gradient, whose loss sums over pixels."""

LabelledAndNoise: TypeAlias = tuple[
    Float[Array, "batch width"], Integer[Array, "batch 1"], Float[Array, "batch latent"]
]
"""Points, their classes, and the noise of their latent points."""


class ImageAutoencoder(eqx.Module):
    """What is added to the known encoder and decoder, three layers each; both are told the class."""

    encoder: tuple[Dense, Dense, Dense]
    decoder: tuple[Dense, Dense, Dense]
    labels: tuple[EmbeddingSum, EmbeddingSum]

    def __init__(self, width: int, dimension: int, classes: int, key: Key[Array, ""]) -> None:
        a, b, c, d, e, f, g, h = jax.random.split(key, 8)
        middle = partial(Dense, HIDDEN, HIDDEN, scale=BEFORE_ACTIVATION)
        self.encoder = (Dense(width, HIDDEN, a), middle(b), Dense(HIDDEN, 2 * dimension, c, ADDED))
        self.decoder = (Dense(dimension, HIDDEN, d), middle(e), Dense(HIDDEN, width, f, ADDED))
        self.labels = (EmbeddingSum(classes, HIDDEN, g), EmbeddingSum(classes, HIDDEN, h))

    def encode(
        self, known: Known, points: Float[Array, "batch width"], classes: Integer[Array, "batch 1"], tape: Tape
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and log-variance of the latent point, (B, k) each, of points (B, width) and classes (B, 1)."""
        a, b, c = self.encoder
        h = jax.nn.silu(a(points, tape) + self.labels[0](classes, tape))
        mean, log_variance = jnp.split(c(jax.nn.silu(b(h, tape)), tape), 2, axis=1)
        first, spread = known.encode(points)
        return first + mean, jnp.clip(spread + log_variance, *LOG_VARIANCES)

    def decode(
        self, known: Known, latent: Float[Array, "batch latent"], classes: Integer[Array, "batch 1"], tape: Tape
    ) -> Float[Array, "batch width"]:
        """Points (B, width) of latent points (B, k) and classes (B, 1)."""
        return self._decoded(known, latent, self.labels[1](classes, tape), tape)

    def blended(
        self, known: Known, latent: Float[Array, "batch latent"], chances: Float[Array, "batch classes"]
    ) -> Float[Array, "batch width"]:
        """Points of latent points between classes, by their chances (B, classes)."""
        return self._decoded(known, latent, chances @ self.labels[1].table + self.labels[1].bias, Tape())

    def _decoded(self, known: Known, latent: Array, label: Array, tape: Tape) -> Array:
        d, e, f = self.decoder
        return known.decode(latent) + f(jax.nn.silu(e(jax.nn.silu(d(latent, tape) + label), tape)), tape)


def negative_elbo(
    known: Known, network: ImageAutoencoder, records: LabelledAndNoise, tape: Tape
) -> Float[Array, " batch"]:
    """-log p(x | z, class) + KL per record, but for a constant; ``records`` are points, classes and the noise of z."""
    points, classes, noise = records
    mean, log_variance = network.encode(known, points, classes, tape)
    latent = mean + jnp.exp(log_variance / 2) * noise
    found = network.decode(known, latent, classes, tape)
    off = jnp.sum(((found - points) / known.deviation) ** 2, axis=1) / 2
    return off + known.divergence(mean, log_variance, latent, classes)


def _prepare(
    space: Space, layout: ImageLayout, dimension: int, codes: Integer[Array, "batch columns"], key: Key[Array, ""]
) -> LabelledAndNoise:
    return *points_of(space, layout, codes), jax.random.normal(key, (codes.shape[0], dimension))


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "vae of images", given the space of a warm start, or nothing."""
    layout = ImageLayout(domain)
    space = space_from(layout, arrays)
    known = known_in(space)
    build = partial(ImageAutoencoder, space.width, known.dimension, layout.classes)
    prepare = partial(_prepare, space, layout, known.dimension)
    return Objective(jax.eval_shape(build, jax.random.key(0)), prepare, partial(negative_elbo, known))


@dataclass(frozen=True)
class FittedImageVae(FittedImages):
    """A trained autoencoder and what it adds to."""

    network: ImageAutoencoder

    @cached_property
    def known(self) -> Known:
        """What the network adds to."""
        return known_in(self.start.space)

    @property
    def latent(self) -> int:
        """Dimension of the latent space: numbers of variance about one, then a chance per class."""
        return self.known.dimension + self.start.layout.classes

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent means, then the class as ones and zeros, (n, latent), of records (n, d) that the caller owns."""
        known, space, layout = self.known, self.start.space, self.start.layout
        latent = batched(lambda part: _encoded(known, space, layout, self.network, jnp.asarray(part)), codes)
        return np.hstack([latent, np.eye(layout.classes)[layout.classes_of(codes)]])

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The record of each latent point; between classes images are blended, and the likelier class is named."""
        images = self._decoded(points.astype(np.float32))
        return self.start.layout.codes(images, points[:, self.known.dimension :].argmax(axis=1))

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, classes = self.start.draw(n, rng, allowed)
        chances = np.eye(self.start.layout.classes, dtype=np.float32)[classes]
        return self._decoded(np.hstack([self.known.draw(points, rng), chances])), classes

    def _decoded(self, latent: np.ndarray) -> np.ndarray:
        """Pixels of latent points with chances of classes."""
        return self.images(batched(lambda part: _blended(self.known, self.network, jnp.asarray(part)), latent))

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """Negative ELBO of records (n, d), averaged over four fixed draws of the noise; see ``RecordLoss``."""
        known, space, layout = self.known, self.start.space, self.start.layout
        return batched(lambda part: _mean_loss(known, space, layout, self.network, jnp.asarray(part)), codes)


@eqx.filter_jit
def _encoded(
    known: Known, space: Space, layout: ImageLayout, network: ImageAutoencoder, codes: Integer[Array, "batch columns"]
) -> Float[Array, "batch latent"]:
    return network.encode(known, *points_of(space, layout, codes), Tape())[0]


@eqx.filter_jit
def _mean_loss(
    known: Known, space: Space, layout: ImageLayout, network: ImageAutoencoder, codes: Integer[Array, "batch columns"]
) -> Float[Array, " batch"]:
    seen = points_of(space, layout, codes)
    draws = jax.random.normal(jax.random.key(0), (DRAWS, 1, known.dimension))
    each = [negative_elbo(known, network, (*seen, jnp.tile(d, (codes.shape[0], 1))), Tape()) for d in draws]
    return jnp.mean(jnp.stack(each), axis=0)


@eqx.filter_jit
def _blended(
    known: Known, network: ImageAutoencoder, latent: Float[Array, "batch latent_and_classes"]
) -> Float[Array, "batch width"]:
    return network.blended(known, latent[:, : known.dimension], latent[:, known.dimension :])


@dataclass(frozen=True)
class ImageVae:
    """The recipe: a share for gradients, the rest for the mixture that the network adds to.

    Attributes:
        gradients: share of the budget for DP-SGD on the images; 1 means no warm start.
        steps: of DP-SGD.
    """

    gradients: float = none_to_all(0.2)
    steps: int = count(200)

    name = "vae"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedImageVae:
        """Ask for a mixture, then for noised gradients of what it does not explain."""
        start = Start.asked(setting, self.gradients, target, progress)
        known = known_in(start.space)
        build = partial(ImageAutoencoder, start.space.width, known.dimension, start.layout.classes)
        network = train_on_private(
            setting, min(self.gradients, setting.remaining), "vae of images", public_arrays(start.space),
            jax.jit(build)(jax.random.key(0)),
            total=start.total, steps=self.steps, batch=start.total / BATCHES, clip=_CLIP,
            rate=_COLD_RATE if start.mixture is None else _RATE, progress=progress,
        )  # fmt: skip
        return FittedImageVae(start, network)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedImageVae:
        """From a saved state."""
        start = Start.restored(ImageLayout(domain), facts, arrays)
        build = partial(ImageAutoencoder, start.space.width, known_in(start.space).dimension, start.layout.classes)
        return FittedImageVae(start, network_of(build, arrays))

    def gradients_only(self) -> ImageVae:
        """All of the budget for gradients: no warm start."""
        return replace(self, gradients=1.0)

    def overfitting(self) -> ImageVae:
        """More steps on the records, after a warm start: without noise that fits few records closely by itself."""
        return replace(self, gradients=OVERFITTING_IMAGE_SHARE, steps=OVERFITTING_IMAGE_STEPS)
