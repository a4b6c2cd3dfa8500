"""Layers whose per-record gradients can be clipped without being formed. None mixes records.

Every layer is called as ``layer(x, tape)`` with the records on axis 0. With the plain :class:`Tape` it is an ordinary
layer. There is no batch normalisation: a statistic of the batch would make one record's gradient depend on another's.
"""

from __future__ import annotations

from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float, Key

from sfumato.privacy.gradients.contractions import Contraction, bag, held, hot_product, product, tokens, total
from sfumato.privacy.gradients.convolve import convolve, kernel_gradients
from sfumato.privacy.gradients.tape import Tape

_LEAST_VARIANCE = 1e-5
"""Added to a variance before its root is divided by: the usual number of group normalisation."""


class Dense(eqx.Module):
    """An affine map of the last axis: (B, I) -> (B, O), or (B, T, I) -> (B, T, O) at every position."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]

    def __init__(self, inputs: int, outputs: int, key: Key[Array, ""], scale: float = 1.0) -> None:
        self.weight = _normal(key, (inputs, outputs), inputs, scale)
        self.bias = jnp.zeros(outputs)

    def __call__(self, x: Float[Array, "batch ... inputs"], tape: Tape) -> Float[Array, "batch ... outputs"]:
        """Apply; x has two or three axes."""
        bias = partial(_bias, shape=self.bias.shape)
        return tape.layer(x, x @ self.weight + self.bias, ((self.weight, product), (self.bias, bias)))


class Convolution(eqx.Module):
    """A square convolution with zero padding ``size // 2``: (B, H, W, I) -> (B, ceil(H / stride), ..., O)."""

    weight: Float[Array, "size size inputs outputs"]
    bias: Float[Array, " outputs"]
    stride: int = eqx.field(static=True)

    def __init__(
        self, inputs: int, outputs: int, size: int, key: Key[Array, ""], *, stride: int = 1, scale: float = 1.0
    ) -> None:
        self.weight = _normal(key, (size, size, inputs, outputs), size * size * inputs, scale)
        self.bias = jnp.zeros(outputs)
        self.stride = stride

    def __call__(self, x: Float[Array, "batch height width inputs"], tape: Tape) -> Float[Array, "batch _ _ outputs"]:
        """Apply to images."""
        size = self.weight.shape[0]
        y = convolve(x, self.weight, self.stride)
        kernel = partial(_kernel, size=size, stride=self.stride)
        bias = partial(_bias, shape=self.bias.shape)
        return tape.layer(x, y + self.bias, ((self.weight, kernel), (self.bias, bias)))


class Embedding(eqx.Module):
    """One row of a table per position: integer rows (B, T) -> (B, T, E)."""

    table: Float[Array, "rows width"]

    def __init__(self, rows: int, width: int, key: Key[Array, ""], scale: float = 1.0) -> None:
        self.table = _normal(key, (rows, width), 1, scale)

    def __call__(self, rows: Array, tape: Tape) -> Array:
        """Look up."""
        rule = partial(tokens, table=self.table.shape[0])
        return tape.layer(rows, self.table[rows], ((self.table, rule),))


class OneHots(eqx.Module):
    """Records by one-hots, in which nothing is looked up by what they hold: what secret records come as.

    Attributes:
        hot: zeros, and a one at each row of a table that would be looked up.
        ones: how many there are of a record: public.
        sums: what a first layer makes of them but for its bias, where who holds them computed it; None: not yet.
    """

    hot: Float[Array, "batch rows"]
    ones: int = eqx.field(static=True)
    sums: Float[Array, "batch width"] | None = None


class EmbeddingSum(eqx.Module):
    """The sum of the looked-up rows, as a one-hot dense layer without its product: (B, T) -> (B, E).

    Of :class:`OneHots` (B, rows) it is that product, or what was computed of it before.
    """

    table: Float[Array, "rows width"]
    bias: Float[Array, " width"]

    def __init__(self, rows: int, width: int, key: Key[Array, ""], scale: float = 1.0) -> None:
        self.table = _normal(key, (rows, width), 1, scale)
        self.bias = jnp.zeros(width)

    def __call__(self, rows: Array | OneHots, tape: Tape) -> Array:
        """Look up and add."""
        bias = partial(_bias, shape=self.bias.shape)
        if isinstance(rows, OneHots):
            sums = rows.hot @ self.table if rows.sums is None else rows.sums
            rule = partial(hot_product, ones=rows.ones)
            return tape.layer(rows.hot, sums + self.bias, ((self.table, rule), (self.bias, bias)))
        y = jnp.sum(self.table[rows], axis=1) + self.bias
        return tape.layer(rows, y, ((self.table, partial(bag, table=self.table.shape[0])), (self.bias, bias)))


class GroupNorm(eqx.Module):
    """Normalises each record over groups of channels (Wu and He 2018); one group is layer normalisation over all axes.

    Takes (B, C), (B, T, C) or (B, H, W, C); learns a scale and a shift per channel.
    """

    scale: Array
    shift: Array
    groups: int = eqx.field(static=True)

    def __init__(self, channels: int, groups: int = 1) -> None:
        if channels % groups:
            raise ValueError(f"{channels} channels cannot be split into {groups} groups")
        self.scale, self.shift = jnp.ones(channels), jnp.zeros(channels)
        self.groups = groups

    def __call__(self, x: Array, tape: Tape) -> Array:
        """Normalise, scale, shift."""
        grouped = x.reshape(x.shape[0], -1, self.groups, x.shape[-1] // self.groups)
        centred = grouped - grouped.mean(axis=(1, 3), keepdims=True)
        spread = lax.rsqrt(jnp.mean(centred**2, axis=(1, 3), keepdims=True) + _LEAST_VARIANCE)
        unit = (centred * spread).reshape(x.shape)
        uses = ((self.scale, _scale), (self.shift, partial(_bias, shape=self.shift.shape)))
        return tape.layer(unit, unit * self.scale + self.shift, uses)


class Constant(eqx.Module):
    """A learnt array given to every record alike (positions, a query): -> (B, *shape)."""

    value: Array

    def __init__(self, shape: tuple[int, ...], key: Array, scale: float = 1.0) -> None:
        self.value = _normal(key, shape, 1, scale)

    def __call__(self, records: int, tape: Tape) -> Array:
        """Repeat for so many records."""
        y = jnp.broadcast_to(self.value, (records, *self.value.shape))
        return tape.layer(y, y, ((self.value, partial(_bias, shape=self.value.shape)),))


def _normal(key: Array, shape: tuple[int, ...], fan_in: int, scale: float) -> Array:
    return jax.random.normal(key, shape) * scale / jnp.sqrt(fan_in)


def _bias(inputs: Array, signals: Array, shape: tuple[int, ...]) -> Contraction:
    return total(signals, shape)


def _scale(unit: Array, signals: Array) -> Contraction:
    return total(unit * signals, unit.shape[-1:])


def _kernel(images: Array, signals: Array, size: int, stride: int) -> Contraction:
    """By Gram sums over the patches below each position where that is cheaper, else formed for this chunk."""
    records, height, width, channels = signals.shape
    positions, entries = height * width, size * size * images.shape[-1]
    if positions * (entries + channels) > entries * channels:
        return held(kernel_gradients(images, signals, size, stride))
    product_ = product(_patches(images, size, stride, height, width), signals.reshape(records, -1, channels))
    return product_.reshaped((size, size, images.shape[-1], channels))


def _patches(images: Array, size: int, stride: int, height: int, width: int) -> Array:
    """What the kernel sees at each output position: (B, H, W, I) -> (B, height * width, size * size * I)."""
    around = size // 2
    padded = jnp.pad(images, ((0, 0), (around, around), (around, around), (0, 0)))
    shifted = [
        padded[:, i : i + stride * (height - 1) + 1 : stride, j : j + stride * (width - 1) + 1 : stride]
        for i in range(size)
        for j in range(size)
    ]
    return jnp.concatenate(shifted, axis=-1).reshape(images.shape[0], height * width, -1)
