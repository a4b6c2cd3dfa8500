"""One-run canary audits of each family of models, from end to end: below the claim, and each planted bug is caught.

Many canaries go in by fair coins and the model's own recipe is fitted once. The bound on epsilon is the f-DP one of
Mahloujifar et al. 2024. It is weak, so halved noise is looked for with the whole privacy curve of the events that were
charged, which the scores must not rule out: a canary's coordinate is its own, so the canaries are independent games.

In the training of a network, bugs are planted in the same run, each for one group of canaries, so that one training
shows a right build and broken ones side by side: *halved*, half the noise on these canaries' coordinates; *unclipped*,
these records' gradients are clipped to a hundred times the bound. Which unclipped canary was in which batch is then
plain to see, and shows whether batches are Poisson samples.

Error rates: a right group is accused with probability at most ``ACCUSED`` per test, right batches with less than 1e-6
(``IMPOSSIBLE`` by the normal distribution, whose tails are too thin here by less than a hundred times). Halved noise
was caught in 60 of 60 simulations of two thirds of the canaries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import io_callback
from scipy.stats import norm

from sfumato.auditing.attacks.audit_bounds import exceeds_curve, mu_lower_bound
from sfumato.auditing.attacks.canaries import PULL, Planted, log_likelihood_ratio
from sfumato.auditing.attacks.one_run import bounds
from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.privacy import dp_sgd, pld
from sfumato.privacy.accounting import mu_for
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.gradients import clipped
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM
from sfumato.privacy.sampling import PoissonSteps
from sfumato.progress import Silent
from sfumato.trust import noising
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records

CLAIM = Guarantee(4.0, 1e-5)
ACCUSED = 1e-3
IMPOSSIBLE = 1e-9
EACH, ORDINARY, STEPS = 1500, 500, 64
UNCLIPPED = 100.0
"""Norm of a gradient that is hardly clipped, in clipping bounds: 32-bit sums hold a few of them."""
GROUPS = ("right", "halved", "unclipped")
CANARIES = EACH * len(GROUPS)
DOMAIN = Domain.of(["a", "b", "who"], [4, 3, 1 + CANARIES])


def group(name: str) -> slice:
    """Positions among the canaries."""
    start = GROUPS.index(name) * EACH
    return slice(start, start + EACH)


@dataclass(frozen=True)
class Run:
    """What one training showed of its canaries, (steps, canaries), which of them were in, and what was charged."""

    released: np.ndarray
    picked: np.ndarray
    event: PoissonSampledGaussian

    def scores(self, name: str, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """In and out, by an attacker who takes the noise for so much of what is claimed."""
        part, event = group(name), self.event
        sigma = noise * event.noise_multiplier
        found = log_likelihood_ratio(self.released[:, part], event.sampling_probability, sigma)
        return found[self.picked[part]], found[~self.picked[part]]

    def epsilon(self, name: str) -> float:
        return bounds(*self.scores(name), CLAIM.delta, ACCUSED).epsilon_fdp

    def accused(self, name: str) -> bool:
        """Whether the group rules out the curve of the steps that were charged."""
        rng = np.random.default_rng(0)
        return exceeds_curve(*self.scores(name, 0.5), lambda e: pld.delta((self.event,), e, CLAIM.delta), rng, ACCUSED)

    def p_value(self) -> float:
        """Smaller of two: how far apart the canaries' numbers of batches are, and how often in consecutive ones.

        By the normal distribution, with the exact means and variances of independent coins.
        """
        part, q = group("unclipped"), self.event.sampling_probability
        included = self.released[:, part][:, self.picked[part]] > UNCLIPPED / 2
        steps, canaries = included.shape
        spread = steps * q * (1 - q)
        fourth = spread * (1 + 3 * (steps - 2) * q * (1 - q))
        apart = ((included.sum(axis=0) - steps * q) ** 2).sum() - canaries * spread
        again = (included[:-1] & included[1:]).sum() - canaries * (steps - 1) * q**2
        overlap = (steps - 1) * q**2 * (1 - q**2) + 2 * (steps - 2) * (q**3 - q**4)
        tests = apart / np.sqrt(canaries * (fourth - spread**2)), again / np.sqrt(canaries * overlap)
        return min(2 * float(norm.sf(abs(z))) for z in tests)


def people(picked: np.ndarray) -> np.ndarray:
    """Ordinary records, and the canaries that are in."""
    rng = np.random.default_rng(0)
    who = np.concatenate([np.zeros(ORDINARY, int), 1 + np.flatnonzero(picked)])
    return np.stack([rng.integers(0, 4, len(who)), rng.integers(0, 3, len(who)), who], axis=1)


def plant(patch: pytest.MonkeyPatch) -> None:
    """The bugs, each for its group."""
    noise, weights = dp_sgd.noise_like, clipped.clip_weights

    def quieter(tree: Any, words: Any, stride: int) -> Any:
        own, coordinates = noise(tree, words, stride)
        rows = slice(1 + group("halved").start, 1 + group("halved").stop)
        return own, eqx.tree_at(lambda c: c.table, coordinates, coordinates.table.at[rows].divide(2))

    def unclipped(squared: Any, losses: Any, mask: Any, clip: Any) -> Any:
        factor = jnp.where(squared > (1.5 * PULL) ** 2, UNCLIPPED, 1.0)
        return factor * weights(squared, losses, mask, clip)

    patch.setattr(dp_sgd, "noise_like", quieter)
    patch.setattr(clipped, "clip_weights", unclipped)


def train(name: str) -> Run:
    """The recipe of a family, all of its budget for gradients."""
    picked = np.random.default_rng().random(CANARIES) < 0.5
    pulls = np.ones(CANARIES)
    pulls[group("unclipped")] = 2
    run = Ledger.open().begin(CLAIM, name)
    setting = Planted(Central(Records.of(people(picked), DOMAIN), Budget(run)), pulls)
    recipe: Any = MODELS[name, "table"].recipe()
    replace(recipe, gradients=1.0, steps=STEPS).fit(setting, target=None, progress=Silent())
    charged = [e for e in run.events if isinstance(e, PoissonSampledGaussian)]
    assert sum(e.count for e in charged) == STEPS
    return Run(setting.released, picked, replace(charged[0], count=STEPS))


@pytest.fixture(scope="module", params=["vae", "gan", "diffusion"])
def run(request: pytest.FixtureRequest) -> Run:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        return train(request.param)


def test_a_right_training_stays_below_the_claim_and_broken_ones_are_caught(run: Run) -> None:
    assert run.epsilon("right") <= CLAIM.epsilon
    assert not run.accused("right")
    assert run.accused("halved")
    assert run.epsilon("unclipped") > CLAIM.epsilon


def test_batches_of_a_training_are_poisson_samples(run: Run) -> None:
    assert run.p_value() > IMPOSSIBLE


def batches(records: int, size: int) -> Iterator[np.ndarray]:
    """Shuffled epochs, cut into batches of one size."""
    rng = np.random.default_rng()
    while True:
        order = rng.permutation(records)
        yield from (order[start : start + size] for start in range(0, records - size + 1, size))


def test_shuffled_batches_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """L7: the planted sampler goes through the records epoch by epoch, and is accounted as Poisson."""

    def draw(steps: PoissonSteps, words: Any, records: int, capacity: int) -> tuple[jax.Array, jax.Array]:
        size = int(words.size * steps.probability)  # one group holds all records
        source = batches(words.size, size)
        shape = jax.ShapeDtypeStruct((size,), jnp.int32)
        rows = io_callback(lambda: next(source).astype(np.int32), shape, ordered=True)
        return jnp.pad(rows, (0, capacity - size)), jnp.arange(capacity) < size

    plant(monkeypatch)
    monkeypatch.setattr(PoissonSteps, "draw", draw)
    assert train("vae").p_value() < IMPOSSIBLE


CELLS = 3000
BUGS = {"right": (1.0, 1), "halved noise": (0.5, 1), "a unit counted three times": (1.0, 3)}


@pytest.mark.parametrize("bug", BUGS)
def test_canaries_in_a_marginal_model(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    """Crafted records, each alone of its kind among fifty that lift its cell above zero; seen in the saved model."""
    noise, copies = BUGS[bug]
    monkeypatch.setattr(
        noising, "add_discrete_gaussian", lambda counts, sigma, _=SYSTEM: add_discrete_gaussian(counts, noise * sigma)
    )
    picked = np.random.default_rng().random(CELLS) < 0.5
    rows = np.repeat(np.arange(CELLS), 50 + copies * picked)[:, None]
    setting = Central(Records.of(rows, Domain.of(["who"], [CELLS])), Budget(Ledger.open().begin(CLAIM, "canaries")))
    masses = MODELS["independent", "table"].recipe().fit(setting, target=None, progress=Silent()).state()[1]["fine.0"]
    inside, outside = masses[picked], masses[~picked]
    if bug == "right":
        assert bounds(inside, outside, CLAIM.delta, ACCUSED).epsilon_fdp <= CLAIM.epsilon
    accused = mu_lower_bound(inside, outside, np.random.default_rng(0), ACCUSED) > mu_for(CLAIM)
    assert accused == (bug != "right")
