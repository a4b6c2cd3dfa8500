"""GAN, VAE and diffusion on a small table: what is learnt, conditions, saving, and what is spent."""

from __future__ import annotations

import numpy as np
import pytest

from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.models.diffusion import Diffusion
from sfumato.models.gan import Gan
from sfumato.models.model import FittedModel, ImpossibleCondition, Latent, Model, RecordLoss
from sfumato.models.vae import Vae
from sfumato.privacy.accounting import epsilon
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

DOMAIN = Domain.of(["a", "b", "c"], [4, 3, 5], ["c"])
GUARANTEE = Guarantee(epsilon=3, delta=1e-6)
RECIPES = {
    "gan": Gan(0.2, warm_steps=80, steps=16),
    "vae": Vae(0.2, warm_steps=80, steps=16),
    "diffusion": Diffusion(0.2, warm_steps=80, steps=16),
}


def records(n=4000):
    """b follows a, c follows b."""
    rng = np.random.default_rng(0)
    a = rng.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
    b = np.where(rng.random(n) < 0.8, a % 3, rng.integers(0, 3, n))
    return np.stack([a, b, np.clip(b + rng.integers(0, 3, n), 0, 4)], axis=1).astype(np.uint8)


@pytest.fixture(scope="module")
def fitted():
    """Each family once: (model, run)."""
    found = {}
    for name, recipe in RECIPES.items():
        run = Ledger.open().begin(GUARANTEE, name)
        setting = Central(Records.of(records(), DOMAIN), Budget(run))
        found[name] = recipe.fit(setting, target=1, progress=Silent()), run
    return found


def _table(codes, pair):
    sizes = [DOMAIN.sizes[i] for i in pair]
    return np.histogramdd(codes[:, pair], [np.arange(s + 1) for s in sizes])[0] / len(codes)


@pytest.mark.parametrize("name", RECIPES)
def test_learns_pairs_better_than_independence(fitted, name):
    model, _ = fitted[name]
    drawn = model.sample(8000, np.random.default_rng(1))
    assert drawn.dtype == DOMAIN.code_dtype()
    for pair in ([0, 1], [1, 2]):
        real, found = _table(records(), pair), _table(drawn, pair)
        independent = np.outer(real.sum(1), real.sum(0))
        assert np.abs(real - found).sum() < 0.4 * np.abs(real - independent).sum()


@pytest.mark.parametrize("name", RECIPES)
def test_spends_the_guarantee_and_no_more(fitted, name):
    model, run = fitted[name]
    assert sum(e.count for e in run.events if isinstance(e, PoissonSampledGaussian)) == 16
    assert 0.9 * GUARANTEE.epsilon < epsilon(run.events, GUARANTEE.delta) <= GUARANTEE.epsilon
    assert model.total == pytest.approx(4000, rel=0.05)


@pytest.mark.parametrize("name", RECIPES)
def test_conditions_hold_and_the_rest_follows(fitted, name):
    model, _ = fitted[name]
    only = np.array([False, False, True])
    drawn = model.sample(3000, np.random.default_rng(2), {1: only})
    assert set(drawn[:, 1]) == {2}
    real = records()
    wanted = np.bincount(real[real[:, 1] == 2, 2], minlength=5) / (real[:, 1] == 2).sum()
    assert np.abs(np.bincount(drawn[:, 2], minlength=5) / 3000 - wanted).sum() < 0.25
    with pytest.raises(ImpossibleCondition):
        model.sample(1, np.random.default_rng(0), {1: np.zeros(3, bool)})


@pytest.mark.parametrize("name", RECIPES)
def test_saved_and_restored_it_draws_the_same(fitted, name):
    model, _ = fitted[name]
    facts, arrays = model.state()
    again = MODELS[name, "table"].recipe().restore(DOMAIN, facts, arrays)
    assert isinstance(again, FittedModel)
    draws = [m.sample(500, np.random.default_rng(3)) for m in (model, again)]
    np.testing.assert_array_equal(*draws)
    assert again.total == model.total


@pytest.mark.parametrize("name", RECIPES)
def test_damaged_weights_are_refused(fitted, name):
    facts, arrays = fitted[name][0].state()
    spoilt = {**arrays, "parameter0": arrays["parameter0"][:-1]}
    with pytest.raises(ValueError, match="do not fit"):
        MODELS[name, "table"].recipe().restore(DOMAIN, facts, spoilt)
    with pytest.raises(ValueError, match="do not fit"):
        MODELS[name, "table"].recipe().restore(DOMAIN, facts, {k: v for k, v in arrays.items() if k != "parameter1"})


@pytest.mark.parametrize("name", RECIPES)
def test_sampling_nothing_and_by_seed(fitted, name):
    model, _ = fitted[name]
    assert model.sample(0, np.random.default_rng(0)).shape == (0, 3)
    one, other = (model.sample(50, np.random.default_rng(s)) for s in (1, 2))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", RECIPES)
def test_the_loss_of_a_record_is_repeatable_and_lower_for_likely_ones(fitted, name):
    model, _ = fitted[name]
    assert isinstance(model, RecordLoss)
    usual, odd = records()[:500], records()[:500].copy()
    odd[:, 1] = (odd[:, 1] + 1) % 3
    losses = model.record_loss(usual)
    assert losses.shape == (500,)
    np.testing.assert_array_equal(losses, model.record_loss(usual))
    np.testing.assert_allclose(model.record_loss(usual[:7]), losses[:7], rtol=1e-4)
    assert losses.mean() < model.record_loss(odd).mean() - 0.3


def test_the_loss_of_a_gan_is_the_likelihood_of_what_it_draws(fitted):
    """Of all 60 records: probabilities sum to one and agree with frequencies."""
    model, _ = fitted["gan"]
    every = np.stack([g.ravel() for g in np.meshgrid(*(np.arange(s) for s in DOMAIN.sizes), indexing="ij")], 1)
    law = np.exp(-model.record_loss(every.astype(np.uint8)))
    assert law.sum() == pytest.approx(1, abs=1e-3)
    drawn = model.sample(60_000, np.random.default_rng(4))
    counts = np.bincount(np.ravel_multi_index(drawn.T.astype(int), DOMAIN.sizes), minlength=60)
    assert np.abs(counts / 60_000 - law).sum() < 0.05


def test_a_saved_gan_holds_no_discriminator(fitted):
    """The generator has three dense layers, each a weight and a bias; the player that saw records is gone."""
    assert len(fitted["gan"][0].state()[1]) == 6


def test_the_recipes_are_registered():
    for name, recipe in RECIPES.items():
        assert isinstance(MODELS[name, "table"].recipe(), Model)
        assert type(MODELS[name, "table"].recipe()) is type(recipe)


def test_latent_points_of_a_vae_decode_to_what_they_came_from(fitted):
    model, _ = fitted["vae"]
    codes = records()[:400]
    points = model.encode(codes)
    again = model.decode(points, np.random.default_rng(0))
    assert (again[:, 1] == codes[:, 1]).mean() > 0.6
    between = model.decode(np.linspace(points[0], points[1], 5), np.random.default_rng(0))
    assert between.shape == (5, 3)


def test_latent_points_of_a_diffusion_are_normal_and_decode_exactly(fitted):
    model, _ = fitted["diffusion"]
    codes = records()[:400]
    points = model.encode(codes)
    np.testing.assert_array_equal(model.decode(points, np.random.default_rng(0)), codes)
    every = np.stack([x.ravel() for x in np.meshgrid(*map(np.arange, DOMAIN.sizes), indexing="ij")], axis=1)
    np.testing.assert_array_equal(model.decode(model.encode(every), np.random.default_rng(0)), every)
    drawn = model.decode(np.random.default_rng(1).standard_normal((4000, 3)), np.random.default_rng(0))
    assert np.abs(_table(drawn, [0, 1]) - _table(records(), [0, 1])).sum() < 0.2


@pytest.mark.parametrize("name", ["vae", "diffusion"])
def test_the_models_with_a_latent_space(fitted, name):
    assert isinstance(fitted[name][0], Latent)
    assert not isinstance(fitted["gan"][0], Latent)
