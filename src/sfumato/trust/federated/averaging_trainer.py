"""Training by averages over the sites of a plan: local runs at all of them, then the mean of what they changed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
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
from sfumato.trust.checkpoint import Mark
from sfumato.trust.federated.averaged_descent import SPARE_RUNS, AveragedDescent
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.descents import site_rooms
from sfumato.trust.federated.planned_averages import PlannedAverages
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.federated.trainer import spare_steps
from sfumato.trust.questions import LocalRun
from sfumato.trust.steps import descent_of
from sfumato.trust.training_log import TrainingLog

_PARTS = ("groups", "length", "capacity")
_LEAST_BATCH = 1.0
"""Records: the scale of a step where a noisy estimate says that there are hardly any."""


@dataclass(frozen=True)
class AveragingTrainer:
    """Runs a training by averages.

    Attributes:
        rounds: reaches the sites.
        domain: the encoded columns at every site.
        budget: what may be spent toward whoever gets the model; where it keeps answers, the state after each average is
            kept beside them, and a training that was interrupted goes on from there.
        averaging: how, by the plan.

    *Formal guarantee.* All local steps are charged, durably and as one event, before the first of them. A run whose
    average was lost with its process is made again, with fresh batches and fresh noise, at no new charge here: whoever
    gets the model never saw it. The sites take it off what they were paid for.
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
        log = TrainingLog(self.budget, self._saved)
        kept = log.kept(
            training.carry, lambda mark: self._asked(training, share, mark.rate, mark.noise_multiplier).digest
        )
        mark, carry = self._begun(log, training, share) if kept is None else kept
        asked = self._asked(training, share, mark.rate, mark.noise_multiplier)
        planned = PlannedAverages(asked, self.rounds.plan, self.domain)
        left = planned.runs - mark.done
        self.rounds.check_left(left)
        event = planned.event(planned.runs)
        if event is not None:
            log.pay(event, mark)
        self.rounds.go_on(mark.done)
        if left:
            self.rounds.begin_averaging(replace(asked, done=mark.done).to_bytes())
        pull = None if local.pull is None else jax.jit(local.pull)
        local = LocalTraining(local.rate, jax.jit(local.averaged, static_argnums=2), pull)
        progress.stage("local training and averages", planned.runs)
        progress.step(mark.done)
        for number in range(mark.done, planned.runs):
            log.announce(mark, 1)
            carry = self._averaged(planned, training, local, carry, number, self.averaging.local_steps)
            mark = log.advance(mark, 1, carry)
            progress.step()
        return carry

    @property
    def _saved(self) -> Path | None:
        """Where the state is kept: of what is private by itself, alone."""
        answers = self.budget.answer_log
        return None if answers is None or self.averaging.level != "record" else answers.training

    def _begun(self, log: TrainingLog, training: DpSgd[Carry, Any], share: float) -> tuple[Mark, Carry]:
        """A new training: at the level of records with noise at which all local steps cost ``share``."""
        rate, noise = training.rate, 0.0
        if self.averaging.level == "record":
            steps = self._runs(training) * self.averaging.local_steps
            probability = PoissonSteps(rate, 0).probability
            noise = poisson_noise_multiplier(probability, steps, self.budget.mu(share), self.budget.tail(share))
        return log.begin(rate, noise, self._asked(training, share, rate, noise).digest, training.carry), training.carry

    def _runs(self, training: DpSgd[Any, Any]) -> int:
        """Of local steps, that make up a training."""
        return -(-training.steps // self.averaging.local_steps)

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

    def _asked(self, training: DpSgd[Any, Any], share: float, rate: float, noise: float) -> AveragedDescent:
        """The training, with the noise that its level has: ``noise`` in each local step, or at most ``share``."""
        assert training.local is not None  # by ``dp_sgd``
        level, runs = self.averaging.level, self._runs(training)
        whole = replace(training, steps=runs * self.averaging.local_steps)
        tail = self.budget.tail(share) if level == "record" else 0.0
        shared = runs**0.5 / self.budget.mu(share) if level == "site" else 0.0
        all_rooms = site_rooms(self.rounds.plan, rate)
        groups, length, capacity = (max(getattr(into, part) for into in all_rooms) for part in _PARTS)
        descent = descent_of(whole, noise, rate, Rooms(groups, length, capacity))
        batch = max(_LEAST_BATCH, rate * training.total / self.rounds.plan.terms.sites)
        spare = min(SPARE_RUNS, spare_steps(self.rounds.plan, runs)) if level == "record" else SPARE_RUNS
        return AveragedDescent(descent, spare, tail, batch, float(training.local.rate), shared)
