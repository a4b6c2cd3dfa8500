"""Training by averages over the sites of a plan: local runs at all of them, then the mean of what they changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters
from sfumato.privacy.groups import Rooms
from sfumato.privacy.local_training import LocalTraining
from sfumato.privacy.randomness import SYSTEM
from sfumato.privacy.sampling import PoissonSteps
from sfumato.progress import Progress
from sfumato.trust.budget import Budget
from sfumato.trust.federated.averaged_descent import SPARE_RUNS, AveragedDescent
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.descents import site_rooms
from sfumato.trust.federated.planned_averages import PlannedAverages
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.trainer import spare_steps
from sfumato.trust.questions import LocalRun
from sfumato.trust.steps import descent_of

_PARTS = ("groups", "length", "capacity")
_LEAST_BATCH = 1.0
"""Records: the scale of a step where a noisy estimate says that there are hardly any."""


@dataclass(frozen=True)
class AveragingTrainer:
    """Runs a training by averages.

    Attributes:
        rounds: reaches the sites.
        domain: the encoded columns at every site.
        budget: what may be spent toward whoever gets the model.
        averaging: how, by the plan.
    """

    rounds: SecureRounds
    domain: Domain
    budget: Budget
    averaging: Averaging

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """The final carry; costs ``share`` of the squared budget. See ``Setting.dp_sgd``.

        As many local steps as the training has steps, rounded up to whole runs. All sites count alike in the mean: how
        many records each has is private. FederationError for a training that sites cannot go on with by themselves.
        """
        local = training.local
        if local is None:
            raise FederationError("sites cannot go on with this training by themselves: leave local_steps out")
        planned = PlannedAverages(self._asked(training, local, share), self.rounds.plan, self.domain)
        event = planned.event(planned.runs)
        if event is not None:
            self.budget.charge_training(event, paid=False)
        pull = None if local.pull is None else jax.jit(local.pull)
        local = LocalTraining(local.rate, jax.jit(local.averaged, static_argnums=2), pull)
        self.rounds.begin_averaging(planned.asked.to_bytes())
        carry, steps = training.carry, self.averaging.local_steps
        progress.stage("local training and averages", planned.runs)
        for number in range(planned.runs):
            carry = self._averaged(planned, training, local, carry, number, steps)
            progress.step()
        return carry

    def _averaged(
        self,
        planned: PlannedAverages,
        training: DpSgd[Carry, Parameters],
        local: LocalTraining[Carry, Parameters],
        carry: Carry,
        number: int,
        steps: int,
    ) -> Carry:
        """One round."""
        objective = planned.steps.objective
        key = jnp.asarray(np.frombuffer(SYSTEM.take(8), np.uint32))
        start = np.asarray(objective.flat(training.parameters(carry)), np.float32)
        pull = np.zeros(0, np.float32)
        if local.pull is not None:
            pull = np.asarray(objective.flat(local.pull(carry, key)), np.float32)
        run = LocalRun(planned.asked.digest, number, start, pull)
        total, sites = self.rounds.added_changes(run, planned.numbers, self.averaging.secure)
        return local.averaged(carry, objective.tree(jnp.asarray(start + planned.mean(total, sites))), steps, key)

    def _asked(self, training: DpSgd[Any, Any], local: LocalTraining, share: float) -> AveragedDescent:
        """The training: noise at which all of it costs ``share``, at the level that the plan says."""
        steps, level = self.averaging.local_steps, self.averaging.level
        runs = -(-training.steps // steps)
        whole = replace(training, steps=runs * steps)
        rate, tail = training.rate, self.budget.tail(share) if level == "record" else 0.0
        noise = shared = 0.0
        if level == "record":
            probability = PoissonSteps(rate, 0).probability
            noise = poisson_noise_multiplier(probability, whole.steps, self.budget.mu(share), tail)
        elif level == "site":
            shared = runs**0.5 / self.budget.mu(share)
        all_rooms = site_rooms(self.rounds.plan, rate)
        groups, length, capacity = (max(getattr(into, part) for into in all_rooms) for part in _PARTS)
        descent = descent_of(whole, noise, rate, Rooms(groups, length, capacity))
        batch = max(_LEAST_BATCH, rate * training.total / self.rounds.plan.terms.sites)
        spare = min(SPARE_RUNS, spare_steps(self.rounds.plan, runs)) if level == "record" else SPARE_RUNS
        return AveragedDescent(descent, spare, tail, batch, float(local.rate), shared)
