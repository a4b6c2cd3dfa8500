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
from jaxtyping import Float, Integer

from sfumato.privacy.gradients.arithmetic import SINGLE, Factors

BLOCK = 128
"""Records whose products are added in single precision before blocks are added: it bounds the rounding of a sum."""

SPREAD = math.sqrt(2)
"""How much longer than the clip the parts of a record's gradient may be together, where each is added up by itself.

Parts at right angles are so much longer than their sum, as those of two independent draws nearly are: such a record is
clipped no further. A larger number asks for more noise, a smaller one clips more.
"""
FEW = 4
"""Positions of a layer whose parts are added up by themselves: with more, the bound on rounding grows too much."""

_CANCELLED = SINGLE.cancelled


@dataclass(frozen=True)
class Contraction:
    """One parameter's per-record gradients, not formed.

    Attributes:
        squared_norms: (B,)
        weigh: weights (B,) -> weighted sum.
        count: the same for weights in steps, rounded to whole numbers, int32 (modulo 2^32).
        terms: the most numbers that were added up for one squared norm.
        rounding: how far rounding moves ``count`` at most between neighbours, in l2 norm and steps.
        positions: parts of a record's gradient that ``count`` adds up by themselves.
        amounts: (B,) upper bound of the squared sum of their lengths; None for one part, whose length is the norm.
        factors: what is multiplied, for arithmetic that is not single precision; None: it is no outer product.
    """

    squared_norms: Float[Array, " batch"]
    weigh: Callable[[Array], Array]
    count: Callable[[Array], Array]
    terms: int
    rounding: float
    positions: int = 1
    amounts: Array | None = None
    factors: Factors | None = None

    @property
    def counted_norms(self) -> Float[Array, " batch"]:
        """Squared norms (B,) to clip by before ``count``: they keep the parts below ``SPREAD`` clips too."""
        if self.amounts is None:
            return self.squared_norms
        return jnp.maximum(self.squared_norms, self.amounts / SPREAD**2)

    def reshaped(self, shape: tuple[int, ...]) -> Contraction:
        """The same with sums of another shape."""
        return replace(self, weigh=lambda w: self.weigh(w).reshape(shape), count=lambda w: self.count(w).reshape(shape))


def rounded(x: Array) -> Array:
    """To the nearest whole number, int32; a magnitude of 2^31 and more is not meant to occur."""
    return jnp.rint(x).astype(jnp.int32)


squares = SINGLE.squares


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
    found = formed(signals.reshape(signals.shape[0], -1, *shape).sum(axis=1))
    return replace(found, factors=Factors(None, signals)) if signals.ndim == len(shape) + 1 == 2 else found


def product(inputs: Float[Array, "batch ... inputs"], signals: Float[Array, "batch ... outputs"]) -> Contraction:
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
        factors=Factors(inputs, signals),
    )


def hot_product(inputs: Float[Array, "batch rows"], signals: Float[Array, "batch width"], ones: int) -> Contraction:
    """A table (V, E) of which so many rows are taken, given as one-hots (B, V); signals (B, E)."""
    return replace(_outer(inputs, signals), factors=Factors(inputs, signals, ones))


def _by_blocks(left: Array, right: Array) -> Array:
    """``left.T @ right`` over (B, ...) records, int32: blocks of them in single precision, added up, rounded once."""
    blocks = [slice(i, i + BLOCK) for i in range(0, right.shape[0], BLOCK)]
    return rounded(reduce(jnp.add, [left[b].T @ right[b] for b in blocks]))


def _gram(inputs: Array, signals: Array) -> Contraction:
    pairs = jnp.einsum("bti,bsi->bts", inputs, inputs) * jnp.einsum("bto,bso->bts", signals, signals)
    lost = _CANCELLED * squares(inputs) * squares(signals)
    positions, entries = inputs.shape[1], inputs.shape[2] * signals.shape[2]
    parts = Contraction(
        jnp.maximum(pairs.sum(axis=(1, 2)), 0) + lost,
        lambda w: jnp.einsum("bti,bto->io", kept(inputs, w), weighted(signals, w)),
        lambda w: _by_positions(kept(inputs, w), weighted(signals, w)),
        inputs.shape[1] ** 2 + inputs.shape[2] + signals.shape[2],
        math.sqrt(entries),
    )
    if positions <= FEW:
        lengths = [jnp.sqrt(squares(inputs[:, t]) * squares(signals[:, t])) for t in range(positions)]
        return replace(parts, positions=positions, amounts=reduce(jnp.add, lengths) ** 2 * (1 + _CANCELLED))
    return replace(parts, count=lambda w: _formed_by_blocks(kept(inputs, w), weighted(signals, w)))


def _by_positions(left: Array, right: Array) -> Array:
    """``_by_blocks`` of (B, T, ...) records, each position by itself before they are added up, rounded once."""
    blocks = [slice(i, i + BLOCK) for i in range(0, right.shape[0], BLOCK)]
    return rounded(
        reduce(jnp.add, [reduce(jnp.add, [left[b, t].T @ right[b, t] for t in range(left.shape[1])]) for b in blocks])
    )


def _formed_by_blocks(left: Array, right: Array) -> Array:
    """The same for many positions: the gradients of a block of records are formed, one block after the other."""
    blocks = [slice(i, i + BLOCK) for i in range(0, right.shape[0], BLOCK)]
    return rounded(reduce(jnp.add, [jnp.einsum("bti,bto->bio", left[b], right[b]).sum(axis=0) for b in blocks]))


def bag(rows: Integer[Array, "batch columns"], signals: Float[Array, "batch width"], table: int) -> Contraction:
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


def tokens(rows: Integer[Array, "batch ..."], signals: Float[Array, "batch ... width"], table: int) -> Contraction:
    """A table (V, E) of which ``rows`` (B, T) are looked up, one output per position; signals (B, T, E)."""
    if rows.shape[1] == 1:
        return bag(rows, signals[:, 0], table)
    equal = (rows[:, :, None] == rows[:, None, :]).astype(signals.dtype)
    pairs = jnp.sum(equal * jnp.einsum("bte,bse->bts", signals, signals), axis=(1, 2))
    lost = _CANCELLED * rows.shape[1] * squares(signals)

    def scattered(each: Array) -> Array:
        return jnp.zeros((table, signals.shape[2]), each.dtype).at[rows].add(each)

    return Contraction(
        jnp.maximum(pairs, 0) + lost,
        lambda w: scattered(weighted(signals, w)),
        lambda w: scattered(rounded(weighted(signals, w))),
        rows.shape[1] ** 2 + signals.shape[2],
        rows.shape[1] * math.sqrt(signals.shape[2]) / 2,
    )
