"""From what one layer saw and what came back to it: squared norms of per-record gradients, and their weighted sum.

A parameter's gradient for record *b* is a small product of the layer's input ``a[b]`` and of the signal ``d[b]`` that
back-propagation returns to its output. Both its norm and the weighted sum over records follow from ``a`` and ``d``
without forming the per-record gradient (Goodfellow 2015, arXiv 1510.01799; Li et al. 2022, arXiv 2110.05679;
book-keeping: Bu et al. 2023, arXiv 2210.00038); where forming it is cheaper (convolutions) it is formed for the
current chunk only.

The sum comes in single precision (:attr:`Contraction.weigh`) or in whole numbers (:attr:`Contraction.count`): weights
are then in steps of a grid, amounts of each record are rounded where that is cheap, and products of ``BLOCK`` records
where it is not.

*Formal guarantee.* ``squared_norms`` never falls below the squared norm of what ``weigh`` adds for that record: sums
of squares carry the largest amount that single precision may have flushed to zero, and Gram sums the largest amount
that cancellation may have lost. So ``weigh(min(1, clip / norm))`` moves by at most ``clip`` when one record is added.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import jax.numpy as jnp
from jax import Array

BLOCK = 128
"""Records whose products are added in single precision before blocks are added: it bounds the rounding of a sum."""

_FLUSHED = 2e-38  # a square below this may be lost to zero in single precision
_CANCELLED = 1e-6  # a sum of signed products may be wrong by this part of its absolute sum


@dataclass(frozen=True)
class Contraction:
    """One parameter's per-record gradients, not formed.

    Attributes:
        squared_norms: (B,)
        weigh: weights (B,) -> weighted sum.
        count: the same for weights in steps, rounded to whole numbers, int32 (modulo 2^32); None where the rounding has
            no proven bound: layers that are used at several positions, and not held.
        terms: the most numbers that were added up for one squared norm.
        rounding: how far rounding moves ``count`` at most between neighbours, in l2 norm and steps.
    """

    squared_norms: Array
    weigh: Callable[[Array], Array]
    count: Callable[[Array], Array] | None
    terms: int
    rounding: float

    def reshaped(self, shape: tuple[int, ...]) -> Contraction:
        """The same with sums of another shape."""
        count = self.count
        return replace(
            self,
            weigh=lambda w: self.weigh(w).reshape(shape),
            count=None if count is None else lambda w: count(w).reshape(shape),
        )


def rounded(x: Array) -> Array:
    """To the nearest whole number, int32; a magnitude of 2^31 and more is not meant to occur."""
    return jnp.rint(x).astype(jnp.int32)


def squares(x: Array) -> Array:
    """Upper bound of the squared l2 norm of each record's entries, (B, ...) -> (B,); tight to rounding."""
    flat = x.reshape(x.shape[0], -1)
    return jnp.sum(flat * flat, axis=1) + flat.shape[1] * _FLUSHED


def kept(x: Array, weights: Array) -> Array:
    """``x`` with every record of weight zero replaced by zeros, so that its NaN and infinities cannot spread."""
    return jnp.where(_along(weights, x) > 0, x, jnp.zeros((), x.dtype))


def weighted(x: Array, weights: Array) -> Array:
    """Each record of ``x`` times its weight; exactly zero where the weight is zero."""
    return kept(_along(weights, x) * x, weights)


def _along(weights: Array, x: Array) -> Array:
    return weights.reshape(weights.shape + (1,) * (x.ndim - 1))


def formed(gradients: Array) -> Contraction:
    """Per-record gradients that are small enough to be held, (B, *shape)."""
    return Contraction(
        squares(gradients),
        lambda w: jnp.sum(weighted(gradients, w), axis=0),
        lambda w: jnp.sum(rounded(weighted(gradients, w)), axis=0),
        gradients[0].size,
        math.sqrt(gradients[0].size) / 2,
    )


def total(signals: Array, shape: tuple[int, ...]) -> Contraction:
    """A bias of ``shape`` added at every position: the record's gradient is the sum of its signals."""
    return formed(signals.reshape(signals.shape[0], -1, *shape).sum(axis=1))


def product(inputs: Array, signals: Array) -> Contraction:
    """A matrix (I, O) applied to ``inputs`` (B, I) or (B, T, I), with signals (B, O) or (B, T, O).

    One position: |a|^2 |d|^2. Several: the Gram sum over pairs of positions where that is cheaper than the per-record
    product itself (T (I + O) <= I O), else the per-record products, held for this chunk.
    """
    if inputs.ndim == 2:
        return _outer(inputs, signals)
    positions, width, height = inputs.shape[1], inputs.shape[2], signals.shape[2]
    if positions * (width + height) <= width * height:
        return _gram(inputs, signals)
    return held(jnp.einsum("bti,bto->bio", inputs, signals))


def held(gradients: Array) -> Contraction:
    """Per-record gradients of many entries, (B, *shape), summed by one product with the weights."""
    flat = gradients.reshape(gradients.shape[0], -1)
    shape = gradients.shape[1:]
    return Contraction(
        squares(flat),
        lambda w: (w @ kept(flat, w)).reshape(shape),
        lambda w: _by_blocks(w, kept(flat, w)).reshape(shape),
        flat.shape[1],
        math.sqrt(flat.shape[1]),
    )


def _outer(inputs: Array, signals: Array) -> Contraction:
    return Contraction(
        squares(inputs) * squares(signals),
        lambda w: kept(inputs, w).T @ weighted(signals, w),
        lambda w: _by_blocks(kept(inputs, w), weighted(signals, w)),
        inputs.shape[1] + signals.shape[1],
        math.sqrt(inputs.shape[1] * signals.shape[1]),
    )


def _by_blocks(left: Array, right: Array) -> Array:
    """``left.T @ right`` over (B, ...) records, int32: blocks of them in single precision, added up, rounded once."""
    blocks = [slice(i, i + BLOCK) for i in range(0, right.shape[0], BLOCK)]
    return rounded(reduce(jnp.add, [left[b].T @ right[b] for b in blocks]))


def _gram(inputs: Array, signals: Array) -> Contraction:
    pairs = jnp.einsum("bti,bsi->bts", inputs, inputs) * jnp.einsum("bto,bso->bts", signals, signals)
    lost = _CANCELLED * squares(inputs) * squares(signals)
    return Contraction(
        jnp.maximum(pairs.sum(axis=(1, 2)), 0) + lost,
        lambda w: jnp.einsum("bti,bto->io", kept(inputs, w), weighted(signals, w)),
        None,
        inputs.shape[1] ** 2 + inputs.shape[2] + signals.shape[2],
        math.inf,
    )


def bag(rows: Array, signals: Array, table: int) -> Contraction:
    """A table (V, E) of which ``rows`` (B, T) are looked up and summed; signals (B, E).

    A row looked up m times has gradient m d, so the squared norm is |d|^2 times the number of equal pairs. In whole
    numbers it has m times the rounded d.
    """
    pairs = jnp.sum(rows[:, :, None] == rows[:, None, :], axis=(1, 2)).astype(signals.dtype)

    def scattered(each: Array) -> Array:
        spread = jnp.broadcast_to(each[:, None], (*rows.shape, signals.shape[1]))
        return jnp.zeros((table, signals.shape[1]), each.dtype).at[rows].add(spread)

    return Contraction(
        pairs * squares(signals),
        lambda w: scattered(weighted(signals, w)),
        lambda w: scattered(rounded(weighted(signals, w))),
        signals.shape[1] + 1,
        rows.shape[1] * math.sqrt(signals.shape[1]) / 2,
    )


def tokens(rows: Array, signals: Array, table: int) -> Contraction:
    """A table (V, E) of which ``rows`` (B, T) are looked up, one output per position; signals (B, T, E)."""
    if rows.shape[1] == 1:
        return bag(rows, signals[:, 0], table)
    equal = (rows[:, :, None] == rows[:, None, :]).astype(signals.dtype)
    pairs = jnp.sum(equal * jnp.einsum("bte,bse->bts", signals, signals), axis=(1, 2))
    lost = _CANCELLED * rows.shape[1] * squares(signals)

    def weigh(weights: Array) -> Array:
        return jnp.zeros((table, signals.shape[2]), signals.dtype).at[rows].add(weighted(signals, weights))

    terms = rows.shape[1] ** 2 + signals.shape[2]
    return Contraction(jnp.maximum(pairs, 0) + lost, weigh, None, terms, math.inf)
