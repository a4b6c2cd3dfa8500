"""Questions that compare tables with what is publicly believed of them: distances, and which of several is furthest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.privacy.accounting import discrete_gaussian_sigma
from sfumato.privacy.events import DiscreteGaussian
from sfumato.privacy.mechanisms.discrete_gaussian import planned
from sfumato.results.plain import Json
from sfumato.trust.questions.counts import Marginals
from sfumato.trust.questions.packing import PublicArrays, Unpacked, frozen
from sfumato.trust.questions.question import Price, Question, SumQuestion, checked_costs

MOST_FRACTION = 10
"""Bits of the fraction of an estimate: what is rounded away is far below any noise."""
_MOST_ESTIMATE = 1 << 31
"""Of an estimate in units: what a ring of 32 bits tells apart."""
_MOST_WEIGHT = 1 << 20
"""Of a candidate."""


@dataclass(frozen=True, eq=False)
class Distances(SumQuestion[np.ndarray]):
    """How far each of some tables is from a public estimate, in the l1 norm of its cells; each is a part.

    Attributes:
        tables: that are compared.
        estimates: (cells,) of all of them, one behind the other, int64, in units of 2^-``fraction``.
        fraction: bits behind the point of what is compared.

    *Formal guarantee.* A record is in one cell of each table: a unit moves each distance by at most its number of rows.
    """

    tables: Marginals
    estimates: np.ndarray
    fraction: int = 0

    kind = "distances"

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        _, arrays = self.tables.contents()
        return {"fraction": self.fraction}, frozen({**arrays, "estimates": np.asarray(self.estimates, np.int64)})

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        tables = Marginals.of(Unpacked(found.kind, {"outside": False}, found.arrays))
        return cls(tables, found.array("estimates", "<i8"), found.whole("fraction"))

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        return f"how far from public estimates is {self.tables.words(names)}"

    def check(self, domain: Domain) -> None:
        """See ``Question``."""
        self.tables.check(domain)
        if not self.tables.queries or len(self.estimates) != self.tables.values(domain):
            raise QuestionError("tables that are compared have an estimate of each of their cells")
        if not 0 <= self.fraction <= MOST_FRACTION:
            raise QuestionError(f"estimates have 0 to {MOST_FRACTION} bits behind the point, not {self.fraction}")
        if not _within(self.estimates):
            raise QuestionError("an estimate is larger than any count can be")

    def sizes(self, domain: Domain) -> tuple[int, ...]:
        """See ``SumQuestion``."""
        return (1,) * len(self.tables.queries)

    @property
    def step(self) -> float:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See ``SumQuestion``."""
        return 2.0**-self.fraction

    def price(self, mu: Sequence[float], max_rows: int) -> Price:
        """See ``SumQuestion``."""
        checked_costs(mu, len(self.tables.queries))
        moved = self.moved_by(max_rows)
        scales = tuple(planned(discrete_gaussian_sigma(m, moved)) if np.isfinite(m) else 0.0 for m in mu)
        return Price(scales, tuple(DiscreteGaussian(s, moved) for s in scales if s))

    def answer(self, whole: np.ndarray, price: Price, domain: Domain) -> np.ndarray:
        """See ``SumQuestion``."""
        return whole * self.step

    def moved_by(self, max_rows: int) -> int:
        """Units by which one unit of privacy moves a distance at most, up or down."""
        return max_rows << self.fraction

    def furthest(self, records: int, domain: Domain) -> int:
        """Units that a distance is at most, over so many ``records``."""
        return (records << self.fraction) + max(int(np.abs(one).sum()) for one in self.estimates_of(domain))

    def estimates_of(self, domain: Domain) -> list[np.ndarray]:
        """Of each table by itself."""
        return np.split(self.estimates, np.cumsum(self.tables.sizes(domain))[:-1])

    def through(self, recode: Sequence[np.ndarray]) -> Distances:
        """The same tables of finer records; see ``Marginals.through``."""
        return replace(self, tables=self.tables.through(recode))


@dataclass(frozen=True, eq=False)
class Selection(Question):
    """Which of some tables is furthest from a public estimate, by its weight times its distance less a public bias.

    Attributes:
        distances: of each candidate.
        weights: (k,) int64, from 1 on.
        biases: (k,) int64, in units of the distances.

    *Formal guarantee.* A unit moves each score by at most ``moved_by``, some up and others down.
    """

    distances: Distances
    weights: np.ndarray
    biases: np.ndarray

    kind = "selection"

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        fields, arrays = self.distances.contents()
        more = {"weights": np.asarray(self.weights, np.int64), "biases": np.asarray(self.biases, np.int64)}
        return fields, frozen({**arrays, **more})

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        return cls(Distances.of(found), found.array("weights", "<i8"), found.array("biases", "<i8"))

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        return f"which is furthest from a public estimate, of {self.distances.tables.words(names)}"

    def check(self, domain: Domain) -> None:
        """See ``Question``."""
        self.distances.check(domain)
        k = len(self.distances.tables.queries)
        if self.weights.shape != (k,) or self.biases.shape != (k,):
            raise QuestionError("candidates of a selection have a weight and a bias each")
        if self.weights.min() < 1 or self.weights.max() > _MOST_WEIGHT:
            raise QuestionError(f"weights of candidates are whole numbers from 1 to {_MOST_WEIGHT}")
        if not _within(self.biases):
            raise QuestionError("a bias is larger than any distance can be")

    def moved_by(self, max_rows: int) -> int:
        """Units by which one unit of privacy moves a score at most, up or down."""
        return int(self.weights.max()) * self.distances.moved_by(max_rows)

    def furthest(self, records: int, domain: Domain) -> int:
        """Units that a score is at most from 0, without noise, over so many ``records``."""
        away = self.distances.furthest(records, domain) + int(np.abs(self.biases).max())
        return int(self.weights.max()) * away

    def through(self, recode: Sequence[np.ndarray]) -> Selection:
        """The same tables of finer records; see ``Marginals.through``."""
        return replace(self, distances=self.distances.through(recode))


def _within(units: np.ndarray) -> bool:
    """Whether all are below what a ring tells apart; the smallest of 64 bits is its own absolute value."""
    return bool(units.min() > -_MOST_ESTIMATE and units.max() < _MOST_ESTIMATE)
