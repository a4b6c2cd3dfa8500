"""DP-SGD as one question: noised sums of clipped gradients of Poisson batches, and what a model makes of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from sfumato.privacy.gradients import Loss, clipped_sum
from sfumato.privacy.gradients.noise import gaussian_like
from sfumato.privacy.sampling import PoissonSteps

KEYS = 4  # per step: sampling, noise, the model's randomness for the batch, and for the update


@dataclass(frozen=True)
class Descent:
    """What a model wants to learn by noised gradients. Only the loss sees records; everything else is public.

    Attributes:
        carry: a pytree of arrays, all that changes from step to step (parameters, optimiser, averages); public.
        parameters: ``parameters(carry)`` -> the pytree whose gradient is asked for.
        prepare: ``prepare(codes (B, d), key) -> records``: the loss's view of a batch with the random numbers drawn for
            it, per record.
        loss: ``loss(parameters, records, tape) -> (B,)``; see ``privacy.gradients.clipped_sum``.
        update: ``update(carry, gradient, key) -> carry``; ``gradient`` is the noised sum over the expected batch size.
        steps: number of batches.
        batch: expected number of records in one.
        clip: l2 bound of a record's gradient.
        total: public estimate of the number of records; fixes the sampling rate ``batch / total``.
    """

    carry: Any
    parameters: Callable[[Any], Any]
    prepare: Callable[[Array, Array], Any]
    loss: Loss
    update: Callable[[Any, Any, Array], Any]
    steps: int
    batch: float
    clip: float
    total: float

    @property
    def rate(self) -> float:
        """The sampling rate."""
        return min(1.0, max(2.0**-32, self.batch / max(self.total, 1.0)))


def gradient_sum(descent: Descent, parameters: Any, codes: Array, steps: PoissonSteps, keys: Array, chunk: int) -> Any:
    """One noised gradient sum over a Poisson batch of ``codes`` (n, d), worked on ``chunk`` records at a time.

    *Formal guarantee.* One record moves the sum by at most ``descent.clip``; the noise has standard deviation
    ``steps.noise_multiplier * descent.clip``: one step of ``steps.event``, given that ``keys`` (``KEYS``, 2) is fresh
    entropy.
    """
    capacity = max(1, steps.capacity(codes.shape[0], chunk))
    rows, mask = steps.draw(keys[0], codes.shape[0], capacity)
    held = codes if codes.shape[0] else jnp.zeros((1, codes.shape[1]), codes.dtype)  # padding, where no row is a record
    records = descent.prepare(held[rows], keys[2])
    summed = clipped_sum(descent.loss, parameters, records, mask, descent.clip, min(chunk, capacity))
    noise = gaussian_like(summed, keys[1], steps.noise_multiplier * descent.clip)
    return jax.tree.map(jnp.add, summed, noise)


def compiled(descent: Descent, steps: PoissonSteps, chunk: int) -> Callable[[Any, Array, Array], Any]:
    """``run(carry, codes, keys (s, KEYS, 2)) -> carry``: so many steps in one compiled scan."""

    def one(codes: Array, carry: Any, keys: Array) -> tuple[Any, None]:
        summed = gradient_sum(descent, descent.parameters(carry), codes, steps, keys, chunk)
        mean = jax.tree.map(lambda g: g / descent.batch, summed)
        return descent.update(carry, mean, keys[3]), None

    def run(carry: Any, codes: Array, keys: Array) -> Any:
        return lax.scan(partial(one, codes), carry, keys)[0]

    return jax.jit(run)
