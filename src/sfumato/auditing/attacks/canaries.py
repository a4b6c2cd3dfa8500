"""Canaries in the training of a network: records whose gradient is one coordinate that nobody else uses.

Source: Nasr et al. 2023 (the worst-case gradient); Steinke, Nasr, Jagielski 2023, section 6 (Dirac canaries, many in
one run). They train with everybody else, through the model's own recipe; only their loss is the auditor's.
"""

from __future__ import annotations

from functools import partial
from typing import Generic, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.special import logsumexp

from sfumato.encoding.domain import Domain
from sfumato.privacy.dp_sgd import Carry, DpSgd, Objective, Parameters, Records
from sfumato.privacy.gradients import Embedding, Tape
from sfumato.progress import Progress
from sfumato.trust.questions import OBJECTIVES, PublicArrays
from sfumato.trust.setting import Setting

PULL = 1e4
"""Norm of a canary's gradient before it is clipped: far beyond any bound."""


class _Carry(NamedTuple, Generic[Carry]):
    """What the model carries, the canaries' own coordinates, what was released of them, and the number of the step."""

    own: Carry
    coordinates: Embedding
    released: Array
    step: Array


class Planted:
    """A setting whose trainings hold canaries; it answers everything else as the setting itself does.

    The last column says which canary a record is, from 1 on, and is 0 for others; the model does not see it.

    Args:
        setting: the setting that is audited.
        pulls: (canaries,) norms of their gradients, in units of ``PULL``.

    Attributes:
        released: after a training, (steps, canaries): what an observer of all noised sums sees of each canary in units
            of the clipping bound, 1 where it was in the batch, plus noise.
    """

    def __init__(self, setting: Setting, pulls: np.ndarray) -> None:
        self._setting, self._pulls = setting, np.concatenate([[0], pulls])
        self.released = np.empty((0, len(pulls)))

    @property
    def domain(self) -> Domain:
        """The encoded columns that the model sees."""
        domain = self._setting.domain
        return Domain(domain.axes[:-1], domain.pixels)

    def __getattr__(self, name: str) -> object:
        return getattr(self._setting, name)

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """The model's own result; what was seen of the canaries is kept."""
        start = Embedding(len(self._pulls), 1, jax.random.key(0))
        zeros = jnp.zeros((training.steps, len(self._pulls) - 1))

        def update(carry: _Carry[Carry], gradient: tuple[Parameters, Embedding], key: Array) -> _Carry[Carry]:
            own = training.update(carry.own, gradient[0], key)
            seen = -gradient[1].table[1:, 0] * (training.batch / training.clip)
            return _Carry(own, carry.coordinates, carry.released.at[carry.step].set(seen), carry.step + 1)

        planted = DpSgd(
            carry=_Carry(training.carry, start, zeros, jnp.zeros((), jnp.int32)),
            parameters=lambda carry: (training.parameters(carry.own), carry.coordinates),
            recipe=_installed_around(training.recipe),
            arrays={**training.arrays, _PULLS: self._pulls},
            update=update,
            steps=training.steps,
            batch=training.batch,
            clip=training.clip,
            total=training.total,
        )
        final = self._setting.dp_sgd(planted, share, progress)
        self.released = np.asarray(final.released, np.float64)
        return final.own


_PULLS = "canary_pulls"
"""Name of the array of norms, that of ordinary records first."""


def _installed_around(recipe: str) -> str:
    """Name of an installed recipe, with canaries; it is installed when it is first asked for."""
    name = f"canaries in {recipe}"
    if name not in OBJECTIVES.names():
        OBJECTIVES.add(name, partial(_with_canaries, recipe))
    return name


def _with_canaries(recipe: str, domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "canaries in ...": the model's own loss, but for records that the last column marks."""
    seen = Domain(domain.axes[:-1], domain.pixels)
    own: Objective = OBJECTIVES.make(recipe, seen, {name: a for name, a in arrays.items() if name != _PULLS})
    pulls = jnp.asarray(-PULL * arrays[_PULLS], jnp.float32)

    def loss(parameters: tuple[Parameters, Embedding], records: tuple[Records, Array], tape: Tape) -> Array:
        learnt, coordinates = parameters
        prepared, canary = records
        pull = pulls[canary] * coordinates(canary[:, None], tape)[:, 0, 0]
        return jnp.where(canary > 0, pull, own.loss(learnt, prepared, tape))

    def prepare(codes: Array, key: Array) -> tuple[object, Array]:
        return own.prepare(codes[:, :-1], key), codes[:, -1].astype(jnp.int32)

    coordinates = jax.eval_shape(lambda key: Embedding(len(pulls), 1, key), jax.random.key(0))
    return Objective((own.like, coordinates), prepare, loss)


def log_likelihood_ratio(released: np.ndarray, rate: float, noise_multiplier: float) -> np.ndarray:
    """Of "in" against "out" for each canary, (canaries,): the most powerful score of ``Planted.released``."""
    pull = (released - 0.5) / noise_multiplier**2
    each = logsumexp([np.log(rate) + pull, np.full_like(pull, np.log1p(-rate))], axis=0)
    return each.sum(axis=0)
