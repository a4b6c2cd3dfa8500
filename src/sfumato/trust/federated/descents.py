"""DP-SGD over sites: one secure sum a step. Each site draws its own batch, clips, adds and noises it."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError, QuestionError
from sfumato.privacy.events import DistributedGaussian
from sfumato.privacy.groups import MOST_DRAWN, Rooms, rooms_for
from sfumato.privacy.randomness import Entropy
from sfumato.privacy.sampling import OVERFLOWS
from sfumato.privacy.spending import TAIL_SHARE
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.plan_facts import MOST_STEPS
from sfumato.trust.questions import Descent, GradientStep, from_bytes
from sfumato.trust.records import ExactRecords
from sfumato.trust.secure_sum.noise import VectorNoise
from sfumato.trust.secure_sum.roster import Roster
from sfumato.trust.steps import BatchSums, Planned

_HEAD = struct.Struct("<8sIId")
_MAGIC = b"sfudesc2"
_LEAST_NOISE = 0.1
"""In sensitivities: with less a training costs more than any promise, and its price takes minutes to find."""
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
        done: steps that a coordinator which goes on needs no more.
    """

    descent: Descent
    spare: int
    tail: float
    done: int = 0

    @property
    def needed(self) -> int:
        """Steps that are still to be taken."""
        return self.descent.steps - self.done

    def to_bytes(self) -> bytes:
        """As a site is sent it."""
        return _HEAD.pack(_MAGIC, self.spare, self.done, self.tail) + self.descent.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> SharedDescent:
        """The inverse; FederationError where it is none."""
        try:
            magic, spare, done, tail = _HEAD.unpack_from(data)
            asked = from_bytes(data[_HEAD.size :])
        except struct.error:
            raise FederationError("a request for a training that is none") from None
        except QuestionError as error:
            raise FederationError(str(error)) from None
        if magic != _MAGIC or not isinstance(asked, Descent) or not 0 <= tail < 1 or done >= asked.steps:
            raise FederationError("a request for a training that is none")
        return cls(asked, spare, tail, done)

    def planned(self, domain: Domain, plan: FederationPlan) -> Planned:
        """What it means for records of ``domain`` at the sites of ``plan``; FederationError where they refuse it."""
        asked, slots = self.descent, plan.terms.slots
        if not asked.noise_multiplier:
            raise FederationError("a training without noise, in a federation; nothing is answered")
        if asked.steps > plan.rounds or self.spare > slots:
            raise FederationError(
                f"a training of {asked.steps:,} steps and {self.spare:,} spare ones, in a plan of {plan.rounds} rounds"
                f" and {slots} attempts in all"
            )
        if asked.steps > MOST_STEPS:
            raise FederationError(f"a training of {asked.steps:,} steps: over sites it has {MOST_STEPS} at most")
        if self.tail > TAIL_SHARE * plan.guarantee.delta:
            raise FederationError("a training that takes more delta for the tail of its loss than the plan has for it")
        if asked.rate * plan.most_rows < 1:
            raise FederationError(f"a training at a rate of {asked.rate:.3g}, which draws no record in most steps")
        drawn = max(into.capacity for into in site_rooms(plan, asked.rate))
        if drawn > asked.capacity:
            raise FederationError(
                f"a training of {asked.capacity} records drawn at a time, where sites draw up to {drawn}"
            )
        found = Planned(asked, domain)
        if found.numbers > plan.longest:
            raise FederationError(f"a network of {found.numbers:,} numbers: the plan has {plan.longest:,} at most")
        if found.sampling.noise_multiplier < _LEAST_NOISE:
            raise FederationError(f"a training whose noise is less than {_LEAST_NOISE:g} of what a record can change")
        return found

    def noise(self, planned: Planned, roster: Roster) -> VectorNoise:
        """The share of the noise of each site, on each number of a step."""
        assert planned.grid is not None  # by ``planned``
        return VectorNoise.of_multiplier(planned.grid.noise_multiplier, roster, planned.grid.sensitivity)

    def event(self, planned: Planned, noise: VectorNoise, steps: int = 1) -> DistributedGaussian:
        """What so many steps are charged as."""
        return noise.event(planned.numbers, planned.sampling.probability, steps, OVERFLOWS, self.tail)


class SiteDescent:
    """A descent at one site: what its steps cost, and its own sums. Records are read only when a step is asked.

    Args:
        data: a ``SharedDescent``, from the coordinator.
        records: private; no more than ``plan`` declares for this site.
        plan: what the site agreed to.
        place: of the site.

    Attributes:
        shared: what was asked for.
        step: the event of one step.

    *Formal guarantee.* Batches are drawn at the site, in secret, each anew; what is added to their sum is this site's
    share of the noise. See ``BatchSums`` and ``SharedDescent.event``. The rooms for this site's records follow from
    the plan and the rate, which is priced: none is left out, whatever the coordinator tells, so one record more moves
    no step further than is paid for.
    """

    def __init__(self, data: bytes, records: ExactRecords, plan: FederationPlan, place: int) -> None:
        self.shared = SharedDescent.from_bytes(data)
        self._planned = self.shared.planned(records.domain, plan)
        self._noise = self.shared.noise(self._planned, plan.roster)
        self.step = self.shared.event(self._planned, self._noise)
        self._records, self._rooms = records, site_rooms(plan, self.shared.descent.rate)[place]

    @cached_property
    def _sums(self) -> BatchSums:
        return BatchSums(self._planned, self._records, self._rooms)

    def check(self, step: GradientStep) -> None:
        """QuestionError unless it is one of this descent."""
        self._planned.check(step)

    def noised(self, step: GradientStep, entropy: Entropy) -> np.ndarray:
        """(numbers,) whole numbers, int64: the sum of a fresh batch with this site's share of the noise."""
        return self._noise.add(self._sums.answer(step, entropy).astype(np.int64), entropy)
