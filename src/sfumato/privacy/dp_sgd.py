"""DP-SGD as one question: noised sums of clipped gradients of Poisson batches, and what a model makes of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from sfumato.privacy.draws import Draws
from sfumato.privacy.gradients import GradientGrid, Loss, clipped_sum, needs, whole_sum
from sfumato.privacy.gradients.grid import plan
from sfumato.privacy.gradients.noise import noise_like
from sfumato.privacy.groups import Groups, Rooms
from sfumato.privacy.sampling import PoissonSteps

Carry = TypeVar("Carry")
"""A pytree of arrays: all that changes from step to step."""
Parameters = TypeVar("Parameters")
"""A pytree of arrays, of whose gradient a sum is asked."""
Records = TypeVar("Records")
"""A pytree of arrays (B, ...): a batch as the loss sees it."""


@dataclass(frozen=True)
class DpSgd(Generic[Carry, Parameters, Records]):
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

    carry: Carry
    parameters: Callable[[Carry], Parameters]
    prepare: Callable[[Array, Array], Records]
    loss: Loss[Parameters, Records]
    update: Callable[[Carry, Parameters, Array], Carry]
    steps: int
    batch: float
    clip: float
    total: float

    @property
    def rate(self) -> float:
        """The sampling rate."""
        return min(1.0, max(2.0**-32, self.batch / max(self.total, 1.0)))

    def grid(self, columns: int, noise_multiplier: float, rooms: Rooms) -> GradientGrid:
        """Where its gradients are added and noised, for records of so many columns: from public facts alone."""
        codes = jax.ShapeDtypeStruct((rooms.capacity, columns), jnp.int32)
        records = jax.eval_shape(self.prepare, codes, jax.ShapeDtypeStruct((2,), jnp.uint32))
        asked = needs(self.loss, self.parameters(self.carry), records)
        return plan(noise_multiplier, self.clip, rooms.groups, rooms.capacity, asked)


def gradient_sum(
    training: DpSgd[Carry, Parameters, Records],
    parameters: Parameters,
    groups: Groups,
    steps: PoissonSteps,
    draws: Draws,
    grid: GradientGrid | None,
    capacity: int,
) -> Parameters:
    """One noised gradient sum over a Poisson batch of ``groups`` of records; without a ``grid``, without noise.

    ``capacity`` is what is drawn from a group at most, and the number of rows that are worked on whatever is drawn:
    what is compiled, and so how floats are rounded, follows from it and from no number of records.

    *Formal guarantee.* One record moves the sum by at most ``grid.sensitivity`` steps of the grid; the noise is worth
    ``grid.noise_multiplier`` of that: one step of ``steps.event``, given that ``draws`` are fresh. The sum is noised in
    whole numbers, modulo 2^32; only what comes out is made real again.
    """
    if grid is not None and capacity > grid.capacity:
        raise ValueError(f"a group of {capacity} records does not fit a grid for {grid.capacity}")

    def one(part: tuple[Array, Array, Array, Array]) -> Parameters:
        codes, records, words, key = part
        rows, mask = steps.draw(words, records, capacity)
        batch = training.prepare(codes[rows], key)
        if grid is None:
            return clipped_sum(training.loss, parameters, batch, mask, training.clip)
        return whole_sum(training.loss, parameters, batch, mask, grid)

    parts = (groups.codes, groups.records, draws.inclusion, draws.batches)
    if len(groups.codes) == 1:  # a public number
        summed = one(jax.tree.map(lambda x: x[0], parts))
    else:
        start = jax.tree.map(lambda p: jnp.zeros(p.shape, jnp.float32 if grid is None else jnp.int32), parameters)
        summed, _ = lax.scan(lambda so_far, part: (jax.tree.map(jnp.add, so_far, one(part)), None), start, parts)
    if grid is None:
        return summed
    noise = noise_like(summed, draws.noise, grid.stride)
    return jax.tree.map(lambda whole, more: (whole + more).astype(jnp.float32) * grid.step, summed, noise)


def compiled(
    training: DpSgd[Carry, Parameters, Records], steps: PoissonSteps, grid: GradientGrid | None, capacity: int
) -> Callable[[Carry, Groups, Draws, int], Carry]:
    """``run(carry, groups, draws, count) -> carry``: the first ``count`` steps of ``draws`` in one compiled loop."""

    def one(groups: Groups, draws: Draws, i: Array, carry: Carry) -> Carry:
        now = jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, i, keepdims=False), draws)
        summed = gradient_sum(training, training.parameters(carry), groups, steps, now, grid, capacity)
        mean = jax.tree.map(lambda g: g / training.batch, summed)
        return training.update(carry, mean, now.update)

    def run(carry: Carry, groups: Groups, draws: Draws, count: int) -> Carry:
        return lax.fori_loop(0, count, partial(one, groups, draws), carry)

    return jax.jit(run)
