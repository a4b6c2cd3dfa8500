"""What the engine runs in a training on shares: three parties' one-hots and parameters in, parameters out.

Rows, parameters and all that follows from them are secret; who is in a batch and the noise of latent points is public.
Whoever is absent at some party takes part in no step. The loss is that of installed code (``training.RECIPE``), so
that the same network learns in the open; the gradient is JAX's own, and the step plain gradient descent.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from sfumato.encoding.domain import Domain
from sfumato.privacy.dp_sgd import Objective, SecretView
from sfumato.privacy.gradients import OneHots, Tape
from sfumato.trust.mpc.counting import OneHotLayout
from sfumato.trust.mpc.encrypted.training import BATCH, RECIPE, TOGETHER
from sfumato.trust.mpc.engine.lowering import Program, lower
from sfumato.trust.mpc.split import layout
from sfumato.trust.questions import OBJECTIVES

_SLOWEST = 2.0**-9
"""What a sum of gradients is multiplied by where there is one column; a power of two is exact on shares.

With c columns it is this over c or a little more: with six, gradient descent went well up to 2^-11 and not at 2^-10.
"""
BOX = 16.0
"""Largest parameter, either way: those of a training that goes well stay below 5; at the box something went wrong."""
_WHO, _NOISE = 5, 6
"""Places of what is public among the arguments of the steps."""
_WEIGHT = 1.0
"""Of the divergence, in the units of the recipe."""


@dataclass(frozen=True)
class SharedColumns:
    """Whose columns are trained on; public.

    Attributes:
        domain: the columns as the network sees them.
        owners: of each the place of its party, and its number there.
        persons: on the list.
    """

    domain: Domain
    owners: tuple[tuple[int, int], ...]
    persons: int

    @cached_property
    def layout(self) -> OneHotLayout:
        """Where the one-hots of each column lie at its party."""
        return layout(self.owners, self.domain.sizes)

    @cached_property
    def objective(self) -> Objective[Any, Any]:
        """The loss."""
        return OBJECTIVES.make(RECIPE, self.domain, {"weight": np.array(_WEIGHT)})

    @cached_property
    def view(self) -> SecretView:
        """How it sees one-hots."""
        view = self.objective.secret
        assert view is not None, "the recipe is one for shares"
        return view

    @property
    def noise_shape(self) -> tuple[int, ...]:
        """Of the noise of one batch."""
        return jax.eval_shape(lambda key: self.view.coins(key, BATCH), jax.random.key(0)).shape

    @property
    def scale(self) -> float:
        """What a sum of gradients is multiplied by: the learning rate over the batch."""
        return _SLOWEST / 2 ** math.ceil(math.log2(len(self.domain)))

    def gathered(self, parts: Sequence[Array]) -> Array:
        """One-hots (B, width) of all columns in the order of the domain, of those (B, _) of each party."""
        spans = ((place, self.layout.span(place, number)) for place, number in self.owners)
        return jnp.concatenate([parts[place][:, span] for place, span in spans], axis=1)


def shared(columns: SharedColumns, start: Array, *rows: Array) -> tuple[Array, ...]:
    """The first program: what stays on shares from then on.

    It takes the first parameters (numbers,) and the one-hots (N, _) of each party, and gives the same, and who is
    present at all of them, (N,) zeros and ones.
    """
    firsts = (jnp.sum(rows[place][:, columns.layout.span(place, 0)], axis=1) for place in range(len(rows)))
    one, two, three = firsts
    return (start, *rows, one * two * three)


def descended(
    columns: SharedColumns,
    parameters: Array,
    *given: Array,
) -> Array:
    """The second program: ``TOGETHER`` steps from ``parameters`` (numbers,) to as many.

    ``given`` are the one-hots (N, _) of each party, who is present (N,), who is in each batch (TOGETHER, BATCH), and
    the noise of the latent points of each.
    """
    *rows, present, who, noise = given

    def loss(flat: Array, hot: Array, weight: Array, coins: Array) -> Array:
        records = columns.view.records(OneHots(hot, len(columns.domain)), coins)
        return jnp.sum(weight * columns.objective.loss(columns.objective.tree(flat), records, Tape()))

    def step(flat: Array, drawn: tuple[Array, Array]) -> tuple[Array, None]:
        batch, coins = drawn
        parts = [table.at[batch].get(mode="promise_in_bounds") for table in rows]
        weight = present.at[batch].get(mode="promise_in_bounds")
        return flat - columns.scale * jax.grad(loss)(flat, columns.gathered(parts), weight, coins), None

    return jnp.clip(lax.scan(step, parameters, (who, noise))[0], -BOX, BOX)


@dataclass(frozen=True)
class TrainingPrograms:
    """Both programs, lowered.

    Attributes:
        shared, descended: see the functions of these names.
    """

    shared: Program
    descended: Program

    @classmethod
    def of(cls, columns: SharedColumns) -> TrainingPrograms:
        """Lower both; EngineError where one does what may not be done on shares."""
        numbers = _form((columns.objective.numbers,))
        rows = [_form((columns.persons, width)) for width in columns.layout.widths]
        drawn = _form((TOGETHER, BATCH), jnp.int32), _form((TOGETHER, *columns.noise_shape))
        first = lower(partial(shared, columns), numbers, *rows)
        steps = partial(descended, columns)
        then = lower(steps, numbers, *rows, _form((columns.persons,)), *drawn, public=(_WHO, _NOISE))
        return cls(first, then)

    @property
    def digest(self) -> str:
        """SHA-256 of both, as plans name them."""
        running = hashlib.sha256()
        for program in (self.shared, self.descended):
            running.update(len(program.text).to_bytes(8, "little") + program.text.encode())
        return running.hexdigest()


def _form(shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(shape, dtype)
