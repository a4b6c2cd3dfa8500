"""Discrete Gaussian noise for gradients, inside compiled steps, from random words that are given.

x1 + m x2, where x1 and x2 come from one alias table, is a discrete Gaussian of scale S = SCALE sqrt(1 + m^2) up to a
factor of 1 +- 2 exp(-2 pi^2 t^2), t = SCALE / sqrt(1 + m^2) (Micciancio and Walter 2017; the proof stands in
``mechanisms.discrete_gaussian``): closer to 1 than 2**-111 for m up to ``STRIDES``.
"""

from __future__ import annotations

from itertools import accumulate
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from sfumato.privacy.gradients.alias import COLUMN_BITS, alias_table

Tree = TypeVar("Tree")
STRIDES = 1199
"""The largest m: t is 2.0 with it."""
SPARE = 16
"""Numbers of a step whose first 32 bits may leave a comparison open: each does with probability 2**-31.

Of 2**24 numbers, more than this many do with probability below 2**-160.
"""
LANES = 512
_COLUMNS = 1 << COLUMN_BITS


class NoiseWords(NamedTuple):
    """Uniform random words for the noise of one step, for nothing else; ``padded(d)`` of each of the first three.

    Attributes:
        columns: two columns of the table in each word.
        one: what is compared with the threshold of the first column.
        two: of the second.
        spare: (SPARE, 6), 96 bits more for each of the two comparisons, where 32 do not decide.
    """

    columns: Array
    one: Array
    two: Array
    spare: Array


def padded(numbers: int) -> int:
    """``numbers`` rounded up to whole lanes: XLA uses vector registers for these, and ten times the time without."""
    return -(-numbers // LANES) * LANES


def discrete_gaussian(words: NoiseWords, stride: int) -> Array:
    """As many draws of x1 + ``stride`` x2 as there are words, int32.

    *Formal guarantee.* Each draw is within 2**-110 in total variation of a discrete Gaussian of scale
    SCALE sqrt(1 + stride^2), and all are independent, for uniform independent ``words``: twice 2**-127 for the table,
    2**-111 for the convolution. A comparison that its first 32 bits leave open is made again with all 128.
    """
    table = alias_table()
    first, other = jnp.asarray(table.first), jnp.asarray(table.other)
    left = lax.bitcast_convert_type(words.columns & (_COLUMNS - 1), jnp.int32)
    right = lax.bitcast_convert_type(words.columns >> COLUMN_BITS, jnp.int32)
    x1, open1 = _drawn(first, other, left, words.one)
    x2, open2 = _drawn(first, other, right, words.two)
    value = x1 + stride * x2 - (1 + stride) * (_COLUMNS // 2)
    tagged = lax.optimization_barrier(2 * value + (open1 | open2).astype(jnp.int32))  # one pass gives both
    undecided = lax.reduce(tagged, jnp.int32(0), lax.bitwise_or, (0,)) & 1
    return lax.cond(undecided == 1, lambda x: _decided(x, words, stride), lambda x: x, tagged) >> 1


def _drawn(first: Array, other: Array, column: Array, word: Array) -> tuple[Array, Array]:
    """What a column gives, and whether its threshold's first 32 bits leave it open."""
    threshold = first.at[column].get(mode="promise_in_bounds")
    beyond = other.at[column].get(mode="promise_in_bounds").astype(jnp.int32)
    return jnp.where(word < threshold, column, beyond), word == threshold


def _decided(tagged: Array, words: NoiseWords, stride: int) -> Array:
    """``tagged`` with the values whose tag is set drawn again by all 128 bits."""
    tag, where = lax.top_k(tagged & 1, SPARE)
    columns = words.columns[where]
    x1 = _drawn_exactly(columns & (_COLUMNS - 1), words.one[where], words.spare[:, :3])
    x2 = _drawn_exactly(columns >> COLUMN_BITS, words.two[where], words.spare[:, 3:])
    exact = x1 + stride * x2 - (1 + stride) * (_COLUMNS // 2)
    return tagged.at[where].set(jnp.where(tag == 1, 2 * exact, tagged[where]))


def _drawn_exactly(column: Array, word: Array, rest: Array) -> Array:
    """What a column gives, by a word and the 96 bits after it, (n, 3)."""
    table = alias_table()
    below, equal = jnp.zeros(word.shape, bool), jnp.ones(word.shape, bool)
    thresholds = jnp.concatenate([jnp.asarray(table.first)[column][:, None], jnp.asarray(table.rest)[column]], axis=1)
    for i, part in enumerate([word, *rest.T]):
        below = below | (equal & (part < thresholds[:, i]))
        equal = equal & (part == thresholds[:, i])
    return jnp.where(below, column, jnp.asarray(table.other)[column]).astype(jnp.int32)


def noise_like(tree: Tree, words: NoiseWords, stride: int) -> Tree:
    """Independent draws for every number of ``tree``, int32, of its structure and shapes.

    They are made whole, in lanes, before anything is done to them: fused with each layer, they take ten times as long.
    """
    leaves, structure = jax.tree.flatten(tree)
    ends = list(accumulate(leaf.size for leaf in leaves))
    drawn = lax.optimization_barrier(discrete_gaussian(words, stride))[: ends[-1]]
    parts = zip(jnp.split(drawn, ends[:-1]), leaves, strict=True)
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in parts])
