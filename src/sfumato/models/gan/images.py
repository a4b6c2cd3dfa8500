"""Generative adversarial network of images (Goodfellow et al. 2014), conditional on their class.

The generator refines what it is given: a draw from the mixture of Gaussians that is its warm start, or plain noise. It
begins by leaving the draw as it is, so the game starts at the warm start. Only the discriminator touches records (Bie,
Kamath, Zhang 2023, arXiv 2302.02936).
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
from sfumato.models.gan.adversarial import game
from sfumato.models.images.layout import ImageLayout, choose
from sfumato.models.networks.frames import Mixture, Start, frames_of
from sfumato.models.networks.layout import batched
from sfumato.models.networks.training import arrays_of, network_of
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.setting import Setting

HIDDEN = 256
_NOISE = 0.5  # standard deviation of a pixel of the noise that stands in for a mixture
_GENERATED = 256


class Refiner(eqx.Module):
    """From a frame and its class to a better frame: what it adds is nearly nothing at first."""

    layers: tuple[Dense, Dense, Dense]
    label: EmbeddingSum

    def __init__(self, size: int, classes: int, key: Array) -> None:
        a, b, c, d = jax.random.split(key, 4)
        self.layers = (Dense(size, HIDDEN, a), Dense(HIDDEN, HIDDEN, b, 1.4), Dense(HIDDEN, size, c, 0.01))
        self.label = EmbeddingSum(classes, HIDDEN, d)

    def __call__(self, frames: Array, classes: Array) -> Array:
        """(B, size) and classes (B, 1) to (B, size), clipped to [-1, 1]."""
        a, b, c = self.layers
        h = jax.nn.silu(a(frames, Tape()) + self.label(classes, Tape()))
        return jnp.clip(frames + c(jax.nn.silu(b(h, Tape())), Tape()), -1, 1)


class Discriminator(eqx.Module):
    """Tells images from generated ones."""

    layers: tuple[Dense, Dense, Dense]
    label: EmbeddingSum

    def __init__(self, size: int, classes: int, key: Array) -> None:
        a, b, c, d = jax.random.split(key, 4)
        self.layers = (Dense(size, HIDDEN, a, 1.4), Dense(HIDDEN, HIDDEN, b, 1.4), Dense(HIDDEN, 1, c, 0.1))
        self.label = EmbeddingSum(classes, HIDDEN, d)

    def on_records(self, records: Any, tape: Tape) -> Array:
        """Scores (B,) of frames (B, size) and classes (B, 1)."""
        frames, classes = records
        a, b, c = self.layers
        h = jax.nn.leaky_relu(a(frames, tape) + self.label(classes, tape), 0.2)
        return c(jax.nn.leaky_relu(b(h, tape), 0.2), tape)[:, 0]

    def on_generated(self, made: Any) -> Array:
        """The same for generated frames and their classes."""
        return self.on_records(made, Tape())


def _drawn(start: Start, mixture: Mixture | None, key: Array, n: int) -> tuple[Array, Array]:
    """What the generator refines: frames (n, size) and classes (n, 1)."""
    if mixture is not None:
        return mixture.draw(key, n)
    pick, noise = jax.random.split(key)
    chances = jnp.log(jnp.asarray(np.maximum(start.weights, 1e-9 * start.weights.max()), jnp.float32))
    classes = jax.random.categorical(pick, chances, shape=(n, 1))
    return _NOISE * jax.random.normal(noise, (n, start.layout.size)), classes


def _generated(start: Start, mixture: Mixture | None, refiner: Refiner, key: Array) -> tuple[Array, Array]:
    frames, classes = _drawn(start, mixture, key, _GENERATED)
    return refiner(frames, classes), classes


@dataclass(frozen=True)
class FittedImageGan:
    """A trained generator and what it refines.

    Attributes:
        start: classes, and the mixture if there is one.
        network: the generator's weights.
    """

    start: Start
    network: Refiner

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.start.layout.domain

    @property
    def total(self) -> float:
        """Noisy number of records."""
        return self.start.total

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records; see ``ImageLayout.sample`` for conditions."""
        return self.start.layout.sample(self._draw, n, rng, given)

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mixture = self.start.mixture
        if mixture is None:
            classes = choose(self.start.weights, n, rng, allowed)
            frames = _NOISE * rng.standard_normal((n, self.start.layout.size), np.float32)
        else:
            points, groups = mixture.coordinates(n, rng, allowed[mixture.classes])
            classes, frames = mixture.classes[groups], 2 * mixture.projection.images(points) - 1
        packed = np.hstack([frames, classes[:, None]]).astype(np.float32)
        return (batched(lambda part: _refined(self.network, jnp.asarray(part)), packed) + 1) / 2, classes

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(facts, arrays) for saving; the discriminator is not kept."""
        facts, arrays = self.start.state()
        return facts, {**arrays, **arrays_of(self.network)}


@eqx.filter_jit
def _refined(refiner: Refiner, packed: Array) -> Array:
    return refiner(packed[:, :-1], packed[:, -1:].astype(jnp.int32))


@dataclass(frozen=True)
class ImageGan:
    """The recipe: a share for the discriminator's gradients, the rest for the mixture that the generator refines.

    Attributes:
        gradients: share of the budget for DP-SGD on the images; 1 means no warm start.
        steps: of the discriminator.
    """

    gradients: float = 0.2
    steps: int = 200

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedImageGan:
        """Ask for a mixture, then play against a discriminator with noised gradients."""
        start = Start.asked(setting, self.gradients, target, progress)
        layout = start.layout
        mixture = None if start.mixture is None else Mixture.of(start.mixture)
        critic = jax.jit(partial(Discriminator, layout.size, layout.classes))(jax.random.key(2))
        refiner = jax.jit(partial(Refiner, layout.size, layout.classes))(jax.random.key(0))
        descent = game(
            critic, refiner, partial(_generated, start, mixture), lambda codes, key: frames_of(layout, codes),
            steps=self.steps, batch=start.total / 20, total=start.total, rate=2e-6,
        )  # fmt: skip
        played = setting.descend(descent, min(self.gradients, setting.remaining), progress)
        return FittedImageGan(start, played.average)

    def restore(self, domain: Domain, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> FittedImageGan:
        """From a saved state."""
        layout = ImageLayout(domain)
        network = network_of(partial(Refiner, layout.size, layout.classes), arrays)
        return FittedImageGan(Start.restored(layout, facts, arrays), network)
