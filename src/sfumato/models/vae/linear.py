"""What an autoencoder of images knows before it is trained: a prior, and the posterior of a decoder that adds nothing.

A linear decoder with a Gaussian prior is probabilistic principal components (Tipping and Bishop 1999), whose posterior
is known in closed form. The directions of a warm start are that decoder, and its mixture of Gaussians is the prior, so
that an untrained network samples the mixture itself.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Integer

from sfumato.models.networks.space import Frames, Mixture, Principal, Space

BLUR = 0.05
"""Standard deviation of noise on the prior's points: no direction of it is flat."""

_LATENT = 48
"""Dimension of the latent space without a warm start."""
_PIXEL, _COLD_PIXEL = 0.15, 0.3
"""Standard deviation of a pixel, from -1 to 1, about what is decoded, with a warm start and without."""


class Nothing(eqx.Module):
    """No warm start: a standard normal prior, and a network that decodes alone.

    Attributes:
        dimension: of the latent space.
    """

    dimension: int = eqx.field(static=True, default=_LATENT)

    deviation = _COLD_PIXEL
    """Of a number of a point about what is decoded."""

    def encode(self, points: Array) -> tuple[Array, Array]:
        """Mean and log-variance of the posterior of points (B, width), or what broadcasts to (B, k)."""
        return jnp.zeros(()), jnp.zeros(())

    def decode(self, latent: Array) -> Array:
        """Points of latent points (B, k), or what broadcasts to (B, width)."""
        return jnp.zeros(())

    def divergence(
        self,
        mean: Float[Array, "batch latent"],
        log_variance: Float[Array, "#batch latent"],
        latent: Float[Array, "batch latent"],
        classes: Integer[Array, "batch 1"],
    ) -> Float[Array, " batch"]:
        """KL (B,) of the posterior from the prior."""
        return jnp.sum(mean**2 + jnp.exp(log_variance) - log_variance - 1, axis=1) / 2

    def draw(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Latent points (n, k) of the prior, for as many points of the start."""
        return rng.standard_normal((len(points), self.dimension), np.float32)


class Linear(eqx.Module):
    """A latent point is a point; a mixture of Gaussians per class is the prior.

    Attributes:
        mixture: of the points.
        deviation: (k,) of the numbers of a point about what is decoded, a fixed one of a pixel.
    """

    mixture: Mixture
    deviation: Float[Array, " width"]

    @classmethod
    def of(cls, space: Principal) -> Linear:
        """Of the space of a warm start."""
        return cls(space.mixture, _PIXEL / space.scale)

    @property
    def dimension(self) -> int:
        """Of the latent space."""
        return len(self.deviation)

    def encode(self, points: Float[Array, "batch width"]) -> tuple[Float[Array, "batch width"], Float[Array, " width"]]:
        """Mean and log-variance of the posterior of points (B, k) under one standard Gaussian for all classes."""
        believed = 1 / (1 + self.deviation**2)
        return believed * points, jnp.log(1 - believed)

    def decode(self, latent: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        """The same points."""
        return latent

    def divergence(
        self,
        mean: Float[Array, "batch latent"],
        log_variance: Float[Array, "#batch latent"],
        latent: Float[Array, "batch latent"],
        classes: Integer[Array, "batch 1"],
    ) -> Float[Array, " batch"]:
        """KL (B,) of the posterior from the prior of the class, but for a constant, by one ``latent`` point of it."""
        prior = self.mixture.log_density(latent, jnp.full((len(latent), 1), BLUR), classes)
        return -jnp.sum(log_variance + 1, axis=1) / 2 - prior

    def draw(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Latent points (n, k) of the prior, for as many points of the start."""
        return points + BLUR * rng.standard_normal(points.shape, np.float32)


Known = Nothing | Linear


def known_in(space: Space) -> Known:
    """What is known in a space."""
    return Nothing() if isinstance(space, Frames) else Linear.of(space)
