"""DP-SGD over sites: one secure sum a step. Each site draws its own batch, clips, adds and noises it."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError, QuestionError
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters
from sfumato.privacy.events import DistributedGaussian
from sfumato.privacy.groups import MOST_DRAWN, Rooms, rooms, rooms_for
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.privacy.sampling import OVERFLOWS, PoissonSteps
from sfumato.progress import Progress
from sfumato.trust.budget import Budget
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.questions import Descent, GradientStep, from_bytes
from sfumato.trust.records import ExactRecords
from sfumato.trust.secure_sum.noise import VectorNoise
from sfumato.trust.secure_sum.roster import Roster
from sfumato.trust.steps import BatchSums, Planned, descent_of

_HEAD = struct.Struct("<8sId")
_MAGIC = b"sfudesc2"
SPARE = 20
"""Steps that each site pays for beside those that are planned: an attempt that fails is made again."""
_MOST_GROUPS = 1024
"""Groups of records, of all sites together, for which ``sampling.OVERFLOWS`` is proven."""


def site_rooms(plan: FederationPlan, rate: float) -> tuple[Rooms, ...]:
    """Rooms for the records of each site, by place: for as many as the plan declares, whatever anybody tells later.

    FederationError where they are more groups than are accounted for.
    """
    if rate * plan.most_rows <= _MOST_GROUPS * MOST_DRAWN:
        found = {most: rooms_for(rate, most) for most in set(plan.capacity)}
        if sum(found[most].groups for most in plan.capacity) <= _MOST_GROUPS:
            return tuple(found[most] for most in plan.capacity)
    raise FederationError(
        f"a training of more groups of records than are accounted for: at a rate of {rate:.3g}, {plan.most_rows:,}"
        " records are declared; declare fewer"
    )


@dataclass(frozen=True)
class SharedDescent:
    """A descent as the sites of a plan share it: asked for once, and paid for whole before its first step.

    Attributes:
        descent: what all steps are.
        spare: attempts that are paid for beside its steps.
        tail: delta taken for the tail of the loss of all.
    """

    descent: Descent
    spare: int
    tail: float

    def to_bytes(self) -> bytes:
        """As a site is sent it."""
        return _HEAD.pack(_MAGIC, self.spare, self.tail) + self.descent.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> SharedDescent:
        """The inverse; FederationError where it is none."""
        try:
            magic, spare, tail = _HEAD.unpack_from(data)
            asked = from_bytes(data[_HEAD.size :])
        except struct.error:
            raise FederationError("a request for a training that is none") from None
        except QuestionError as error:
            raise FederationError(str(error)) from None
        if magic != _MAGIC or not isinstance(asked, Descent) or not 0 <= tail < 1:
            raise FederationError("a request for a training that is none")
        return cls(asked, spare, tail)

    def planned(self, domain: Domain, plan: FederationPlan) -> Planned:
        """What it means for records of ``domain`` at the sites of ``plan``; FederationError where they refuse it."""
        if not self.descent.noise_multiplier:
            raise FederationError("a training without noise, in a federation; nothing is answered")
        if self.descent.steps > plan.rounds:
            raise FederationError(f"a training of {self.descent.steps:,} steps, in a plan of {plan.rounds} rounds")
        drawn = max(into.capacity for into in site_rooms(plan, self.descent.rate))
        if drawn > self.descent.capacity:
            raise FederationError(
                f"a training of {self.descent.capacity} records drawn at a time, where sites draw up to {drawn}"
            )
        found = Planned(self.descent, domain)
        if found.numbers > plan.longest:
            raise FederationError(f"a network of {found.numbers:,} numbers: the plan has {plan.longest:,} at most")
        return found

    def noise(self, planned: Planned, roster: Roster) -> VectorNoise:
        """The share of the noise of each site, on each number of a step."""
        assert planned.grid is not None  # by ``planned``
        return VectorNoise.of_multiplier(planned.grid.noise_multiplier, roster, planned.grid.sensitivity)

    def event(self, planned: Planned, noise: VectorNoise, steps: int) -> DistributedGaussian:
        """What so many steps cost."""
        return noise.event(planned.numbers, planned.sampling.probability, steps, OVERFLOWS, self.tail)


class SiteDescent:
    """A descent at one site: what it pays before the first step, and its own sums.

    Args:
        data: a ``SharedDescent``, from the coordinator.
        records: private; no more than ``plan`` declares for this site.
        plan: what the site agreed to.
        place: of the site.

    *Formal guarantee.* Batches are drawn at the site, in secret, each anew; what is added to their sum is this site's
    share of the noise. See ``BatchSums`` and ``SharedDescent.event``. The rooms for this site's records follow from
    the plan and the rate, which is priced: none is left out, whatever the coordinator tells, so one record more moves
    no step further than is paid for.
    """

    def __init__(self, data: bytes, records: ExactRecords, plan: FederationPlan, place: int) -> None:
        shared = SharedDescent.from_bytes(data)
        self._planned = shared.planned(records.domain, plan)
        self._noise = shared.noise(self._planned, plan.roster)
        self.event = shared.event(self._planned, self._noise, shared.descent.steps + shared.spare)
        self._sums = BatchSums(self._planned, records, site_rooms(plan, shared.descent.rate)[place])

    def check(self, step: GradientStep) -> None:
        """QuestionError unless it is one of this descent."""
        self._planned.check(step)

    def noised(self, step: GradientStep, entropy: Entropy) -> np.ndarray:
        """(numbers,) whole numbers, int64: the sum of a fresh batch with this site's share of the noise."""
        return self._noise.add(self._sums.answer(step, entropy).astype(np.int64), entropy)


class FederatedTrainer:
    """Runs DP-SGD over the sites of a plan, step by step.

    Args:
        rounds: opens sums over the sites.
        domain: the encoded columns at every site.
        budget: what may be spent toward whoever gets the model.
    """

    def __init__(self, rounds: SecureRounds, domain: Domain, budget: Budget) -> None:
        self._rounds, self._domain, self._budget = rounds, domain, budget

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """The final carry; costs ``share`` of the squared budget. See ``Setting.dp_sgd``."""
        if not self._budget.private:
            raise FederationError("sites add gradients under a guarantee alone: give a finite epsilon")
        shared = self._shared(training, share)
        planned = shared.planned(self._domain, self._rounds.plan)
        noise = shared.noise(planned, self._rounds.plan.roster)
        self._budget.charge_training(shared.event(planned, noise, training.steps), paid=False)
        self._rounds.begin_descent(shared.to_bytes())
        update, carry = planned.updates(training), training.carry
        progress.stage("private gradients over sites", training.steps)
        for number in range(training.steps):
            parameters = np.asarray(planned.objective.flat(training.parameters(carry)), np.float32)
            step = GradientStep(shared.descent.digest, number, parameters, SYSTEM.take(32))
            opened = self._rounds.opened_step(step, planned.numbers)
            carry = update(carry, planned.opened(opened), jnp.asarray(np.frombuffer(SYSTEM.take(8), np.uint32)))
            progress.step()
        return carry

    def _shared(self, training: DpSgd[Any, Any], share: float) -> SharedDescent:
        """The descent: noise at which all steps cost ``share``, and a grid that holds the batches of all sites.

        How many records these hold together follows from the estimate of all, as for one curator: more would make a
        sum wrong, and tell no more.
        """
        rate, tail = training.rate, self._budget.tail(share)
        probability = PoissonSteps(rate, 0).probability
        noise = poisson_noise_multiplier(probability, training.steps, self._budget.mu(share), tail)
        most = max(site_rooms(self._rounds.plan, rate), key=lambda into: into.capacity)
        together = rooms(rate, training.total)
        groups = math.ceil(together.groups * together.capacity / most.capacity)
        return SharedDescent(descent_of(training, noise, rate, Rooms(groups, most.length, most.capacity)), SPARE, tail)
