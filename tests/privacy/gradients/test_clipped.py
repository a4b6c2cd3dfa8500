"""Clipped sums against the naive ones, and the edge cases of the docstring's table."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.privacy.gradients.naive import QUICK, everything_loss, naive_sum, quick, random_network, random_records

from sfumato.privacy.gradients import Dense, Tape, clipped_sum


def _relative_gap(found, wanted):
    size = np.sqrt(sum((w**2).sum() for w in wanted))
    gap = np.sqrt(sum(((np.asarray(f) - w) ** 2).sum() for f, w in zip(found, wanted, strict=True)))
    return gap / max(size, 1e-30)


@pytest.mark.parametrize(("seed", "log_clip", "chunk"), [(0, 0, None), (1, -6, 2), (2, 6, 4), (4, -2, 8)])
def test_random_architectures_agree_with_vmap(seed, log_clip, chunk):
    rng = np.random.default_rng(seed)
    network, channels = random_network(seed)
    records = random_records(rng, 8, channels)
    mask = jnp.asarray(rng.random(8) < 0.8)
    clip = 10.0**log_clip
    found = quick(lambda n: clipped_sum(everything_loss, n, records, mask, clip, chunk))(network)
    wanted = naive_sum(everything_loss, network, records, mask, clip)
    assert _relative_gap(jax.tree.leaves(found), wanted) < 2e-4


class Line(eqx.Module):
    """Two dense layers, used at one position (x is (B, 3)) or at several (x is (B, T, 3))."""

    first: Dense
    second: Dense

    def __call__(self, x, tape):
        return self.second(jnp.tanh(self.first(x, tape)), tape)


def _line(width=5):
    a, b = jax.random.split(jax.random.key(3))
    return Line(Dense(3, width, a), Dense(width, 2, b))


def _line_loss(line, x, tape):
    y = line(x, tape)
    return jnp.sum(y.reshape(y.shape[0], -1) ** 2, axis=1)


_line_sum = jax.jit(clipped_sum, static_argnums=0, compiler_options=QUICK)


def _norm(tree):
    return float(np.sqrt(sum(np.sum(np.asarray(x, np.float64) ** 2) for x in jax.tree.leaves(tree))))


@pytest.mark.parametrize("clip", [1e-6, 1e-3, 1.0, 1e3, 1e6])
@pytest.mark.parametrize("positions", [1, 2, 40])
@pytest.mark.parametrize("size", [1e-30, 1e-19, 1e-8, 1.0, 1e8, 1e18, 1e25, 3e38])
def test_one_record_moves_the_sum_by_at_most_the_clip(clip, positions, size):
    x = np.random.default_rng(0).normal(size=(1, positions, 3)) * size
    x = jnp.asarray(np.clip(x, -3e38, 3e38), jnp.float32)
    x = x[:, 0] if positions == 1 else x
    alone = _line_sum(_line_loss, _line(), x, jnp.ones(1, bool), jnp.float32(clip))
    clip = float(np.float32(clip))
    assert _norm(alone) <= clip


def test_tiny_signals_times_huge_inputs_are_not_lost_to_underflow():
    def loss(layer, records, tape):
        x, scale = records
        return jnp.sum(layer(x, tape), axis=1) * scale

    layer = Dense(4, 4, jax.random.key(0))
    records = (jnp.full((1, 4), 1e18, jnp.float32), jnp.full(1, 1e-21, jnp.float32))
    truth = 1e18 * 1e-21 * 4
    alone = clipped_sum(loss, layer, records, jnp.ones(1, bool), 1e-6)
    assert truth > 1e-6
    assert _norm(alone) <= 1e-6


@pytest.mark.parametrize("positions", [2, 200])
def test_cancelling_positions_are_not_underestimated(positions):
    rng = np.random.default_rng(1)
    layer = Dense(64, 64, jax.random.key(0))

    def loss(layer, records, tape):
        x, d = records
        return jnp.sum(layer(x, tape) * d, axis=(1, 2))

    x = np.repeat(rng.normal(size=(1, 1, 64)), positions, 1) * 1e5
    d = rng.normal(size=(1, positions, 64)) * 1e5
    d[:, -1] = -d[:, :-1].sum(1) + 1e-3
    records = (jnp.asarray(x, jnp.float32), jnp.asarray(d, jnp.float32))
    assert _norm(clipped_sum(loss, layer, records, jnp.ones(1, bool), 1.0)) <= 1.0


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 3e38])
@pytest.mark.parametrize("positions", [1, 2, 40])
def test_a_poisoned_record_counts_nothing_and_spoils_nothing(poison, positions):
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4, positions, 3)).astype(np.float32)
    spoilt = x.copy()
    spoilt[1] = poison
    pick = (lambda a: jnp.asarray(a[:, 0])) if positions == 1 else jnp.asarray
    without = _line_sum(_line_loss, _line(), pick(x), jnp.asarray([True, False, True, True]), jnp.float32(0.1))
    with_it = _line_sum(_line_loss, _line(), pick(spoilt), jnp.ones(4, bool), jnp.float32(0.1))
    change = jax.tree.map(lambda a, b: a - b, with_it, without)
    assert np.isfinite(_norm(with_it))
    assert _norm(change) <= (0.1 if poison == 3e38 else 0)


@pytest.mark.parametrize("held", [jnp.nan, 1.0])
def test_padding_counts_nothing_even_when_it_holds_garbage(held):
    x = jnp.asarray(np.random.default_rng(3).normal(size=(4, 3)), jnp.float32)
    garbage = x.at[2:].set(held)
    mask = jnp.asarray([True, True, False, False])
    found = _line_sum(_line_loss, _line(), garbage, mask, 1.0)
    wanted = _line_sum(_line_loss, _line(), x[:2], jnp.ones(2, bool), 1.0)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_chunks_must_divide_the_batch():
    with pytest.raises(ValueError, match="batch of 4 cannot be worked on in chunks of 3"):
        clipped_sum(_line_loss, _line(), jnp.zeros((4, 3)), jnp.ones(4, bool), 1.0, chunk=3)


def _doubled(line):
    return eqx.tree_at(lambda m: m.first.weight, line, 2 * line.first.weight)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda line, x, tape: line.first(x, tape).sum(1), "used by no layer"),
        (
            lambda line, x, tape: line.second(line.second(line.first(x, tape), tape)[:, :1] * jnp.ones(5), tape).sum(1),
            "two layers",
        ),
        (
            lambda line, x, tape: eqx.tree_at(lambda m: m.first.bias, line, jnp.ones(5))(x, tape).sum(1),
            "not a parameter",
        ),
        (lambda line, x, tape: _line_loss(line, x, tape).sum(), "one number per record"),
    ],
)
def test_a_loss_that_would_lose_gradients_is_refused(loss, message):
    with pytest.raises(ValueError, match=message):
        clipped_sum(loss, _line(), jnp.ones((2, 3)), jnp.ones(2, bool), 1.0)


def test_lowers_to_stablehlo_without_callbacks():
    text = (
        jax.jit(lambda m, x, k: clipped_sum(_line_loss, m, x, k, 1.0))
        .lower(_line(), jnp.ones((4, 3)), jnp.ones(4, bool))
        .as_text()
    )
    assert "stablehlo" in text
    assert "custom_call" not in text


def test_the_plain_tape_keeps_nothing():
    assert _line()(jnp.ones((2, 3)), Tape()).shape == (2, 2)
    assert not vars(Tape())
