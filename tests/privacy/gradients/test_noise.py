"""The normal numbers added to gradients: their distribution, tails included, and their independence per leaf."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.extend.random import threefry_2x32
from scipy import stats
from tests.privacy.gradients.naive import quick

from sfumato.privacy.gradients import noise
from sfumato.privacy.gradients.noise import gaussian_like, standard_normal

KEY = jnp.asarray([12, 34], jnp.uint32)


def test_follows_the_normal_distribution():
    drawn = np.asarray(quick(lambda key: standard_normal(key, 400_000))(KEY), np.float64)
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert abs(drawn.std() - 1) < 4 / np.sqrt(2 * len(drawn))


def test_is_the_inverse_of_the_normal_distribution_also_far_out(monkeypatch):
    bits = np.array([0, 1, 2, 200, 2**16, 2**24, 2**31, 2**32 - 2, 2**32 - 1], np.uint64)
    monkeypatch.setattr(noise, "threefry", lambda key, count: (jnp.asarray(bits, jnp.uint32),) * 2)
    found = np.asarray(standard_normal(KEY, 2 * len(bits)))[: len(bits)]
    wanted = stats.norm.isf(((bits >> np.uint64(1)) + 0.5) / 2**32) * np.where(bits % 2, 1, -1)
    np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=2e-4)


def test_the_bits_are_threefry():
    counters = jnp.arange(1000, dtype=jnp.uint32)
    first, second = quick(noise.threefry)(KEY, counters)
    wanted = threefry_2x32(KEY, jnp.concatenate([counters, jnp.zeros_like(counters)]))
    np.testing.assert_array_equal(jnp.concatenate([first, second]), wanted)


def test_leaves_get_their_own_noise():
    shapes = {"a": jnp.zeros((50, 40)), "b": jnp.zeros(2000)}
    drawn = quick(lambda key: gaussian_like(shapes, key, 3.0))(KEY)
    a, b = np.asarray(drawn["a"]).ravel(), np.asarray(drawn["b"])
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1
    assert 2.8 < a.std() < 3.2
