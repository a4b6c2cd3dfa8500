"""What a step of DP-SGD is where the records are: its grid and event, a site's own batch, and the opened sum.

A ``Descent`` (``trust.questions``) is planned from public facts: :class:`Planned`. Who holds records makes
:class:`BatchSums` of them, which answers one ``GradientStep`` after the other in whole numbers: its own Poisson batch,
clipped and added, no noise yet. Noise is integer noise of scale ``grid.scale`` on all ``numbers`` alike, a curator's
or the sum of shares (``mechanisms.discrete_gaussian.add_discrete_gaussian``); one record moves the sum by at most
``grid.sensitivity``. Sums of several sites are added modulo 2^32; ``Planned.opened`` makes them real.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.privacy.dp_sgd import Carry, DescentStep, DpSgd, Objective, batch_sum
from sfumato.privacy.draws import fresh
from sfumato.privacy.events import PoissonSampledGaussian
from sfumato.privacy.gradients.grid import GradientGrid
from sfumato.privacy.groups import Groups, Rooms, deal
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.privacy.sampling import PoissonSteps
from sfumato.trust.questions import OBJECTIVES, Descent, GradientStep
from sfumato.trust.records import ExactRecords


def descent_of(training: DpSgd, noise_multiplier: float, rate: float, into: Rooms) -> Descent:
    """The question that a training asks of records in these rooms."""
    return Descent(
        training.recipe, training.steps, float(rate), float(training.clip), float(noise_multiplier),
        into.groups, into.capacity, training.arrays,
    )  # fmt: skip


@dataclass(frozen=True)
class Planned:
    """What a descent means for records of some columns.

    Attributes:
        descent: the question.
        domain: the encoded columns.

    Raises:
        QuestionError: its recipe is not installed, or does not fit the columns; when something is asked of it.
        TooMuchNoise: 32 bits do not hold the noise; likewise.
    """

    descent: Descent
    domain: Domain

    @cached_property
    def objective(self) -> Objective:
        """What is made of records, by installed code."""
        return OBJECTIVES.make(self.descent.recipe, self.domain, self.descent.arrays)

    @cached_property
    def grid(self) -> GradientGrid | None:
        """Where gradients are added and noised; None without a guarantee."""
        asked = self.descent
        if not asked.noise_multiplier:
            return None
        columns, noise = len(self.domain), asked.noise_multiplier
        return self.objective.grid(columns, noise, asked.clip, asked.groups, asked.capacity)

    @property
    def numbers(self) -> int:
        """Of a sum."""
        return self.objective.numbers

    @property
    def sampling(self) -> PoissonSteps:
        """How batches are drawn, and what noise is worth."""
        noise, inexact = (0.0, 0.0) if self.grid is None else (self.grid.noise_multiplier, self.grid.delta)
        return PoissonSteps(self.descent.rate, noise, inexact)

    def event(self) -> PoissonSampledGaussian:
        """What a curator charges for all steps, from the question and the columns alone; a unit is one record."""
        return self.sampling.event(self.descent.steps)

    def step(self, capacity: int) -> DescentStep:
        """A step over groups from which ``capacity`` records are drawn at most."""
        return DescentStep(self.objective, self.descent.clip, self.sampling, self.grid, capacity)

    def check(self, step: GradientStep) -> None:
        """QuestionError unless ``step`` is one of this descent."""
        if step.descent != self.descent.digest or step.step >= self.descent.steps:
            raise QuestionError("this is no step of the descent that was agreed on")
        if len(step.parameters) != self.numbers:
            raise QuestionError(f"the recipe has {self.numbers} parameters, and a step gives {len(step.parameters)}")

    def updates(self, training: DpSgd[Carry, Any]) -> Callable[[Carry, np.ndarray, Array], Carry]:
        """``update(carry, opened sum (numbers,), key) -> carry``, compiled: public numbers alone."""
        return jax.jit(lambda carry, flat, key: training.updated(carry, self.objective.tree(flat), key))

    def opened(self, whole: np.ndarray) -> np.ndarray:
        """(numbers,) float32 of noised whole sums (numbers,) modulo 2^32, which may have been added up over sites."""
        assert self.grid is not None
        return whole.astype(np.int32).astype(np.float32) * np.float32(self.grid.step)


@lru_cache(maxsize=4)
def _summed(descent: Descent, domain: Domain, capacity: int) -> Callable[[Array, Groups, Array, Array], Array]:
    """``summed(parameters, groups, inclusion, keys)``, compiled once for all who hold such records in a process."""
    planned = Planned(descent, domain)
    step, objective = planned.step(capacity), planned.objective

    def summed(parameters: Array, groups: Groups, inclusion: Array, keys: Array) -> Array:
        return objective.flat(batch_sum(step, objective.tree(parameters), groups, inclusion, keys))

    return jax.jit(summed)


class BatchSums:
    """Whole sums of clipped gradients of batches of somebody's own records.

    Args:
        planned: the descent, under a guarantee.
        records: private.
        into: rooms for them, by a public estimate of their number, or by the most that there may be.
        entropy: decides which group a record is in, and which records are in a batch: fresh for each step.

    Raises:
        QuestionError: the descent has no noise, or was planned for fewer records drawn at a time.

    *Formal guarantee.* ``dp_sgd.batch_sum``. Each answer draws a batch of its own: also one to a step that was answered
    before, which is another event. What the recipe draws belongs to places in the batch, and one record less moves all
    behind it: it is drawn here too, for whoever knew it would see more of the record than its gradient.
    """

    def __init__(self, planned: Planned, records: ExactRecords, into: Rooms, entropy: Entropy = SYSTEM) -> None:
        if planned.grid is None:
            raise QuestionError("a descent without noise was asked for, and these records have a guarantee")
        if into.capacity > planned.descent.capacity:
            raise QuestionError("more records are drawn at a time than the descent was planned for")
        self._planned, self._rooms, self._entropy = planned, into, entropy
        self._groups: Groups = deal(records.matrix(), into, entropy)
        self._summed = _summed(planned.descent, planned.domain, into.capacity)

    def answer(self, step: GradientStep, entropy: Entropy | None = None) -> np.ndarray:
        """(numbers,) int32, modulo 2^32: private, and not noised yet. QuestionError for a step of something else.

        ``entropy`` draws the batch; None: what this object was made with.
        """
        self._planned.check(step)
        shape = (self._rooms.groups, self._rooms.length)
        drawn = fresh(1, shape, 0, self._entropy if entropy is None else entropy)
        return np.asarray(
            self._summed(jnp.asarray(step.parameters), self._groups, drawn.inclusion[0], drawn.batches[0])
        )
