"""One step of DP-SGD as its observer sees it: can the last bits of a noised sum tell neighbours apart?

The observer knows both sums exactly and asks of each number of the release whether the noise could have made it from
the one and from the other, and which the values make likelier. 2^32-value noise, the kind that this project once had,
is planted: beyond four deviations its values are coarser than single precision, so the wrong sum needs values that the
noise does not have. Noise in whole steps leaves nothing of the kind. Both bounds hold with confidence 95 %.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import ndtri

from sfumato.auditing.attacks.audit_bounds import epsilon_lower_bound
from sfumato.privacy import gdp
from sfumato.privacy.draws import fresh
from sfumato.privacy.gradients import Needs
from sfumato.privacy.gradients.alias import COLUMN_BITS
from sfumato.privacy.gradients.grid import GradientGrid, plan
from sfumato.privacy.gradients.noise import NoiseWords, discrete_gaussian, padded
from sfumato.privacy.randomness import SYSTEM

TRIALS, NUMBERS, NOISE, DELTA = 4000, 407_076, 10.0, 1e-9
FAR = 4.0  # deviations, from which on the planted noise is looked at
_AT_ONCE = 8


def figures(trials: int = TRIALS, numbers: int = NUMBERS) -> list[dict[str, Any]]:
    """The lower bound for noise in whole steps, and that for the planted noise, which must be caught."""
    claimed = gdp.epsilon(1 / NOISE, DELTA)
    rng = np.random.default_rng(0)
    bounds = {
        name: epsilon_lower_bound(play(trials, numbers, True), play(trials, numbers, False), DELTA, rng)
        for name, play in {"whole steps": whole_steps, "2^32 values": planted}.items()
    }
    what = f"one-step distinguisher, {numbers} numbers, {trials} trials: epsilon shown"
    right, broken = bounds["whole steps"], bounds["2^32 values"]
    return [
        {"name": what, "value": round(right, 4), "limit": round(claimed, 4), "met": right <= claimed},
        {
            "name": f"the same against planted noise of 2^32 values (must exceed {claimed:.4f})",
            "value": round(broken, 4),
            "limit": round(claimed, 4),
            "met": broken > claimed,
        },
    ]


def whole_steps(trials: int, numbers: int, inside: bool) -> np.ndarray:
    """Scores of so many releases with the target in or out: impossible values first, then the likelihood ratio."""
    grid = plan(NOISE, 1.0, 1, 512, Needs(numbers, 512, math.sqrt(numbers)))
    pull = np.zeros(padded(numbers), np.int32)
    pull[:numbers] = round(2.0**grid.exponent / math.sqrt(numbers))
    score = jax.jit(lambda many: jax.lax.map(lambda words: _score(words, jnp.asarray(pull), grid, inside), many))
    found = []
    for start in range(0, trials, _AT_ONCE):
        words = fresh(_AT_ONCE, (1, 1), numbers, SYSTEM).noise
        found.append(np.asarray(score(words))[: trials - start])
    return np.concatenate(found)


def _score(words: NoiseWords, pull: jax.Array, grid: GradientGrid, inside: bool) -> jax.Array:
    released = discrete_gaussian(words, grid.stride) + (pull if inside else 0)
    end = (1 << (COLUMN_BITS - 1)) * (1 + grid.stride)  # the noise never goes further
    seen = pull > 0
    impossible = [jnp.sum(seen & (jnp.abs(released - shift) > end)) for shift in (0, pull)]
    likelier = jnp.sum(released.astype(jnp.float32) / grid.scale * (pull / grid.scale))
    return 1e3 * (impossible[0] - impossible[1]) + likelier


def planted(trials: int, numbers: int, inside: bool) -> np.ndarray:
    """The same for single-precision sums plus quantiles of 32 bits; only numbers beyond ``FAR`` are looked at."""
    rng = np.random.default_rng(1 + inside)
    ranks = math.floor(2.0**32 * 0.5 * math.erfc(FAR / math.sqrt(2)))
    values = np.sort((-ndtri((np.arange(ranks) + 0.5) / 2.0**32) * NOISE).astype(np.float32))
    pull = np.float32(1 / math.sqrt(numbers))
    scores = np.empty(trials)
    for i, count in enumerate(rng.binomial(numbers, 2 * ranks / 2.0**32, trials)):
        sums = rng.normal(0, 1, count).astype(np.float32)
        noise = rng.choice(values, count) * rng.choice(np.float32([-1, 1]), count)
        both = sums, sums + pull
        released = both[inside] + noise
        impossible = [np.sum(~_possible(released, exact, values)) for exact in both]
        scores[i] = impossible[0] - impossible[1]
    return scores


def _possible(released: np.ndarray, exact: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Whether some value of the noise, added to ``exact`` in single precision, gives ``released``."""
    rest = released - exact
    near = np.searchsorted(values, np.abs(rest))[:, None] + np.arange(-3, 3)
    tried = values[np.clip(near, 0, len(values) - 1)] * np.sign(rest)[:, None]
    return (exact[:, None] + tried == released[:, None]).any(axis=1)
