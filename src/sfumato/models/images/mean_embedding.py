"""A generator whose images have the noisy mean embedding of the records: DP-MERF (Harder, Adamczewski, Park 2021).

One release: of every class the count and the sum of random Fourier features (Rahimi and Recht 2007). All that follows
is post-processing: a network is trained until the features of what it makes have those means, which is a small maximum
mean discrepancy under a Gaussian kernel. Frequencies are drawn among slow cosines alone, as those of a kernel on
smoothed images; two length scales share them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout, drawn_by_weight
from sfumato.models.images.products import products
from sfumato.models.images.projection import low_frequencies
from sfumato.models.model import SavedArrays, SavedFacts, SavedState, total_of
from sfumato.models.networks.training import arrays_of, network_of
from sfumato.models.settings import count
from sfumato.privacy.gradients import Dense, Tape
from sfumato.progress import Progress
from sfumato.trust.questions import Feature, FeatureSum, PublicArrays, fitting
from sfumato.trust.setting import Setting

LATENT, HIDDEN = 32, 256
"""Normal numbers that an image is made of, and the width of the generator's layers."""
_RATE = 2e-3
"""Learning rate at first: what is fitted is a public mean, without noise of its own."""
SCALES = (0.12, 0.3)
"""Length scales of the kernels, as shares of the norm of a white image."""
CONSTANT = 0.1
"""Share of a record's squared norm that counts it, the rest being its features."""
_EACH = 32
"""Images per class and step."""
_REPORTS = 20
"""How often progress is told of."""


class ImageGenerator(eqx.Module):
    """From normal numbers and a class to pixels in [0, 1], whose logits are made of slow cosines.

    What the embedding cannot see, fast waves of brightness, the generator so cannot make.
    """

    layers: tuple[Dense, Dense, Dense]

    def __init__(self, classes: int, cosines: int, key: Array) -> None:
        widths = (LATENT + classes, HIDDEN, HIDDEN, cosines)
        a, b, c = (Dense(i, o, k) for i, o, k in zip(widths, widths[1:], jax.random.split(key, 3), strict=False))
        self.layers = (a, b, c)

    def __call__(self, latent: Array, classes: Array, cosines: Array) -> Array:
        """(B, LATENT), (B, classes) ones and zeros, (cosines, size) -> (B, size)."""
        first, second, last = self.layers
        h = jax.nn.relu(first(jnp.concatenate([latent, classes], axis=1), Tape()))
        return jax.nn.sigmoid(last(jax.nn.relu(second(h, Tape())), Tape()) @ cosines)


@dataclass(frozen=True)
class FittedMeanEmbedding:
    """A trained generator.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        weights: (classes,) of the classes, not negative, not all zero.
        network: the generator.
    """

    layout: ImageLayout
    total: float
    weights: np.ndarray
    network: ImageGenerator

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.layout.domain

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records; see ``ImageLayout.sample`` for conditions."""
        return self.layout.sample(self._draw, n, rng, given)

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes = drawn_by_weight(self.weights, n, rng, allowed)
        latent = rng.standard_normal((n, LATENT), np.float32)
        cosines = jnp.asarray(low_frequencies(*self.layout.pixels.shape), jnp.float32)
        images = self.network(jnp.asarray(latent), jax.nn.one_hot(classes, len(self.weights)), cosines)
        return np.asarray(images), classes

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        return {"total": self.total}, {"weights": self.weights, **arrays_of(self.network)}


@dataclass(frozen=True)
class MeanEmbedding:
    """The recipe: all of the budget for one release.

    Attributes:
        frequencies: random ones, each of which gives two features, a cosine and a sine.
        steps: of training the generator.
    """

    frequencies: int = count(500)
    steps: int = count(1500)

    name = "mean-embedding"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedMeanEmbedding:
        """Ask for the embedding of every class at once, then train a generator on it.

        *Formal guarantee.* A ``feature_sum``: a record adds a constant and its features, together of norm one, to the
        place of its class.
        """
        layout = ImageLayout(setting.domain)
        cosines = low_frequencies(*layout.pixels.shape)
        frequencies = self._drawn(cosines)
        one, scale = math.sqrt(CONSTANT), math.sqrt(1 - CONSTANT)
        dimension = layout.classes * (2 * len(frequencies) + 1)
        question = FeatureSum("random waves by class", dimension, 1.0, {"frequencies": frequencies})
        progress.stage("mean embedding")
        summed = setting.feature_sum(question, setting.mu(setting.remaining))
        summed = summed.reshape(layout.classes, -1)
        counts = summed[:, 0] / one
        weights = np.maximum(counts, 0.0) if counts.max() > 0 else np.ones(layout.classes)
        embedding = summed[:, 1:] / scale / np.maximum(counts, 1.0)[:, None]
        network = jax.jit(partial(ImageGenerator, layout.classes, len(cosines)))(jax.random.key(0))
        network = _trained(network, cosines, embedding, weights, frequencies, self.steps, progress)
        return FittedMeanEmbedding(layout, max(1.0, counts.sum()), weights, network)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedMeanEmbedding:
        """From a saved state."""
        layout = ImageLayout(domain)
        weights = arrays.get("weights", np.empty(0))
        if weights.shape != (layout.classes,) or not (weights >= 0).all() or not 0 < weights.sum() < math.inf:
            raise ValueError("the saved weights of classes do not fit the images")
        cosines = low_frequencies(*layout.pixels.shape)
        network = network_of(partial(ImageGenerator, layout.classes, len(cosines)), arrays)
        return FittedMeanEmbedding(layout, total_of(facts), weights, network)

    def overfitting(self) -> MeanEmbedding:
        """The recipe itself: without noise its sums are those of the records."""
        return self

    def _drawn(self, cosines: np.ndarray) -> np.ndarray:
        """(frequencies, size), public and always the same."""
        drawn = np.random.default_rng(0).normal(size=(self.frequencies, len(cosines)))
        lengths = np.resize(SCALES, self.frequencies)[:, None] * math.sqrt(cosines.shape[1])
        return (drawn / lengths @ cosines).astype(np.float32)


def waves_by_class(domain: Domain, arrays: PublicArrays) -> Feature:
    """The installed feature "random waves by class", given ``frequencies`` (m, size).

    A constant, cosines and sines at the place of the record's class, together of norm one.
    """
    layout = ImageLayout(domain)
    (frequencies,) = fitting(arrays, {"frequencies": (None, layout.size)})
    numbers = 2 * len(frequencies)

    def feature(codes: np.ndarray) -> np.ndarray:
        waves = products(layout.images_of(codes), frequencies)
        out = np.zeros((len(codes), layout.classes, numbers + 1))
        classes = np.arange(len(codes)), layout.classes_of(codes)
        out[(*classes, 0)] = math.sqrt(CONSTANT)
        scale = math.sqrt(1 - CONSTANT) / math.sqrt(max(1, numbers / 2))
        out[(*classes, slice(1, None))] = np.hstack([np.cos(waves), np.sin(waves)]) * scale
        return out.reshape(len(codes), -1)

    return feature


_Carry = tuple[ImageGenerator, optax.OptState]
"""What changes in training: the network, and what its optimiser remembers."""


def _trained(
    network: ImageGenerator,
    cosines: np.ndarray,
    embedding: np.ndarray,
    weights: np.ndarray,
    frequencies: np.ndarray,
    steps: int,
    progress: Progress,
) -> ImageGenerator:
    """The generator after Adam on the squared distance of embeddings, each class weighted by its noisy count.

    The square is a product over two halves of a batch: without bias, so that images are not drawn to their mean.
    """
    target, slow, waves = (jnp.asarray(a, jnp.float32) for a in (embedding, cosines, frequencies.T))
    shares = jnp.asarray(weights / weights.sum(), jnp.float32)
    classes = jnp.repeat(jnp.eye(len(weights)), _EACH, axis=0)
    optimiser = optax.adam(optax.cosine_decay_schedule(_RATE, steps))

    def distance(network: ImageGenerator, key: Array) -> Array:
        phases = network(jax.random.normal(key, (len(classes), LATENT)), classes, slow) @ waves
        features = jnp.concatenate([jnp.cos(phases), jnp.sin(phases)], axis=1) / math.sqrt(waves.shape[1])
        one, other = jnp.moveaxis(features.reshape(len(weights), 2, _EACH // 2, -1).mean(axis=2), 1, 0)
        return shares @ ((one - target) * (other - target)).sum(axis=1)

    def one(carry: _Carry, key: Array) -> tuple[_Carry, None]:
        network, memory = carry
        updates, memory = optimiser.update(jax.grad(distance)(network, key), memory)
        return (optax.apply_updates(network, updates), memory), None

    run = jax.jit(lambda carry, keys: lax.scan(one, carry, keys)[0])
    carry = (network, jax.jit(optimiser.init)(network))
    progress.stage("training on the embedding", steps)
    for keys in jnp.array_split(jax.random.split(jax.random.key(1), steps), _REPORTS):
        carry = run(carry, keys)
        jax.block_until_ready(carry)
        progress.step(len(keys))
    return carry[0]
