"""AIM's comparisons on shares: how far tables are from what a model believes, and which of them is furthest.

A candidate's score is its weight times the l1 distance of its table from a public estimate, less a public bias. Parties
hold additive parts of tables and estimates modulo 2^32, as counting on shares leaves them. The engine works modulo
2^64: times 2^32 the parts sum to 2^32 times the whole number that they stand for, exactly, and what they wrapped by is
gone. Of a selection the index of the largest noised score is opened alone; distances are not opened at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.lowering import Program, lower

if TYPE_CHECKING:
    import jax

MOST_SCORE = 2**30
"""Of a noised score in units: of two, whose difference is taken, 31 bits and a sign hold the outcome."""
_LIFT = 2**32
"""By which parts modulo 2^32 are multiplied."""
_LOWERING = Lock()
"""Parties of one process ask for one program at the same time."""


def selecting(sizes: Sequence[int], weights: Sequence[int]) -> Program:
    """The program of a selection.

    Args:
        sizes: cells of the table of each candidate.
        weights: of the candidates, public whole numbers, at least 1.

    Returns:
        Of two arguments, of both of which each of three parties has a part: int64 whose sums modulo 2^32 are the cells
        of all tables less their estimates, one table behind the other, and the noise of each score less its weighted
        bias. It gives the index of the largest noised score, the first of several, (1,) int32.

    *Formal guarantee.* Where the parts of the noise are those of ``mechanisms.noisy_max.part`` at ``scale(epsilon)``,
    ``step(d)``, with d the largest weight times the rows of a unit, and scores are below ``MOST_SCORE``, what is opened
    is the event ``NoisyMax(epsilon, shares)``: a unit moves a distance by at most one a row.
    """
    if len(sizes) != len(weights) or not sizes or min(weights) < 1 or min(sizes) < 1:
        raise ValueError("each candidate has a table, and a weight from 1 on")
    with _LOWERING:
        return _lowered(tuple(sizes), tuple(weights))


def measuring(sizes: Sequence[int]) -> Program:
    """The program that gives the distances alone: (k,) int64, to be given out in parts.

    Args:
        sizes: as of :func:`selecting`, whose first argument is the only one here.
    """
    with _LOWERING:
        return _lowered(tuple(sizes), None)


def check_scores(furthest: int) -> None:
    """EngineError where noised scores could be ``furthest`` from 0, too far to be compared."""
    if furthest > MOST_SCORE:
        raise EngineError("scores of this selection could pass 2^30: count them in a coarser unit")


def selected(sizes: Sequence[int], weights: Sequence[int]) -> Callable[..., jax.Array]:
    """What :func:`selecting` runs, in JAX."""

    def program(parts: jax.Array, noise: jax.Array) -> jax.Array:
        lifted = parts * _LIFT
        scores = _distances(sizes, lifted, lifted) * np.array(weights, np.int64) + noise * _LIFT
        return _largest(scores, len(sizes))

    return program


def measured(sizes: Sequence[int]) -> Callable[..., jax.Array]:
    """What :func:`measuring` runs, in JAX."""
    return lambda parts: _distances(sizes, parts, parts * _LIFT)


@lru_cache(maxsize=32)
def _lowered(sizes: tuple[int, ...], weights: tuple[int, ...] | None) -> Program:
    import jax

    cells, noise = (jax.ShapeDtypeStruct((n,), "int64") for n in (sum(sizes), len(sizes)))
    return lower(measured(sizes), cells) if weights is None else lower(selected(sizes, weights), cells, noise)


def _distances(sizes: Sequence[int], found: jax.Array, lifted: jax.Array) -> jax.Array:
    """Sums of ``found`` over each table, with the sign that ``lifted`` has in each cell."""
    import jax.numpy as jnp

    away, ends = jnp.where(lifted < 0, -found, found), np.cumsum(sizes).tolist()
    return jnp.stack([jnp.sum(away[start:end]) for start, end in zip([0, *ends], ends, strict=False)])


def _largest(scores: Any, many: int) -> Any:
    """The index of the largest, the first of several, by comparing neighbours: each keeps its order."""
    import jax.numpy as jnp

    places: Any = np.arange(many, dtype=np.int32)
    while many > 1:
        even = many // 2 * 2
        left, right = scores[:even:2], scores[1:even:2]
        later = right > left
        scores = jnp.concatenate([jnp.where(later, right, left), scores[even:]])
        places = jnp.concatenate([jnp.where(later, places[1:even:2], places[:even:2]), places[even:]])
        many = many - even // 2
    return places.reshape(1)
