"""Rows as a network sees them: one output per code of every column, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Bool, Float, Int, Integer

from sfumato.encoding.domain import Domain
from sfumato.models.model import ImpossibleCondition

_LIMIT = 30.0
"""Of a logit, so that exponentials need no maximum taken off."""
_LEAST = 1e-30
"""Mass of a code that a condition allows: a network that rules it out can still be asked for it."""
BLOCK = 4096
"""Rows that a network is given or sampled at a time: memory stays small, and a program has one shape."""
_HIDDEN_PARTS, _EACH = (8, 4, 2, 1), 4
"""One over the part of the columns that a fixed mask hides, and masks of each."""


@dataclass(frozen=True)
class Layout:
    """Where each column's codes lie among ``width`` outputs."""

    domain: Domain

    @cached_property
    def offsets(self) -> np.ndarray:
        """(d,) the first output of each column."""
        return np.concatenate([[0], np.cumsum(self.domain.sizes)[:-1]]).astype(np.int32)

    @property
    def width(self) -> int:
        """Number of outputs: all codes of all columns."""
        return sum(self.domain.sizes)

    @cached_property
    def _members(self) -> np.ndarray:
        """(width, d) which output belongs to which column."""
        return np.eye(len(self.domain), dtype=np.float32).repeat(self.domain.sizes, axis=0)

    def rows(self, codes: Integer[Array, "batch columns"]) -> Int[Array, "batch columns"]:
        """Codes (B, d) as positions among the outputs, (B, d) int32."""
        return codes.astype(jnp.int32) + self.offsets

    def log_probabilities(self, outputs: Float[Array, "... width"]) -> Float[Array, "... width"]:
        """A softmax per column: (..., width) -> (..., width)."""
        bounded = _LIMIT * jnp.tanh(outputs / _LIMIT)
        totals = jnp.log(jnp.exp(bounded) @ self._members)
        return bounded - totals @ self._members.T

    def log_likelihoods(
        self, outputs: Float[Array, "batch width"], rows: Integer[Array, "batch columns"]
    ) -> Float[Array, "batch columns"]:
        """The log-probability of each column's code: (B, width), (B, d) -> (B, d)."""
        return jnp.take_along_axis(self.log_probabilities(outputs), rows, axis=1)

    def one_hot(self, rows: Integer[Array, "batch columns"]) -> Float[Array, "batch width"]:
        """(B, d) positions as (B, width) zeros and ones."""
        return jnp.zeros((rows.shape[0], self.width)).at[jnp.arange(rows.shape[0])[:, None], rows].set(1)

    def spread(self, flags: Bool[Array, "batch columns"]) -> Bool[Array, "batch width"]:
        """What is said of each column, of its codes: (B, d) -> (B, width), by a product: nothing is looked up."""
        return flags.astype(jnp.float32) @ self._members.T > 0

    def squared_errors(
        self, outputs: Float[Array, "batch width"], hot: Float[Array, "batch width"]
    ) -> Float[Array, "batch columns"]:
        """Brier's score of each column, outputs being probabilities: squared distance from one-hots, (B, d)."""
        return (outputs - hot) ** 2 @ self._members

    def allowed(self, given: Mapping[int, np.ndarray] | None) -> np.ndarray | None:
        """(width,) which codes a condition allows, or None without one; ImpossibleCondition if a column has none."""
        if not given:
            return None
        mask = np.ones(self.width, bool)
        for column, codes in given.items():
            if not np.any(codes):
                raise ImpossibleCondition
            start = self.offsets[column]
            mask[start : start + self.domain.sizes[column]] = codes
        return mask

    def log_chance(self, outputs: np.ndarray, allowed: np.ndarray) -> np.ndarray:
        """(n,) log-probability that a row of the product distribution obeys the condition."""
        chances = np.exp(np.asarray(self.log_probabilities(jnp.asarray(outputs)))) * allowed
        return np.log(np.maximum(chances @ self._members, _LEAST)).sum(axis=1)

    def draw(self, outputs: np.ndarray, rng: np.random.Generator, allowed: np.ndarray | None) -> np.ndarray:
        """One row from each product distribution, (n, width) -> codes (n, d)."""
        codes = np.empty((len(outputs), len(self.domain)), self.domain.code_dtype())
        for column in range(len(self.domain)):
            codes[:, column] = self.draw_column(outputs, column, rng, allowed)
        return codes

    def draw_column(
        self, outputs: np.ndarray, column: int, rng: np.random.Generator, allowed: np.ndarray | None
    ) -> np.ndarray:
        """A code of one column per row of outputs (n, width), (n,), by inversion."""
        span = slice(self.offsets[column], self.offsets[column] + self.domain.sizes[column])
        bounded = _LIMIT * np.tanh(outputs[:, span] / _LIMIT)
        mass = np.exp(bounded - bounded.max(axis=1, keepdims=True))
        if allowed is not None:
            mass = np.where(allowed[span], np.maximum(mass, _LEAST), 0)
        cumulative = np.cumsum(mass, axis=1, dtype=np.float64)
        wanted = rng.random(len(outputs)) * cumulative[:, -1]
        return (cumulative > wanted[:, None]).argmax(axis=1)


def batched(network: Callable[[np.ndarray], Array], inputs: np.ndarray, size: int = BLOCK) -> np.ndarray:
    """Apply a compiled network to one row or more, in batches of one shape, padding the last."""
    parts = []
    for start in range(0, len(inputs), size):
        part = inputs[start : start + size]
        padded = np.concatenate([part, np.repeat(part[:1], size - len(part), axis=0)])
        parts.append(np.asarray(network(padded))[: len(part)])
    return (
        np.concatenate(parts) if parts else np.asarray(network(np.zeros((size, *inputs.shape[1:]), inputs.dtype)))[:0]
    )


def fixed_masks(columns: int) -> np.ndarray:
    """(16, columns) masks for a diffusion's record loss: four each of an eighth, a quarter, a half and all columns."""
    rng = np.random.default_rng(0)
    counts = [max(1, columns // part) for part in _HIDDEN_PARTS for _ in range(_EACH)]
    return np.array([rng.permutation(columns) < count for count in counts])
