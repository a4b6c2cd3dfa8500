"""What a training by averages means under a plan, from public facts alone: its noise, its cost, its whole numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError, QuestionError
from sfumato.privacy.events import DistributedGaussian, PoissonSampledGaussian
from sfumato.privacy.groups import Rooms
from sfumato.privacy.mechanisms.lattice import norm
from sfumato.trust.federated.averaged_descent import AveragedDescent
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.descents import site_rooms
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.questions import LocalRun
from sfumato.trust.secure_sum.noise import VectorNoise
from sfumato.trust.steps import Planned

_FURTHEST = 4.0
"""Learning rates by which a step of Adam moves a number at most; 3.2 with its usual decays (Kingma and Ba 2015)."""
_SUM_BITS = 30
"""A sum of changes stays below two to this, in the narrow ring, whatever the sites did."""
_CLIPPED_BITS = 24
"""Steps of a clipped change: two to this; with its noise it fits the wide ring."""


@dataclass(frozen=True)
class PlannedAverages:
    """What a training by averages means under a plan, for records of some columns: from public facts alone.

    Attributes:
        asked: the training.
        plan: what the sites agreed to, averages among it.
        domain: the encoded columns.

    Raises:
        FederationError: the training has another kind of noise than the plan's level, or does not fit the plan.
    """

    asked: AveragedDescent
    plan: FederationPlan
    domain: Domain

    def __post_init__(self) -> None:
        level, noise, shared = self.averaging.level, self.asked.descent.noise_multiplier, self.asked.shared_noise
        if (noise > 0, shared > 0) != (level == "record", level == "site"):
            raise FederationError(f"a training whose noise is not that of averages at level {level!r}")
        if self.asked.descent.steps % self.averaging.local_steps:
            raise FederationError("a training by averages whose steps are no whole number of local runs")
        if self.asked.done >= self.runs:
            raise FederationError(f"a training of {self.runs:,} local runs that goes on after {self.asked.done:,}")
        if self.numbers > self.plan.longest:
            raise FederationError(f"a change of more numbers than the {self.plan.longest:,} of the plan")
        if self.runs > self.plan.rounds:
            raise FederationError(f"a training of {self.runs:,} local runs, in a plan of {self.plan.rounds} rounds")
        drawn = max(into.capacity for into in self.rooms)
        if drawn > self.asked.descent.capacity:
            raise FederationError(
                f"a training of {self.asked.descent.capacity} records drawn at a time, where sites draw up to {drawn}"
            )
        if level == "site" and not self.plan.holds(*self._largest):
            raise FederationError(f"a sum of changes that {self.plan.room} does not hold")

    @property
    def averaging(self) -> Averaging:
        """How it is averaged."""
        if self.plan.averaging is None:
            raise FederationError("a training by averages is outside the plan")
        return self.plan.averaging

    @cached_property
    def steps(self) -> Planned:
        """What a local step is."""
        return Planned(self.asked.descent, self.domain)

    @property
    def rooms(self) -> tuple[Rooms, ...]:
        """For the records of each site, by place: as many as it declares in the plan."""
        return site_rooms(self.plan, self.asked.descent.rate)

    @property
    def numbers(self) -> int:
        """Of a change."""
        return self.steps.numbers

    @property
    def runs(self) -> int:
        """How many are planned."""
        return self.asked.descent.steps // self.averaging.local_steps

    @property
    def clip(self) -> float:
        """At level ``site`` the l2 bound of a change: as long as one step that moves each number by its rate."""
        return self.asked.rate * math.sqrt(self.numbers)

    @property
    def step(self) -> float:
        """What a whole number of a change stands for."""
        if self.averaging.level == "site":
            return self.clip * 2.0**-_CLIPPED_BITS
        sites = math.ceil(math.log2(self.plan.terms.sites))
        return self._reach * 2.0 ** -(_SUM_BITS - sites)

    @property
    def noise(self) -> VectorNoise | None:
        """The share of each site of the noise of a sum; None where a change is private by itself, or not at all."""
        if self.averaging.level != "site":
            return None
        return VectorNoise.of_multiplier(self.asked.shared_noise, self.plan.roster, norm(_CLIPPED_BITS, self.numbers))

    def event(self, runs: int) -> PoissonSampledGaussian | DistributedGaussian | None:
        """What so many runs cost; None where nothing is promised.

        *Formal guarantee.* At level ``record`` all local steps of one site are the DP-SGD of a curator who holds its
        records alone: whatever leaves the site is made of its noised sums and of public numbers. A record lies at one
        site, so the sites together cost what one of them does, whoever sees their changes. At level ``site`` one
        site's change moves the sum by ``norm`` steps at most, and the sites share its noise.
        """
        if self.averaging.level == "record":
            event = self.steps.sampling.event(runs * self.averaging.local_steps)
            return replace(event, tail=self.asked.tail)
        return None if self.noise is None else self.noise.event(self.numbers, steps=runs)

    def whole(self, change: np.ndarray) -> np.ndarray:
        """(numbers,) int64: a change (numbers,) in whole steps, clipped to what the plan allows; nothing that is not
        finite is left of it.

        *Formal guarantee.* At most ``norm(_CLIPPED_BITS, numbers)`` steps long at level ``site``; elsewhere each number
        is bounded so that no sum wraps around, which is post-processing.
        """
        change = np.nan_to_num(change.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        if self.averaging.level == "site":
            length = float(np.linalg.norm(change))
            change = change * min(1.0, self.clip / length) if length else change
        else:
            change = np.clip(change, -self._reach, self._reach)
        return np.rint(change / self.step).astype(np.int64)

    def mean(self, whole: np.ndarray, sites: int) -> np.ndarray:
        """(numbers,) float32: the mean change over so many sites, which count alike, of their sum in whole steps."""
        return (whole * (self.step / sites)).astype(np.float32)

    def check(self, run: LocalRun) -> None:
        """QuestionError unless ``run`` is one of this training."""
        if run.training != self.asked.digest or run.number >= self.runs:
            raise QuestionError("this is no local run of the training that was agreed on")
        if len(run.parameters) != self.numbers:
            raise QuestionError(f"the recipe has {self.numbers} parameters, and a run gives {len(run.parameters)}")

    @property
    def _reach(self) -> float:
        """How far a number can come in a local run."""
        return _FURTHEST * self.asked.rate * self.averaging.local_steps

    @property
    def _largest(self) -> tuple[float, float]:
        """The largest sum of changes at level ``site``, and the deviation of its noise."""
        assert self.noise is not None
        sites = self.plan.terms.sites
        return sites * norm(_CLIPPED_BITS, self.numbers), self.noise.deviation(sites)
