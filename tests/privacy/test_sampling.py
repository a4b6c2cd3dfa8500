"""Poisson batches: what is drawn is what is charged."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from tests.privacy.gradients.naive import quick

from sfumato.privacy.events import OVERFLOWS, PoissonSampledGaussian
from sfumato.privacy.sampling import PoissonSteps, most_chosen

ALPHA = 1e-4  # chance of a false alarm of each statistical test


def inclusions(draw, records, draws, seed=0):
    """(draws, records) booleans."""
    words = jnp.asarray(np.random.default_rng(seed).integers(0, 2**32, (draws, records)), jnp.uint32)

    def one(own):
        rows, mask = draw(own)
        return jnp.zeros(records + 1, bool).at[jnp.where(mask, rows, records)].set(True)[:records]

    return np.asarray(quick(jax.vmap(one))(words))


def poisson_faults(included, probability):
    """Which properties of independent sampling at ``probability`` fail, each at level ``ALPHA``."""
    draws, records = included.shape
    faults = []
    counts = included.sum(0)
    if (
        stats.chi2.sf(((counts - draws * probability) ** 2).sum() / (draws * probability * (1 - probability)), records)
        < ALPHA
    ):
        faults.append("frequency")
    spread = included.sum(1).var(ddof=1) * (draws - 1) / (records * probability * (1 - probability))
    if not ALPHA / 2 < stats.chi2.cdf(spread, draws - 1) < 1 - ALPHA / 2:
        faults.append("size")
    return faults


def test_inclusion_is_independent_with_the_accounted_probability():
    steps = PoissonSteps(0.1, 1.0)
    draw = lambda words: steps.draw(words, 200, most_chosen(20))  # noqa: E731
    assert poisson_faults(inclusions(draw, 200, 4000), steps.event(1).sampling_probability) == []


def _fixed_size(words):
    return jax.random.choice(jax.random.wrap_key_data(words[:2]), 200, (20,), replace=False), jnp.ones(20, bool)


def _shuffled_half(words):
    """Batches of a shuffled epoch, seen over several: sizes never vary."""
    order = jax.random.permutation(jax.random.wrap_key_data(words[:2]), 200)
    return order[:20], jnp.ones(20, bool)


def _too_often(words):
    return PoissonSteps(0.11, 1.0).draw(words, 200, 200)


@pytest.mark.parametrize(
    ("planted", "fault"), [(_fixed_size, "size"), (_shuffled_half, "size"), (_too_often, "frequency")]
)
def test_a_sampler_that_is_not_the_accounted_one_is_caught(planted, fault):
    assert fault in poisson_faults(inclusions(planted, 200, 4000), 0.1)


def test_the_event_says_what_is_drawn():
    steps = PoissonSteps(1 / 3, 2.0)
    assert steps.event(7) == PoissonSampledGaussian(steps.probability, 2.0, 7, delta=OVERFLOWS)
    assert PoissonSteps(1 / 3, 2.0, 1e-15).event(7).delta == OVERFLOWS + 1e-15
    assert 1 / 3 - 2**-32 < steps.probability <= 1 / 3


def test_batches_fit_their_capacity():
    steps = PoissonSteps(0.05, 1.0)
    assert stats.binom.sf(most_chosen(100_000 * steps.probability), 100_000, 0.05) < 2.0**-100
    assert 1024 * 2.0**-100 * (1 + np.exp(20)) < OVERFLOWS
    rows, mask = PoissonSteps(1.0, 1.0).draw(jnp.zeros(12, jnp.uint32), 10, 16)
    assert list(np.asarray(rows)[np.asarray(mask)]) == list(range(10)), "all records, and not the two rows behind them"


@pytest.mark.parametrize("rate", [0, -1, 1.5, float("nan")])
def test_rates_are_chances(rate):
    with pytest.raises(ValueError, match="sampling rate"):
        PoissonSteps(rate, 1.0)
