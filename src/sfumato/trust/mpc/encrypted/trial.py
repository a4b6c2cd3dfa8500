"""The run in plain JAX that precedes every training on shares: simulated rows, numbers on the way looked at.

On shares nothing says that a number is too large. So the very steps that the engine is to take, with the same noise and
first parameters, are taken on rows that anybody may know: such that differ as much as rows can, and such that are all
alike, which gradient descent finds hardest.
"""

from __future__ import annotations

from functools import partial

import jax
import numpy as np

from sfumato.errors import EngineError
from sfumato.progress import Progress
from sfumato.trust.mpc.encrypted.coins import batches, noise
from sfumato.trust.mpc.encrypted.program import BOX, SharedColumns, descended
from sfumato.trust.mpc.encrypted.training import BATCH, TOGETHER
from sfumato.trust.mpc.engine.domains import run_within

_PERSONS = 256
"""Simulated: four batches."""
_LOOKED_AT = 2
"""Steps at the beginning, where errors are largest, and at the end, where parameters are, each number of which is
looked at; of those between them the parameters."""


def try_out(columns: SharedColumns, start: np.ndarray, seed: bytes, runs: int, progress: Progress) -> None:
    """EngineError where a training of so many ``runs`` leaves the numbers that are right on shares."""
    progress.stage("a trial on simulated rows", 2 * runs)
    rng = np.random.default_rng(0)
    spread = [rng.integers(0, size, _PERSONS) for size in columns.domain.sizes]
    steps = partial(descended, columns)
    fast = jax.jit(steps)
    for codes in (spread, [np.zeros_like(column) for column in spread]):
        rows = (*one_hots(columns, codes), np.ones(_PERSONS, np.float32))
        parameters = start
        for run in range(runs):
            who, drawn = drawn_for(columns, seed, run, _PERSONS)
            if run in (0, runs - 1):
                run_within(steps, parameters, *rows, who[:_LOOKED_AT], drawn[:_LOOKED_AT])
            parameters = np.asarray(fast(parameters, *rows, who, drawn))
            check_inside(parameters)
            progress.step()


def drawn_for(columns: SharedColumns, seed: bytes, run: int, persons: int) -> tuple[np.ndarray, np.ndarray]:
    """Who is in the batches of a run, and the noise: what ``descended`` takes last."""
    return batches(seed, run, TOGETHER, BATCH, persons), noise(seed, run, (TOGETHER, *columns.noise_shape))


def check_inside(parameters: np.ndarray) -> None:
    """EngineError where a parameter lies at the end of what it may be: the training diverged, and is worth nothing."""
    if not np.all(np.abs(parameters) < BOX):
        raise EngineError(
            "the training diverged: its numbers left those for which arithmetic on shares is right, and what came of it"
            " is of no use"
        )


def one_hots(columns: SharedColumns, codes: list[np.ndarray]) -> list[np.ndarray]:
    """By party, the one-hots of codes (n,) of all columns, in the order of the domain."""
    made = [np.zeros((len(codes[0]), width), np.float32) for width in columns.layout.widths]
    for (place, number), own in zip(columns.owners, codes, strict=True):
        span = columns.layout.span(place, number)
        made[place][np.arange(len(own)), span.start + own] = 1
    return made
