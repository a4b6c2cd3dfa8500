"""Where networks work on images: on whole frames, or on coordinates along the directions of a warm start.

With a warm start, networks see and say coordinates alone. What they would add beyond those directions is, for each
class, nearly certain in every image drawn, and classifiers that learn from such images rely on it (a VAE on frames,
epsilon 10: accuracy on validation images .75; on coordinates .84).
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int, Integer, Key

from sfumato.encoding.domain import LEVELS
from sfumato.models.images.layout import ImageLayout, traced
from sfumato.models.images.mixture import FittedMixture
from sfumato.trust.questions import PublicArrays, fitting

_LEAST = 1e-2
"""Unit of a coordinate in that of the widest one: no flat direction is blown up."""
_FLAT = 1e-6
"""The same where all directions are flat."""


def frames_of(
    layout: ImageLayout, codes: Integer[Array, "batch columns"]
) -> tuple[Float[Array, "batch size"], Integer[Array, "batch 1"]]:
    """Codes (B, d) as frames (B, size), pixels from -1 to 1, and classes (B, 1)."""
    frames = codes[:, layout.pixels.span].astype(jnp.float32) * (2 / (LEVELS - 1)) - 1
    classes = jnp.zeros(codes.shape[0], jnp.int32)
    for i in layout.labels:
        classes = classes * layout.domain.sizes[i] + codes[:, i].astype(jnp.int32)
    return frames, classes[:, None]


class Frames(eqx.Module):
    """No warm start: a point is a frame, pixels from -1 to 1.

    Attributes:
        width: numbers of a point.
    """

    width: int = eqx.field(static=True)

    mixture = None
    spread = 0.5
    """Standard deviation of a number of a point, about."""

    def points(self, frames: Float[Array, "batch size"]) -> Float[Array, "batch width"]:
        """Frames (B, size) as points (B, width)."""
        return frames

    def frames(self, points: Float[Array, "batch width"]) -> Float[Array, "batch size"]:
        """The inverse."""
        return points


class Principal(eqx.Module):
    """Coordinates along the directions of a fitted mixture, each of variance about one.

    Attributes:
        centre, basis: (size,) and (width, size), orthonormal rows.
        scale: (width,) standard deviations of the coordinates, in units of frames.
        mixture: the distribution of points.
    """

    centre: Float[Array, " size"]
    basis: Float[Array, "width size"]
    scale: Float[Array, " width"]
    mixture: Mixture

    spread = 1.0
    """Standard deviation of a number of a point, about."""

    @classmethod
    def of(cls, fitted: FittedMixture) -> Principal:
        """The space of a fitted mixture; a frame is twice an image, less one."""
        weights = fitted.weights / fitted.weights.sum()
        covariances = np.einsum("gik,gil->gkl", fitted.roots, fitted.roots, dtype=np.float64)
        within = np.einsum("g,gkk->k", weights, covariances)
        between = weights @ (fitted.means - weights @ fitted.means) ** 2
        spread = np.sqrt(within + between)
        scale = 2 * np.maximum(spread, max(_LEAST * spread.max(), _FLAT))
        centre, basis = (
            jnp.asarray(a, jnp.float32) for a in (2 * fitted.projection.centre - 1, fitted.projection.basis)
        )
        return cls(centre, basis, jnp.asarray(scale, jnp.float32), Mixture.of(fitted, covariances, scale))

    @property
    def width(self) -> int:
        """Numbers of a point."""
        return len(self.scale)

    def points(self, frames: Float[Array, "batch size"]) -> Float[Array, "batch width"]:
        """Frames (B, size) as points (B, width); what lies beyond the directions is lost."""
        return (frames - self.centre) @ self.basis.T / self.scale

    def frames(self, points: Float[Array, "batch width"]) -> Float[Array, "batch size"]:
        """Frames (B, size) of points (B, width)."""
        return self.centre + points * self.scale @ self.basis


Space = Frames | Principal


def space_of(layout: ImageLayout, mixture: FittedMixture | None) -> Space:
    """The space of a warm start, if there is one."""
    return Frames(layout.size) if mixture is None else Principal.of(mixture)


def public_arrays(space: Space) -> PublicArrays:
    """What :func:`space_from` needs; nothing of a space of frames."""
    if isinstance(space, Frames):
        return {}
    own = {"centre": space.centre, "basis": space.basis, "scale": space.scale}
    mixture = {name: getattr(space.mixture, name) for name in ("log_weights", "classes", "means", "axes", "variances")}
    return {name: np.asarray(array) for name, array in {**own, **mixture}.items()}


def space_from(layout: ImageLayout, arrays: PublicArrays) -> Space:
    """The inverse of :func:`public_arrays`; QuestionError where they do not fit the images."""
    if not arrays:
        return Frames(layout.size)
    k, g = (len(arrays[name]) if name in arrays and arrays[name].ndim else 0 for name in ("scale", "classes"))
    shapes = {
        "centre": (layout.size,), "basis": (k, layout.size), "scale": (k,), "log_weights": (g,), "classes": (g,),
        "means": (g, k), "axes": (g, k, k), "variances": (g, k),
    }  # fmt: skip
    found = fitting(arrays, shapes)
    kinds = (jnp.int32 if name == "classes" else jnp.float32 for name in shapes)
    centre, basis, scale, *mixture = (jnp.asarray(a, kind) for a, kind in zip(found, kinds, strict=True))
    return Principal(centre, basis, scale, Mixture(*mixture))


def points_of(
    space: Space, layout: ImageLayout, codes: Integer[Array, "batch columns"]
) -> tuple[Float[Array, "batch width"], Integer[Array, "batch 1"]]:
    """Codes (B, d) as points (B, width) and classes (B, 1)."""
    frames, classes = frames_of(layout, codes)
    return space.points(frames), classes


class Mixture(eqx.Module):
    """A mixture of Gaussians over points, to draw from and to remove noise by, inside compiled steps.

    Attributes:
        log_weights: (g,) of the components.
        classes: (g,) class of each.
        means: (g, k).
        axes, variances: (g, k, k) and (g, k), principal axes (columns) of each covariance.
    """

    log_weights: Float[Array, " components"]
    classes: Int[Array, " components"]
    means: Float[Array, "components width"]
    axes: Float[Array, "components width width"]
    variances: Float[Array, "components width"]

    @classmethod
    def of(cls, fitted: FittedMixture, covariances: np.ndarray, scale: np.ndarray) -> Mixture:
        """The same mixture; points are coordinates of images, times two, over ``scale`` (k,)."""
        values, axes = np.linalg.eigh(4 * covariances / np.outer(scale, scale))
        weights = traced(fitted.weights)
        found = (
            np.log(weights / weights.sum()), fitted.classes, 2 * fitted.means / scale, axes, np.maximum(values, 0)
        )  # fmt: skip
        return cls(*(jnp.asarray(a, jnp.int32 if a.dtype.kind in "iu" else jnp.float32) for a in found))

    def draw(self, key: Key[Array, ""], n: int) -> tuple[Float[Array, "n width"], Integer[Array, "n 1"]]:
        """Points (n, k) and classes (n, 1)."""
        pick, noise = jax.random.split(key)
        groups = jax.random.categorical(pick, self.log_weights, shape=(n,))
        along = jax.random.normal(noise, (n, self.means.shape[1])) * jnp.sqrt(self.variances[groups])
        return jnp.einsum("nk,nlk->nl", along, self.axes[groups]) + self.means[groups], self.classes[groups][:, None]

    def denoise(
        self, points: Float[Array, "batch width"], sigma: Float[Array, "batch 1"], classes: Integer[Array, "batch 1"]
    ) -> Float[Array, "batch width"]:
        """E[x | x + sigma n = points, class]: points (B, k), sigma (B, 1), classes (B, 1) -> (B, k); exact."""
        along, spread, fit = self._fits(points, sigma, classes)
        share = jax.nn.softmax(fit, axis=1)
        shrunk = share[:, :, None] * along * self.variances / spread
        return jnp.einsum("bgl,gkl->bk", shrunk, self.axes) + share @ self.means

    def log_density(
        self, points: Float[Array, "batch width"], sigma: Float[Array, "batch 1"], classes: Integer[Array, "batch 1"]
    ) -> Float[Array, " batch"]:
        """Log density (B,), but for a constant, at ``points`` of a point of the class plus noise; shapes as above."""
        fit = self._fits(points, sigma, classes)[2]
        share = jax.nn.logsumexp(jnp.where(self.classes == classes, self.log_weights, -jnp.inf), axis=1)
        return jax.nn.logsumexp(fit, axis=1) - share

    def _fits(self, points: Array, sigma: Array, classes: Array) -> tuple[Array, Array, Array]:
        """Places along the axes and variances there, (B, g, k); log weight times density, -inf elsewhere, (B, g)."""
        along = jnp.einsum("gkl,bgk->bgl", self.axes, points[:, None] - self.means)
        spread = self.variances + sigma[:, :, None] ** 2
        fit = self.log_weights - (along**2 / spread + jnp.log(spread)).sum(axis=2) / 2
        return along, spread, jnp.where(self.classes == classes, fit, -jnp.inf)
