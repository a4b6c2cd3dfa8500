"""A step of DP-SGD on secret rows as a program for the engine: public parameters in, parts of a clipped sum out.

The columns of a batch lie at three owners. Each makes one-hots of its own, and of these what the first layer makes of
them, by itself: both are secrets of its. Which rows are in the batch, the parameters and the random numbers of the
recipe are known to all three. The result stays in three parts, which add up to it modulo 2^64 in units of 2^-18.

As 2^32 divides 2^64, the parts taken modulo 2^32 add up to it modulo 2^32. So each party adds its noise to its own, and
a secure sum in the ring of 32 bits opens what lies between -2^31 and 2^31 units. Nothing is noised in the engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from sfumato.encoding.domain import Domain
from sfumato.errors import EngineError
from sfumato.privacy.dp_sgd import Objective, SecretView
from sfumato.privacy.gradients import OneHots, fixed_sensitivity, fixed_sum
from sfumato.trust.mpc.engine.engine_plan import PARTIES
from sfumato.trust.mpc.engine.lowering import Program, lower

_PRESENT = 0.9
"""Chance that a simulated row has a record at a party."""


class OwnInputs(NamedTuple):
    """What one party gives to a step: all of it private.

    Attributes:
        present: (B,) a one for each row of the batch that it has a record of.
        hot: (B, cells) one-hots of its columns, zeros where it has no record.
        first: (B, E) what the first layer makes of them.
    """

    present: np.ndarray
    hot: np.ndarray
    first: np.ndarray


@dataclass(frozen=True)
class GradientProgram:
    """The clipped sum of a batch, for a recipe, owners of columns, and a number of rows; all of it public.

    Attributes:
        objective: what is made of records.
        domain: the encoded columns of all parties.
        owners: by column, the rank of the party that has it.
        rows: of a batch, padding included.
        clip: bound of a record's gradient.

    EngineError, where something is asked of it, for a recipe that cannot run on shares.
    """

    objective: Objective
    domain: Domain
    owners: tuple[int, ...]
    rows: int
    clip: float

    @cached_property
    def view(self) -> SecretView:
        """How the recipe sees secret records."""
        if self.objective.secret is None:
            raise EngineError("this recipe looks into records: take the form of its network that is made for shares")
        return self.objective.secret

    @cached_property
    def _parameters(self) -> list[Any]:
        return jax.tree.leaves(self.objective.like)

    @cached_property
    def _drawn(self) -> Any:
        """The shapes of the random numbers of a batch."""
        return jax.eval_shape(lambda key: self.view.coins(key, self.rows), jax.ShapeDtypeStruct((2,), np.uint32))

    @cached_property
    def program(self) -> Program:
        """What runs on shares: parameters and random numbers are public, and what parties give is secret."""
        secret = (shape for rank in range(PARTIES) for shape in self._secret(rank))
        public = [*self._parameters, *jax.tree.leaves(self._drawn)]
        shapes = [jax.ShapeDtypeStruct(a.shape, _kind(a)) for a in (*public, *secret)]
        return lower(self.function, *shapes, public=range(len(public)))

    def function(self, *arguments: Any) -> Array:
        """(numbers,) the clipped sum, in the order of ``Objective.flat``; of :meth:`arguments`."""
        like, drawn = self._parameters, jax.tree.leaves(self._drawn)
        ends = len(like), len(like) + len(drawn)
        network = jax.tree.unflatten(jax.tree.structure(self.objective.like), arguments[: ends[0]])
        coins = [a != 0 if d.dtype == bool else a for a, d in zip(arguments[slice(*ends)], drawn, strict=True)]
        given = [arguments[i : i + 3] for i in range(ends[1], len(arguments), 3)]
        present, hots, firsts = zip(*given, strict=True)
        columns = [hots[owner][:, self.span(i)] for i, owner in enumerate(self.owners)]
        rows = OneHots(jnp.concatenate(columns, axis=1), len(self.owners), firsts[0] + firsts[1] + firsts[2])
        records = self.view.records(rows, jax.tree.unflatten(jax.tree.structure(self._drawn), coins))
        everywhere = present[0] * present[1] * present[2]
        return self.objective.flat(self.summed(network, records, everywhere))

    def summed(self, network: Any, records: Any, present: Array) -> Any:
        """The clipped sum over those who are present everywhere, as a tree like ``network``."""
        return fixed_sum(self.objective.loss, network, records, present, self.clip)

    def public(self, network: Any, key: Array) -> list[np.ndarray]:
        """The arguments that all know: the parameters, and the random numbers that the ``key`` of the batch gives."""
        found = (*jax.tree.leaves(network), *jax.tree.leaves(self.view.coins(key, self.rows)))
        return [np.asarray(a, _kind(a)) for a in found]

    def own(self, rank: int, codes: Sequence[np.ndarray], present: np.ndarray, network: Any, key: Array) -> OwnInputs:
        """What the party of this rank gives of ``codes`` (B,) of its columns and who is ``present`` (B,); private."""
        mine = [i for i, owner in enumerate(self.owners) if owner == rank]
        whole = np.zeros((self.rows, sum(self.domain.sizes)), np.float32)
        starts = np.cumsum([0, *self.domain.sizes])
        for i, code in zip(mine, codes, strict=True):
            whole[np.flatnonzero(present), starts[i] + code[present]] = 1
        first = np.asarray(self.view.part(network, jnp.asarray(whole), self.view.coins(key, self.rows)))
        hot = np.concatenate([whole[:, starts[i] : starts[i + 1]] for i in mine], axis=1)
        return OwnInputs(present.astype(np.float32), hot, np.where(present[:, None], first, 0))

    def simulated(self, network: Any, rng: np.random.Generator) -> list[np.ndarray]:
        """Arguments of the program, of rows drawn at random from the declared domain."""
        key = jax.random.PRNGKey(0)
        codes = [rng.integers(0, size, self.rows) for size in self.domain.sizes]
        given = [
            self.own(p, [c for c, o in zip(codes, self.owners, strict=True) if o == p], present, network, key)
            for p, present in enumerate(rng.random((PARTIES, self.rows)) < _PRESENT)
        ]
        return [*self.public(network, key), *(a for one in given for a in one)]

    @property
    def sensitivity(self) -> float:
        """How far one record moves the sum, in l2 norm and units of the engine."""
        found: list[float] = []

        def traced(hots: Array, coins: Any) -> Array:
            records = self.view.records(OneHots(hots, len(self.owners)), coins)
            found.append(fixed_sensitivity(self.objective.loss, self.objective.like, records, self.clip))
            return hots

        whole = jax.ShapeDtypeStruct((self.rows, sum(self.domain.sizes)), np.float32)
        jax.eval_shape(traced, whole, self._drawn)
        return found[0]

    def _secret(self, rank: int) -> tuple[jax.ShapeDtypeStruct, ...]:
        """What a party gives: ``OwnInputs``."""
        cells = sum(s for s, o in zip(self.domain.sizes, self.owners, strict=True) if o == rank)
        whole = jax.ShapeDtypeStruct((self.rows, sum(self.domain.sizes)), np.float32)
        first = jax.eval_shape(self.view.part, self.objective.like, whole, self._drawn)
        return (
            jax.ShapeDtypeStruct((self.rows,), np.float32),
            jax.ShapeDtypeStruct((self.rows, cells), np.float32),
            first,
        )

    def span(self, column: int) -> slice:
        """Where the one-hot of a column lies among those of its owner."""
        owner = self.owners[column]
        before = [s for s, o in zip(self.domain.sizes[:column], self.owners, strict=False) if o == owner]
        return slice(sum(before), sum(before) + self.domain.sizes[column])


def _kind(array: Any) -> Any:
    """The type in which an array comes to the engine, which knows no truths."""
    return np.int32 if array.dtype == bool else array.dtype
