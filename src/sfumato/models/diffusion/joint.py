"""A trained joint diffusion of numbers and categories: sampling, conditions, latent space, loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.special import ndtr, ndtri

from sfumato.encoding.domain import Domain
from sfumato.models.diffusion.numbers import (
    KNOWN,
    UNKNOWN,
    JointDenoiser,
    QuantileScale,
    integrated,
    levels,
    loss,
    outputs,
    shown,
)
from sfumato.models.model import SavedArrays, SavedFacts, SavedState, total_of
from sfumato.models.networks.latent import code_at, middle
from sfumato.models.networks.layout import BLOCK, batched, fixed_masks
from sfumato.models.networks.training import arrays_of, network_of
from sfumato.privacy.gradients import Tape

_BATCH = 512
"""Rows that the network is given at a time: the latent space is asked about few."""
_FAR = 5.0
"""A normal quantile that stands for the end of the scale."""
_EDGE = 1e-15
"""How near a rank comes to 0 or 1: its normal quantile stays finite."""
_LEAST = 1e-12
"""Chance of a stretch of allowed codes: one can be drawn where the network rules all of them out."""
_LOSS_LEVELS = (-3.0, 0.6, 4)
"""Logarithms of the first and last noise level that the loss of a record is taken at, and how many there are."""


@dataclass
class _Rows:
    """Rows in the making: what the network is shown of them."""

    symbols: np.ndarray
    values: np.ndarray
    levels: np.ndarray

    def packed(self, moves: np.ndarray) -> np.ndarray:
        """(n, d + 3 k) as compiled functions take it; ``moves`` (n, k) are the numbers that change."""
        return np.hstack([self.symbols, self.values, self.levels, moves]).astype(np.float32)


@dataclass(frozen=True)
class FittedJointDiffusion:
    """A trained denoiser of categories and numbers.

    Attributes:
        scale: columns, and numbers as normal quantiles.
        total: noisy number of records.
        network: weights.
    """

    scale: QuantileScale
    total: float
    network: JointDenoiser

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.scale.domain

    @cached_property
    def _number(self) -> dict[int, int]:
        """Column -> which number it is."""
        return {int(c): i for i, c in enumerate(self.scale.columns)}

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw records: conditioned columns, then what is missing, then numbers together, then other columns."""
        given = given or {}
        allowed = self.scale.layout.allowed(self._flagged(given))
        parts = [self._block(min(BLOCK, n - s), rng, given, allowed) for s in range(0, n, BLOCK)]
        return np.concatenate(parts) if parts else np.empty((0, len(self.domain)), self.domain.code_dtype())

    def _flagged(self, given: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """A condition on codes as one on flags."""
        found = dict(given)
        for column in given.keys() & self._number.keys():
            missing = self.domain.axes[column].missing
            found[column] = np.array([np.delete(given[column], [] if missing is None else missing).any()])
            if missing is not None:
                found[column] = np.append(found[column], given[column][missing])
        return found

    def _blank(self, n: int) -> _Rows:
        symbols = np.tile(self.scale.layout.width + np.arange(len(self.domain)), (n, 1))
        k = len(self.scale.columns)
        return _Rows(symbols, np.zeros((n, k)), np.full((n, k), UNKNOWN))

    def _block(
        self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray], allowed: np.ndarray | None
    ) -> np.ndarray:
        rows, codes = self._blank(n), np.zeros((n, len(self.domain)), self.domain.code_dtype())
        for column in sorted(given, key=lambda c: int(np.sum(given[c]))):
            self._draw(rows, codes, column, rng, allowed)
            if column in self._number:
                self._draw_given(rows, codes, column, rng, given[column])
        rest = rng.permutation([c for c in range(len(self.domain)) if c not in given])
        for column in (c for c in rest if c in self._number):
            self._draw(rows, codes, column, rng, allowed)
        self._draw_numbers(rows, codes, rng)
        for column in (c for c in rest if c not in self._number):
            self._draw(rows, codes, column, rng, allowed)
        return codes

    def _outputs(self, rows: _Rows) -> np.ndarray:
        packed = rows.packed(np.zeros(rows.values.shape))
        return batched(lambda part: outputs(self.network, jnp.asarray(part)), packed, _BATCH)

    def _moved(self, rows: _Rows, moves: np.ndarray, along: np.ndarray) -> np.ndarray:
        found = batched(
            lambda part: integrated(self.network, jnp.asarray(along), jnp.asarray(part)), rows.packed(moves), _BATCH
        )
        return found.astype(np.float64)

    def _draw(
        self, rows: _Rows, codes: np.ndarray, column: int, rng: np.random.Generator, allowed: np.ndarray | None
    ) -> None:
        """Draw a category, or whether a number is missing."""
        drawn = np.zeros(len(codes), int)
        if self.scale.layout.domain.sizes[column] > 1:
            drawn = self.scale.layout.draw_column(self._outputs(rows), column, rng, allowed)
        self._set(rows, codes, column, drawn)

    def _set(self, rows: _Rows, codes: np.ndarray, column: int, drawn: np.ndarray) -> None:
        rows.symbols[:, column] = self.scale.layout.offsets[column] + drawn
        codes[:, column] = drawn * (self.domain.axes[column].missing or 0) if column in self._number else drawn

    def _set_number(self, rows: _Rows, codes: np.ndarray, i: int, drawn: np.ndarray, values: np.ndarray) -> None:
        """Make a number known in the rows where it is not missing."""
        column = self.scale.columns[i]
        there = rows.symbols[:, column] == self.scale.layout.offsets[column]
        rows.values[:, i], rows.levels[:, i] = np.where(there, values, 0), np.where(there, KNOWN, UNKNOWN)
        codes[:, column] = np.where(there, drawn, codes[:, column])

    def _draw_numbers(self, rows: _Rows, codes: np.ndarray, rng: np.random.Generator) -> None:
        """All numbers that are neither known nor missing, together."""
        columns, layout = self.scale.columns, self.scale.layout
        moves = (rows.levels == UNKNOWN) & (rows.symbols[:, columns] == layout.offsets[columns])
        start = np.where(moves, rng.standard_normal(moves.shape) * np.hypot(1, UNKNOWN), rows.values)
        found = self._moved(_Rows(rows.symbols, start, rows.levels), moves, levels())
        for i in range(len(columns)):
            if moves[:, i].any():
                self._set_number(rows, codes, i, self.scale.codes(i, found[:, i]), found[:, i])

    def _draw_given(
        self, rows: _Rows, codes: np.ndarray, column: int, rng: np.random.Generator, allowed: np.ndarray
    ) -> None:
        """Draw a number from its allowed codes: the flow of one number keeps order, so intervals stay intervals."""
        i = self._number[column]
        usable = allowed & (self.scale.chances[i, : len(allowed)] > 0)
        turns = np.diff(np.pad(usable.astype(int), 1))
        low, high = np.flatnonzero(turns == 1), np.flatnonzero(turns == -1)
        if not len(low):
            return
        starts, stops = (ndtr(np.stack([self._end(rows, i, c) for c in ends], axis=1)) for ends in (low, high))
        cumulative = np.cumsum(np.maximum(stops - starts, _LEAST), axis=1)
        wanted = rng.random(len(codes)) * cumulative[:, -1]
        run, each = (cumulative > wanted[:, None]).argmax(axis=1), np.arange(len(codes))
        point = ndtri(stops[each, run] - (cumulative[each, run] - wanted))
        drawn = self._code_at(rows, i, low[run], high[run], point)
        self._set_number(rows, codes, i, drawn, self.scale.quantiles(i, drawn, rng.random(len(codes))))

    def _place(self, rows: _Rows, i: int, values: np.ndarray) -> np.ndarray:
        """(n,) where the flow of one number, run backwards, takes values (n,): normal given what is known."""
        moves = np.zeros(rows.values.shape, bool)
        moves[:, i] = True
        start = np.where(moves, values[:, None], rows.values)
        return self._moved(_Rows(rows.symbols, start, rows.levels), moves, levels()[::-1])[:, i] / np.hypot(1, UNKNOWN)

    def _end(self, rows: _Rows, i: int, code: np.integer | np.ndarray) -> np.ndarray:
        """(n,) the place at which a code (or one per row) begins; infinite at the ends of the scale."""
        rank = np.broadcast_to(self.scale.ends[i][code], len(rows.values))
        place = self._place(rows, i, np.clip(ndtri(rank), -_FAR, _FAR))
        return np.where(rank <= 0, -np.inf, np.where(rank >= 1, np.inf, place))

    def _code_at(self, rows: _Rows, i: int, low: np.ndarray, high: np.ndarray, point: np.ndarray) -> np.ndarray:
        """(n,) the code, from ``low`` to before ``high``, within which each point lies, by bisection."""
        while (high - low > 1).any():
            half = (low + high) // 2
            above = (point >= self._end(rows, i, half)) & (half > low)
            low, high = np.where(above, half, low), np.where(above, high, np.maximum(half, low + 1))
        return low

    @property
    def latent(self) -> int:
        """Dimension of the latent space: one coordinate per column."""
        return len(self.domain)

    def encode(self, codes: np.ndarray) -> np.ndarray:
        """Latent points (n, d) of records (n, d) that the caller owns.

        Of a category as in ``latent.rosenblatt``; of a number the probability-flow equation backwards (Song et al.
        2021), given the columns before it.
        """
        rows, points = self._blank(len(codes)), np.empty(codes.shape)
        flags, found = np.asarray(self.scale.flags(jnp.asarray(codes))), np.zeros_like(codes)
        for column in range(codes.shape[1]):
            said, own = self._outputs(rows), flags[:, column]
            position = middle(self.scale.layout, said, column, own)
            self._set(rows, found, column, own)
            if column in self._number:
                i, present = self._number[column], 2 * middle(self.scale.layout, said, column, np.zeros_like(own))
                values = self.scale.quantiles(i, codes[:, column].astype(int), 0.5)
                position = np.where(own, position, present * ndtr(self._place(rows, i, values)))
                self._set_number(rows, found, i, codes[:, column], values)
            points[:, column] = ndtri(np.clip(position, _EDGE, 1 - _EDGE))
        return points

    def decode(self, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The record of each latent point, (n, d) -> (n, d); nothing is drawn.

        It undoes :meth:`encode` as long as the numerical flow of a number keeps order, as the exact one does.
        """
        rows, codes = self._blank(len(points)), np.zeros(points.shape, self.domain.code_dtype())
        for column in range(points.shape[1]):
            said, position = self._outputs(rows), ndtr(points[:, column])
            flags = code_at(self.scale.layout, said, column, position)
            self._set(rows, codes, column, flags)
            if column in self._number:
                i, present = self._number[column], 2 * middle(self.scale.layout, said, column, np.zeros_like(flags))
                usable = np.flatnonzero(self.scale.chances[i])
                low, high = np.full(len(points), usable[0]), np.full(len(points), usable[-1] + 1)
                drawn = self._code_at(rows, i, low, high, ndtri(np.clip(position / present, _EDGE, 1 - _EDGE)))
                self._set_number(rows, codes, i, drawn, self.scale.quantiles(i, drawn, 0.5))
        return codes

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """The training loss of records (n, d) under fixed masks, noise levels and noise; see ``RecordLoss``.

        Of numbers it is a denoising error, neither a likelihood nor a bound of one.
        """
        return batched(lambda part: _mean_loss(self.scale, self.network, jnp.asarray(part)), codes)

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        facts = {"total": self.total, "numbers": "continuous"}
        return facts, {"chances": self.scale.chances, **arrays_of(self.network)}

    @classmethod
    def restored(cls, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedJointDiffusion:
        """The inverse of :meth:`state`; ValueError on anything malformed."""
        scale = QuantileScale.restored(domain, arrays.get("chances", np.empty(0)))
        network = network_of(partial(JointDenoiser, scale.layout.width, len(domain), len(scale.columns)), arrays)
        return cls(scale, total_of(facts), network)


@eqx.filter_jit
def _mean_loss(scale: QuantileScale, network: JointDenoiser, codes: Array) -> Array:
    masks = fixed_masks(len(scale.domain))
    noise = jax.random.normal(jax.random.key(0), (len(masks), 1, len(scale.columns)))
    sigma = jnp.exp(jnp.resize(jnp.linspace(*_LOSS_LEVELS), (len(masks),)))
    values = scale.values(codes, jnp.full((codes.shape[0], len(scale.columns)), 0.5))

    def one(draw: tuple[Array, Array, Array]) -> Array:
        mask, level, shift = draw
        masked = jnp.broadcast_to(mask, codes.shape)
        records = shown(scale, codes, masked, jnp.ones(values.shape, bool), level, values, shift)
        return loss(scale.layout, network, records, Tape())

    return jax.lax.map(one, (jnp.asarray(masks), sigma, noise)).mean(axis=0)
