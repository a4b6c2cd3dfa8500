"""What an engine is tried with before real rows: programs on simulated numbers, each with what must hold of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.privacy.mechanisms import noisy_max
from sfumato.trust.mpc.engine.selection import selected

_ULP = 2.0**-18
"""Of a fixed-point number."""
CLIP = 1.0
"""Norm that no clipped record exceeds."""
BOX = 4.0
"""To which every number of a record is clamped, before anything is squared."""
_NORMS = (-1.0, 6.0)
"""Powers of ten of the norms of records that are clipped."""
_RECORDS, _WIDE = 2000, 20  # of the records that are clipped, and numbers in each
_ROWS, _CODES = 256, 24  # of the one-hots that are counted
_STEP_DOMAIN, _STEP_ROWS = Domain.of(["a", "b", "c", "d"], [4, 3, 5, 6]), 32  # of a step of a training
_CANDIDATES, _CELLS, _EPSILON = 91, 600, 0.5  # of a selection: all pairs of 14 columns, a large table
_SMALL = (0.5, 3.0)
"""Numbers on which every operation is right to a few of the last places."""


@dataclass(frozen=True)
class Rehearsed:
    """A program, with numbers to run it on.

    Attributes:
        name: what it is about.
        function: of JAX.
        arrays: its arguments; the parties give them in turn, or each a part.
        error: how far a number may be from that of plain JAX; less than one is nothing at all for whole numbers.
        judge: says of the results on shares what is wrong beside, or nothing.
        parts: places of the arguments of which each party has a part.
        public: places of the arguments that all parties know.
    """

    name: str
    function: Callable[..., Any]
    arrays: tuple[np.ndarray, ...]
    error: float
    judge: Callable[[list[np.ndarray]], str] = lambda results: ""
    parts: tuple[int, ...] = ()
    public: frozenset[int] = frozenset()


def clip_weight(left: Any, right: Any) -> Any:
    """Weights of records whose gradient is ``left`` times ``right``, outer products, so that none is above CLIP."""
    import jax.numpy as jnp

    from sfumato.privacy.gradients.arithmetic import FIXED, Factors

    return FIXED.weights([Factors(left, right)], jnp.ones(left.shape[0], left.dtype), CLIP)


def _clipped(left: Any, right: Any) -> Any:
    import jax.numpy as jnp

    left, right = (jnp.clip(factor, -BOX, BOX) for factor in (left, right))
    return clip_weight(left, right), left, right


def clipping() -> Rehearsed:
    """Records of norms from 0.1 to 10^6: the clip weight, and the factors after the clamp."""
    rng = np.random.default_rng(1)
    norms = 10 ** rng.uniform(*_NORMS, (2, _RECORDS))
    directions = rng.normal(size=(2, _RECORDS, _WIDE))
    directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
    left, right = (directions * norms[..., None]).clip(-(2.0**20), 2.0**20).astype(np.float32)

    def judge(results: list[np.ndarray]) -> str:
        weight, *factors = (result.astype(np.float64) for result in results)
        largest = float((weight * np.prod([np.linalg.norm(f, axis=-1) for f in factors], axis=0)).max())
        return "" if largest <= CLIP else f"a record of norm {largest:.4f} was left by a clip at {CLIP:g}"

    return Rehearsed("clipped records", _clipped, (left, right), 2.0**-7, judge)


def stepping() -> Rehearsed:
    """A step of DP-SGD for a small autoencoder of rows whose columns lie at all three: its clipped sum."""
    import jax

    from sfumato.trust.mpc.engine.gradient_step import GradientProgram
    from sfumato.trust.mpc.engine.small_network import SmallNetwork, small_objective

    step = GradientProgram(small_objective(_STEP_DOMAIN), _STEP_DOMAIN, (0, 1, 2, 0), _STEP_ROWS, CLIP)
    network = SmallNetwork(sum(_STEP_DOMAIN.sizes), jax.random.key(0))
    arrays = step.simulated(network, np.random.default_rng(5))
    return Rehearsed("a clipped sum of gradients", step.function, tuple(arrays), 2.0**-10, public=step.program.public)


def counting() -> Rehearsed:
    """Sums of whole numbers, and a product with a constant that is transposed: exact to the last place, or wrong."""
    rng = np.random.default_rng(2)
    hot = [np.eye(_CODES, dtype=np.float32)[rng.integers(_CODES, size=_ROWS)] for _ in range(2)]
    constant = rng.integers(-8, 8, (_CODES, _CODES)).astype(np.float32)
    wholes = rng.integers(-(10**6), 10**6, (_CODES, _ROWS)).astype(np.int32)

    def program(one: Any, other: Any, whole: Any) -> Any:
        import jax.numpy as jnp

        scores = jnp.sum(jnp.abs(whole), axis=1)
        return one.T @ other, one @ constant.T, scores, jnp.argmax(scores).reshape(1)

    return Rehearsed("sums of whole numbers", program, (*hot, wholes), 2 * _ULP)


def operations() -> Rehearsed:
    """The rest of what may run on shares (``allowed.OPERATIONS``), on small numbers."""
    rng = np.random.default_rng(3)
    x, y = rng.uniform(*_SMALL, (2, 8, 8)).astype(np.float32)

    def program(x: Any, y: Any) -> Any:
        import jax
        import jax.numpy as jnp

        lax = jax.lax
        places = jnp.array([3, 0, 5])
        patches = lax.conv(x[None, None], y[None, None, :3, :3], (1, 1), "SAME")[0, 0]
        steps, _ = lax.scan(lambda state, row: (jnp.maximum(state @ y / 8 + row, 0.0), None), x[0], x)
        odd = jnp.logical_or(~(x > y), jnp.logical_and(x > 1, y == 2))
        joined = jnp.concatenate([jnp.flip(x, 0), jnp.pad(-y, ((1, 1), (0, 0)))])
        roots = jnp.sqrt(x) + x / y + jnp.exp(-x) + lax.rsqrt(y) + jnp.floor(x) * jnp.sign(y - 1)
        return patches, steps, jnp.where(odd, x, y), joined, roots, jnp.cumsum(x, 0), x[places], jnp.minimum(x, y)

    return Rehearsed("every operation that is allowed", program, (x, y), 2.0**-6)


def selecting_the_worst() -> Rehearsed:
    """A selection of the size that AIM makes on Adult, with noise of all three parties: the same index as in numpy."""
    rng = np.random.default_rng(4)
    tables, sizes = rng.integers(-500, 500, (_CANDIDATES, _CELLS)), [_CELLS] * _CANDIDATES
    weights = rng.integers(1, 9, _CANDIDATES)
    b, step = noisy_max.scale(_EPSILON), noisy_max.step(int(weights.max()))
    noise = sum((noisy_max.part(_CANDIDATES, b, step, shares=2) for _ in range(3)), np.zeros(_CANDIDATES, np.int64))
    best = int(np.argmax(np.abs(tables).sum(1) * weights + noise))

    def judge(results: list[np.ndarray]) -> str:
        return "" if int(results[0][0]) == best else "another candidate was selected"

    return Rehearsed(
        "a noised selection", selected(sizes, weights.tolist()), (tables.ravel(), noise), 0.0, judge, (0, 1)
    )


REHEARSED = (clipping, stepping, counting, operations, selecting_the_worst)
"""What an engine must do right."""


def overflowing() -> Rehearsed:
    """A mistake: a record of norm 10^6 that is squared without a clamp."""
    wide = np.full((4, _WIDE), 2.0**18, dtype=np.float32)
    return Rehearsed("a planted overflow", lambda x: (x * x).sum(-1), (wide,), 0.5)


def looking_up(table: Any, codes: Any) -> Any:
    """A mistake: the gradient of a look-up by a secret code, whose index the engine would open."""
    import jax
    import jax.numpy as jnp

    def loss(table: Any) -> Any:
        return jnp.sum(jnp.take_along_axis(table, codes[:, None], 1) ** 2)

    return jax.grad(loss)(table)
