"""Generative adversarial network of images (Goodfellow et al. 2014), conditional on their class.

The generator refines what it is given: a draw from the mixture of Gaussians that is its warm start, or plain noise. It
begins by leaving the draw as it is, so the game starts at the warm start, in whose space both players see images. Only
the discriminator touches records (Bie, Kamath, Zhang 2023, arXiv 2302.02936).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Integer, Key

from sfumato.encoding.domain import Domain
from sfumato.models.gan.adversarial import game, real_loss
from sfumato.models.gan.networks import SLOPE
from sfumato.models.images.layout import ImageLayout, traced
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.networks.initial import ADDED, BEFORE_ACTIVATION, SCORE
from sfumato.models.networks.layout import batched
from sfumato.models.networks.space import points_of, public_arrays, space_from
from sfumato.models.networks.start import FittedImages, Start
from sfumato.models.networks.training import BATCHES, OVERFITTING_IMAGE_SHARE, OVERFITTING_IMAGE_STEPS, network_of
from sfumato.models.settings import count, none_to_all
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.questions import PublicArrays
from sfumato.trust.setting import Setting

HIDDEN = 256
"""Width of the layers of both players."""
_GENERATED = 256
"""Generated images in a batch of the game."""
_RATE, _COLD_RATE = 2e-5, 1e-3
"""Learning rates of the generator, with a warm start, which it must not leave, and without."""

Labelled: TypeAlias = tuple[Float[Array, "batch width"], Integer[Array, "batch 1"]]
"""Points and their classes."""


class Refiner(eqx.Module):
    """From a point and its class to a better point: what it adds is nearly nothing at first."""

    layers: tuple[Dense, Dense, Dense]
    label: EmbeddingSum

    def __init__(self, width: int, classes: int, key: Key[Array, ""]) -> None:
        a, b, c, d = jax.random.split(key, 4)
        self.layers = (
            Dense(width, HIDDEN, a),
            Dense(HIDDEN, HIDDEN, b, BEFORE_ACTIVATION),
            Dense(HIDDEN, width, c, ADDED),
        )
        self.label = EmbeddingSum(classes, HIDDEN, d)

    def __call__(
        self, points: Float[Array, "batch width"], classes: Integer[Array, "batch 1"]
    ) -> Float[Array, "batch width"]:
        """(B, width) and classes (B, 1) to (B, width)."""
        a, b, c = self.layers
        h = jax.nn.silu(a(points, Tape()) + self.label(classes, Tape()))
        return points + c(jax.nn.silu(b(h, Tape())), Tape())


class ImageDiscriminator(eqx.Module):
    """Tells images from generated ones."""

    layers: tuple[Dense, Dense, Dense]
    label: EmbeddingSum

    def __init__(self, width: int, classes: int, key: Key[Array, ""]) -> None:
        a, b, c, d = jax.random.split(key, 4)
        first, second = Dense(width, HIDDEN, a, BEFORE_ACTIVATION), Dense(HIDDEN, HIDDEN, b, BEFORE_ACTIVATION)
        self.layers = (first, second, Dense(HIDDEN, 1, c, SCORE))
        self.label = EmbeddingSum(classes, HIDDEN, d)

    def on_records(self, records: Labelled, tape: Tape) -> Float[Array, " batch"]:
        """Scores (B,) of points (B, width) and classes (B, 1)."""
        points, classes = records
        a, b, c = self.layers
        h = jax.nn.leaky_relu(a(points, tape) + self.label(classes, tape), SLOPE)
        return c(jax.nn.leaky_relu(b(h, tape), SLOPE), tape)[:, 0]

    def on_generated(self, made: Labelled) -> Float[Array, " batch"]:
        """The same for generated points and their classes."""
        return self.on_records(made, Tape())


def _drawn(start: Start, key: Key[Array, ""], n: int) -> Labelled:
    """What the generator refines: points (n, width) and classes (n, 1)."""
    space = start.space
    if space.mixture is not None:
        return space.mixture.draw(key, n)
    pick, noise = jax.random.split(key)
    chances = jnp.log(jnp.asarray(traced(start.weights), jnp.float32))
    classes = jax.random.categorical(pick, chances, shape=(n, 1))
    return space.spread * jax.random.normal(noise, (n, space.width)), classes


def _generated(start: Start, refiner: Refiner, key: Key[Array, ""]) -> Labelled:
    points, classes = _drawn(start, key, _GENERATED)
    return refiner(points, classes), classes


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "critic of images", given the space of a warm start, or nothing."""
    layout = ImageLayout(domain)
    space = space_from(layout, arrays)
    like = jax.eval_shape(partial(ImageDiscriminator, space.width, layout.classes), jax.random.key(0))
    return Objective(like, lambda codes, key: points_of(space, layout, codes), real_loss)


@dataclass(frozen=True)
class FittedImageGan(FittedImages):
    """A trained generator and what it refines; the discriminator is not kept."""

    network: Refiner

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, classes = self.start.draw(n, rng, allowed)
        packed = np.hstack([points, classes[:, None]]).astype(np.float32)
        return self.images(batched(lambda part: _refined(self.network, jnp.asarray(part)), packed)), classes


@eqx.filter_jit
def _refined(refiner: Refiner, packed: Float[Array, "batch width_and_class"]) -> Float[Array, "batch width"]:
    return refiner(packed[:, :-1], packed[:, -1:].astype(jnp.int32))


@dataclass(frozen=True)
class ImageGan:
    """The recipe: a share for the discriminator's gradients, the rest for the mixture that the generator refines.

    Attributes:
        gradients: share of the budget for DP-SGD on the images; 1 means no warm start.
        steps: of the discriminator.
    """

    gradients: float = none_to_all(0.2)
    steps: int = count(200)

    name = "gan"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedImageGan:
        """Ask for a mixture, then play against a discriminator with noised gradients."""
        start = Start.asked(setting, self.gradients, target, progress)
        width, classes = start.space.width, start.layout.classes
        critic = jax.jit(partial(ImageDiscriminator, width, classes))(jax.random.key(2))
        refiner = jax.jit(partial(Refiner, width, classes))(jax.random.key(0))
        training = game(
            critic, refiner, partial(_generated, start), "critic of images", public_arrays(start.space),
            steps=self.steps, batch=start.total / BATCHES, total=start.total,
            rate=_COLD_RATE if start.mixture is None else _RATE,
        )  # fmt: skip
        played = setting.dp_sgd(training, min(self.gradients, setting.remaining), progress)
        return FittedImageGan(start, played.average)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedImageGan:
        """From a saved state."""
        start = Start.restored(ImageLayout(domain), facts, arrays)
        network = network_of(partial(Refiner, start.space.width, start.layout.classes), arrays)
        return FittedImageGan(start, network)

    def gradients_only(self) -> ImageGan:
        """All of the budget for gradients: no warm start."""
        return replace(self, gradients=1.0)

    def overfitting(self) -> ImageGan:
        """More steps on the records, after a warm start: without noise that fits few records closely by itself."""
        return replace(self, gradients=OVERFITTING_IMAGE_SHARE, steps=OVERFITTING_IMAGE_STEPS)
