"""The fitted form of all marginal models: a chain over groups, and each column's own distribution inside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.marginals.chain import Chain, Conditional
from sfumato.models.marginals.columns import Columns
from sfumato.models.model import ImpossibleCondition, SavedArrays, SavedFacts, SavedState, total_of
from sfumato.results.plain import Json

_BLOCK = 1 << 16
"""Records drawn at a time."""
_LARGEST = 1e30
"""No number of a saved model is larger: draws are made in single precision."""


@dataclass(frozen=True)
class FittedMarginals:
    """A chain over groups of codes; codes inside a group follow the column's own noisy distribution.

    Attributes:
        columns: each column alone.
        chain: how they depend on each other.
    """

    columns: Columns
    chain: Chain

    @property
    def domain(self) -> Domain:
        """Columns and codes that are sampled."""
        return self.columns.domain

    @property
    def total(self) -> float:
        """Noisy number of records."""
        return self.columns.total

    def sample(self, n: int, rng: np.random.Generator, given: Mapping[int, np.ndarray] | None = None) -> np.ndarray:
        """Draw ``n`` encoded records; conditions hold exactly. ImpossibleCondition if a mask allows nothing."""
        fine = [f.copy() for f in self.columns.fine]
        for column, allowed in (given or {}).items():
            fine[column] = np.where(allowed, fine[column], 0.0)
            if not fine[column].any():
                raise ImpossibleCondition
        evidence = self._evidence(fine, given or {})
        inside = [_inside(f, m) for f, m in zip(fine, self.columns.maps, strict=True)]
        out = np.empty((n, len(self.domain)), self.domain.code_dtype())
        if not len(self.domain):
            return out
        for start in range(0, n, _BLOCK):
            size = min(_BLOCK, n - start)
            groups = self.chain.sample(size, rng, evidence)
            for column, (codes, table) in enumerate(zip(groups, inside, strict=True)):
                out[start : start + size, column] = _code(table, codes, rng)
        return out

    def record_loss(self, codes: np.ndarray) -> np.ndarray:
        """-log p of records (n, d), exact; see ``RecordLoss``."""
        groups = [m[codes[:, i]] for i, m in enumerate(self.columns.maps)]
        parts = zip(self.columns.fine, self.columns.masses, codes.T, groups, strict=True)
        inside = sum((np.log(f[c]) - np.log(m[g]) for f, m, c, g in parts), np.zeros(len(codes)))
        return -inside - self.chain.log_likelihood(groups) if groups else -inside

    def _evidence(self, fine: list[np.ndarray], given: Mapping[int, np.ndarray]) -> dict[int, np.ndarray]:
        """Per conditioned column, the allowed part of each group's mass."""
        return {
            column: np.bincount(self.columns.maps[column], weights=fine[column]) / self.columns.masses[column]
            for column in given
        }

    def state(self) -> SavedState:
        """(facts, arrays) for saving."""
        facts: dict[str, Json] = {
            "total": self.total,
            "chain": [{"column": c.column, "parents": list(c.parents)} for c in self.chain.conditionals],
        }
        arrays: dict[str, np.ndarray] = {}
        for i in range(len(self.domain)):
            arrays[f"fine.{i}"] = self.columns.fine[i]
            arrays[f"map.{i}"] = self.columns.maps[i].astype(np.int32)
        for k, c in enumerate(self.chain.conditionals):
            arrays[f"bias.{k}"] = c.bias
            for parent, table in zip(c.parents, c.tables, strict=True):
                arrays[f"table.{k}.{parent}"] = table
        return facts, arrays


def restore(domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedMarginals:
    """Rebuild from :meth:`FittedMarginals.state`; ValueError (or KeyError) on anything malformed."""
    fine = tuple(_masses(arrays[f"fine.{i}"], a.size) for i, a in enumerate(domain.axes))
    maps = tuple(_groups(arrays[f"map.{i}"], a.size) for i, a in enumerate(domain.axes))
    total = total_of(facts)
    if not total >= 1 or not np.isfinite(total):
        raise ValueError("the number of records is not a positive number")
    columns = Columns(domain, fine, maps, total)
    sizes = columns.grouped.sizes
    before: set[int] = set()
    conditionals = []
    for k, (column, parents) in enumerate(_links(facts["chain"])):
        again = column in before and not (k == len(domain) and column not in parents)
        if again or not 0 <= column < len(domain) or not before.issuperset(parents) or len(set(parents)) < len(parents):
            raise ValueError("the chain's order is malformed")
        before.add(column)
        bias = _numbers(arrays[f"bias.{k}"], (sizes[column],))
        tables = (_numbers(arrays[f"table.{k}.{p}"], (sizes[p], sizes[column])) for p in parents)
        conditionals.append(Conditional(column, parents, bias, tuple(tables)))
    if len(before) != len(domain):
        raise ValueError("the chain does not cover the columns")
    return FittedMarginals(columns, Chain(tuple(conditionals)))


def _links(chain: Json) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Column and parents of each link of a saved chain; ValueError where it is none."""
    if not isinstance(chain, list):
        raise ValueError("the chain is no list")
    for link in chain:
        column, parents = (link.get("column"), link.get("parents")) if isinstance(link, Mapping) else (None, None)
        known = [p for p in parents if isinstance(p, int)] if isinstance(parents, list) else []
        if not isinstance(column, int) or parents != known:
            raise ValueError("a link of the chain is malformed")
        yield column, tuple(known)


def _numbers(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if values.shape != shape or values.dtype != np.float64 or not (np.abs(values) < _LARGEST).all():
        raise ValueError("an array of the model has a wrong shape or type, or holds numbers that are too large")
    return values


def _masses(values: np.ndarray, size: int) -> np.ndarray:
    if not (_numbers(values, (size,)) > 0).all():
        raise ValueError("masses must be positive")
    return values


def _groups(values: np.ndarray, size: int) -> np.ndarray:
    used = np.unique(values)
    if values.shape != (size,) or values.dtype != np.int32 or not np.array_equal(used, np.arange(len(used))):
        raise ValueError("a map of codes to groups is malformed")
    return values.astype(np.int64)


def _inside(fine: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(codes ordered by group, cumulative mass along them, start of each group)."""
    order = np.argsort(groups, kind="stable")
    return (
        order,
        np.concatenate([[0.0], np.cumsum(fine[order])]),
        np.searchsorted(groups[order], np.arange(groups.max() + 2)),
    )


def _code(table: tuple[np.ndarray, np.ndarray, np.ndarray], groups: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One code per group, in proportion to the masses inside it; codes without mass are never drawn."""
    order, ladder, starts = table
    low, high = ladder[starts[groups]], ladder[starts[groups + 1]]
    goal = np.minimum(low + rng.random(len(groups)) * (high - low), np.nextafter(high, low))
    found = np.searchsorted(ladder, goal, side="right") - 1
    return order[np.clip(found, starts[groups], starts[groups + 1] - 1)]
