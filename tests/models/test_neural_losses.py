"""The three private losses: their clipped sums are the naive ones, so no record's gradient depends on another's."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.privacy.gradients.naive import naive_sum, quick

from sfumato.encoding.domain import Domain
from sfumato.models.diffusion import diffusion
from sfumato.models.gan import adversarial, networks
from sfumato.models.networks.layout import Layout
from sfumato.models.vae import vae
from sfumato.privacy.gradients import clipped_sum

LAYOUT = Layout(Domain.of(["a", "b", "c"], [4, 3, 5]))
CODES = np.stack([np.random.default_rng(0).integers(0, s, 6) for s in LAYOUT.domain.sizes], axis=1)
FAMILIES = {
    "vae": (
        partial(vae.TableAutoencoder, LAYOUT.width, 3),
        partial(vae.negative_elbo, LAYOUT, 1.0),
        partial(vae._prepare, LAYOUT),
    ),
    "diffusion": (
        partial(diffusion.TableDenoiser, LAYOUT.width, 3),
        partial(diffusion.order_agnostic_bound, LAYOUT),
        partial(diffusion._prepare, LAYOUT),
    ),
    "gan": (
        partial(networks.TableDiscriminator, LAYOUT.width, 3),
        adversarial.real_loss,
        lambda codes, key: LAYOUT.rows(codes),
    ),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_clipped_sums_are_the_naive_ones(family):
    build, loss, prepare = FAMILIES[family]
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(build, jax.random.key(0))
    network = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape) * 0.05, x.dtype), shapes)
    records = prepare(jnp.asarray(CODES), jax.random.key(2))
    mask = jnp.asarray([True, True, False, True, True, True])
    wanted = naive_sum(loss, network, records, mask, 0.3)
    found = quick(lambda n: clipped_sum(loss, n, records, mask, 0.3, 3))(network)
    for f, w in zip(jax.tree.leaves(found), wanted, strict=True):
        np.testing.assert_allclose(f, w, atol=2e-4 * max(np.abs(v).max() for v in wanted))


def test_probabilities_of_each_column_sum_to_one():
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(5, LAYOUT.width)) * 40, jnp.float32)
    chances = np.exp(np.asarray(LAYOUT.log_probabilities(outputs)))
    for start, size in zip(LAYOUT.offsets, LAYOUT.domain.sizes, strict=True):
        np.testing.assert_allclose(chances[:, start : start + size].sum(1), 1, rtol=1e-4)
