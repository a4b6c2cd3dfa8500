"""What each step of DP-SGD releases: the sum over its Poisson batch over the *expected* size, plus noise of its own.

Every record pulls a coordinate that nobody else does, so hard against little noise that all see who was in which batch.
Then the noise is looked at by itself: whatever it knows of the batch would show as a wrong variance or mean, among the
records that were in or among those that were not. Each check accuses a right build with probability below 1e-6.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from tests.guarantees.boundless import boundless_run

from sfumato.encoding.domain import Domain
from sfumato.privacy.dp_sgd import DpSgd, Objective
from sfumato.privacy.draws import fresh
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.gradients import Embedding
from sfumato.privacy.randomness import SYSTEM
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.questions import OBJECTIVES
from sfumato.trust.records import Records

ERROR = 1e-6
RECORDS, STEPS, RATE, CLIP = 1000, 32, 0.2, 0.5
HARDLY = 1000.0
"""Epsilon of a promise so weak that the noise is a small part of one record's pull."""


def _update(carry, gradient, key):
    coordinates, released, step = carry
    seen = -gradient.table[:, 0] * (RECORDS * RATE / CLIP)
    return coordinates, released.at[step].set(seen), step + 1


def _coordinates(domain, arrays):
    return Objective(
        like=jax.eval_shape(lambda key: Embedding(RECORDS, 1, key), jax.random.key(0)),
        prepare=lambda codes, key: codes.astype(jnp.int32),
        loss=lambda coordinates, records, tape: -1e4 * coordinates(records, tape)[:, 0, 0],
    )


OBJECTIVES.add("test: a coordinate each", _coordinates)


def released() -> tuple[np.ndarray, float]:
    """(STEPS, RECORDS) sums in units of the clipping bound, and the noise multiplier that was charged."""
    run = boundless_run("steps", HARDLY)
    codes = np.arange(RECORDS)[:, None]
    setting = Central(Records.of(codes, Domain.of(["who"], [RECORDS])), Budget(run))
    training = DpSgd(
        carry=(Embedding(RECORDS, 1, jax.random.key(0)), jnp.zeros((STEPS, RECORDS)), jnp.zeros((), jnp.int32)),
        parameters=lambda carry: carry[0],
        recipe="test: a coordinate each",
        arrays={},
        update=_update,
        steps=STEPS,
        batch=RECORDS * RATE,
        clip=CLIP,
        total=RECORDS,
    )
    found = np.asarray(setting.dp_sgd(training, 1.0, Silent())[1], np.float64)
    (noise,) = {e.noise_multiplier for e in run.events if isinstance(e, PoissonSampledGaussian)}
    return found, noise


@pytest.fixture(scope="module")
def seen() -> tuple[np.ndarray, np.ndarray, float]:
    """The noise of each coordinate in each step, who was in, and the noise's standard deviation."""
    found, noise = released()
    assert noise < 0.15, "the noise hides who was in"
    inside = found > 0.5
    return found - inside, inside, noise


def has_variance(sample: np.ndarray, sigma: float) -> bool:
    """Two-sided chi-square test for centred Gaussian noise."""
    low, high = stats.chi2.ppf([ERROR / 2, 1 - ERROR / 2], sample.size)
    return bool(low <= (sample**2).sum() / sigma**2 <= high)


@pytest.mark.parametrize("among", ["in", "out"])
def test_the_noise_knows_nothing_of_the_batch(seen: tuple[np.ndarray, np.ndarray, float], among: str) -> None:
    """L5: noise from the key that drew the batch is far out, or never, where the record was drawn."""
    noise, inside, sigma = seen
    assert has_variance(noise[inside if among == "in" else ~inside], sigma)


def test_a_sum_is_divided_by_a_public_number(seen: tuple[np.ndarray, np.ndarray, float]) -> None:
    """L8: divided by its own size, a batch shows in each record's part how many records were in it."""
    noise, inside, sigma = seen
    means = [own[took].mean() * np.sqrt(took.sum()) / sigma for own, took in zip(noise, inside, strict=True)]
    sizes = inside.sum(axis=1)
    assert np.ptp(sizes) > 8, "all batches are of one size"
    assert has_variance(np.array(means), 1.0)


def test_no_noise_is_used_twice(seen: tuple[np.ndarray, np.ndarray, float]) -> None:
    """L5: between coordinates, and between steps, noise is uncorrelated."""
    noise, _, sigma = seen
    for shift in (noise[1:] * noise[:-1], noise[:, 1:] * noise[:, :-1], noise[:, 500:] * noise[:, :500]):
        assert abs(shift.mean()) < stats.norm.isf(ERROR / 2) * sigma**2 / np.sqrt(shift.size) * 1.5


def test_all_of_a_batch_is_in_the_sum(seen: tuple[np.ndarray, np.ndarray, float]) -> None:
    """Sizes are binomial: none is cut off, and no record is drawn more often than is charged."""
    sizes = seen[1].sum(axis=1)
    variance = RECORDS * RATE * (1 - RATE)
    assert abs((sizes - RECORDS * RATE).sum()) < stats.norm.isf(ERROR / 2) * np.sqrt(variance * STEPS)


class Counting:
    """Entropy that notes how much of it is taken."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def take(self, size: int) -> bytes:
        self.taken.append(size)
        return SYSTEM.take(size)


def test_each_step_takes_256_bits_of_entropy() -> None:
    """L5: whoever can try all keys of a step finds its noise."""
    counting = Counting()
    fresh(3, (1, 8), 5, counting)
    assert sum(counting.taken) == 3 * 32
