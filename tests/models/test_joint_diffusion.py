"""Diffusion with continuous numbers on a small table with a spike and missing values."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tests.privacy.gradients.naive import naive_sum, quick

from sfumato.encoding.domain import Axis, Domain
from sfumato.models import MODELS
from sfumato.models.diffusion import Diffusion, numbers
from sfumato.models.diffusion.joint import FittedJointDiffusion
from sfumato.models.model import ImpossibleCondition, Latent, RecordLoss
from sfumato.privacy.gradients import clipped_sum
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

DOMAIN = Domain((Axis("kind", 3), Axis("gain", 17, ordered=True, missing=16), Axis("hours", 12, ordered=True)))


def records(n: int = 4000) -> np.ndarray:
    """Gain is a spike at 0, else follows kind, or is missing; hours follow kind."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, n)
    gain = np.where(rng.random(n) < 0.6, 0, 4 * kind + rng.integers(1, 6, n))
    gain = np.where(rng.random(n) < 0.1, 16, gain)
    return np.stack([kind, gain, 3 * kind + rng.integers(0, 6, n)], axis=1).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted() -> FittedJointDiffusion:
    run = Ledger.open().begin(Guarantee(epsilon=3, delta=1e-6), "joint")
    setting = Central(Records.of(records(), DOMAIN), Budget(run))
    recipe = Diffusion(0.2, warm_steps=120, steps=8, numbers="continuous")
    model = recipe.fit(setting, target=None, progress=Silent())
    assert isinstance(model, FittedJointDiffusion)
    return model


def _far(one: np.ndarray, other: np.ndarray, column: int) -> float:
    size = DOMAIN.sizes[column]
    return 0.5 * np.abs(np.subtract(*(np.bincount(c[:, column], minlength=size) / len(c) for c in (one, other)))).sum()


def test_every_code_comes_back_from_its_ranks():
    scale = numbers.QuantileScale.of(DOMAIN, records())
    for i, column in enumerate(scale.columns):
        codes = np.flatnonzero(scale.chances[i])
        assert len(codes) == DOMAIN.sizes[column] - (DOMAIN.axes[column].missing is not None)
        np.testing.assert_array_equal(scale.codes(i, scale.quantiles(i, codes, 0.5)), codes)
        assert set(scale.codes(i, np.array([-40.0, 40.0]))) == {codes[0], codes[-1]}


def test_learns_spike_missing_and_what_goes_together(fitted):
    drawn, real = fitted.sample(4000, np.random.default_rng(1)), records()
    assert drawn.dtype == DOMAIN.code_dtype()
    for column in range(3):
        assert _far(drawn, real, column) < 0.08
    for kind in range(3):
        assert _far(drawn[drawn[:, 0] == kind], real[real[:, 0] == kind], 2) < 0.2


def test_conditions_on_numbers_and_categories(fitted):
    hours, gain = np.arange(12) >= 9, np.isin(np.arange(17), [0, 3, 16])
    drawn, real = fitted.sample(1500, np.random.default_rng(2), {1: gain, 2: hours}), records()
    assert hours[drawn[:, 2]].all()
    assert gain[drawn[:, 1]].all()
    alike = real[hours[real[:, 2]] & gain[real[:, 1]]]
    assert all(_far(drawn, alike, column) < 0.15 for column in range(3))
    assert set(fitted.sample(50, np.random.default_rng(2), {1: np.arange(17) == 16, 0: np.arange(3) == 1})[:, 1]) == {
        16
    }
    with pytest.raises(ImpossibleCondition):
        fitted.sample(1, np.random.default_rng(0), {2: np.zeros(12, bool)})


def test_a_point_leads_back_to_its_record(fitted):
    assert isinstance(fitted, Latent)
    every = np.stack([x.ravel() for x in np.meshgrid(*map(np.arange, DOMAIN.sizes), indexing="ij")], axis=1)
    codes = every[::3].astype(DOMAIN.code_dtype())
    np.testing.assert_array_equal(fitted.decode(fitted.encode(codes), np.random.default_rng(0)), codes)
    drawn = fitted.decode(np.random.default_rng(1).standard_normal((1500, 3)), np.random.default_rng(0))
    assert all(_far(drawn, records(), column) < 0.12 for column in range(3))


def test_saved_and_restored_it_draws_the_same(fitted):
    facts, arrays = fitted.state()
    again = MODELS["diffusion", "table"].recipe().restore(DOMAIN, facts, arrays)
    np.testing.assert_array_equal(*(m.sample(300, np.random.default_rng(3)) for m in (fitted, again)))
    with pytest.raises(ValueError, match="do not fit"):
        MODELS["diffusion", "table"].recipe().restore(DOMAIN, facts, {**arrays, "chances": arrays["chances"][:1]})
    with pytest.raises(ValueError, match="no column is a number"):
        MODELS["diffusion", "table"].recipe().restore(Domain((Axis("kind", 3),)), facts, arrays)
    with pytest.raises(ValueError, match="not codes or continuous"):
        Diffusion(numbers="real")


def test_the_loss_of_a_record_is_lower_for_likely_ones(fitted):
    assert isinstance(fitted, RecordLoss)
    usual, odd = records()[:500], records()[:500].copy()
    odd[:, 2] = 11 - odd[:, 2]
    losses = fitted.record_loss(usual)
    np.testing.assert_array_equal(losses, fitted.record_loss(usual))
    assert losses.mean() < fitted.record_loss(odd).mean()


def test_clipped_sums_are_the_naive_ones():
    scale = numbers.QuantileScale.of(DOMAIN, records())
    rng = np.random.default_rng(1)
    shapes = jax.eval_shape(partial(numbers.JointDenoiser, scale.layout.width, 3, 2), jax.random.key(0))
    network = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape) * 0.05, x.dtype), shapes)
    given = numbers.prepare(scale, jnp.asarray(records()[:6]), jax.random.key(2))
    mask, loss = jnp.asarray([True, True, False, True, True, True]), partial(numbers.loss, scale.layout)
    wanted = naive_sum(loss, network, given, mask, 0.3)
    found = quick(lambda n: clipped_sum(loss, n, given, mask, 0.3, 3))(network)
    for f, w in zip(jax.tree.leaves(found), wanted, strict=True):
        np.testing.assert_allclose(f, w, atol=2e-4 * max(np.abs(v).max() for v in wanted))
