"""The coordinator's way through DP-SGD over three parties: coins of theirs, then one sum on shares a step."""

from __future__ import annotations

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from sfumato.errors import FederationError, Overdraft
from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters
from sfumato.privacy.randomness import SYSTEM
from sfumato.progress import Progress
from sfumato.trust.budget import ROUNDING, Budget
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.mpc.secret_descent import ROWS, SecretDescent, training_of
from sfumato.trust.questions import Descent, GradientStep
from sfumato.trust.training_log import TrainingLog


class SecretTrainer:
    """Runs DP-SGD over the parties of a plan, step by step.

    *Formal guarantee.* All steps are charged, durably and as one event, before the first of them: as DP-SGD on Poisson
    samples, toward whoever sees opened sums and does not know the coins of the parties; see ``PartyDescent``.
    """

    def __init__(self, rounds: SecureRounds, budget: Budget) -> None:
        self._rounds, self._budget = rounds, budget

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """The final carry; costs ``share`` of the squared budget, which is that of the plan. See ``Setting.dp_sgd``."""
        plan, fixed = self._rounds.plan, training_of(self._rounds.plan)
        if not self._budget.private:
            raise FederationError("parties add gradients under a guarantee alone: give a finite epsilon")
        if share > self._budget.remaining + ROUNDING:
            raise Overdraft(f"nothing was released: a share of {share:g} of the budget was asked for, less is left")
        training = replace(training, steps=fixed.steps, batch=fixed.rate * training.total)
        noise = fixed.noise_multiplier(plan.guarantee)
        descent = Descent(
            training.recipe, fixed.steps, fixed.rate, float(training.clip), noise, 1, ROWS, training.arrays
        )
        secret = SecretDescent(descent, plan)
        log = TrainingLog(self._budget, None)
        mark, carry = log.begin(fixed.rate, noise, descent.digest, training.carry), training.carry
        self._rounds.check_left(fixed.steps)
        log.pay(replace(secret.event, tail=self._budget.tail(fixed.share)), mark)
        self._rounds.begin_secret_descent(descent.to_bytes())
        objective = secret.program.objective
        update = jax.jit(lambda carry, flat, key: training.updated(carry, objective.tree(flat), key))
        progress.stage("private gradients on shares", fixed.steps)
        for number in range(fixed.steps):
            log.announce(mark, 1)
            parameters = np.asarray(objective.flat(training.parameters(carry)), np.float32)
            step = GradientStep(descent.digest, number, parameters, SYSTEM.take(32))
            opened = secret.opened(self._rounds.opened_step(step, secret.numbers))
            carry = update(carry, opened, jnp.asarray(np.frombuffer(SYSTEM.take(8), np.uint32)))
            mark = log.advance(mark, 1, carry)
            progress.step()
        return carry
