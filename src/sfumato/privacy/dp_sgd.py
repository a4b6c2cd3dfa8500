"""DP-SGD: noised sums of clipped gradients of Poisson batches, and what a model makes of each.

A step is cut where a setting needs it: :func:`batch_sum` draws a batch, clips and adds (each site by itself), noise is
added to the whole numbers, :func:`opened` makes them real, and the model's update is computation on public numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from sfumato.privacy.draws import Draws
from sfumato.privacy.gradients import GradientGrid, Loss, OneHots, clipped_sum, needs, whole_sum
from sfumato.privacy.gradients.grid import plan
from sfumato.privacy.gradients.noise import NoiseWords, noise_like
from sfumato.privacy.groups import Groups
from sfumato.privacy.local_training import LocalTraining
from sfumato.privacy.sampling import PoissonSteps

Carry = TypeVar("Carry")
"""A pytree of arrays: all that changes from step to step."""
Parameters = TypeVar("Parameters")
"""A pytree of arrays, of whose gradient a sum is asked."""
Records = TypeVar("Records")
"""A pytree of arrays (B, ...): a batch as the loss sees it."""


@dataclass(frozen=True)
class SecretView:
    """How a loss sees records of which nobody has the whole: one-hots of all columns, never looked into by a code.

    Attributes:
        coins: ``coins(key, B)``: the random numbers drawn for a batch, which parties know; a pytree of (B, ...).
        part: ``part(parameters, hot (B, rows), coins) -> (B, E)``: what the first layer makes of some of the columns,
            the others being zero. Parts of owners who share out the columns add up to ``OneHots.sums``.
        records: ``records(one-hots of all columns, coins)``: as the loss takes them.
    """

    coins: Callable[[Array, int], Any]
    part: Callable[[Any, Array, Any], Array]
    records: Callable[[OneHots, Any], Any]


@dataclass(frozen=True)
class Objective(Generic[Parameters, Records]):
    """What is made of records: the loss whose clipped gradients are added. Pure, and all that ever sees a record.

    Attributes:
        like: a pytree of the parameters' shapes, ``jax.eval_shape`` of what makes them; all are float32.
        prepare: ``prepare(codes (B, d), key) -> records``: the loss's view of a batch with the random numbers drawn for
            it, per record.
        loss: ``loss(parameters, records, tape) -> (B,)``; see ``privacy.gradients.clipped_sum``.
        secret: the same loss of records whose columns lie at several owners; None: it cannot be had so.
    """

    like: Parameters
    prepare: Callable[[Array, Array], Records]
    loss: Loss[Parameters, Records]
    secret: SecretView | None = None

    @property
    def numbers(self) -> int:
        """How many parameters there are."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.like))

    def flat(self, parameters: Parameters) -> Array:
        """All parameters, or whole sums of their gradients, in one row (numbers,)."""
        return jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(parameters)])

    def tree(self, flat: Array) -> Parameters:
        """The inverse of :meth:`flat`."""
        leaves, structure = jax.tree.flatten(self.like)
        ends = np.cumsum([leaf.size for leaf in leaves])[:-1]
        parts = zip(jnp.split(flat, ends), leaves, strict=True)
        return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in parts])

    def grid(self, columns: int, noise_multiplier: float, clip: float, groups: int, capacity: int) -> GradientGrid:
        """Where gradients are added and noised, for records of so many columns: from public facts alone."""
        codes = jax.ShapeDtypeStruct((capacity, columns), jnp.int32)
        records = jax.eval_shape(self.prepare, codes, jax.ShapeDtypeStruct((2,), jnp.uint32))
        return plan(noise_multiplier, clip, groups, capacity, needs(self.loss, self.like, records))


@dataclass(frozen=True)
class DpSgd(Generic[Carry, Parameters]):
    """What a model wants to learn by noised gradients. All of it is public, and only ``recipe`` concerns records.

    Attributes:
        carry: a pytree of arrays, all that changes from step to step (parameters, optimiser, averages); public.
        parameters: ``parameters(carry)`` -> the pytree whose gradient is asked for.
        recipe: name of the installed code that makes the ``Objective``; see ``trust.questions.installed``.
        arrays: public arrays that the code is given.
        update: ``update(carry, gradient, key) -> carry``; ``gradient`` is the noised sum over the expected batch size.
        steps: number of batches.
        batch: expected number of records in one.
        clip: l2 bound of a record's gradient.
        total: public estimate of the number of records; fixes the sampling rate ``batch / total``.
        local: how sites go on by themselves between averages; None: this training cannot be done so.
    """

    carry: Carry
    parameters: Callable[[Carry], Parameters]
    recipe: str
    arrays: Mapping[str, np.ndarray]
    update: Callable[[Carry, Parameters, Array], Carry]
    steps: int
    batch: float
    clip: float
    total: float
    local: LocalTraining[Carry, Parameters] | None = None

    @property
    def rate(self) -> float:
        """The sampling rate."""
        return min(1.0, max(2.0**-32, self.batch / max(self.total, 1.0)))

    def within(self, most: int) -> DpSgd[Carry, Parameters]:
        """The same in at most so many steps, with larger batches: as many records are drawn in all."""
        if self.steps <= most:
            return self
        return replace(self, steps=most, batch=min(self.total, self.batch * self.steps / most))

    def updated(self, carry: Carry, summed: Parameters, key: Array) -> Carry:
        """What the model makes of an opened sum."""
        return self.update(carry, jax.tree.map(lambda g: g / self.batch, summed), key)


@dataclass(frozen=True)
class DescentStep(Generic[Parameters, Records]):
    """One step of DP-SGD, from public facts: shapes, and so what is compiled, follow from it.

    Attributes:
        objective: what is made of records.
        clip: l2 bound of a record's gradient.
        sampling: of the batch.
        grid: where gradients are added; None without a guarantee, where they are added as they are.
        capacity: what is drawn from a group at most, and the number of rows that are worked on whatever is drawn.
    """

    objective: Objective[Parameters, Records]
    clip: float
    sampling: PoissonSteps
    grid: GradientGrid | None
    capacity: int

    def __post_init__(self) -> None:
        if self.grid is not None and self.capacity > self.grid.capacity:
            raise ValueError(f"a group of {self.capacity} records does not fit a grid for {self.grid.capacity}")


def batch_sum(
    step: DescentStep[Parameters, Records], parameters: Parameters, groups: Groups, inclusion: Array, keys: Array
) -> Parameters:
    """Draw a Poisson batch of ``groups`` of records, clip each gradient, add: private, and not noised yet.

    ``inclusion`` (k, n) are uniform uint32, one for each record of each group, used for nothing else; ``keys`` (k, 2)
    are what the model draws its own random numbers from: fresh, and told to nobody.

    Returns whole steps of the grid, int32 modulo 2^32; without a grid real numbers.

    *Formal guarantee.* One record moves the sum by at most ``grid.sensitivity`` steps of the grid, and is part of it
    with the probability of ``step.sampling``, given that ``inclusion`` and ``keys`` are fresh and nobody else's: one
    record less moves those behind it to other places, which have other random numbers.
    """

    def one(part: tuple[Array, Array, Array, Array]) -> Parameters:
        codes, records, words, key = part
        rows, mask = step.sampling.draw(words, records, step.capacity)
        batch = step.objective.prepare(codes[rows], key)
        if step.grid is None:
            return clipped_sum(step.objective.loss, parameters, batch, mask, step.clip)
        return whole_sum(step.objective.loss, parameters, batch, mask, step.grid)

    parts = (groups.codes, groups.records, inclusion, keys)
    if len(groups.codes) == 1:  # a public number
        return one(jax.tree.map(lambda x: x[0], parts))
    kind = jnp.float32 if step.grid is None else jnp.int32
    start = jax.tree.map(lambda p: jnp.zeros(p.shape, kind), parameters)
    return lax.scan(lambda so_far, part: (jax.tree.map(jnp.add, so_far, one(part)), None), start, parts)[0]


def noised(whole: Parameters, words: NoiseWords, grid: GradientGrid) -> Parameters:
    """Whole sums with discrete Gaussian noise of ``grid.scale``, modulo 2^32.

    *Formal guarantee.* The noise is worth ``grid.noise_multiplier`` sensitivities: one step of ``PoissonSteps.event``,
    given that ``words`` are fresh.
    """
    return jax.tree.map(jnp.add, whole, noise_like(whole, words, grid.stride))


def opened(whole: Parameters, grid: GradientGrid) -> Parameters:
    """What noised whole sums stand for, float32; post-processing."""
    return jax.tree.map(lambda numbers: numbers.astype(jnp.float32) * grid.step, whole)


def gradient_sum(
    step: DescentStep[Parameters, Records], parameters: Parameters, groups: Groups, draws: Draws
) -> Parameters:
    """One noised gradient sum over a Poisson batch of ``groups`` of records; without a grid, without noise.

    *Formal guarantee.* Those of :func:`batch_sum` and :func:`noised` together: only what is noised, in whole numbers,
    is made real.
    """
    summed = batch_sum(step, parameters, groups, draws.inclusion, draws.batches)
    return summed if step.grid is None else opened(noised(summed, draws.noise, step.grid), step.grid)


def compiled(
    training: DpSgd[Carry, Parameters], step: DescentStep[Parameters, Records]
) -> Callable[[Carry, Groups, Draws, int], Carry]:
    """``run(carry, groups, draws, count) -> carry``: the first ``count`` steps of ``draws`` in one compiled loop."""

    def one(groups: Groups, draws: Draws, i: Array, carry: Carry) -> Carry:
        now = jax.tree.map(lambda x: lax.dynamic_index_in_dim(x, i, keepdims=False), draws)
        return training.updated(carry, gradient_sum(step, training.parameters(carry), groups, now), now.update)

    def run(carry: Carry, groups: Groups, draws: Draws, count: int) -> Carry:
        return lax.fori_loop(0, count, partial(one, groups, draws), carry)

    return jax.jit(run)
