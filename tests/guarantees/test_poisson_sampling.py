"""L7: batches are what is accounted: independent coin flips per record and step, with the event's own probability.

Each statistic is tested at an error rate of one in a million; the planted samplers must fail in one of them.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np
import pytest
from scipy.stats import chi2

from sfumato.privacy.sampling import PoissonSteps, most_chosen

RECORDS, STEPS, RATE = 400, 3000, 0.05
ERROR_RATE = 1e-6
CAPACITY = most_chosen(RECORDS * RATE)


def poisson() -> np.ndarray:
    """(STEPS, RECORDS) booleans: who was in which batch, by the project's sampler."""
    steps = PoissonSteps(RATE, 1.0)
    words = np.random.default_rng().integers(0, 2**32, (STEPS, RECORDS), dtype=np.uint32)
    rows, real = jax.jit(jax.vmap(lambda own: steps.draw(own, RECORDS, CAPACITY)))(words)
    included = np.zeros((STEPS, RECORDS), dtype=bool)
    rows, real = np.asarray(rows), np.asarray(real)
    assert all(np.unique(r[m]).size == m.sum() for r, m in zip(rows, real, strict=True)), "a record twice in a batch"
    included[np.nonzero(real)[0], rows[real]] = True
    return included


def shuffled() -> np.ndarray:
    """Planted bug: epochs of a shuffled order, cut into batches of equal size."""
    rng, size = np.random.default_rng(), int(RECORDS * RATE)
    included = np.zeros((STEPS, RECORDS), dtype=bool)
    for epoch in range(0, STEPS, RECORDS // size):
        for step, batch in enumerate(np.split(rng.permutation(RECORDS), RECORDS // size)):
            included[epoch + step, batch] = True
    return included


def fixed_size() -> np.ndarray:
    """Planted bug: as many records in each batch, without replacement."""
    rng = np.random.default_rng()
    return rng.random((STEPS, RECORDS)).argsort(axis=1) < int(RECORDS * RATE)


def too_often() -> np.ndarray:
    """Planted bug: a probability 5 % above the accounted one."""
    return np.random.default_rng().random((STEPS, RECORDS)) < 1.05 * RATE


def clustered() -> np.ndarray:
    """Planted bug: two neighbours share their coin."""
    coins = np.random.default_rng().random((STEPS, RECORDS // 2)) < RATE
    return np.repeat(coins, 2, axis=1)


def smallest_p_value(included: np.ndarray, q: float) -> float:
    """Of two-sided chi-square tests: inclusion per record, size per batch, and agreement of neighbours in both."""

    def two_sided(z: np.ndarray) -> float:
        statistic = float((z**2).sum())
        return 2 * min(chi2.sf(statistic, z.size), chi2.cdf(statistic, z.size))

    centred = (included - q) / np.sqrt(q * (1 - q))
    neighbours = centred[:, :-1] * centred[:, 1:]
    repeats = centred[:-1] * centred[1:]
    total = centred.sum() / np.sqrt(centred.size)
    return min(
        two_sided(centred.sum(axis=0) / np.sqrt(STEPS)),
        two_sided(centred.sum(axis=1) / np.sqrt(RECORDS)),
        two_sided(neighbours.sum(axis=0)[::2] / np.sqrt(STEPS)),
        two_sided(repeats.sum(axis=0) / np.sqrt(STEPS - 1)),
        float(chi2.sf(total**2, 1)),
    )


def test_inclusion_is_an_independent_coin_of_the_accounted_probability() -> None:
    event = PoissonSteps(RATE, 1.0).event(STEPS)
    assert event.count == STEPS
    assert smallest_p_value(poisson(), event.sampling_probability) > ERROR_RATE


@pytest.mark.parametrize("bug", [shuffled, fixed_size, too_often, clustered])
def test_other_samplers_are_caught(bug: Callable[[], np.ndarray]) -> None:
    assert smallest_p_value(bug(), RATE) < ERROR_RATE


def test_batch_sizes_vary_and_never_overflow() -> None:
    sizes = poisson().sum(axis=1)
    assert sizes.std() > 0.9 * np.sqrt(RECORDS * RATE * (1 - RATE))
    assert sizes.max() < CAPACITY


@pytest.mark.parametrize("rate", [2.0**-32, 1e-4, 1 / 3, 1.0])
def test_the_accounted_probability_is_the_drawn_one(rate: float) -> None:
    """The threshold on 32 bits is an integer; the event carries threshold / 2^32, not the wish."""
    steps = PoissonSteps(rate, 1.0)
    assert steps.event(1).sampling_probability == steps.probability
    assert (steps.probability * 2**32).is_integer()
    assert rate - 2.0**-32 < steps.probability <= rate
