"""The public shape of an encoded table: which columns, how many codes each, which are ordered."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from sfumato.schema.columns import Content

LEVELS = 256
"""Codes of a pixel."""

Clique = tuple[int, ...]
"""Positions of the columns of one marginal."""


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
class Pixels:
    """Where an image lies among the axes: height x width x channels of them from ``start``, channels last.

    A pixel's code is its level, 0 to 255.
    """

    start: int
    height: int
    width: int
    channels: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return self.height, self.width, self.channels

    @property
    def span(self) -> slice:
        """The positions of the pixels."""
        return slice(self.start, self.start + math.prod(self.shape))

    def axes(self, name: str) -> tuple[Axis, ...]:
        """The axes of an image column called ``name``.

        >>> [a.name for a in Pixels(0, 1, 2, 1).axes("photo")]
        ['photo[0,0,0]', 'photo[0,1,0]']
        """
        places = product(range(self.height), range(self.width), range(self.channels))
        return tuple(Axis(f"{name}[{r},{c},{k}]", LEVELS, ordered=True) for r, c, k in places)


@dataclass(frozen=True)
class Domain:
    """The ordered axes of an encoded table; wholly public.

    Attributes:
        axes: one per encoded column.
        pixels: which of them are the pixels of an image; None for a table without images.

    >>> d = Domain((Axis("age", 100, ordered=True), Axis("sex", 2)))
    >>> d.sizes, d.cells((0, 1)), d.index("sex")
    ((100, 2), 200, 1)
    """

    axes: tuple[Axis, ...]
    pixels: Pixels | None = None

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.axes):
            raise ValueError("a domain cannot hold two columns of one name")
        if self.pixels is not None and {a.size for a in self.axes[self.pixels.span]} != {LEVELS}:
            raise ValueError(f"the pixels of an image are axes of {LEVELS} codes each")

    @classmethod
    def of(cls, names: Sequence[str], sizes: Sequence[int], ordered: Iterable[str] = ()) -> Domain:
        """Build a domain from plain names and sizes."""
        wanted = set(ordered)
        return cls(tuple(Axis(n, int(s), n in wanted) for n, s in zip(names, sizes, strict=True)))

    def __len__(self) -> int:
        return len(self.axes)

    @property
    def content(self) -> Content:
        """Whether an image is among the columns."""
        return "table" if self.pixels is None else "images"

    @property
    def image(self) -> Pixels:
        """Where the pixels are; ValueError for a table without images."""
        if self.pixels is None:
            raise ValueError("no column of the table is an image")
        return self.pixels

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(a.name for a in self.axes)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {name: position for position, name in enumerate(self.names)}

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes per column."""
        return tuple(a.size for a in self.axes)

    def index(self, name: str) -> int:
        """Position of a column by name; KeyError if there is none."""
        return self._positions[name]

    def cells(self, clique: Sequence[int]) -> int:
        """Number of cells of the marginal over ``clique`` (positions)."""
        return math.prod(self.axes[i].size for i in clique)

    def shape(self, clique: Sequence[int]) -> tuple[int, ...]:
        """Shape of the marginal over ``clique`` (positions)."""
        return tuple(self.axes[i].size for i in clique)

    def code_dtype(self) -> np.dtype:
        """The smallest unsigned type that holds every code."""
        return np.min_scalar_type(max(self.sizes, default=1) - 1)
