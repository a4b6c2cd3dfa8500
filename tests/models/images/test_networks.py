"""GAN, VAE and diffusion of images: the warm start, conditions, saving, latent space, records by themselves."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from tests.models.images.population import DELTA, DOMAIN, LABEL, accuracy, begin, curator, digits

from sfumato.encoding.domain import Domain, Pixels
from sfumato.models import MODELS
from sfumato.models.diffusion import images as diffusion
from sfumato.models.diffusion.images import ImageDenoiser, ImageDiffusion
from sfumato.models.gan.adversarial import real_loss
from sfumato.models.gan.images import ImageDiscriminator, ImageGan
from sfumato.models.images.layout import ImageLayout
from sfumato.models.images.mixture import FittedMixture
from sfumato.models.model import FittedModel, ImpossibleCondition, Latent, RecordLoss
from sfumato.models.networks.space import Frames, Principal, points_of
from sfumato.models.networks.warm_start import warm_start
from sfumato.models.vae.images import ImageAutoencoder, ImageVae, negative_elbo
from sfumato.models.vae.linear import Linear, Nothing
from sfumato.privacy.accounting import epsilon
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.gradients import clipped_sum
from sfumato.privacy.ledger import Run
from sfumato.privacy.spending import Spending
from sfumato.progress import Silent

RECIPES = {
    "gan": ImageGan(0.2, steps=16),
    "vae": ImageVae(0.2, steps=16),
    "diffusion": ImageDiffusion(0.2, steps=16),
}
LAYOUT = ImageLayout(DOMAIN)


@pytest.fixture(scope="module")
def fitted() -> dict[str, tuple[FittedModel, Run]]:
    """Each family once at epsilon 10, warm."""
    found = {}
    for name, recipe in RECIPES.items():
        run = begin(10.0)
        found[name] = recipe.fit(curator(digits(), run), target=LABEL, progress=Silent()), run
    return found


@pytest.mark.parametrize("name", RECIPES)
def test_a_classifier_learns_from_the_images(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    drawn = fitted[name][0].sample(2000, np.random.default_rng(0))
    assert drawn.dtype == DOMAIN.code_dtype()
    assert accuracy(drawn, digits()) > 0.7


@pytest.mark.parametrize("name", RECIPES)
def test_spends_the_guarantee_on_moments_and_on_gradients(
    fitted: dict[str, tuple[FittedModel, Run]], name: str
) -> None:
    model, run = fitted[name]
    assert 0.95 * 10 < Spending.of(run.events).epsilon(DELTA) <= 10
    assert epsilon(run.events, DELTA) <= 10
    assert sum(e.count for e in run.events if isinstance(e, PoissonSampledGaussian)) == 16
    assert model.total == pytest.approx(1797, rel=0.05)


@pytest.mark.parametrize("name", RECIPES)
def test_conditions_hold_and_impossible_ones_are_refused(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model, rng = fitted[name][0], np.random.default_rng(0)
    assert (model.sample(50, rng, {LABEL: np.arange(10) == 3})[:, LABEL] == 3).all()
    with pytest.raises(ImpossibleCondition):
        model.sample(1, rng, {LABEL: np.zeros(10, bool)})


@pytest.mark.parametrize("name", RECIPES)
def test_a_saved_model_draws_the_same(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model = fitted[name][0]
    facts, arrays = model.state()
    again = MODELS[name, "images"].recipe().restore(DOMAIN, facts, arrays)
    one, other = (m.sample(40, np.random.default_rng(5)) for m in (model, again))
    np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="saved"):
        MODELS[name, "images"].recipe().restore(DOMAIN, facts, {**arrays, "parameter0": arrays["parameter0"][:1]})


def test_noise_free_training_without_a_warm_start_learns() -> None:
    recipe = ImageDiffusion(1.0, steps=100)
    model = recipe.fit(curator(digits(), begin(math.inf)), target=LABEL, progress=Silent())
    assert "mixture_means" not in model.state()[1]
    assert accuracy(model.sample(1000, np.random.default_rng(0)), digits()) > 0.5


@pytest.mark.parametrize("name", ["vae", "diffusion"])
def test_records_go_to_latent_points_and_back(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model, codes = fitted[name][0], digits()[:20]
    assert isinstance(model, Latent)
    points = model.encode(codes)
    assert points.shape == (20, model.latent)
    back = model.decode(points, np.random.default_rng(0))
    np.testing.assert_array_equal(back[:, LABEL], codes[:, LABEL])
    off = np.abs(back[:, :LABEL].astype(float) - codes[:, :LABEL]).mean()
    other = np.abs(np.roll(codes, 1, axis=0)[:, :LABEL].astype(float) - codes[:, :LABEL]).mean()
    assert off < (0.7 if name == "vae" else 0.25) * other
    points[:, -10:] = np.eye(10)[7]  # one factor alone: the class
    assert (model.decode(points, np.random.default_rng(0))[:, LABEL] == 7).all()


@pytest.mark.parametrize("name", ["vae", "diffusion"])
def test_explains_digits_better_than_noise(fitted: dict[str, tuple[FittedModel, Run]], name: str) -> None:
    model = fitted[name][0]
    assert isinstance(model, RecordLoss)
    noise = np.random.default_rng(0).integers(0, 256, (20, 65)).astype(np.uint8) % np.array([256] * 64 + [10])
    real, random = (model.record_loss(codes) for codes in (digits()[:200], noise.astype(np.uint8)))
    assert np.quantile(real, 0.8) < np.median(random)


@pytest.fixture(scope="module")
def known() -> FittedMixture:
    """A mixture without noise."""
    found = warm_start(curator(digits(), begin(math.inf)), 0.0, LABEL, Silent())
    assert isinstance(found, FittedMixture)
    return found


def test_points_are_the_coordinates_of_frames(known: FittedMixture) -> None:
    space = Principal.of(known)
    coordinates, _ = known.coordinates(8000, np.random.default_rng(0), np.ones(len(known.weights), bool))
    frames = jnp.asarray(2 * known.projection.images(coordinates) - 1)
    points = space.points(frames)
    spread, scale = np.asarray(points).std(axis=0), np.asarray(space.scale)
    np.testing.assert_allclose(spread[scale > 1.01 * scale.min()], 1, atol=0.1)
    assert spread.max() < 1.1, "flat directions are not blown up"
    np.testing.assert_allclose(np.asarray(space.frames(points)), np.asarray(frames), atol=1e-4)
    drawn, _ = space.mixture.draw(jax.random.key(0), 8000)
    one, other = (np.cov(np.asarray(x), rowvar=False) for x in (drawn, points))
    assert np.linalg.norm(one - other) < 0.25 * np.linalg.norm(other)


def test_the_mixture_denoises_as_bayes_says(known: FittedMixture) -> None:
    """Against the posterior mean by brute force over many draws, weighted by their likelihood."""
    space = Principal.of(known)
    points, classes = space.mixture.draw(jax.random.key(0), 60_000)
    sigma, label = 2.0, classes[0]
    noisy = points[0] + sigma * jax.random.normal(jax.random.key(1), (space.width,))
    own = points[(classes == label)[:, 0]]
    weights = jax.nn.softmax(-((noisy - own) ** 2).sum(axis=1) / (2 * sigma**2))
    found = space.mixture.denoise(noisy[None], jnp.full((1, 1), sigma), label[None])[0]
    assert float(jnp.abs(found - weights @ own).max()) < 6 * float(jnp.sqrt((weights**2).sum()))


def test_the_mixtures_density_is_that_of_its_draws(known: FittedMixture) -> None:
    """Against a sum over components by scipy."""
    space = Principal.of(known)
    points, classes = np.random.default_rng(0).normal(size=(5, space.width)), np.arange(5)
    sigma, labels = jnp.full((5, 1), 0.5), jnp.asarray(classes)[:, None]
    found = space.mixture.log_density(jnp.asarray(points, jnp.float32), sigma, labels)
    scale = np.asarray(space.scale, np.float64)
    covariances = 4 * np.einsum("gik,gil->gkl", known.roots, known.roots) / np.outer(scale, scale)
    covariances = covariances + 0.25 * np.eye(space.width)

    def log_density(point: np.ndarray, own: np.ndarray) -> float:
        places = zip(2 * known.means[own] / scale, covariances[own], strict=True)
        each = [multivariate_normal(mean, spread).logpdf(point) for mean, spread in places]
        return logsumexp(each, b=known.weights[own] / known.weights[own].sum())

    apart = found - np.array([log_density(p, known.classes == c) for p, c in zip(points, classes, strict=True)])
    np.testing.assert_allclose(apart, apart[0], atol=0.05)


def test_an_untrained_autoencoder_knows_its_posterior(known: FittedMixture) -> None:
    """Of points and of what is decoded from them, under one Gaussian: errors are as large as it says."""
    linear = Linear.of(Principal.of(known))
    latent = np.random.default_rng(0).standard_normal((20_000, linear.dimension))
    decoded = latent + np.asarray(linear.deviation) * np.random.default_rng(1).standard_normal(latent.shape)
    mean, log_variance = linear.encode(jnp.asarray(decoded))
    error = ((np.asarray(mean) - latent) ** 2).mean(axis=0)
    np.testing.assert_allclose(error / np.exp(np.asarray(log_variance)), 1, atol=0.1)


@pytest.mark.parametrize("name", RECIPES)
def test_an_untrained_network_draws_the_mixture(known: FittedMixture, name: str) -> None:
    """Mean and spread of every pixel: nothing is lost on the way to points and back."""
    recipe = replace(RECIPES[name], steps=1)
    model = recipe.fit(curator(digits(), begin(math.inf)), target=LABEL, progress=Silent())
    one, other = (m.sample(6000, np.random.default_rng(0))[:, :LABEL].astype(float) for m in (model, known))
    assert np.abs(one.mean(axis=0) - other.mean(axis=0)).max() < 8
    assert np.abs(one.std(axis=0) - other.std(axis=0)).max() < 8


def _others(name: str):
    """(network, loss, records) of one family, for twelve digits."""
    codes, key, space = jnp.asarray(digits()[:12]), jax.random.key(3), Frames(64)
    if name == "gan":
        return ImageDiscriminator(64, 10, key), real_loss, points_of(space, LAYOUT, codes)
    if name == "vae":
        nothing = Nothing()
        noise = jax.random.normal(key, (12, nothing.dimension))
        network = ImageAutoencoder(64, nothing.dimension, 10, key)
        return network, partial(negative_elbo, nothing), (*points_of(space, LAYOUT, codes), noise)
    return ImageDenoiser(64, 10, key), diffusion.loss, diffusion.prepare(space, LAYOUT, 2, codes, key)


@pytest.mark.parametrize("name", RECIPES)
def test_a_record_pulls_no_other_records_gradient(name: str) -> None:
    """What record 0 adds to the clipped sum is the same whatever record 1 holds."""
    network, loss, records = _others(name)

    def added(other: int):
        parts = jax.tree.map(lambda x: x[jnp.array([0, other])], records)
        both, alone = (clipped_sum(loss, network, parts, jnp.array([i, True]), 1.0) for i in (True, False))
        return jnp.concatenate([(a - b).ravel() for a, b in zip(*map(jax.tree.leaves, (both, alone)), strict=True)])

    assert float(jnp.abs(added(1) - added(2)).max()) < 1e-5
    assert 0.01 < float(jnp.linalg.norm(added(1))) <= 1 + 1e-5


def test_colour_without_labels() -> None:
    pixels = Pixels(0, 8, 8, 3)
    domain = Domain(pixels.axes("photo"), pixels)
    codes = np.random.default_rng(0).integers(0, 256, (60, 192)).astype(np.uint8)
    model = ImageVae(1.0, steps=8).fit(curator(codes, begin(5.0), domain), target=None, progress=Silent())
    assert model.sample(3, np.random.default_rng(0)).shape == (3, 192)
