"""Sums in whole steps: near the exact ones, and one record never moves them by more than the grid says."""

from __future__ import annotations

from dataclasses import replace

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.privacy.gradients.naive import naive_sum, quick

from sfumato.errors import TooMuchNoise
from sfumato.privacy.gradients import (
    Constant,
    Dense,
    Embedding,
    EmbeddingSum,
    GradientGrid,
    Needs,
    Tape,
    clipped,
    needs,
    whole_sum,
)
from sfumato.privacy.gradients.contractions import product
from sfumato.privacy.gradients.grid import plan
from sfumato.privacy.gradients.tape import contractions

WIDTH = 24


class Network(eqx.Module):
    """All layers that shipped models train on records."""

    first: EmbeddingSum
    label: Embedding
    middle: Dense
    last: Dense
    shift: Constant

    def __init__(self, key):
        a, b, c, d, e = jax.random.split(key, 5)
        self.first, self.label = EmbeddingSum(30, WIDTH, a), Embedding(4, WIDTH, b)
        self.middle, self.last, self.shift = Dense(WIDTH, WIDTH, c), Dense(WIDTH, 3, d), Constant((WIDTH,), e)

    def __call__(self, rows, tape):
        h = self.first(rows, tape) + self.label(rows[:, :1] % 4, tape)[:, 0] + self.shift(len(rows), tape)
        return self.last(jnp.tanh(self.middle(jnp.tanh(h), tape)), tape)


def loss(network, records, tape):
    rows, scale = records
    return scale * jnp.sum((network(rows, tape) - 1) ** 2, axis=1)


NETWORK = Network(jax.random.key(0))


def some(n, seed=0, spread=3.0):
    rng = np.random.default_rng(seed)
    rows = jnp.asarray(rng.integers(0, 30, (n, 5)), jnp.int32)
    return rows, jnp.asarray(10.0 ** rng.uniform(-spread, spread, n), jnp.float32)


def grid(n, exponent=18, clip=0.5):
    return GradientGrid(clip, exponent, 1, n, needs(loss, NETWORK, some(n)))


def steps(records, mask, of):
    summed = quick(lambda n, r, m: whole_sum(loss, n, r, m, of))(NETWORK, records, mask)
    return np.concatenate([np.asarray(x, np.int64).ravel() for x in jax.tree.leaves(summed)])


@pytest.mark.parametrize("clip", [1e-3, 0.5, 1e3])
def test_sums_are_the_exact_ones_within_the_bound(clip):
    """Against gradients formed one by one, clipped and added in float64."""
    records, mask, of = some(384), jnp.asarray(np.random.default_rng(1).random(384) < 0.8), grid(384, clip=clip)
    wanted = np.concatenate([g.ravel() for g in naive_sum(loss, NETWORK, records, mask, clip)])
    gap = np.linalg.norm(steps(records, mask, of) * of.step - wanted)
    margin = 2.0**-16 * float(mask.sum()) * clip  # what is kept free at the very bound, of each record
    single = 384 * clip * 2e-6  # of the gradients themselves, which single precision computes
    assert gap <= of.slack * clip + of.needs.rounding * of.step + margin + single


@pytest.mark.parametrize("exponent", [8, 18])
@pytest.mark.parametrize("others", ["mixed", "alike"])
def test_one_record_more_moves_the_sum_by_at_most_the_sensitivity(exponent, others):
    """Also where all others move to the next place, and where all pull alike, so that errors add up."""
    n = 512
    rows, scale = some(n, 2)
    if others == "alike":
        rows, scale = jnp.tile(rows[:1], (n, 1)), jnp.full(n, 1e3, jnp.float32)
    of, tightest = grid(n, exponent), 0.0
    mask = jnp.ones(n, bool)
    without = steps((jnp.roll(rows, -1, 0), jnp.roll(scale, -1)), mask.at[-1].set(False), of)
    for seed in range(3):
        new_rows, _ = some(1, 50 + seed)
        with_it = steps((rows.at[0].set(new_rows[0]), scale.at[0].set(1e4)), mask, of)
        tightest = max(tightest, np.linalg.norm(with_it - without) / of.sensitivity)
    assert 0.85 < tightest <= 1


def _linear(vector):
    """A loss whose gradient is ``vector``, whatever the record."""
    return lambda constant, records, tape: jnp.sum(constant(records.shape[0], tape) * vector, axis=1) + 0 * records


def test_rounding_moves_a_sum_by_as_much_as_is_charged_and_no_more():
    """The planted bug: a sensitivity without its term for rounding is too small for this record."""
    constant, vector = Constant((1000,), jax.random.key(0)), jnp.ones(1000)
    of = GradientGrid(1.0, 4, 1, 128, needs(_linear(vector), constant, jnp.zeros(128)))
    moved = quick(lambda c: whole_sum(_linear(vector), c, jnp.zeros(1), jnp.ones(1, bool), of))(constant).value
    assert 2.0**4 * (1 + of.slack) < np.linalg.norm(np.asarray(moved)) <= of.sensitivity


def test_whole_sums_are_exact_in_any_order_of_groups():
    records, of, mask = some(512, 4), grid(256), jnp.ones(256, bool)
    halves = [jax.tree.map(lambda x, s=s: x[s], records) for s in (slice(256), slice(256, 512))]
    one, two = (steps(half, mask, of) for half in halves)
    assert (one + two == two + one).all()
    assert (steps(halves[0], mask, of) == one).all()


@pytest.mark.parametrize("n", [128, 384, 1024])
def test_a_record_is_seen_alike_wherever_it_stands(n):
    """What the proof takes for granted: losses and norms of records do not depend on their places, to the last bit."""
    records = some(n, 5)

    @jax.jit
    def seen(r):
        leaves = jax.tree.leaves(NETWORK)
        with jax.default_matmul_precision("highest"):
            losses, parts = contractions(lambda tape: loss(NETWORK, r, tape), leaves)
        return losses, sum(p.squared_norms for p in parts)

    order = np.random.default_rng(6).permutation(n)
    for place, moved in zip(seen(records), seen(jax.tree.map(lambda x: x[order], records)), strict=True):
        np.testing.assert_array_equal(np.asarray(place)[order], np.asarray(moved))


def test_products_are_asked_for_in_full_precision():
    text = str(jax.make_jaxpr(lambda r: whole_sum(loss, NETWORK, r, jnp.ones(128, bool), grid(128)))(some(128)))
    assert text.count("dot_general") == text.count("precision=(Precision.HIGHEST, Precision.HIGHEST)") > 4
    planted = str(jax.make_jaxpr(lambda r: jax.grad(lambda n: loss(n, r, Tape()).sum())(NETWORK))(some(128)))
    assert "HIGHEST" not in planted


def test_what_a_network_needs_follows_from_its_shapes():
    found = needs(loss, NETWORK, some(128))
    assert found.numbers == sum(x.size for x in jax.tree.leaves(NETWORK))
    assert found.terms == 2 * WIDTH + 8
    matrices = WIDTH * WIDTH + WIDTH * 3
    biases = WIDTH + WIDTH + 3 + WIDTH
    assert found.rounding == pytest.approx(np.sqrt(matrices + biases / 4 + 25 * WIDTH / 4 + WIDTH / 4))


class Several(eqx.Module):
    """Layers that are used at several positions: a table, and a matrix in the two ways that its sum is formed."""

    table: Embedding
    matrix: Dense

    def __init__(self, key):
        one, two = jax.random.split(key)
        self.table, self.matrix = Embedding(6, WIDTH * 4, one), Dense(WIDTH * 4, WIDTH * 4, two)

    def __call__(self, rows, tape):
        return self.matrix(jnp.tanh(self.table(rows, tape)), tape)


def several_loss(network, records, tape):
    rows, scale = records
    return scale * jnp.sum((network(rows, tape) - 1) ** 2, axis=(1, 2))


def several_steps(network, rows, scale, mask, of):
    summed = quick(lambda r, s, m: whole_sum(several_loss, network, (r, s), m, of))(rows, scale, mask)
    return np.concatenate([np.asarray(x, np.int64).ravel() for x in jax.tree.leaves(summed)])


@pytest.mark.parametrize("positions", [2, 5])
@pytest.mark.parametrize("exponent", [8, 18])
def test_layers_at_several_positions_keep_to_the_sensitivity(positions, exponent):
    """Two parts are added up by themselves, the gradients of five are formed; others move to the next place."""
    n, rng, network = 256, np.random.default_rng(3), Several(jax.random.key(1))
    rows = jnp.asarray(rng.integers(0, 6, (n, positions)), jnp.int32)
    scale = jnp.asarray(10.0 ** rng.uniform(-3, 3, n), jnp.float32)
    of = GradientGrid(0.5, exponent, 1, n, needs(several_loss, network, (rows, scale)))
    assert of.needs.positions == (2 if positions == 2 else 1)
    mask = jnp.ones(n, bool)
    without = several_steps(network, jnp.roll(rows, -1, 0), jnp.roll(scale, -1), mask.at[-1].set(False), of)
    with_it = several_steps(network, rows, scale.at[0].set(1e4), mask, of)
    assert 0.7 < np.linalg.norm(with_it - without) / of.sensitivity <= 1
    wanted = np.concatenate(
        [g.ravel() for g in naive_sum(several_loss, network, (rows, jnp.minimum(scale, 1.0)), mask, 0.5)]
    )
    found = several_steps(network, rows, jnp.minimum(scale, 1.0), mask, of) * of.step
    assert np.linalg.norm(found) <= np.linalg.norm(wanted) * 1.01 + of.needs.rounding * of.step
    assert found @ wanted > 0.9 * np.linalg.norm(found) * np.linalg.norm(wanted)


def test_parts_that_cancel_are_clipped_by_their_lengths():
    """The planted bug: clipped by the norm of their sum alone, parts a thousand times the clip would be added up."""
    gap, width = 2.0**-10, WIDTH * 4
    x = jnp.tile(jnp.asarray([[1.0], [-1.0 + gap]])[None], (128, 1, width))
    layer = Dense(width, width, jax.random.key(0))
    layer = eqx.tree_at(lambda d: d.bias, layer, None)  # whose gradient would be all that counts

    def linear(layer, records, tape):
        y = tape.layer(records, records @ layer.weight, ((layer.weight, product),))
        return 1e3 * jnp.sum(y, axis=(1, 2))

    of = GradientGrid(1.0, 18, 1, 128, needs(linear, layer, x))
    mask = jnp.zeros(128, bool).at[0].set(True)
    moved = quick(lambda d: whole_sum(linear, d, x, mask, of))(layer).weight
    shrunk = gap / (2 - gap) * np.sqrt(2)  # the sum of the parts, over their lengths, over what these are allowed
    np.testing.assert_allclose(np.linalg.norm(np.asarray(moved, np.float64)), shrunk * 2.0**18, rtol=0.3)


@pytest.mark.parametrize("multiplier", [0.2, 1.0, 12.0, 300.0])
@pytest.mark.parametrize("groups", [1, 3, 60])
def test_a_plan_gives_the_noise_that_was_asked_for(multiplier, groups):
    of = plan(multiplier, 0.7, groups, 1024, Needs(400_000, 500, 640.0))
    assert of.noise_multiplier >= multiplier
    assert of.scale**2 - 4 == pytest.approx((of.noise_multiplier * of.sensitivity) ** 2)
    assert of.sensitivity > 2.0**of.exponent + 640
    assert groups * 1024 * 2.0**of.exponent <= 2.0**30
    assert of.slack < 0.01


def test_noise_beyond_32_bits_is_refused():
    with pytest.raises(TooMuchNoise, match="more than 32 bits hold"):
        plan(1e6, 1.0, 1, 256, Needs(400_000, 500, 640.0))


def test_a_record_that_is_not_clipped_is_caught(monkeypatch):
    """The planted bug, seen by the test of sensitivity's own figure."""
    monkeypatch.setattr(clipped, "clip_weights", lambda squared, losses, mask, clip: jnp.where(mask, 1.0, 0.0))
    of = grid(128)
    moved = steps((some(1)[0], jnp.full(1, 1e4, jnp.float32)), jnp.ones(1, bool), replace(of, exponent=4))
    assert np.linalg.norm(moved) > of.sensitivity * 2.0 ** (4 - of.exponent)
