"""Random counting queries: conjunctions of ranges over ordered columns and single values over the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain


@dataclass(frozen=True)
class RangeQuery:
    """The records with ``low <= code <= high`` (never the missing code) in each of ``columns``."""

    columns: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]

    def share(self, codes: np.ndarray, domain: Domain) -> float:
        """The share of the records that match, in [0, 1]."""
        match = np.ones(len(codes), bool)
        for i, low, high in zip(self.columns, self.low, self.high, strict=True):
            column = codes[:, i]
            match &= (column >= math.ceil(low)) & (column <= math.floor(high))  # codes are whole, and compared as such
            if domain.axes[i].ordered and domain.axes[i].missing is not None:
                match &= column != domain.axes[i].missing
        return float(match.mean())


def random_queries(domain: Domain, count: int = 1000, width: int = 3, seed: int = 0) -> list[RangeQuery]:
    """``count`` queries of ``width`` distinct columns (fewer if there are not so many).

    An ordered column gets the interval between two uniform points of its codes, another one uniformly drawn value.
    """
    rng = np.random.default_rng(seed)
    width = min(width, len(domain))
    queries = []
    for _ in range(count):
        columns = rng.choice(len(domain), width, replace=False)
        bounds = [_bounds(domain.axes[i].ordered, domain.axes[i].size, rng) for i in columns]
        low, high = zip(*bounds, strict=True)
        queries.append(RangeQuery(tuple(columns.tolist()), low, high))
    return queries


def _bounds(ordered: bool, size: int, rng: np.random.Generator) -> tuple[float, float]:
    if ordered:
        low, high = np.sort(rng.uniform(0, size - 1, 2))
        return float(low), float(high)
    value = float(rng.integers(size))
    return value, value


def shares(codes: np.ndarray, domain: Domain, queries: Sequence[RangeQuery]) -> np.ndarray:
    """The share of the records that match each query, (len(queries),)."""
    by_column = np.asfortranarray(codes)  # a query reads whole columns
    return np.array([query.share(by_column, domain) for query in queries])


def query_errors(
    a: np.ndarray, others: Sequence[np.ndarray], domain: Domain, queries: Sequence[RangeQuery]
) -> list[np.ndarray]:
    """Absolute differences of the shares in ``a`` and in each of ``others``, (len(queries),) each."""
    truth = shares(a, domain, queries)
    return [np.abs(truth - shares(b, domain, queries)) for b in others]
