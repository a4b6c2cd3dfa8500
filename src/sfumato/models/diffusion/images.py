"""Diffusion of images (Ho, Jain, Abbeel 2020), in the form of Karras et al. 2022 (EDM, arXiv 2206.00364).

The warm start needs no training: of a mixture of Gaussians the best denoiser is known in closed form, so the network
learns only what the mixture does not explain, and an untrained network samples the mixture itself. A record's loss is
the mean over several noise levels (noise multiplicity: Dockhorn et al. 2023, DPDM, arXiv 2210.09929).
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
from sfumato.models.diffusion.flow import integrate, schedule
from sfumato.models.images.layout import ImageLayout, choose
from sfumato.models.networks.frames import Mixture, Start, frames_of
from sfumato.models.networks.layout import batched
from sfumato.models.networks.training import arrays_of, network_of, train_on_private
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.progress import Progress
from sfumato.trust.setting import Setting

HIDDEN = 256
SPREAD = 0.5  # sigma_data of EDM, of frames from -1 to 1
_LEVELS = (20.0, 0.02)  # of noise when sampling, first and last
_STEPS = 12
_WAVES = 16
_BLOCK = 512


class Denoiser(eqx.Module):
    """From a noisy frame, its noise level and its class to what is missing: two residual blocks."""

    enter: Dense
    level: Dense
    label: EmbeddingSum
    blocks: tuple[Dense, Dense, Dense, Dense]
    leave: Dense

    def __init__(self, size: int, classes: int, key: Array) -> None:
        enter, level, label, leave, *blocks = jax.random.split(key, 8)
        self.enter, self.level = Dense(size, HIDDEN, enter), Dense(2 * _WAVES, HIDDEN, level)
        self.label = EmbeddingSum(classes, HIDDEN, label)
        a, b, c, d = (Dense(HIDDEN, HIDDEN, k, 1.4 if i % 2 == 0 else 0.5) for i, k in enumerate(blocks))
        self.blocks = (a, b, c, d)
        self.leave = Dense(HIDDEN, size, leave, 0.01)

    def __call__(self, frames: Array, level: Array, classes: Array, tape: Tape) -> Array:
        """Scaled frames (B, K, size), log noise levels (B, K) and classes (B, 1) to (B, K, size)."""
        waves = level[:, :, None] * jnp.exp(jnp.linspace(-1.0, 3.0, _WAVES))
        around = self.level(jnp.concatenate([jnp.cos(waves), jnp.sin(waves)], axis=2), tape)
        h = self.enter(frames, tape) + around + self.label(classes, tape)[:, None]
        for one, other in (self.blocks[:2], self.blocks[2:]):
            h = h + other(jax.nn.silu(one(jax.nn.silu(h), tape)), tape)
        return self.leave(jax.nn.silu(h), tape)


def _scaled(frames: Array, sigma: Array) -> tuple[Array, Array, Array]:
    """EDM's preconditioning (table 1): what the network sees, the level it is told, the scale of what it says."""
    root = jnp.sqrt(sigma**2 + SPREAD**2)
    return frames / root[..., None], jnp.log(sigma) / 4, sigma * SPREAD / root


def _known(mixture: Mixture | None, frames: Array, sigma: Array, classes: Array) -> Array:
    """The denoised frames (B, size) that need no network: EDM's skip, or the mixture's own denoiser."""
    if mixture is None:
        return frames * SPREAD**2 / (sigma**2 + SPREAD**2)
    return mixture.denoise(frames, sigma, classes)


def prepare(layout: ImageLayout, mixture: Mixture | None, draws: int, codes: Array, key: Array) -> Any:
    """Noise ``draws`` times and say what the network should answer; each record by itself."""
    levels, noise = jax.random.split(key)
    sigma = jnp.exp(1.2 * jax.random.normal(levels, (codes.shape[0], draws)) - 1.2)
    return _noised(layout, mixture, codes, sigma, jax.random.normal(noise, (*sigma.shape, layout.size)))


def _noised(layout: ImageLayout, mixture: Mixture | None, codes: Array, sigma: Array, noise: Array) -> Any:
    """What :func:`loss` takes, for noise levels (B, K) and normal numbers (B, K, size)."""
    frames, classes = frames_of(layout, codes)
    noisy = frames[:, None] + sigma[:, :, None] * noise
    flat, many = noisy.reshape(-1, layout.size), jnp.repeat(classes, sigma.shape[1], axis=0)
    known = _known(mixture, flat, sigma.reshape(-1, 1), many).reshape(noisy.shape)
    seen, level, scale = _scaled(noisy, sigma)
    return seen, level, classes, (frames[:, None] - known) / scale[:, :, None]


def loss(network: Denoiser, records: Any, tape: Tape) -> Array:
    """Mean squared error over pixels and draws, (B,); EDM's weighting makes all noise levels count alike."""
    seen, level, classes, wanted = records
    return jnp.mean((network(seen, level, classes, tape) - wanted) ** 2, axis=(1, 2))


@dataclass(frozen=True)
class FittedImageDiffusion:
    """A trained denoiser and what it adds to.

    Attributes:
        start: classes, and the mixture if there is one.
        network: weights.
    """

    start: Start
    network: Denoiser

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
        classes = choose(self.start.weights, n, rng, allowed)
        noise = rng.standard_normal((n, self.start.layout.size), np.float32)
        return (self._flow(noise * _LEVELS[0], classes, _schedule()) + 1) / 2, classes

    @property
    def latent(self) -> int:
        """Dimension of the latent space: a normal number per pixel, a chance per class."""
        return self.start.layout.size + self.start.layout.classes

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent points (n, latent) of records (n, d) that the caller owns.

        The probability-flow equation run backwards (Song et al. 2021): normal numbers, then a one for the class.
        """
        frames, classes = (np.asarray(a) for a in frames_of(self.start.layout, jnp.asarray(codes)))
        noise = self._flow(frames, classes[:, 0], _schedule()[::-1]) / _LEVELS[0]
        return np.hstack([noise, np.eye(len(self.start.weights), dtype=np.float32)[classes[:, 0]]])

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The records (n, d) of latent points; nothing is drawn. The class is the one with the largest number."""
        size = self.start.layout.size
        classes = points[:, size:].argmax(axis=1)
        frames = self._flow(points[:, :size].astype(np.float32) * _LEVELS[0], classes, _schedule())
        return self.start.layout.codes((frames + 1) / 2, classes)

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """The denoising loss of records (n, d) at fixed levels under fixed noise; see ``RecordLoss``."""
        layout = self.start.layout
        mixture = None if self.start.mixture is None else Mixture.of(self.start.mixture)
        return batched(lambda part: _loss_of(layout, self.network, mixture, jnp.asarray(part)), codes, _BLOCK)

    def _flow(self, frames: np.ndarray, classes: np.ndarray, levels: np.ndarray) -> np.ndarray:
        mixture = None if self.start.mixture is None else Mixture.of(self.start.mixture)
        packed = np.hstack([frames, classes[:, None].astype(np.float32)]).astype(np.float32)
        return batched(
            lambda part: _integrated(self.network, mixture, jnp.asarray(levels), jnp.asarray(part)), packed, _BLOCK
        )

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(facts, arrays) for saving."""
        facts, arrays = self.start.state()
        return facts, {**arrays, **arrays_of(self.network)}


@eqx.filter_jit
def _loss_of(layout: ImageLayout, network: Denoiser, mixture: Mixture | None, codes: Array) -> Array:
    sigma = jnp.tile(jnp.exp(jnp.linspace(-3.0, 0.6, 8)), (codes.shape[0], 1))
    noise = jax.random.normal(jax.random.key(0), (1, 8, layout.size))
    return loss(network, _noised(layout, mixture, codes, sigma, noise), Tape())


def _schedule() -> np.ndarray:
    return schedule(*_LEVELS, _STEPS)


@eqx.filter_jit
def _integrated(network: Denoiser, mixture: Mixture | None, levels: Array, packed: Array) -> Array:
    """Frames moved along ``levels``; the step to zero that is left out is one denoising."""
    classes = packed[:, -1:].astype(jnp.int32)

    def slope(frames: Array, sigma: Array) -> Array:
        each = jnp.full((len(frames), 1), sigma)
        seen, level, scale = _scaled(frames[:, None], each)
        said = network(seen, level, classes, Tape())[:, 0] * scale
        return (frames - _known(mixture, frames, each, classes) - said) / sigma

    return integrate(slope, packed[:, :-1], levels)


@dataclass(frozen=True)
class ImageDiffusion:
    """The recipe: a share for gradients, the rest for the mixture that the network adds to.

    Attributes:
        gradients: share of the budget for DP-SGD on the images; 1 means no warm start.
        steps: of DP-SGD.
        draws: noise levels per record and step.
    """

    gradients: float = 0.2
    steps: int = 200
    draws: int = 2

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedImageDiffusion:
        """Ask for a mixture, then for noised gradients of what it does not explain."""
        start = Start.asked(setting, self.gradients, target, progress)
        layout = start.layout
        mixture = None if start.mixture is None else Mixture.of(start.mixture)
        network = train_on_private(
            setting, min(self.gradients, setting.remaining), loss, partial(prepare, layout, mixture, self.draws),
            jax.jit(partial(Denoiser, layout.size, layout.classes))(jax.random.key(0)), total=start.total,
            steps=self.steps, batch=start.total / 20, clip=1.0, rate=1e-3, progress=progress,
        )  # fmt: skip
        return FittedImageDiffusion(start, network)

    def restore(self, domain: Domain, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> FittedImageDiffusion:
        """From a saved state."""
        layout = ImageLayout(domain)
        network = network_of(partial(Denoiser, layout.size, layout.classes), arrays)
        return FittedImageDiffusion(Start.restored(layout, facts, arrays), network)
