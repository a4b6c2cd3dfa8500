"""Images as networks see them, and what is known of them before any gradient: classes, and a mixture of Gaussians."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sfumato.encoding.domain import LEVELS
from sfumato.models.images.layout import ImageLayout
from sfumato.models.images.mixture import FittedMixture
from sfumato.models.networks.warm_start import warm_start
from sfumato.progress import Progress
from sfumato.trust.setting import Query, Setting

_COUNT = 0.01  # share of the budget that counts the classes where nothing else is asked first
_PREFIX = "mixture_"


def frames_of(layout: ImageLayout, codes: Array) -> tuple[Array, Array]:
    """Codes (B, d) as frames (B, size), pixels from -1 to 1, and classes (B, 1)."""
    frames = codes[:, layout.pixels.span].astype(jnp.float32) * (2 / (LEVELS - 1)) - 1
    classes = jnp.zeros(codes.shape[0], jnp.int32)
    for i in layout.labels:
        classes = classes * layout.domain.sizes[i] + codes[:, i].astype(jnp.int32)
    return frames, classes[:, None]


@dataclass(frozen=True)
class Start:
    """What a model of images knows before it asks for gradients; all of it public.

    Attributes:
        layout: the columns.
        total: noisy number of records.
        weights: (classes,) noisy counts of the classes, not negative, not all zero.
        mixture: the warm start; None where there is none.
    """

    layout: ImageLayout
    total: float
    weights: np.ndarray
    mixture: FittedMixture | None

    @classmethod
    def asked(cls, setting: Setting, gradients: float, target: int | None, progress: Progress) -> Start:
        """Spend all of the budget but the share ``gradients`` on a mixture; or, where that is all of it, on counts.

        *Formal guarantee.* All questions go to ``setting``, which charges each.
        """
        layout = ImageLayout(setting.domain)
        if gradients < 1:
            known = warm_start(setting, gradients, target, progress)
            assert isinstance(known, FittedMixture)
            weights = np.bincount(known.classes, known.weights, layout.classes)
            return cls(layout, known.total, weights, known)
        mu = setting.mu(_COUNT)
        if layout.labels:
            counts = setting.marginals([Query(layout.labels)], [mu])[0].values.ravel()
        else:
            counts = np.array([setting.count(mu)])
        weights = np.maximum(counts, 0.0) if counts.max() > 0 else np.ones(layout.classes)
        return cls(layout, max(1.0, float(counts.sum())), weights, None)

    def without_mixture(self) -> Start:
        """The same for a model that needs the mixture no more."""
        return replace(self, mixture=None)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """(facts, arrays) for saving."""
        arrays = {} if self.mixture is None else self.mixture.state()[1]
        return {"total": self.total}, {"weights": self.weights, **{_PREFIX + n: a for n, a in arrays.items()}}

    @classmethod
    def restored(cls, layout: ImageLayout, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> Start:
        """The inverse of :meth:`state`; ValueError on anything malformed."""
        weights = arrays.get("weights", np.empty(0))
        if weights.shape != (layout.classes,) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
            raise ValueError("the saved weights of classes do not fit the images")
        own = {n.removeprefix(_PREFIX): a for n, a in arrays.items() if n.startswith(_PREFIX)}
        mixture = FittedMixture.restored(layout.domain, facts, own) if own else None
        return cls(layout, float(facts["total"]), weights, mixture)


class Mixture(eqx.Module):
    """A fitted mixture of Gaussians, to draw frames from and to remove noise by, inside compiled steps.

    Attributes:
        centre, basis: (size,) and (k, size), coordinates to frames.
        log_weights: (g,) of the components.
        classes: (g,) class of each.
        means: (g, k).
        axes, variances: (g, k, k) and (g, k), principal axes (columns) of each covariance.
    """

    centre: Array
    basis: Array
    log_weights: Array
    classes: Array
    means: Array
    axes: Array
    variances: Array

    @classmethod
    def of(cls, fitted: FittedMixture) -> Mixture:
        """The same mixture; a frame is twice an image, less one."""
        values, axes = np.linalg.eigh(np.einsum("gik,gil->gkl", fitted.roots, fitted.roots))
        weights = np.maximum(fitted.weights, 1e-9 * fitted.weights.max())
        found = (
            2 * fitted.projection.centre - 1, fitted.projection.basis, np.log(weights / weights.sum()), fitted.classes,
            2 * fitted.means, axes, 4 * np.maximum(values, 0),
        )  # fmt: skip
        arrays = [jnp.asarray(a, jnp.int32 if a.dtype.kind in "iu" else jnp.float32) for a in found]
        return cls(*arrays)

    def draw(self, key: Array, n: int) -> tuple[Array, Array]:
        """Frames (n, size), not clipped, and classes (n, 1)."""
        pick, noise = jax.random.split(key)
        groups = jax.random.categorical(pick, self.log_weights, shape=(n,))
        along = jax.random.normal(noise, (n, self.means.shape[1])) * jnp.sqrt(self.variances[groups])
        points = jnp.einsum("nk,nlk->nl", along, self.axes[groups]) + self.means[groups]
        return self.centre + points @ self.basis, self.classes[groups][:, None]

    def denoise(self, frames: Array, sigma: Array, classes: Array) -> Array:
        """E[x | x + sigma n = frames, class]: frames (B, size), sigma (B, 1), classes (B, 1) -> (B, size); exact."""
        points = (frames - self.centre) @ self.basis.T
        along = jnp.einsum("gkl,bgk->bgl", self.axes, points[:, None] - self.means)
        spread = self.variances + sigma[:, :, None] ** 2
        fit = self.log_weights - (along**2 / spread + jnp.log(spread)).sum(axis=2) / 2
        share = jax.nn.softmax(jnp.where(self.classes == classes, fit, -jnp.inf), axis=1)
        shrunk = share[:, :, None] * along * self.variances / spread
        return self.centre + (jnp.einsum("bgl,gkl->bk", shrunk, self.axes) + share @ self.means) @ self.basis
