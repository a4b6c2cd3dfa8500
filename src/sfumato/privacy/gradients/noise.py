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

from sfumato.privacy.gradients.alias import COLUMN_BITS, THRESHOLD_BITS, alias_table

Tree = TypeVar("Tree")
STRIDES = 1199
"""The largest m: t is 2.0 with it."""
LANES = 512
"""Numbers are drawn in multiples of so many: shapes that compile well."""
_COLUMNS = 1 << COLUMN_BITS
"""Of the alias table."""


class NoiseWords(NamedTuple):
    """What the noise of one step is made of, and nothing else.

    Attributes:
        one: uniform random words for x1, ``padded(d)``; 16 bits for the column, 16 for the comparison.
        two: for x2.
        where: (2, slots) int32, the places of draws that do not come from the table: of x1, and of x2. See ``rare``.
        column: (2, slots) int32, what takes their place.
    """

    one: Array
    two: Array
    where: Array
    column: Array


def padded(numbers: int) -> int:
    """``numbers`` rounded up to whole lanes: XLA uses vector registers for these, and ten times the time without."""
    return -(-numbers // LANES) * LANES


def discrete_gaussian(words: NoiseWords, stride: int) -> Array:
    """As many draws of x1 + ``stride`` x2 as there are words, int32.

    *Formal guarantee.* For independent uniform words and rare draws as ``rare.rare_draws`` makes them, d draws are
    together within d 2**-110 in total variation of independent discrete Gaussians of scale SCALE sqrt(1 + stride^2).
    Each adds twice 2**-127 for the tables and 2**-111 for the convolution; rare places and their number add
    slots 2**-126 for each draw, less than 2**-112.
    """
    x1 = _drawn(words.one, words.where[0], words.column[0])
    x2 = _drawn(words.two, words.where[1], words.column[1])
    return x1 + stride * x2 - (1 + stride) * (_COLUMNS // 2)


def _drawn(words: Array, where: Array, column: Array) -> Array:
    """Columns from the table, but for those that come from the rest of the law.

    One pass for each part: XLA uses vector registers for one look into a table, and not for two in one loop.
    """
    first = words & (_COLUMNS - 1)
    entries = jnp.asarray(alias_table()).at[lax.bitcast_convert_type(first, jnp.int32)].get(mode="promise_in_bounds")
    below = (words >> COLUMN_BITS) < (entries >> THRESHOLD_BITS)
    common = lax.optimization_barrier(jnp.where(below, first, entries & (_COLUMNS - 1)).astype(jnp.int32))
    return lax.optimization_barrier(common.at[where].set(column, mode="drop"))


def noise_like(tree: Tree, words: NoiseWords, stride: int) -> Tree:
    """Independent draws for every number of ``tree``, int32, of its structure and shapes.

    They are made whole, in lanes, before anything is done to them: fused with each layer, they take ten times as long.
    """
    leaves, structure = jax.tree.flatten(tree)
    ends = list(accumulate(leaf.size for leaf in leaves))
    drawn = lax.optimization_barrier(discrete_gaussian(words, stride))[: ends[-1]]
    parts = zip(jnp.split(drawn, ends[:-1]), leaves, strict=True)
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in parts])
