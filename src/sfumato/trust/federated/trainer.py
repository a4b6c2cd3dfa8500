"""The coordinator's way through DP-SGD over sites: one secure sum a step, and a state that outlives its process."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError, Overdraft
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters
from sfumato.privacy.groups import Rooms, rooms
from sfumato.privacy.randomness import SYSTEM
from sfumato.privacy.sampling import PoissonSteps
from sfumato.privacy.spending import limit
from sfumato.progress import Progress
from sfumato.trust.budget import ROUNDING, Budget
from sfumato.trust.checkpoint import Mark
from sfumato.trust.federated.descents import SharedDescent, site_rooms
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.plan_facts import MOST_STEPS
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.questions import Descent, GradientStep
from sfumato.trust.steps import descent_of
from sfumato.trust.training_log import TrainingLog

SPARE = 20
"""Steps that each site pays for beside those that are planned: an attempt that fails is made again."""


class FederatedTrainer:
    """Runs DP-SGD over the sites of a plan, step by step.

    Args:
        rounds: opens sums over the sites.
        domain: the encoded columns at every site.
        budget: what may be spent toward whoever gets the model; where it keeps answers, the state after each step is
            kept beside them, and a run that was interrupted goes on from there.

    *Formal guarantee.* All steps are charged, durably and as one event, before the first of them. A step whose result
    was lost with its process was never seen by whoever gets the model: it is asked again, of a fresh batch and with
    fresh noise, at no new charge here; the sites take it off what they were paid for.
    """

    def __init__(self, rounds: SecureRounds, domain: Domain, budget: Budget) -> None:
        self._rounds, self._domain, self._budget = rounds, domain, budget

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """The final carry; costs ``share`` of the squared budget, in at most ``MOST_STEPS``. See ``Setting.dp_sgd``."""
        if not self._budget.private:
            raise FederationError("sites add gradients under a guarantee alone: give a finite epsilon")
        training = training.within(MOST_STEPS)
        log = TrainingLog(self._budget, None if self._budget.answer_log is None else self._budget.answer_log.training)
        kept = log.kept(training.carry, lambda mark: self._descent(training, mark.rate, mark.noise_multiplier).digest)
        mark, carry = self._begun(log, training, share) if kept is None else kept
        descent, tail = self._descent(training, mark.rate, mark.noise_multiplier), self._budget.tail(share)
        shared = SharedDescent(descent, spare_steps(self._rounds.plan, training.steps), tail)
        planned = shared.planned(self._domain, self._rounds.plan)
        left = training.steps - mark.done
        self._rounds.check_left(left)
        log.pay(shared.event(planned, shared.noise(planned, self._rounds.plan.roster), training.steps), mark)
        self._rounds.go_on(mark.done)
        if left:
            self._rounds.begin_descent(SharedDescent(descent, shared.spare, tail, mark.done).to_bytes())
        update = planned.updates(training)
        progress.stage("private gradients over sites", training.steps)
        progress.step(mark.done)
        for number in range(mark.done, training.steps):
            log.announce(mark, 1)
            parameters = np.asarray(planned.objective.flat(training.parameters(carry)), np.float32)
            step = GradientStep(descent.digest, number, parameters, SYSTEM.take(32))
            opened = self._rounds.opened_step(step, planned.numbers)
            carry = update(carry, planned.opened(opened), jnp.asarray(np.frombuffer(SYSTEM.take(8), np.uint32)))
            mark = log.advance(mark, 1, carry)
            progress.step()
        return carry

    def _begun(self, log: TrainingLog, training: DpSgd[Carry, Any], share: float) -> tuple[Mark, Carry]:
        """A new training: noise at which all steps cost ``share``."""
        if not 0 < share <= self._budget.remaining + ROUNDING:
            raise Overdraft(f"nothing was released: a share of {share:g} of the budget was asked for, less is left")
        rate = training.rate
        noise = poisson_noise_multiplier(
            PoissonSteps(rate, 0).probability, training.steps, self._budget.mu(share), self._budget.tail(share)
        )
        return log.begin(rate, noise, self._descent(training, rate, noise).digest, training.carry), training.carry

    def _descent(self, training: DpSgd[Any, Any], rate: float, noise: float) -> Descent:
        """What is asked of the sites, on a grid that holds the batches of all.

        How many records these hold together follows from the estimate of all, as for one curator: more would make a
        sum wrong, and tell no more.
        """
        most = max(site_rooms(self._rounds.plan, rate), key=lambda into: into.capacity)
        together = rooms(rate, training.total)
        groups = math.ceil(together.groups * together.capacity / most.capacity)
        return descent_of(training, noise, rate, Rooms(groups, most.length, most.capacity))


def spare_steps(plan: FederationPlan, steps: int) -> int:
    """``SPARE``, or as many as a site's ledger may be charged with beside ``steps``, where it is near its limit."""
    ratio = limit(plan.at_a_site).mu_squared / limit(plan.guarantee).mu_squared
    return max(0, min(SPARE, math.floor(steps * (ratio - 1))))
