"""The convolution's own gradients against those that JAX derives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from sfumato.privacy.gradients.convolve import convolve, kernel_gradients


@pytest.mark.parametrize(("side", "size", "stride"), [(6, 3, 1), (6, 3, 2), (7, 3, 2), (5, 1, 1), (7, 5, 2), (8, 5, 3)])
def test_gradients_are_those_of_jax(side, size, stride):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(3, side, side, 2)), jnp.float32)
    w = jnp.asarray(rng.normal(size=(size, size, 2, 4)), jnp.float32)

    def derived(x, w):
        around = [(size // 2, size // 2)] * 2
        return lax.conv_general_dilated(x, w, (stride, stride), around, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    y, wanted = jax.vjp(derived, x, w)
    found_y, found = jax.vjp(lambda x, w: convolve(x, w, stride), x, w)
    signals = jnp.asarray(rng.normal(size=y.shape), jnp.float32)
    np.testing.assert_allclose(np.asarray(found_y), np.asarray(y), atol=1e-5)
    for one, other in zip(found(signals), wanted(signals), strict=True):
        np.testing.assert_allclose(np.asarray(one), np.asarray(other), atol=1e-4)
    each = kernel_gradients(x, signals, size, stride)
    for b in range(3):
        alone = jax.vjp(derived, x[b : b + 1], w)[1](signals[b : b + 1])[1]
        np.testing.assert_allclose(np.asarray(each[b]), np.asarray(alone), atol=1e-4)
