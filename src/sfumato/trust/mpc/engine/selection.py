"""AIM's selection on shares: the candidate that the model explains worst, by noised scores that nobody sees.

A candidate's score is its weight times the l1 distance of its table from a public estimate, less a public bias. Parties
hold additive parts of the tables, whole numbers modulo 2^64 that sum to counts; one of them takes the estimate, also
whole, off its part, and the bias off its part of the noise. The index of the largest noised score is opened alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sfumato.errors import EngineError

_LARGEST = 2**30
"""Of a noised score in units: what is compared must fit 31 bits, and the engine does not say where it does not."""
_NOISE = 2**21
"""More than the parts of three parties add up to: the table of a part has at most 2^19 numbers."""


def selecting(weights: np.ndarray, furthest: int) -> Callable[..., Any]:
    """The program of a selection.

    Args:
        weights: (k,) of the candidates, public whole numbers, at least 1.
        furthest: that a distance less its bias can be from 0: a public bound.

    Returns:
        A function of the tables, (k, cells) int64, and of the noise, (k,) int64, of both of which each of three parties
        has a part. Cells that a candidate has not are 0. It gives the index, (1,) int32.

    Raises:
        EngineError: scores could be too large to be compared.

    *Formal guarantee.* Where the parts of the noise are ``mechanisms.noisy_max.part`` at ``scale(epsilon, d)``, with d
    the largest weight times the rows of a unit, what is opened is the event ``NoisyMax(epsilon, shares)``: a unit moves
    a distance by at most one a row.
    """
    whole = np.asarray(weights)
    if whole.ndim != 1 or not np.issubdtype(whole.dtype, np.integer) or whole.size == 0 or whole.min() < 1:
        raise ValueError("weights of candidates are whole numbers from 1 on: count scores in a finer unit")
    if int(whole.max()) * furthest + _NOISE > _LARGEST:
        raise EngineError("scores of this selection could pass 2^30: count them in a coarser unit")
    whole = whole.astype(np.int64)

    def program(tables: Any, noise: Any) -> Any:
        import jax.numpy as jnp

        scores = jnp.sum(jnp.abs(tables), axis=1) * whole + noise
        return jnp.argmax(scores.astype(jnp.int32)).astype(jnp.int32).reshape(1)  # 64 bits do not compare with -2^63

    return program
