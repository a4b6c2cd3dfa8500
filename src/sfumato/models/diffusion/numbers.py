"""Joint diffusion over encoded rows: numbers are noised by a Gaussian, categories turn into a mask.

A number is seen as a normal quantile of its rank in the public one-way distribution of the warm start, drawn evenly
within the interval of its code: it is standard normal by itself, and a spike is a wide interval. The noise is that of
Karras et al. 2022 (EDM, arXiv 2206.00364) with unit data; masks are those of Hoogeboom et al. 2022 (arXiv 2110.02037).
Each column is known, hidden or, if a number, in between, so that one network gives numbers together, any column given
others, and each column given those before it. Whether a number is missing is a category of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.scipy.special import ndtri
from jaxtyping import Bool, Float, Integer, Key
from scipy import special

from sfumato.encoding.domain import Axis, Domain
from sfumato.errors import QuestionError
from sfumato.models.diffusion.blocks import Blocks, residual_blocks
from sfumato.models.diffusion.flow import DEVIATION, LEVEL_UNIT, MIDDLE, integrate, schedule
from sfumato.models.networks.initial import LOGITS
from sfumato.models.networks.layout import Layout
from sfumato.privacy.dp_sgd import Objective
from sfumato.privacy.gradients import Dense, EmbeddingSum, Tape
from sfumato.trust.questions import PublicArrays, fitting

HIDDEN = 256
"""Width of the layers."""
LEAST = 8
"""Codes of an ordered column that is still a category."""
KNOWN, UNKNOWN = 0.01, 20.0
"""Noise levels that a known and a hidden number are shown with."""
_STEPS = 16
"""Of the way between them when sampling."""
_VALUE_WAVES, _LEVEL_WAVES = (1.0, 2.0, 4.0, 8.0), (1.5, 3.0, 6.0)
"""Frequencies of the cosines and sines that a network is given for a number and for its noise level."""
_FEATURES = 2 + 2 * (len(_VALUE_WAVES) + len(_LEVEL_WAVES))
"""That a network sees of a number: itself, its level, and waves of both."""
_EDGE = 1e-6
"""How near a rank comes to 0 or 1: its normal quantile stays finite in single precision."""


def number_columns(domain: Domain) -> np.ndarray:
    """(k,) positions of the columns that are numbers."""
    return np.array([i for i, a in enumerate(domain.axes) if a.ordered and a.size > LEAST], np.int32)


@dataclass(frozen=True, eq=False)
class QuantileScale:
    """Numbers between codes and normal quantiles; compared and hashed by identity, as compiled functions need.

    Attributes:
        domain: all columns.
        chances: (k, most) one-way distribution of each number's codes; zero where missing or beyond its size.
    """

    domain: Domain
    chances: np.ndarray

    @classmethod
    def of(cls, domain: Domain, rows: np.ndarray | None) -> QuantileScale:
        """From public rows (n, d), or without any: all codes alike."""
        columns = number_columns(domain)
        chances = np.zeros((len(columns), max(domain.sizes[c] for c in columns)))
        for i, c in enumerate(columns):
            axis = domain.axes[c]
            counts = np.ones(axis.size) if rows is None else np.bincount(rows[:, c], minlength=axis.size) + 0.5
            if axis.missing is not None:
                counts[axis.missing] = 0
            chances[i, : axis.size] = counts / counts.sum()
        return cls(domain, chances)

    @cached_property
    def columns(self) -> np.ndarray:
        """(k,) positions of the numbers."""
        return number_columns(self.domain)

    @cached_property
    def layout(self) -> Layout:
        """All columns as masks see them: of a number, whether it is missing."""
        axes = list(self.domain.axes)
        for c in self.columns:
            axes[c] = Axis(axes[c].name, 1 if axes[c].missing is None else 2)
        return Layout(Domain(tuple(axes)))

    @cached_property
    def ends(self) -> np.ndarray:
        """(k, most + 1) ranks at which codes begin and end."""
        return np.pad(np.minimum(np.cumsum(self.chances, axis=1), 1.0), ((0, 0), (1, 0)))

    @cached_property
    def missing(self) -> np.ndarray:
        """(k,) the code that stands for missing, or -1."""
        found = (self.domain.axes[c].missing for c in self.columns)
        return np.array([-1 if m is None else m for m in found], np.int32)

    def flags(self, codes: Integer[Array, "batch columns"]) -> Integer[Array, "batch columns"]:
        """Codes (B, d) with numbers replaced by whether they are missing."""
        codes = codes.astype(jnp.int32)
        return codes.at[:, self.columns].set((codes[:, self.columns] == self.missing).astype(jnp.int32))

    def values(
        self, codes: Integer[Array, "batch columns"], where: Float[Array, "batch numbers"]
    ) -> Float[Array, "batch numbers"]:
        """Normal quantiles (B, k) of records (B, d), ``where`` (B, k) of 0..1 saying where within a code's interval."""
        own = codes[:, self.columns].astype(jnp.int32)
        each = np.arange(len(self.columns))
        ends = jnp.asarray(self.ends, jnp.float32)
        low, high = ends[each, own], ends[each, own + 1]
        return ndtri(jnp.clip(low + where * (high - low), _EDGE, 1 - _EDGE))

    def quantiles(self, i: int, codes: np.ndarray, where: np.ndarray | float) -> np.ndarray:
        """The same for one number: normal quantiles (n,) of codes (n,)."""
        low, high = self.ends[i][codes], self.ends[i][codes + 1]
        return special.ndtri(np.clip(low + where * (high - low), _EDGE, 1 - _EDGE))

    def codes(self, i: int, values: np.ndarray) -> np.ndarray:
        """The inverse: the code (n,) of one number within whose ranks each normal quantile (n,) lies."""
        last = np.flatnonzero(self.chances[i])[-1]
        return np.minimum(np.searchsorted(self.ends[i][1:], special.ndtr(values), side="right"), last)

    @classmethod
    def restored(cls, domain: Domain, chances: np.ndarray) -> QuantileScale:
        """From saved chances; ValueError where they do not fit the columns."""
        if not len(number_columns(domain)):
            raise ValueError("numbers are saved as continuous, but no column is a number")
        plain = cls.of(domain, None).chances
        if chances.shape != plain.shape or not np.array_equal(chances > 0, plain > 0):
            raise ValueError("the saved distributions of numbers do not fit the columns")
        if not np.allclose(chances.sum(axis=1), 1):
            raise ValueError("the saved distributions of numbers do not sum to one")
        return cls(domain, chances)


class JointDenoiser(eqx.Module):
    """From a row with masks and noised numbers to the distribution of every category and what numbers lack."""

    first: EmbeddingSum
    enter: Dense
    blocks: Blocks
    last: Dense

    def __init__(self, width: int, columns: int, numbers: int, key: Key[Array, ""]) -> None:
        first, enter, last, *blocks = jax.random.split(key, 7)
        self.first = EmbeddingSum(width + columns, HIDDEN, first, scale=columns**-0.5)
        self.enter = Dense(_FEATURES * numbers, HIDDEN, enter)
        self.blocks = residual_blocks(HIDDEN, blocks)
        self.last = Dense(HIDDEN, width + numbers, last, LOGITS)

    def __call__(
        self,
        rows: Integer[Array, "batch columns"],
        values: Float[Array, "batch numbers"],
        sigma: Float[Array, "batch numbers"],
        tape: Tape,
    ) -> Float[Array, "batch width_and_numbers"]:
        """Rows (B, d), noised values and noise levels (B, k) to outputs (B, width + k)."""
        h = self.first(rows, tape) + self.enter(_features(values, sigma), tape)
        for one, other in (self.blocks[:2], self.blocks[2:]):
            h = h + other(jax.nn.silu(one(jax.nn.silu(h), tape)), tape)
        return self.last(jax.nn.silu(h), tape)


def _features(
    values: Float[Array, "batch numbers"], sigma: Float[Array, "batch numbers"]
) -> Float[Array, "batch features"]:
    """(B, k) values and levels as (B, k * _FEATURES) numbers of size about one."""
    scaled, level = values * lax.rsqrt(1 + sigma**2), jnp.log(sigma) / LEVEL_UNIT
    waves = jnp.stack([scaled * f for f in _VALUE_WAVES] + [level * f for f in _LEVEL_WAVES], axis=2)
    parts = [scaled[..., None], level[..., None], jnp.cos(waves), jnp.sin(waves)]
    return jnp.concatenate(parts, axis=2).reshape(values.shape[0], -1)


class Shown(NamedTuple):
    """A batch of B rows of d columns, k of them numbers, as the loss sees it.

    Attributes:
        symbols: (B, d) what is seen of categories, and whether numbers are missing.
        values, levels: (B, k) what is seen of numbers, and at which noise.
        rows: (B, d) the truth of ``symbols``.
        hidden: (B, d) which symbols are asked for.
        flow: (B, k) which numbers are asked for.
        wanted: (B, k) what should be answered of them.
        weight: (B,) of each record.
    """

    symbols: Integer[Array, "batch columns"]
    values: Float[Array, "batch numbers"]
    levels: Float[Array, "batch numbers"]
    rows: Integer[Array, "batch columns"]
    hidden: Bool[Array, "batch columns"]
    flow: Bool[Array, "batch numbers"]
    wanted: Float[Array, "batch numbers"]
    weight: Float[Array, " batch"]


def prepare(scale: QuantileScale, codes: Integer[Array, "batch columns"], key: Key[Array, ""]) -> Shown:
    """Hide between one and all columns in random order; of hidden numbers, let some be noised only."""
    many, order, coin, share, level, place, noise = jax.random.split(key, 7)
    shape, numbers = codes.shape, (codes.shape[0], len(scale.columns))
    ranks = jnp.argsort(jnp.argsort(jax.random.uniform(order, shape), axis=1), axis=1)
    masked = ranks < jax.random.randint(many, (shape[0], 1), 1, shape[1] + 1)
    noised = jax.random.uniform(coin, numbers) < 2 * jax.random.uniform(share, (shape[0], 1))
    sigma = jnp.exp(DEVIATION * jax.random.normal(level, (shape[0], 1)) + MIDDLE)
    values = scale.values(codes, jax.random.uniform(place, numbers))
    return shown(scale, codes, masked, noised, sigma, values, jax.random.normal(noise, numbers))


def shown(
    scale: QuantileScale, codes: Array, masked: Array, noised: Array, sigma: Array, values: Array, noise: Array
) -> Shown:
    """What :func:`loss` takes."""
    layout, columns = scale.layout, scale.columns
    rows = layout.rows(scale.flags(codes))
    there = codes[:, columns] != scale.missing
    hidden = masked.at[:, columns].set(masked[:, columns] & ~noised)
    flow = masked[:, columns] & noised & there
    known = ~masked[:, columns] & there
    levels = jnp.where(flow, sigma, jnp.where(known, KNOWN, UNKNOWN))
    seen = jnp.where(flow, values + sigma * noise, jnp.where(known, values, 0))
    wanted = (values * sigma - noise) * lax.rsqrt(1 + sigma**2)
    symbols = jnp.where(hidden, layout.width + jnp.arange(len(layout.domain)), rows)
    return Shown(symbols, seen, levels, rows, hidden, flow, wanted, masked.shape[1] / masked.sum(axis=1))


def loss(layout: Layout, network: JointDenoiser, records: Shown, tape: Tape) -> Float[Array, " batch"]:
    """-log p of hidden categories plus squared error of noised numbers, per record (B,), for as many as are hidden."""
    symbols, seen, levels, rows, hidden, flow, wanted, weight = records
    outputs = network(symbols, seen, levels, tape)
    categories = jnp.where(hidden, layout.log_likelihoods(outputs[:, : layout.width], rows), 0)
    numbers = jnp.where(flow, (outputs[:, layout.width :] - wanted) ** 2, 0)
    return weight * (numbers.sum(axis=1) - categories.sum(axis=1))


def objective(domain: Domain, arrays: PublicArrays) -> Objective:
    """The installed recipe "joint diffusion of tables", given the ``chances`` (k, most) of numbers."""
    (chances,) = fitting(arrays, {"chances": (None, None)})
    try:
        scale = QuantileScale.restored(domain, chances)
    except ValueError as error:
        raise QuestionError(str(error)) from None
    build = partial(JointDenoiser, scale.layout.width, len(domain), len(scale.columns))
    return Objective(jax.eval_shape(build, jax.random.key(0)), partial(prepare, scale), partial(loss, scale.layout))


def levels() -> np.ndarray:
    """Noise levels of sampling, from hidden to known, (steps,)."""
    return schedule(UNKNOWN, KNOWN, _STEPS)


@eqx.filter_jit
def integrated(
    network: JointDenoiser, levels: Float[Array, " steps"], packed: Float[Array, "batch packed"]
) -> Float[Array, "batch numbers"]:
    """Move numbers along ``levels``: values (B, k).

    ``packed`` (B, d + 3 k) are symbols, values, noise levels, and ones for the numbers that move.
    """
    symbols, values, still, moving = _unpacked(network, packed)
    moves, k = moving > 0, values.shape[1]

    def slope(values: Array, sigma: Array) -> Array:
        said = network(symbols, values, jnp.where(moves, sigma, still), Tape())[:, -k:]
        denoised = values / (1 + sigma**2) + said * sigma * lax.rsqrt(1 + sigma**2)
        return jnp.where(moves, (values - denoised) / sigma, 0)

    return integrate(slope, values, levels)


@eqx.filter_jit
def outputs(network: JointDenoiser, packed: Float[Array, "batch packed"]) -> Float[Array, "batch width"]:
    """What the network says of categories, (B, width), for symbols, values and levels packed (B, d + 3 k)."""
    symbols, values, shown_at, _ = _unpacked(network, packed)
    return network(symbols, values, shown_at, Tape())[:, : -values.shape[1]]


def _unpacked(network: JointDenoiser, packed: Array) -> tuple[Array, Array, Array, Array]:
    """Symbols (B, d), values, noise levels, and which numbers move, (B, k) each."""
    k = network.enter.weight.shape[0] // _FEATURES
    d = packed.shape[1] - 3 * k
    symbols, values, levels, moves = jnp.split(packed, [d, d + k, d + 2 * k], axis=1)
    return symbols.astype(jnp.int32), values, levels, moves
