"""The public shape of an encoded table: which columns, how many codes each, which are ordered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Axis:
    """One encoded column: the codes ``0 .. size-1``.

    Attributes:
        name: the column's name.
        size: number of codes, at least 1.
        ordered: whether neighbouring codes mean neighbouring values (numbers, dates), so that bins may be merged.
        missing: the code that stands for a missing value (never merged with others), or None.
    """

    name: str
    size: int
    ordered: bool = False
    missing: int | None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"column {self.name!r}: a domain needs at least one code, got {self.size}")
        if self.missing is not None and not 0 <= self.missing < self.size:
            raise ValueError(f"column {self.name!r}: missing code {self.missing} outside 0..{self.size - 1}")


@dataclass(frozen=True)
class Domain:
    """The ordered axes of an encoded table; wholly public.

    >>> d = Domain((Axis("age", 100, ordered=True), Axis("sex", 2)))
    >>> d.sizes, d.cells((0, 1)), d.index("sex")
    ((100, 2), 200, 1)
    """

    axes: tuple[Axis, ...]

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.axes):
            raise ValueError("a domain cannot hold two columns of one name")

    @classmethod
    def of(cls, names: Sequence[str], sizes: Sequence[int], ordered: Iterable[str] = ()) -> Domain:
        """Build a domain from plain names and sizes."""
        wanted = set(ordered)
        return cls(tuple(Axis(n, int(s), n in wanted) for n, s in zip(names, sizes, strict=True)))

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(a.name for a in self.axes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes per column."""
        return tuple(a.size for a in self.axes)

    def index(self, name: str) -> int:
        """Position of a column by name; KeyError if there is none."""
        for i, axis in enumerate(self.axes):
            if axis.name == name:
                return i
        raise KeyError(name)

    def cells(self, clique: Sequence[int]) -> int:
        """Number of cells of the marginal over ``clique`` (positions)."""
        return math.prod(self.axes[i].size for i in clique)

    def shape(self, clique: Sequence[int]) -> tuple[int, ...]:
        """Shape of the marginal over ``clique`` (positions)."""
        return tuple(self.axes[i].size for i in clique)

    def code_dtype(self) -> np.dtype:
        """The smallest unsigned type that holds every code."""
        return np.min_scalar_type(max(self.sizes, default=1) - 1)
