"""The same training in the open, by whoever holds all rows: what a training on shares is compared with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import jax
import numpy as np

from sfumato.progress import Progress
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.encrypted.program import SharedColumns, descended, shared
from sfumato.trust.mpc.encrypted.shared_training import own_one_hots
from sfumato.trust.mpc.encrypted.training import TOGETHER
from sfumato.trust.mpc.encrypted.trial import check_inside, drawn_for


def in_the_open(
    columns: SharedColumns, codes: Sequence[Codes], start: np.ndarray, seed: bytes, runs: int, progress: Progress
) -> np.ndarray:
    """The last parameters (numbers,) of the very steps that parties take on shares, in plain JAX.

    Args:
        columns: public.
        codes: of each party, by place.
        start: first parameters.
        seed: of batches and noise.
        runs: how often ``TOGETHER`` steps are taken.
        progress: receives steps.

    EngineError where the training diverged.
    """
    progress.stage("steps in the open", runs * TOGETHER)
    rows = (own_one_hots(columns, own, place) for place, own in enumerate(codes))
    parameters, *kept = shared(columns, jax.numpy.asarray(start), *map(jax.numpy.asarray, rows))
    steps = jax.jit(partial(descended, columns))
    for run in range(runs):
        parameters = steps(parameters, *kept, *drawn_for(columns, seed, run, columns.persons))
        progress.step(TOGETHER)
    found = np.asarray(parameters)
    check_inside(found)
    return found
