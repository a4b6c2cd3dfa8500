"""Clipping in fixed point: weights over seven powers of ten, what is left out, and how far a record moves a sum."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.privacy.gradients.naive import naive_sum

from sfumato.encoding.domain import Domain
from sfumato.privacy.gradients import OneHots, fixed_sensitivity, fixed_sum
from sfumato.privacy.gradients.arithmetic import FIXED, Factors
from sfumato.trust.mpc.engine.small_network import SmallNetwork, small_objective

DOMAIN = Domain.of(["a", "b"], [4, 6])
OBJECTIVE = small_objective(DOMAIN)


def factors(norms: np.ndarray, wide: int = 16, box: float = 4.0) -> list[Factors]:
    """Two layers whose norms are together as given before numbers are clamped to a box, in units."""
    rng = np.random.default_rng(0)
    parts = []
    for share in (0.8, 0.6):
        directions = rng.normal(size=(2, len(norms), wide))
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        both = (directions * np.sqrt(norms * share)[:, None]).clip(-box, box)
        parts.append(Factors(*(jnp.asarray(np.rint(x * 2**18) / 2**18, jnp.float32) for x in both)))
    return parts


def clipped_norms(parts: list[Factors], weights: np.ndarray) -> np.ndarray:
    """What is left of each record's gradient."""
    squared = [np.sum(np.float64(p.inputs) ** 2, 1) * np.sum(np.float64(p.signals) ** 2, 1) for p in parts]
    return np.sqrt(sum(squared)) * weights


@pytest.mark.parametrize("clip", [0.25, 1.0])
def test_no_record_is_left_longer_than_the_clip_and_few_lose_more_than_half_a_percent(clip: float) -> None:
    norms = 10 ** np.random.default_rng(1).uniform(-1, 6, 100_000)
    parts = factors(norms)
    weights = np.asarray(FIXED.weights(parts, jnp.ones(len(norms)), clip), np.float64)
    left, own = clipped_norms(parts, weights), clipped_norms(parts, np.ones(len(norms)))
    assert left.max() <= clip
    assert np.median(1 - left / np.minimum(own, clip)) <= 5e-3
    assert (weights > 0).all()


def test_a_gradient_longer_than_a_weight_can_say_is_counted_nowhere() -> None:
    norms = 10 ** np.random.default_rng(1).uniform(2, 6, 10_000)
    parts = factors(norms, box=1e4)
    weights = np.asarray(FIXED.weights(parts, jnp.ones(len(norms)), 1.0), np.float64)
    left = clipped_norms(parts, weights)
    assert left.max() <= 1
    assert (weights[norms < 1000] > 0).all()
    assert not weights[norms > 1030].any()


def test_weights_take_an_inverse_root_and_never_a_root_or_a_quotient() -> None:
    """On shares a root is 0 from 2^17, and a quotient wrong: in the open nothing would tell."""
    x = jax.ShapeDtypeStruct((8, 4), jnp.float32)
    text = str(
        jax.jit(lambda a, d: FIXED.weights([Factors(a, d), Factors(None, d)], jnp.ones(8), 1.0))
        .lower(x, x)
        .compiler_ir()
    )
    assert text.count("stablehlo.rsqrt") == 1
    assert not {word for word in ("sqrt", "divide") if f"stablehlo.{word} " in text}


def test_padding_and_who_is_absent_are_counted_nowhere() -> None:
    parts = factors(np.array([0.5, 2.0, 3.0]))
    weights = FIXED.weights(parts, jnp.array([1.0, 0.0, 1.0]), 1.0)
    np.testing.assert_array_equal(np.asarray(weights) > 0, [True, False, True])


def test_a_clip_that_no_weight_can_say_is_refused() -> None:
    with pytest.raises(ValueError, match="at most at 4"):
        FIXED.weights(factors(np.ones(2)), jnp.ones(2), 5.0)


def test_a_clipped_sum_is_the_naive_one_and_says_how_far_a_record_moves_it() -> None:
    rng = np.random.default_rng(2)
    network = SmallNetwork(10, jax.random.key(1))
    codes = jnp.asarray(np.stack([rng.integers(0, s, 9) for s in DOMAIN.sizes], 1))
    rows, mask = OBJECTIVE.prepare(codes, jax.random.PRNGKey(0)), jnp.arange(9) != 4
    wanted = naive_sum(OBJECTIVE.loss, network, rows, mask, 1.0)
    found = jax.jit(lambda hot: fixed_sum(OBJECTIVE.loss, network, OneHots(hot, 2), mask.astype(jnp.float32), 1.0))(
        rows.hot
    )
    for f, w in zip(jax.tree.leaves(found), wanted, strict=True):
        np.testing.assert_allclose(f, w, atol=2e-3 * max(np.abs(v).max() for v in wanted))
    units = fixed_sensitivity(OBJECTIVE.loss, network, rows, 1.0)
    each = 2 * 8 + 8, 64**2 * 10 + 10  # squared inputs times signals: table and bias of the first layer, of the last
    assert units == pytest.approx(2**18 + sum(each) ** 0.5 + 2 * (10 * 8 + 8 + 8 * 10 + 10) ** 0.5)


def test_a_clip_is_of_each_record_and_not_of_their_sum() -> None:
    """Many records that pull one way add up to as many clips."""
    network = SmallNetwork(10, jax.random.key(1))
    rows = OBJECTIVE.prepare(jnp.zeros((50, 2), jnp.int32), jax.random.PRNGKey(0))
    found = jax.jit(lambda hot: fixed_sum(OBJECTIVE.loss, network, OneHots(hot, 2), jnp.ones(50), 1.0))(rows.hot)
    length = np.sqrt(sum(float(jnp.sum(leaf**2)) for leaf in jax.tree.leaves(found)))
    assert 49.5 < length <= 50
