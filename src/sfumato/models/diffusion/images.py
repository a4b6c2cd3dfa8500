"""Diffusion of images (Ho, Jain, Abbeel 2020), in the form of Karras et al. 2022 (EDM, arXiv 2206.00364).

The warm start needs no training: of a mixture of Gaussians the best denoiser is known in closed form, so the network
learns only what the mixture does not explain, in the mixture's own space, and an untrained network samples the mixture
itself. A record's loss is the mean over several noise levels (noise multiplicity: Dockhorn et al. 2023, DPDM, arXiv
2210.09929).
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
from sfumato.errors import QuestionError
from sfumato.models.diffusion.blocks import Blocks, residual_blocks
from sfumato.models.diffusion.flow import DEVIATION, LEVEL_UNIT, MIDDLE, integrate, schedule
from sfumato.models.images.layout import ImageLayout, drawn_by_weight
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.networks.initial import ADDED
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
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.questions import PublicArrays, fitting
from sfumato.trust.setting import Setting

HIDDEN = 256
"""Width of the layers."""
_LEVELS = (40.0, 0.04)
"""Of noise when sampling, first and last, in units of the spread of points (EDM's sigma_data)."""
_STEPS = 12
"""Of the way between them."""
_LOSS_LEVELS = (-2.3, 1.3, 8)
"""Logarithms of the first and last level that the loss of a record is taken at, and how many there are."""
_WAVES = 16
"""Cosines, and sines, that a network is given for a noise level."""
_FREQUENCIES = (-1.0, 3.0)
"""Logarithms of the slowest and the fastest of them."""
_BLOCK = 512
"""Records that the network is given at a time."""
_RATE = 1e-3
"""Learning rate: what the network adds begins at nothing."""
_CLIP = 1.0
"""Norm of a record's gradient."""
MOST_DRAWS = 128
"""Of noise for an image in one step: what a device holds."""

Noised: TypeAlias = tuple[
    Float[Array, "batch draws width"],
    Float[Array, "batch draws"],
    Integer[Array, "batch 1"],
    Float[Array, "batch draws width"],
]
"""Scaled points (B, K, width), log noise levels (B, K), classes (B, 1), and what should be answered (B, K, width)."""


class ImageDenoiser(eqx.Module):
    """From a noisy point, its noise level and its class to what is missing: two residual blocks."""

    enter: Dense
    level: Dense
    label: EmbeddingSum
    blocks: Blocks
    leave: Dense

    def __init__(self, width: int, classes: int, key: Key[Array, ""]) -> None:
        enter, level, label, leave, *blocks = jax.random.split(key, 8)
        self.enter, self.level = Dense(width, HIDDEN, enter), Dense(2 * _WAVES, HIDDEN, level)
        self.label = EmbeddingSum(classes, HIDDEN, label)
        self.blocks = residual_blocks(HIDDEN, blocks)
        self.leave = Dense(HIDDEN, width, leave, ADDED)

    def __call__(
        self,
        points: Float[Array, "batch draws width"],
        level: Float[Array, "batch draws"],
        classes: Integer[Array, "batch 1"],
        tape: Tape,
    ) -> Float[Array, "batch draws width"]:
        """Scaled points (B, K, width), log noise levels (B, K) and classes (B, 1) to (B, K, width)."""
        waves = level[:, :, None] * jnp.exp(jnp.linspace(*_FREQUENCIES, _WAVES))
        around = self.level(jnp.concatenate([jnp.cos(waves), jnp.sin(waves)], axis=2), tape)
        h = self.enter(points, tape) + around + self.label(classes, tape)[:, None]
        for one, other in (self.blocks[:2], self.blocks[2:]):
            h = h + other(jax.nn.silu(one(jax.nn.silu(h), tape)), tape)
        return self.leave(jax.nn.silu(h), tape)


def _scaled(space: Space, points: Array, sigma: Array) -> tuple[Array, Array, Array]:
    """EDM's preconditioning (table 1): what the network sees, the level it is told, the scale of what it says."""
    root = jnp.sqrt(sigma**2 + space.spread**2)
    return points / root[..., None], jnp.log(sigma / space.spread) / LEVEL_UNIT, sigma * space.spread / root


def _known(
    space: Space,
    points: Float[Array, "batch width"],
    sigma: Float[Array, "batch 1"],
    classes: Integer[Array, "batch 1"],
) -> Float[Array, "batch width"]:
    """The denoised points (B, width) that need no network: EDM's skip, or the mixture's own denoiser."""
    if space.mixture is None:
        return points * space.spread**2 / (sigma**2 + space.spread**2)
    return space.mixture.denoise(points, sigma, classes)


def prepare(
    space: Space, layout: ImageLayout, draws: int, codes: Integer[Array, "batch columns"], key: Key[Array, ""]
) -> Noised:
    """Noise ``draws`` times and say what the network should answer; each record by itself."""
    levels, noise = jax.random.split(key)
    sigma = space.spread * jnp.exp(DEVIATION * jax.random.normal(levels, (codes.shape[0], draws)) + MIDDLE)
    return _noised(space, layout, codes, sigma, jax.random.normal(noise, (*sigma.shape, space.width)))


def _noised(
    space: Space,
    layout: ImageLayout,
    codes: Integer[Array, "batch columns"],
    sigma: Float[Array, "batch draws"],
    noise: Float[Array, "#batch draws width"],
) -> Noised:
    """What :func:`loss` takes, for noise levels (B, K) and normal numbers (B, K, width)."""
    points, classes = points_of(space, layout, codes)
    noisy = points[:, None] + sigma[:, :, None] * noise
    flat, many = noisy.reshape(-1, space.width), jnp.repeat(classes, sigma.shape[1], axis=0)
    known = _known(space, flat, sigma.reshape(-1, 1), many).reshape(noisy.shape)
    seen, level, scale = _scaled(space, noisy, sigma)
    return seen, level, classes, (points[:, None] - known) / scale[:, :, None]


def loss(network: ImageDenoiser, records: Noised, tape: Tape) -> Float[Array, " batch"]:
    """Mean squared error over numbers and draws, (B,); EDM's weighting makes all noise levels count alike."""
    seen, level, classes, wanted = records
    return jnp.mean((network(seen, level, classes, tape) - wanted) ** 2, axis=(1, 2))


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "diffusion of images", given ``draws`` () and the space of a warm start, if there is one."""
    layout = ImageLayout(domain)
    (draws,) = fitting({name: a for name, a in arrays.items() if name == "draws"}, {"draws": ()})
    if not 1 <= int(draws) <= MOST_DRAWS:
        raise QuestionError(f"an image is noised between 1 and {MOST_DRAWS} times a step, not {int(draws)}")
    space = space_from(layout, {name: a for name, a in arrays.items() if name != "draws"})
    like = jax.eval_shape(partial(ImageDenoiser, space.width, layout.classes), jax.random.key(0))
    return Objective(like, partial(prepare, space, layout, int(draws)), loss)


@dataclass(frozen=True)
class FittedImageDiffusion(FittedImages):
    """A trained denoiser and what it adds to."""

    network: ImageDenoiser

    def _draw(self, n: int, rng: np.random.Generator, allowed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        classes = drawn_by_weight(self.start.weights, n, rng, allowed)
        return self._from_noise(rng.standard_normal((n, self.start.space.width), np.float32), classes), classes

    @property
    def latent(self) -> int:
        """Dimension of the latent space: a normal number per number of a point, a chance per class."""
        return self.start.space.width + self.start.layout.classes

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent points (n, latent) of records (n, d) that the caller owns.

        The probability-flow equation run backwards (Song et al. 2021): normal numbers, then a one for the class.
        """
        points, classes = (np.asarray(a) for a in points_of(self.start.space, self.start.layout, jnp.asarray(codes)))
        levels = _schedule(self.start.space)[::-1]
        noise = self._flow(points, classes[:, 0], levels) / levels[-1]
        return np.hstack([noise, np.eye(len(self.start.weights), dtype=np.float32)[classes[:, 0]]])

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The records (n, d) of latent points; nothing is drawn. The class is the one with the largest number."""
        width = self.start.space.width
        classes = points[:, width:].argmax(axis=1)
        return self.start.layout.codes(self._from_noise(points[:, :width].astype(np.float32), classes), classes)

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """The denoising loss of records (n, d) at fixed levels under fixed noise; see ``RecordLoss``."""
        space, layout = self.start.space, self.start.layout
        return batched(lambda part: _loss_of(space, layout, self.network, jnp.asarray(part)), codes, _BLOCK)

    def _from_noise(self, noise: np.ndarray, classes: np.ndarray) -> np.ndarray:
        """Pixels of normal numbers (n, width)."""
        levels = _schedule(self.start.space)
        return self.images(self._flow(noise * levels[0], classes, levels))

    def _flow(self, points: np.ndarray, classes: np.ndarray, levels: np.ndarray) -> np.ndarray:
        packed = np.hstack([points, classes[:, None]]).astype(np.float32)
        space, moved = self.start.space, jnp.asarray(levels)
        return batched(lambda part: _integrated(space, self.network, moved, jnp.asarray(part)), packed, _BLOCK)


@eqx.filter_jit
def _loss_of(
    space: Space, layout: ImageLayout, network: ImageDenoiser, codes: Integer[Array, "batch columns"]
) -> Float[Array, " batch"]:
    sigma = space.spread * jnp.tile(jnp.exp(jnp.linspace(*_LOSS_LEVELS)), (codes.shape[0], 1))
    noise = jax.random.normal(jax.random.key(0), (1, sigma.shape[1], space.width))
    return loss(network, _noised(space, layout, codes, sigma, noise), Tape())


def _schedule(space: Space) -> np.ndarray:
    return space.spread * schedule(*_LEVELS, _STEPS)


@eqx.filter_jit
def _integrated(
    space: Space, network: ImageDenoiser, levels: Float[Array, " steps"], packed: Float[Array, "batch width_and_class"]
) -> Float[Array, "batch width"]:
    """Points moved along ``levels``; the step to zero that is left out is one denoising."""
    classes = packed[:, -1:].astype(jnp.int32)

    def slope(points: Array, sigma: Array) -> Array:
        each = jnp.full((len(points), 1), sigma)
        seen, level, scale = _scaled(space, points[:, None], each)
        said = network(seen, level, classes, Tape())[:, 0] * scale
        return (points - _known(space, points, each, classes) - said) / sigma

    return integrate(slope, packed[:, :-1], levels)


@dataclass(frozen=True)
class ImageDiffusion:
    """The recipe: a share for gradients, the rest for the mixture that the network adds to.

    Attributes:
        gradients: share of the budget for DP-SGD on the images; 1 means no warm start.
        steps: of DP-SGD.
        draws: noise levels per record and step.
    """

    gradients: float = none_to_all(0.2)
    steps: int = count(200)
    draws: int = count(2)

    name = "diffusion"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedImageDiffusion:
        """Ask for a mixture, then for noised gradients of what it does not explain."""
        start = Start.asked(setting, self.gradients, target, progress)
        build = partial(ImageDenoiser, start.space.width, start.layout.classes)
        network = train_on_private(
            setting, min(self.gradients, setting.remaining), "diffusion of images",
            {"draws": np.array(self.draws), **public_arrays(start.space)}, jax.jit(build)(jax.random.key(0)),
            total=start.total, steps=self.steps, batch=start.total / BATCHES, clip=_CLIP, rate=_RATE, progress=progress,
        )  # fmt: skip
        return FittedImageDiffusion(start, network)

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedImageDiffusion:
        """From a saved state."""
        start = Start.restored(ImageLayout(domain), facts, arrays)
        network = network_of(partial(ImageDenoiser, start.space.width, start.layout.classes), arrays)
        return FittedImageDiffusion(start, network)

    def gradients_only(self) -> ImageDiffusion:
        """All of the budget for gradients: no warm start."""
        return replace(self, gradients=1.0)

    def overfitting(self) -> ImageDiffusion:
        """More steps on the records, after a warm start: without noise that fits few records closely by itself."""
        return replace(self, gradients=OVERFITTING_IMAGE_SHARE, steps=OVERFITTING_IMAGE_STEPS)
