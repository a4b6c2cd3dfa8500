"""Gaussian noise for gradients, inside compiled steps: Threefry bits, the inverse of the normal distribution."""

from __future__ import annotations

import math
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.random import threefry_2x32

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


def standard_normal(key: Array, size: int) -> Array:
    """``size`` normal numbers, float32, from a raw key of two uint32.

    All 32 bits are used, one for the sign, so that the tails reach 6.3 standard deviations; a uniform number in single
    precision would end at 5.4 (Threefry-2x32, 20 rounds: Salmon et al. 2011).
    """
    bits = threefry_2x32(key, jnp.arange(size, dtype=jnp.uint32))
    tail = ((bits >> 1).astype(jnp.float32) + 0.5) * 2.0**-32
    away = -jnp.log(4 * tail * (1 - tail))
    near = away < 5
    offset = jnp.where(near, away - 2.5, jnp.sqrt(away) - 3)
    scale = jnp.full_like(offset, 0)
    for centre, far in zip(_CENTRE, _TAIL, strict=True):
        scale = scale * offset + jnp.where(near, centre, far)
    size_of = (1 - 2 * tail) * scale * math.sqrt(2)
    return jnp.where(bits & 1, size_of, -size_of)


def gaussian_like(tree: Tree, key: Array, deviation: float | Array) -> Tree:
    """Independent noise of standard ``deviation`` for every number of ``tree``, of its structure and shapes."""
    leaves, structure = jax.tree.flatten(tree)
    drawn = standard_normal(key, sum(leaf.size for leaf in leaves)) * deviation
    ends = [sum(leaf.size for leaf in leaves[: i + 1]) for i in range(len(leaves))]
    parts = jnp.split(drawn, ends[:-1])
    return jax.tree.unflatten(structure, [p.reshape(leaf.shape) for p, leaf in zip(parts, leaves, strict=True)])
