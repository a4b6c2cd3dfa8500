"""Gaussian noise for gradients, inside compiled steps: Threefry bits, the inverse of the normal distribution."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

Tree = TypeVar("Tree")

# Giles 2010, "Approximating the erfinv function", single precision: the centre and the tail.
_CENTRE = (
    2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087,
    -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
)  # fmt: skip
_TAIL = (
    -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
    -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
)  # fmt: skip

_LANES = 512
_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def threefry(key: Array, counters: Array) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds (Salmon et al. 2011) of the blocks (counter, 0): two arrays of random uint32.

    The rounds are written out, so that they and what uses the bits compile to one pass over memory: twice as fast as
    ``jax.extend.random.threefry_2x32``, with which a test compares it.
    """
    keys = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(0x1BD11BDA))
    x, y = counters + keys[0], jnp.broadcast_to(keys[1], counters.shape)
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = ((y << rotation) | (y >> (32 - rotation))) ^ x
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def standard_normal(key: Array, size: int) -> Array:
    """``size`` normal numbers, float32, from a raw key of two uint32.

    They are made whole, in a multiple of ``_LANES``, before anything is done to them: fused with what comes after, or
    in an odd number, XLA does not use vector registers inside a loop, which is five to ten times slower.
    """
    blocks = -(-size // (2 * _LANES)) * _LANES
    one, other = threefry(key, jnp.arange(blocks, dtype=jnp.uint32))
    return lax.optimization_barrier(jnp.concatenate([_normal(one), _normal(other)]))[:size]


def _normal(bits: Array) -> Array:
    """The normal quantile of 32 random bits, one for the sign, so that the tails reach 6.3 standard deviations.

    A uniform number in single precision would end at 5.4.
    """
    tail = ((bits >> 1).astype(jnp.float32) + 0.5) * 2.0**-32
    away = -jnp.log(4 * tail * (1 - tail))
    near = away < 5
    offset = jnp.where(near, away - 2.5, jnp.sqrt(away) - 3)
    scale = jnp.zeros_like(offset)
    for centre, far in zip(_CENTRE, _TAIL, strict=True):
        scale = scale * offset + jnp.where(near, centre, far)
    magnitude = (1 - 2 * tail) * scale * math.sqrt(2)
    return jnp.where(bits & 1, magnitude, -magnitude)


def gaussian_like(tree: Tree, key: Array, deviation: float | Array) -> Tree:
    """Independent noise of standard ``deviation`` for every number of ``tree``, of its structure and shapes."""
    leaves, structure = jax.tree.flatten(tree)
    ends = list(accumulate(leaf.size for leaf in leaves))
    drawn = deviation * standard_normal(key, ends[-1])
    parts = zip(jnp.split(drawn, ends[:-1]), leaves, strict=True)
    return jax.tree.unflatten(structure, [part.reshape(leaf.shape) for part, leaf in parts])
