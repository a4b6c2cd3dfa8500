"""The normal numbers added to gradients: their distribution, tails included, and their independence per leaf."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from sfumato.privacy.gradients import noise
from sfumato.privacy.gradients.noise import gaussian_like, standard_normal

KEY = jnp.asarray([12, 34], jnp.uint32)


def test_follows_the_normal_distribution():
    drawn = np.asarray(jax.jit(standard_normal, static_argnums=1)(KEY, 400_000), np.float64)
    assert stats.kstest(drawn, "norm").pvalue > 1e-3
    assert abs(drawn.std() - 1) < 4 / np.sqrt(2 * len(drawn))


@pytest.mark.parametrize("bits", [0, 1, 2, 200, 2**16, 2**24, 2**31, 2**32 - 2, 2**32 - 1])
def test_is_the_inverse_of_the_normal_distribution_also_far_out(monkeypatch, bits):
    monkeypatch.setattr(noise, "threefry_2x32", lambda key, count: jnp.full(count.shape, bits, jnp.uint32))
    found = float(standard_normal(KEY, 1)[0])
    wanted = stats.norm.isf(((bits >> 1) + 0.5) / 2**32) * (1 if bits & 1 else -1)
    assert found == pytest.approx(wanted, rel=2e-3, abs=2e-4)


def test_leaves_get_their_own_noise():
    drawn = gaussian_like({"a": jnp.zeros((50, 40)), "b": jnp.zeros(2000)}, KEY, 3.0)
    a, b = np.asarray(drawn["a"]).ravel(), np.asarray(drawn["b"])
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.1
    assert 2.8 < a.std() < 3.2
