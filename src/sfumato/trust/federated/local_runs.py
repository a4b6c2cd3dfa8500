"""Local runs at one site: steps of DP-SGD on its own records, and how far they moved the parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from sfumato.encoding.domain import Domain
from sfumato.privacy.dp_sgd import DpSgd, compiled
from sfumato.privacy.draws import Draws, bytes_of, fresh
from sfumato.privacy.groups import Groups, deal
from sfumato.privacy.randomness import SYSTEM, Entropy
from sfumato.trust.federated.averaged_descent import AveragedDescent
from sfumato.trust.federated.averaging import Averaging
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.planned_averages import PlannedAverages
from sfumato.trust.questions import LocalRun
from sfumato.trust.records import ExactRecords
from sfumato.trust.steps import Planned

_DRAWN = 1 << 26
"""Bytes of random numbers that are drawn at a time."""
LocalState: TypeAlias = tuple[Any, optax.OptState, Any, Any]
"""Parameters, the memory of Adam, where they began, and the pull; all but the memory are trees of one shape."""


def _training(asked: AveragedDescent, averaging: Averaging) -> DpSgd[LocalState, Any]:
    """What a site does after each noised sum: Adam, which FedProx also pulls back to where the run began.

    A sum is divided by the batch that a site of average size expects, a public number, so the sum of a site with many
    records is the larger one: nothing tells how many it has.
    """
    optimiser, descent = optax.adam(asked.rate), asked.descent

    def update(state: LocalState, gradient: Any, key: Array) -> LocalState:
        parameters, memory, start, pull = state
        along = jax.tree.map(
            lambda g, p, now, then: g + p + averaging.proximal * (now - then), gradient, pull, parameters, start
        )
        updates, memory = optimiser.update(along, memory)
        return optax.apply_updates(parameters, updates), memory, start, pull

    return DpSgd(
        carry=((), (), (), ()),
        parameters=lambda state: state[0],
        recipe=descent.recipe,
        arrays=descent.arrays,
        update=update,
        steps=averaging.local_steps,
        batch=asked.batch,
        clip=descent.clip,
        total=asked.batch / descent.rate,
    )


@lru_cache(maxsize=4)
def _run(
    asked: AveragedDescent, averaging: Averaging, domain: Domain, capacity: int
) -> Callable[[LocalState, Groups, Draws, int], LocalState]:
    """``run(state, groups, draws, count) -> state``, compiled once for all sites of a process."""
    return compiled(_training(asked, averaging), Planned(asked.descent, domain).step(capacity))


class LocalRuns:
    """A training by averages at one site.

    Args:
        data: the training, as it was asked for.
        records: private.
        plan: what the site agreed to.
        place: of the site.

    Attributes:
        step: the event of one run; None where nothing is promised.
        needed, spare: runs that are still to be made, and those for attempts that fail.

    FederationError where the training is none, or is not what the plan allows.

    *Formal guarantee.* ``PlannedAverages.event``. Batches are drawn here, in secret, each anew. At level ``record``
    each sum of a batch is noised, in whole numbers, before a parameter moves by it (``dp_sgd.gradient_sum``). At level
    ``site`` the change is clipped, and this site's share of the noise is added to it in whole numbers. The rooms for
    this site's records follow from the plan and the rate, which is priced: none is left out.
    """

    def __init__(self, data: bytes, records: ExactRecords, plan: FederationPlan, place: int) -> None:
        self.planned = PlannedAverages(AveragedDescent.from_bytes(data), plan, records.domain)
        asked, self._rooms = self.planned.asked, self.planned.rooms[place]
        self._groups: Groups = deal(records.matrix(), self._rooms, SYSTEM)
        self._run = _run(asked, self.planned.averaging, records.domain, self._rooms.capacity)
        self.step = self.planned.event(1)
        self.needed, self.spare = self.planned.runs - asked.done, asked.spare

    def check(self, run: LocalRun) -> None:
        """QuestionError unless it is one of this training."""
        self.planned.check(run)

    def change(self, run: LocalRun, entropy: Entropy) -> np.ndarray:
        """(numbers,) int64: how far this site's steps moved the parameters, in whole steps, as the level noises it."""
        planned = self.planned
        objective = planned.steps.objective
        start = objective.tree(jnp.asarray(run.parameters))
        pull = objective.tree(jnp.asarray(run.pull)) if len(run.pull) else jax.tree.map(jnp.zeros_like, start)
        state: LocalState = (start, optax.adam(planned.asked.rate).init(start), start, pull)
        numbers = 0 if planned.steps.grid is None else planned.numbers
        shape, steps = (self._rooms.groups, self._rooms.length), planned.averaging.local_steps
        piece = max(1, min(steps, _DRAWN // bytes_of(shape, numbers)))
        for begun in range(0, steps, piece):
            state = self._run(state, self._groups, fresh(piece, shape, numbers, entropy), min(piece, steps - begun))
        whole = planned.whole(np.asarray(objective.flat(state[0])) - run.parameters)
        return whole if planned.noise is None else planned.noise.add(whole, entropy)
