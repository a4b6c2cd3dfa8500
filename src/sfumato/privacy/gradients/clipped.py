"""The sum over a batch of clipped per-record gradients: the one private question of DP-SGD."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce
from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

from sfumato.privacy.gradients.arithmetic import FIXED, SINGLE, Factors
from sfumato.privacy.gradients.contractions import Contraction
from sfumato.privacy.gradients.grid import GradientGrid, Needs
from sfumato.privacy.gradients.tape import Tape, contractions

Parameters = TypeVar("Parameters")
"""A pytree; its floating arrays are learnt."""
Records = TypeVar("Records")
"""A pytree of arrays (B, ...)."""
Loss = Callable[[Parameters, Records, Tape], Array]
"""``loss(parameters, records, tape)``: (B,) losses, each of one record."""

clip_weights = SINGLE.weights


def clipped_sum(
    loss: Loss[Parameters, Records],
    parameters: Parameters,
    records: Records,
    mask: Array,
    clip: float | Array,
    chunk: int | None = None,
) -> Parameters:
    """Sum over records of ``g * min(1, clip / |g|)``, g the gradient of that record's loss, exact and never formed.

    Costs one forward and one backward pass and one product per layer, as an ordinary gradient does. Pure, with static
    shapes and no callback: it runs under ``jit``, ``scan`` and ``shard_map``, and lowers to StableHLO.

    Args:
        loss: ``loss(parameters, records, tape) -> (B,)``; parameters are used through the layers of this package only,
            and the loss of a record depends on no other record.
        parameters: a pytree; its floating arrays are learnt.
        records: a pytree of arrays (B, ...), e.g. rows and the random numbers drawn for them.
        mask: (B,) booleans; False for padding, which contributes zero.
        clip: the l2 bound, positive; 1e-6 to 1e6 is tested.
        chunk: records worked on at a time, a divisor of B; bounds the memory. None: all at once.

    Returns:
        A pytree like ``parameters``: the sum (not the mean), before any noise.

    Raises:
        ValueError: when traced: a parameter used by no layer, by two, or not directly; a chunk that does not divide B.

    | record | contributes |
    |---|---|
    | gradient norm at most ``clip`` | its gradient, less a factor 1 - 2^-16 at the very bound |
    | norm above ``clip``, however large | a vector of norm ``clip`` |
    | NaN or infinity in loss, norm or gradient | zero (it is not counted, and it leaves other records untouched) |
    | padding | zero |

    *Formal guarantee.* Adding or removing one record changes the result by at most ``clip`` in l2 norm, up to the
    rounding of the sum itself, whatever the record holds: each record's weight is computed from an upper bound of
    its norm, and weights of other records do not depend on it. With Gaussian noise of standard deviation
    ``noise_multiplier * clip`` one step is a ``PoissonSampledGaussian`` event when ``mask`` marks a Poisson sample.
    Nothing else may be released: losses, norms and the number of records in the sample are private.
    """
    if chunk is None or chunk == mask.shape[0]:
        return _clipped(loss, parameters, records, mask, clip)
    if mask.shape[0] % chunk:
        raise ValueError(f"a batch of {mask.shape[0]} cannot be worked on in chunks of {chunk}")
    split = jax.tree.map(lambda x: x.reshape(-1, chunk, *x.shape[1:]), (records, mask))
    learnt, fixed = eqx.partition(parameters, eqx.is_inexact_array)

    def add(so_far: Parameters, part: tuple[Records, Array]) -> tuple[Parameters, None]:
        this = _clipped(loss, eqx.combine(learnt, fixed), *part, clip)
        return jax.tree.map(jnp.add, so_far, eqx.filter(this, eqx.is_inexact_array)), None

    summed, _ = lax.scan(add, jax.tree.map(jnp.zeros_like, learnt), split)
    return eqx.combine(summed, fixed)


def _clipped(
    loss: Loss[Parameters, Records], parameters: Parameters, records: Records, mask: Array, clip: float | Array
) -> Parameters:
    with jax.default_matmul_precision("highest"):
        losses, parts, rebuilt = _traced(loss, parameters, records)
        weights = clip_weights(reduce(jnp.add, [p.squared_norms for p in parts]), losses, mask, clip)
        return rebuilt([part.weigh(weights) for part in parts])


def whole_sum(
    loss: Loss[Parameters, Records], parameters: Parameters, records: Records, mask: Array, grid: GradientGrid
) -> Parameters:
    """:func:`clipped_sum` of at most ``grid.capacity`` records in whole steps of ``grid``: int32, modulo 2^32.

    Takes and gives what :func:`clipped_sum` does, with ``grid.clip`` for the bound.

    *Formal guarantee.* Adding or removing one record changes the result by at most ``grid.sensitivity`` in l2 norm,
    whatever the record holds, also where that moves other records to other places; see :class:`GradientGrid`. Products
    of matrices are computed in full single precision, also on devices that would lower it.
    """
    with jax.default_matmul_precision("highest"):
        losses, parts, rebuilt = _traced(loss, parameters, records)
        weights = clip_weights(reduce(jnp.add, [p.counted_norms for p in parts]), losses, mask, grid.clip)
        return rebuilt([part.count(weights * grid.steps_per_unit) for part in parts])


def fixed_sum(
    loss: Loss[Parameters, Records],
    parameters: Parameters,
    records: Records,
    present: Float[Array, " batch"],
    clip: float,
) -> Parameters:
    """:func:`clipped_sum` on secret shares, in the fixed point of ``arithmetic.FIXED``; in the open, its twin.

    Takes and gives what that does, but for ``present`` (B,), ones and zeros: zeros for padding, and for who is absent.

    *Formal guarantee.* On shares, one record more moves the result by at most :func:`fixed_sensitivity` units, whatever
    it holds, as long as no number on the way leaves the ring: ``FixedPoint.weights``.
    """
    _, parts, rebuilt = _traced(loss, parameters, records)
    factors = _factors(parts)
    weights = FIXED.weights(factors, present, clip)
    return rebuilt([_weighed(one, weights) for one in factors])


def fixed_sensitivity(loss: Loss[Parameters, Records], parameters: Parameters, records: Records, clip: float) -> float:
    """How far one record moves :func:`fixed_sum`, in l2 norm and units; what it is given may be shapes."""
    found: list[Factors] = []

    def traced(parameters: Parameters, records: Records) -> Array:
        losses, parts, _ = _traced(loss, parameters, records)
        found.extend(_factors(parts))
        return losses

    jax.eval_shape(traced, parameters, records)
    return FIXED.sensitivity(clip, found)


def _factors(parts: list[Contraction]) -> list[Factors]:
    found = [part.factors for part in parts if part.factors is not None]
    if len(found) < len(parts):
        raise ValueError("a layer of this network cannot be clipped on shares: its gradients are no outer products")
    return found


def _weighed(one: Factors, weights: Float[Array, " batch"]) -> Array:
    signals = one.signals * weights[:, None]
    return jnp.sum(signals, axis=0) if one.inputs is None else one.inputs.T @ signals


def needs(loss: Loss[Parameters, Records], parameters: Parameters, records: Records) -> Needs:
    """What a grid for this network must allow for, by tracing alone: ``parameters`` and ``records`` may be shapes."""
    found: list[Contraction] = []

    def traced(parameters: Parameters, records: Records) -> Array:
        leaves = [leaf for leaf in jax.tree.leaves(parameters) if eqx.is_inexact_array(leaf)]
        losses, parts = contractions(lambda tape: loss(parameters, records, tape), leaves)
        found.extend(parts)
        return losses

    learnt, fixed = eqx.partition(parameters, _is_learnt)
    jax.eval_shape(lambda p, r: traced(eqx.combine(p, fixed), r), learnt, records)
    numbers = sum(leaf.size for leaf in jax.tree.leaves(learnt))
    rounding = math.sqrt(sum(part.rounding**2 for part in found))
    terms, positions = max(part.terms for part in found) + len(found), max(part.positions for part in found)
    return Needs(numbers, terms, rounding, positions)


def _is_learnt(leaf: object) -> bool:
    """Whether it is a floating array, or the shape of one."""
    shaped = isinstance(leaf, jax.ShapeDtypeStruct) and jnp.issubdtype(leaf.dtype, jnp.inexact)
    return shaped or eqx.is_inexact_array(leaf)


def _traced(
    loss: Loss[Parameters, Records], parameters: Parameters, records: Records
) -> tuple[Array, list[Contraction], Callable[[list[Array]], Parameters]]:
    """Losses (B,), contractions, and how sums become a tree like ``parameters``."""
    leaves, structure = jax.tree.flatten(parameters)
    learnt = [i for i, leaf in enumerate(leaves) if eqx.is_inexact_array(leaf)]
    losses, parts = contractions(lambda tape: loss(parameters, records, tape), [leaves[i] for i in learnt])

    def rebuilt(sums: list[Array]) -> Parameters:
        for i, one in zip(learnt, sums, strict=True):
            leaves[i] = one
        return jax.tree.unflatten(structure, leaves)

    return losses, parts, rebuilt
