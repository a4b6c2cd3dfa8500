"""DP-SGD of three parties: what a step costs and is made of, found by each of them from the plan and the question."""

from __future__ import annotations

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.errors import EngineError, FederationError, QuestionError
from sfumato.privacy.events import OVERFLOWS, DistributedGaussian
from sfumato.privacy.party_training import LEFT_OUT, PartyTraining
from sfumato.privacy.randomness import expand
from sfumato.privacy.sampling import most_chosen
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.engine.domains import run_within
from sfumato.trust.mpc.engine.engine_plan import FRACTION_BITS
from sfumato.trust.mpc.engine.gradient_step import GradientProgram
from sfumato.trust.questions import OBJECTIVES, Descent, GradientStep
from sfumato.trust.secure_sum.masks import derived
from sfumato.trust.secure_sum.noise import VectorNoise
from sfumato.trust.secure_sum.terms import ring_bits

ROWS = 256
"""Of a batch that are worked on at a time: one program, however many persons are drawn."""
_DRAW = 4  # nonce of ChaCha20; the key of a step's coins has no other use


def training_of(plan: FederationPlan) -> PartyTraining:
    """What the plan fixes of a training; FederationError where it has none."""
    if plan.split is None or plan.split.training is None:
        raise FederationError("a training is outside the plan")
    return plan.split.training


class SecretDescent:
    """A descent of the parties of a plan.

    Args:
        descent: the question.
        plan: what the parties signed.

    Raises:
        FederationError: it is not the training of the plan, or what parties cannot do.
    """

    def __init__(self, descent: Descent, plan: FederationPlan) -> None:
        training, split = training_of(plan), plan.split
        assert split is not None
        codec = first_codec(plan.schema)
        self.descent, self._persons, self._training = descent, split.number, training
        if (descent.steps, descent.rate) != (training.steps, training.rate):
            raise FederationError("a training of other steps or batches than the plan says")
        if descent.noise_multiplier < training.noise_multiplier(plan.guarantee):
            raise FederationError("a training with less noise than the plan promises")
        try:
            objective = OBJECTIVES.make(descent.recipe, codec.domain, descent.arrays)
            owners = tuple(place for place, _ in split.owners(codec))
            self.program = GradientProgram(objective, codec.domain, owners, ROWS, descent.clip)
            sensitivity = self.program.sensitivity + self._shifted(objective.numbers)
        except (EngineError, QuestionError, ValueError) as error:
            raise FederationError(str(error)) from None
        self.noise = VectorNoise.of_multiplier(descent.noise_multiplier, plan.roster, sensitivity)
        largest = most_chosen(training.rate * split.number) * sensitivity
        if objective.numbers > plan.longest or ring_bits(largest, self.noise.deviation(3)) > plan.bits:
            raise FederationError("a network, or sums of its gradients, that the ring of the plan does not hold")

    @property
    def numbers(self) -> int:
        """Of a sum."""
        return self.program.objective.numbers

    @property
    def drawn(self) -> int:
        """Persons of a batch at most, padding included: as many whoever is drawn, so that time tells nothing of it."""
        most = min(self._persons, most_chosen(self._training.rate * self._persons))
        return -(-most // ROWS) * ROWS

    def _shifted(self, numbers: int) -> float:
        """How far a record moves the sum besides, in units: it moves others to other parts, each rounded by itself."""
        return 2 * (self.drawn // ROWS - 1) * math.sqrt(numbers)

    @property
    def event(self) -> DistributedGaussian:
        """What all steps cost toward whoever gets the model, and learns nothing of who is in a batch."""
        training = self._training
        inexact = OVERFLOWS + LEFT_OUT / training.steps
        return self.noise.event(self.numbers, training.rate, training.steps, inexact)

    @property
    def toward_a_party(self) -> DistributedGaussian:
        """What they cost toward a party, which knows who is in a batch: ``most`` sums, moved by two clips each."""
        alone = self.noise.event(self.numbers, steps=self._training.most)
        return replace(alone, sensitivity=2 * alone.sensitivity)

    def check(self, step: GradientStep, number: int) -> None:
        """FederationError unless it is the step of this ``number``."""
        if step.descent != self.descent.digest or step.step != number or len(step.parameters) != self.numbers:
            raise FederationError("this is not the next step of the training that was agreed on; begin anew")

    def rehearse(self, step: GradientStep) -> None:
        """Run a step on simulated rows in the open; FederationError where a number is too large for shares.

        The rows are new ones each time: whoever chooses parameters does not know them.
        """
        network = self.program.objective.tree(jnp.asarray(step.parameters))
        try:
            run_within(self.program.function, *self.program.simulated(network, np.random.default_rng()))
        except EngineError as error:
            raise FederationError(str(error)) from None

    def opened(self, whole: np.ndarray) -> np.ndarray:
        """(numbers,) float32 of a noised sum of units."""
        return (whole / 2.0**FRACTION_BITS).astype(np.float32)


class CoinBatches:
    """Who is in which batch: by coins of all parties, each a Poisson sample of the persons of the list.

    Args:
        coins: a key of 256 bits that all parties made together.
        training: rate, and how often anybody is drawn at most.
        persons: on the list.

    *Formal guarantee.* To whoever does not know the coins, the draws of a person are independent of each other and of
    all others', but with a probability of 2^-70; batches beyond a capacity are cut by place on the list alone.
    """

    def __init__(self, coins: bytes, training: PartyTraining, persons: int) -> None:
        self._coins, self._training = coins, training
        self._drawn = np.zeros(persons, np.int64)
        self._step = 0

    def next(self) -> np.ndarray:
        """Places on the list of who is in the next batch, ascending."""
        words = np.empty(self._drawn.size, "<u4")
        expand(derived(self._coins, b"batch" + self._step.to_bytes(4, "little")), _DRAW, words)
        drawn = words < np.uint32(min(math.floor(self._training.rate * 2**32), 2**32 - 1))
        drawn &= self._drawn < self._training.most
        places = np.flatnonzero(drawn)[: most_chosen(self._training.rate * drawn.size)]
        self._drawn[places] += 1
        self._step += 1
        return places

    @property
    def key(self) -> jax.Array:
        """(2,) uint32: what the recipe draws from for the last batch; as the batch, hidden from who gets the model.

        Numbers that a recipe draws belong to places in the batch, where one person less moves all others to others. To
        whoever does not know the numbers one place is as another; known to it, all gradients of the batch would change.
        """
        found = derived(self._coins, b"recipe" + self._step.to_bytes(4, "little"))
        return jnp.asarray(np.frombuffer(found[:8], "<u4").astype(np.uint32))
