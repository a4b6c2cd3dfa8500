"""A convolution and its gradients, each written as a forward convolution with channels last.

XLA's CPU compiler has fast convolutions for that one layout, and brings others into it outside of loops only: inside
``lax.scan``, where DP-SGD runs, the gradients that JAX derives took forty to a hundred times as long.
"""

from __future__ import annotations

from functools import partial
from typing import cast

import jax
import jax.numpy as jnp
from jax import Array, lax
from jaxtyping import Float

_LAYOUT = ("NHWC", "HWIO", "NHWC")


def convolve(
    images: Float[Array, "batch height width inputs"], kernel: Float[Array, "size size inputs outputs"], stride: int
) -> Float[Array, "batch _ _ outputs"]:
    """(B, H, W, I) by (k, k, I, O), zero padding ``k // 2``: (B, ceil(H / stride), ..., O), k odd."""
    return cast(Array, _convolve(images, kernel, stride))


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(images: Array, kernel: Array, stride: int) -> Array:
    half = kernel.shape[0] // 2
    around = [(half, half)] * 2
    return lax.conv_general_dilated(images, kernel, (stride, stride), around, dimension_numbers=_LAYOUT)


def kernel_gradient(images: Array, signals: Array, size: int, stride: int) -> Array:
    """The gradient (k, k, I, O) of the kernel, summed over the records."""
    before = size // 2
    after = [
        (before, size - 1 - before - n + stride * (m - 1) + 1)
        for n, m in zip(images.shape[1:3], signals.shape[1:3], strict=True)
    ]
    gradient = lax.conv_general_dilated(
        images.transpose(3, 1, 2, 0),
        signals.transpose(1, 2, 0, 3),
        (1, 1),
        after,
        rhs_dilation=(stride, stride),
        dimension_numbers=_LAYOUT,
    )
    return gradient.transpose(1, 2, 0, 3)


def kernel_gradients(
    images: Float[Array, "batch height width inputs"],
    signals: Float[Array, "batch _ _ outputs"],
    size: int,
    stride: int,
) -> Float[Array, "batch size size inputs outputs"]:
    """The same for each record alone, (B, k, k, I, O)."""

    def one(record: tuple[Array, Array]) -> Array:
        return kernel_gradient(record[0][None], record[1][None], size, stride)

    return lax.map(one, (images, signals))


def _forward(images: Array, kernel: Array, stride: int) -> tuple[Array, tuple[Array, Array]]:
    return convolve(images, kernel, stride), (images, kernel)


def _backward(stride: int, kept: tuple[Array, Array], signals: Array) -> tuple[Array, Array]:
    images, kernel = kept
    size = kernel.shape[0]
    before = size - 1 - size // 2
    around = [
        (before, n - stride * (m - 1) - 1 - before + size - 1)
        for n, m in zip(images.shape[1:3], signals.shape[1:3], strict=True)
    ]
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    back = lax.conv_general_dilated(
        signals, turned, (1, 1), around, lhs_dilation=(stride, stride), dimension_numbers=_LAYOUT
    )
    return back, kernel_gradient(images, signals, size, stride)


_convolve.defvjp(_forward, _backward)
