"""What every setting that adds makes of its one way to ask: the named questions of ``Setting``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from sfumato.trust.questions import Answer, Count, FeatureSum, Marginals, Measurement, Query, Scatter, SumQuestion


class Asking(ABC):
    """A setting that answers a question as a value; the other methods make such values."""

    @abstractmethod
    def ask(self, question: SumQuestion[Answer], mu: Sequence[float]) -> Answer:
        """The noised answer, each part at its cost of ``mu``; see ``Setting``."""

    def sigma(self, mu: float) -> float:
        """Noise of a count at this cost; see ``Setting``."""
        return 1 / mu

    @abstractmethod
    def outside(self, mu: float) -> Callable[[], tuple[float, float]]:
        """Ask how many rows have some cell that the schema's facts did not allow, now or together with what comes next.

        Returns:
            What tells, when all else was asked, the noisy number and the scale of its noise.
        """

    def count(self, mu: float) -> float:
        """Noisy number of records."""
        return self.ask(Count(), [mu])

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy tables; each is a part."""
        return self.ask(Marginals(tuple(queries)), mu) if queries else []

    def feature_sum(self, question: FeatureSum, mu: float) -> np.ndarray:
        """Noisy sum of vectors."""
        return self.ask(question, [mu])

    def scatter(self, question: Scatter, mu: float) -> np.ndarray:
        """Noisy sums of outer products."""
        return self.ask(question, [mu])
