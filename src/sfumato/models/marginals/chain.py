"""A chain of log-linear conditionals: what every marginal model here ends as.

Columns are drawn one after another; a column's groups given earlier ones follow a multinomial logit with one table of
log-potentials per parent, ``log P(x | parents) = bias(x) + sum_k table_k(parent_k, x) + constant``. A tree is the case
of one parent each. Drawing is exact and costs one softmax per column, whatever loops the pairs form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from sfumato.models.model import ImpossibleCondition

_BLOCK = 1 << 14
"""Records drawn at a time."""
_MOST_DRAWS = 400
"""Draws per kept record at which rejection gives way to importance resampling."""
_POOL = 1 << 17
"""Draws before it gives way: what is resampled then."""
_PER_RECORD = 8
"""The same for each wanted record."""
_FEWEST_DRAWS, _LARGEST_DRAWS = 1 << 8, 1 << 16
"""Draws of one try, at least and at most."""
_KEPT_TRIES = 8
"""Last tries that are resampled from: what one more would add is little, and they take memory."""


@dataclass(frozen=True)
class Conditional:
    """One column given some earlier ones.

    Attributes:
        column: its position.
        parents: positions of the earlier columns it depends on.
        bias: (size,) log-potential of the column alone.
        tables: per parent, (size_parent, size) log-potential.
    """

    column: int
    parents: tuple[int, ...]
    bias: np.ndarray
    tables: tuple[np.ndarray, ...]

    def log_likelihood(self, codes: Sequence[np.ndarray]) -> np.ndarray:
        """(n,) log-probability of the column's code given those of its parents."""
        out = np.empty(len(codes[self.column]))
        for start in range(0, len(out), _BLOCK):
            rows = slice(start, start + _BLOCK)
            logs = np.tile(self.bias, (len(out[rows]), 1))
            for parent, table in zip(self.parents, self.tables, strict=True):
                logs += table[codes[parent][rows]]
            wanted = np.take_along_axis(logs, codes[self.column][rows, None], axis=1)[:, 0]
            out[rows] = wanted - logsumexp(logs, axis=1)
        return out

    def draw(
        self, codes: list[np.ndarray], n: int, rng: np.random.Generator, allowed: np.ndarray | None
    ) -> np.ndarray | None:
        """Draw the column into ``codes``; with ``allowed`` (size,) likelihoods, return their probability."""
        out = np.empty(n, np.int64)
        chance = None if allowed is None else np.empty(n)
        bias, tables = self.bias.astype(np.float32), [t.astype(np.float32) for t in self.tables]
        for start in range(0, n, _BLOCK):
            rows = slice(start, min(n, start + _BLOCK))
            logs = np.tile(bias, (rows.stop - start, 1))
            for parent, table in zip(self.parents, tables, strict=True):
                logs += table[codes[parent][rows]]
            p = softmax(logs)
            if chance is not None:
                p *= allowed
                chance[rows] = p.sum(axis=1)
            ladder = np.cumsum(p, axis=1)
            top = ladder[:, -1:]
            goal = rng.random(top.shape, np.float32) * top  # below the top: (1 - 2^-24) x rounds down
            out[rows] = np.minimum((ladder <= goal).sum(axis=1), p.shape[1] - 1)
        codes[self.column] = out
        return chance


@dataclass(frozen=True)
class Chain:
    """Conditionals in the order in which they are drawn; the last may draw a column for the second time."""

    conditionals: tuple[Conditional, ...]

    def sample(
        self, n: int, rng: np.random.Generator, evidence: Mapping[int, np.ndarray] | None = None
    ) -> list[np.ndarray]:
        """``n`` draws, one (n,) array per column, under likelihoods ``evidence`` (0..1) of some columns' groups.

        With evidence, draws are kept with the probability the model gives to it: exact. Where it is so rare that
        fewer than one in ``_MOST_DRAWS`` is kept, the draws are resampled by that probability instead, which is
        exact in the limit only; the condition itself always holds. ImpossibleCondition if it has probability zero.
        """
        if not evidence or not n:
            return self._draw(n, rng, {})[0]
        kept: list[list[np.ndarray]] = []
        found, drawn = 0, 0
        pool: list[tuple[list[np.ndarray], np.ndarray]] = []
        while found < n and drawn < max(_MOST_DRAWS * found, _POOL, _PER_RECORD * n):
            likely = (n - found) * max(1.0, drawn / max(found, 1))
            size = int(np.clip(likely, _FEWEST_DRAWS, _LARGEST_DRAWS))
            codes, chance = self._draw(size, rng, evidence)
            pick = np.flatnonzero(rng.random(size) < chance)[: n - found]
            kept.append([c[pick] for c in codes])
            found, drawn = found + len(pick), drawn + size
            pool = [*pool, (codes, chance)][-_KEPT_TRIES:]
        if found < n:
            return self._resampled(pool, n, rng)
        return [np.concatenate(parts) for parts in zip(*kept, strict=True)]

    def log_likelihood(self, codes: Sequence[np.ndarray]) -> np.ndarray:
        """(n,) exact log-probability of groups, one (n,) array per column; a first draw that is lost is summed out."""
        redrawn = self.conditionals[len(codes) :]
        lost = {c.column for c in redrawn}
        touched = [c for c in self.conditionals[: len(codes)] if not lost.isdisjoint((c.column, *c.parents))]
        kept = [c for c in self.conditionals[: len(codes)] if lost.isdisjoint((c.column, *c.parents))]
        known = sum((c.log_likelihood(codes) for c in (*kept, *redrawn)), np.zeros(len(codes[0])))
        if not redrawn:
            return known
        (last,) = redrawn
        ways = []
        for first in range(last.bias.size):
            drawn = list(codes)
            drawn[last.column] = np.full_like(codes[last.column], first)
            ways.append(sum(c.log_likelihood(drawn) for c in touched))
        return known + logsumexp(ways, axis=0)

    @staticmethod
    def _resampled(
        pool: Sequence[tuple[list[np.ndarray], np.ndarray]], n: int, rng: np.random.Generator
    ) -> list[np.ndarray]:
        chance = np.concatenate([c for _, c in pool])
        if not chance.sum() > 0:
            raise ImpossibleCondition
        pick = rng.choice(len(chance), n, p=chance / chance.sum())
        return [np.concatenate(parts)[pick] for parts in zip(*(codes for codes, _ in pool), strict=True)]

    def _draw(
        self, n: int, rng: np.random.Generator, evidence: Mapping[int, np.ndarray]
    ) -> tuple[list[np.ndarray], np.ndarray]:
        codes = [np.empty(0, np.int64)] * len({c.column for c in self.conditionals})
        chance = np.ones(n)
        final = {c.column: c for c in self.conditionals}
        for conditional in self.conditionals:
            allowed = evidence.get(conditional.column) if final[conditional.column] is conditional else None
            likely = conditional.draw(codes, n, rng, allowed)
            if likely is not None:
                chance *= likely
        return codes, chance


def softmax(logs: np.ndarray, axis: int = 1) -> np.ndarray:
    """Probabilities of log-potentials along ``axis``."""
    p = logs - logs.max(axis=axis, keepdims=True)
    np.exp(p, out=p)
    p /= p.sum(axis=axis, keepdims=True)
    return p
