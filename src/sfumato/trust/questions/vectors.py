"""Questions whose answers are sums of vectors that installed code makes of each record, or of their outer products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.privacy.mechanisms import lattice
from sfumato.results.plain import Json
from sfumato.trust.questions.installed import GROUPED, VECTORS, Feature, GroupedFeature
from sfumato.trust.questions.packing import PublicArrays, Unpacked, frozen
from sfumato.trust.questions.question import Price, SumQuestion, checked_costs

_MOST_DIMENSION = 1 << 22
"""Numbers of a record's vector: for so many, ``lattice.norm`` is proven."""
_MOST_VALUES = 1 << 26
"""Numbers of a scatter in all: half a gigabyte."""
_LEAST_BOUND, _MOST_BOUND = 1e-60, 1e60
"""Of a norm: its square, in steps, is far from the ends of float64."""


def _check(dimension: int, bound: float) -> None:
    if type(dimension) is not int or not 1 <= dimension <= _MOST_DIMENSION:
        raise QuestionError(f"a vector has between 1 and {_MOST_DIMENSION} numbers, not {dimension!r}")
    if not (isinstance(bound, float) and _LEAST_BOUND <= bound <= _MOST_BOUND):  # NaN compares as false
        raise QuestionError(f"the bound of a vector lies between {_LEAST_BOUND} and {_MOST_BOUND}, not at {bound!r}")


def _price(mu: Sequence[float], scale: lattice.Scale, max_rows: int, numbers: int, weight: float = 1.0) -> Price:
    """Of one sum of vectors that a record moves by at most ``scale.sensitivity``; ``weight`` is the largest."""
    checked_costs(mu, 1)
    (cost,) = mu
    if math.isinf(cost):
        return Price((0.0,), ())
    sensitivity = scale.sensitivity * max_rows
    noise = lattice.scale(1 / cost, sensitivity, weight)
    return Price((noise,), (lattice.event(noise, sensitivity, numbers, weight),))


def _nobody(domain: Domain) -> np.ndarray:
    """A record that is nobody's."""
    return np.zeros((1, len(domain)), domain.code_dtype())


def _check_vectors(vectors: np.ndarray, dimension: int) -> None:
    if vectors.shape != (1, dimension):
        raise QuestionError(f"the feature makes vectors of {vectors.shape[1:]} numbers, and {dimension} were asked for")


def _arrays(arrays: PublicArrays) -> str:
    sizes = [f"{name} ({' x '.join(map(str, a.shape)) or '1'})" for name, a in arrays.items()]
    return f", given {', '.join(sizes)}" if sizes else ""


@dataclass(frozen=True, eq=False)
class FeatureSum(SumQuestion[np.ndarray]):
    """The sum over records of a vector that installed code makes of each.

    Attributes:
        feature: name of the code, in ``installed.VECTORS``.
        dimension: numbers of a record's vector.
        bound: l2 norm to which each record's vector is clipped.
        arrays: public arrays that the code is given.

    *Formal guarantee.* Vectors are clipped and rounded one by one by whoever holds the records. A record moves the sum
    by at most ``bound``, and a little for rounding, provided that the feature treats every record alone.
    """

    feature: str
    dimension: int
    bound: float
    arrays: PublicArrays = field(default_factory=dict)

    kind = "feature sum"

    def __post_init__(self) -> None:
        _check(self.dimension, self.bound)
        object.__setattr__(self, "arrays", frozen(self.arrays))

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        return {"feature": self.feature, "dimension": self.dimension, "bound": self.bound}, self.arrays

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        return cls(found.text("feature"), found.whole("dimension"), found.real("bound"), found.arrays)

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        return (
            f"the sum over all records of {self.dimension} numbers that the installed feature {self.feature!r} makes of"
            f" each, clipped to length {self.bound:g}{_arrays(self.arrays)}"
        )

    def made(self, domain: Domain) -> Feature:
        """The installed code, given the arrays; QuestionError."""
        return VECTORS.make(self.feature, domain, self.arrays)

    def check(self, domain: Domain) -> None:
        """See ``Question``; what the code makes of a record of zeros must be a vector of the dimension."""
        _check_vectors(self.made(domain)(_nobody(domain)), self.dimension)

    def sizes(self, domain: Domain) -> tuple[int, ...]:
        """See ``SumQuestion``."""
        return (self.dimension,)

    @property
    def scale(self) -> lattice.Scale:
        """What the whole numbers mean."""
        return lattice.feature_scale(self.dimension, self.bound)

    @property
    def step(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What a whole number stands for."""
        return self.scale.step

    def price(self, mu: Sequence[float], max_rows: int) -> Price:
        """See ``SumQuestion``."""
        return _price(mu, self.scale, max_rows, self.dimension)

    def answer(self, whole: np.ndarray, price: Price, domain: Domain) -> np.ndarray:
        """(dimension,) float64."""
        return whole * self.step


@dataclass(frozen=True, eq=False)
class Scatter(SumQuestion[np.ndarray]):
    """Sums of z z^T over the records of each group, where installed code makes vector and group of each record.

    Attributes:
        feature: name of the code, in ``installed.GROUPED``.
        dimension: numbers of z.
        groups: how many there are; a record of any other counts nowhere.
        bound: l2 norm to which each z is clipped.
        arrays: public arrays that the code is given.

    The whole numbers are upper triangles, group by group; see ``summing.scatter_sum``.

    *Formal guarantee.* As of ``FeatureSum``, of z z^T, whose norm is at most ``bound^2``: numbers beside the diagonal
    have the weight sqrt(2) in that norm, for they stand there twice.
    """

    feature: str
    dimension: int
    groups: int
    bound: float
    arrays: PublicArrays = field(default_factory=dict)

    kind = "scatter"

    def __post_init__(self) -> None:
        _check(self.dimension, self.bound)
        if type(self.groups) is not int or not 1 <= self.groups <= _MOST_VALUES // self._triangle:
            raise QuestionError(f"sums of products have at most {_MOST_VALUES} numbers, over one group or more")
        object.__setattr__(self, "arrays", frozen(self.arrays))

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        said = {"feature": self.feature, "dimension": self.dimension, "groups": self.groups, "bound": self.bound}
        return said, self.arrays

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        whole = found.whole("dimension"), found.whole("groups")
        return cls(found.text("feature"), *whole, found.real("bound"), found.arrays)

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        return (
            f"the sums over the records of each of {self.groups} groups of the products of all pairs of"
            f" {self.dimension} numbers that the installed feature {self.feature!r} makes of each, clipped to length"
            f" {self.bound:g}{_arrays(self.arrays)}"
        )

    def made(self, domain: Domain) -> GroupedFeature:
        """The installed code, given the arrays; QuestionError."""
        return GROUPED.make(self.feature, domain, self.arrays)

    def check(self, domain: Domain) -> None:
        """See ``Question``; what the code makes of a record of zeros must be a vector and a group."""
        vectors, groups = self.made(domain)(_nobody(domain))
        _check_vectors(vectors, self.dimension)
        if groups.shape != (1,):
            raise QuestionError(f"feature {self.feature!r} gives no group of each record")

    @property
    def _triangle(self) -> int:
        return self.dimension * (self.dimension + 1) // 2

    def sizes(self, domain: Domain) -> tuple[int, ...]:
        """See ``SumQuestion``."""
        return (self.groups * self._triangle,)

    def weights(self) -> np.ndarray:
        """1 on the diagonals, sqrt(2) beside them, (values,)."""
        rows, columns = np.triu_indices(self.dimension)
        return np.tile(np.where(rows == columns, 1.0, math.sqrt(2)), self.groups)

    @property
    def scale(self) -> lattice.Scale:
        """What the whole numbers mean."""
        return lattice.scatter_scale(self.dimension, self.bound)

    @property
    def step(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What a whole number stands for."""
        return self.scale.step

    def price(self, mu: Sequence[float], max_rows: int) -> Price:
        """See ``SumQuestion``."""
        weight = 1.0 if self.dimension == 1 else math.sqrt(2)
        return _price(mu, self.scale, max_rows, self.groups * self._triangle, weight)

    def answer(self, whole: np.ndarray, price: Price, domain: Domain) -> np.ndarray:
        """Symmetric matrices (groups, dimension, dimension), float64."""
        rows, columns = np.triu_indices(self.dimension)
        full = np.empty((self.groups, self.dimension, self.dimension))
        full[:, rows, columns] = full[:, columns, rows] = whole.reshape(self.groups, -1) * self.step
        return full
