"""DP-SGD on worst-case neighbours: sensitivity, independence of records, and a white-box audit of one step.

Each check is shown to catch a planted bug. Statistical checks raise a false alarm with probability 1e-3 at most.
"""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.privacy.gradients.naive import quick

from sfumato.auditing.attacks.audit_bounds import mu_lower_bound
from sfumato.privacy import dp_sgd
from sfumato.privacy.dp_sgd import DescentStep, Objective, gradient_sum
from sfumato.privacy.draws import Draws
from sfumato.privacy.gradients import Constant, Dense, clipped_sum, whole_sum
from sfumato.privacy.gradients.noise import NoiseWords
from sfumato.privacy.gradients.rare import NOWHERE
from sfumato.privacy.groups import Groups
from sfumato.privacy.sampling import PoissonSteps

SIGNIFICANCE = 1e-3
NOISE, CLIP = 2.0, 0.5


def _worst_case(codes, key):
    return codes.astype(jnp.float32)


def _pulls(parameters, records, tape):
    """The gradient of a record with code 1 is huge and along one axis; with code 0 there is none."""
    return -1e4 * jnp.sum(parameters(records.shape[0], tape) * records, axis=1)


PARAMETERS = Constant((1,), jax.random.key(0))
OBJECTIVE = Objective(PARAMETERS, _worst_case, _pulls)


def released(codes, runs, seed):
    """``runs`` independent answers to one full-batch step on ``codes``, along the axis that the target pulls."""
    rng = np.random.default_rng(seed)
    grid = OBJECTIVE.grid(1, NOISE, CLIP, 1, 128)
    groups = Groups(codes[None], jnp.asarray([len(codes)]))
    step = DescentStep(OBJECTIVE, CLIP, PoissonSteps(1.0, grid.noise_multiplier, grid.delta), grid, 128)

    def words(*shape):
        return jnp.asarray(rng.integers(0, 2**32, (runs, *shape)), jnp.uint32)

    def one(draws):
        return gradient_sum(step, PARAMETERS, groups, draws).value[0]

    rare = jnp.full((runs, 2, 1), NOWHERE, jnp.int32)  # one draw in 2^18, seen elsewhere
    noise = NoiseWords(words(1), words(1), rare, jnp.zeros_like(rare))
    return np.asarray(quick(jax.vmap(one))(Draws(words(1, len(codes)), noise, words(1, 2), words(2))))


def audit():
    """The bound and the claim."""
    without, with_one = jnp.zeros((4, 1), jnp.uint8), jnp.zeros((4, 1), jnp.uint8).at[2].set(1)
    inside, outside = -released(with_one, 40_000, 1), -released(without, 40_000, 2)
    bound = mu_lower_bound(inside, outside, np.random.default_rng(0), SIGNIFICANCE)
    return bound, 1 / NOISE


def test_one_step_costs_what_is_claimed_and_not_much_less():
    bound, claim = audit()
    assert 0.8 * claim < bound <= claim


def test_halved_noise_is_caught(monkeypatch):
    right = dp_sgd.noise_like
    monkeypatch.setattr(dp_sgd, "noise_like", lambda tree, words, stride: right(tree, words, stride // 2))
    bound, claim = audit()
    assert bound > claim


def test_removed_clipping_is_caught(monkeypatch):
    def unclipped(loss, parameters, records, mask, grid):
        return whole_sum(loss, parameters, records, mask, replace(grid, clip=3 * CLIP, exponent=grid.exponent + 1))

    monkeypatch.setattr(dp_sgd, "whole_sum", unclipped)
    bound, claim = audit()
    assert bound > claim


def influence(loss, parameters, records, other):
    """How far the sum's change on adding the last record depends on what the first one holds; 0 when independent."""
    mask, without = jnp.ones(len(records), bool), jnp.ones(len(records), bool).at[-1].set(False)

    @quick
    def change(x):
        a = clipped_sum(loss, parameters, x, mask, 1.0)
        b = clipped_sum(loss, parameters, x, without, 1.0)
        return jax.tree.map(lambda p, q: p - q, a, b)

    gaps = jax.tree.map(lambda a, b: jnp.sum((a - b) ** 2), change(records), change(records.at[0].set(other)))
    return float(jnp.sqrt(sum(jax.tree.leaves(gaps))))


def _layer_loss(layer, x, tape):
    return jnp.sum(jnp.tanh(layer(x, tape)) ** 2, axis=1)


def _batch_normalised(layer, x, tape):
    y = layer(x, tape)
    return jnp.sum(jnp.tanh((y - y.mean(0)) / (y.std(0) + 0.1)) ** 2, axis=1)


@pytest.mark.parametrize(("loss", "independent"), [(_layer_loss, True), (_batch_normalised, False)])
def test_a_record_has_no_influence_on_another_and_a_batch_statistic_is_caught(loss, independent):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)
    found = influence(loss, Dense(3, 4, jax.random.key(0)), x, 50.0)
    assert (found < 1e-5) == independent
