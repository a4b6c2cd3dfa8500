"""How the noise of a question is shared by the sites of a plan: what each adds, what is charged, what is opened."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import FederationError
from sfumato.privacy.events import Event
from sfumato.privacy.randomness import Entropy
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.noising import by_weight
from sfumato.trust.questions import Answer, Count, Distances, FeatureSum, Marginals, Price, Scatter, SumQuestion
from sfumato.trust.secure_sum.noise import CountNoise, VectorNoise
from sfumato.trust.secure_sum.roster import MOST_SITES, Roster


@dataclass(frozen=True)
class SharedNoise:
    """The noise of a question at given costs, found from the question and the plan alone.

    Attributes:
        question: what is asked.
        sizes: numbers of each part.
        parts: the noise of each part; empty without a guarantee.
        estimated: of distances, the largest norm of an estimate, in units.
    """

    question: SumQuestion
    sizes: tuple[int, ...]
    parts: tuple[CountNoise | VectorNoise, ...]
    estimated: int = 0

    @classmethod
    def of(
        cls, question: SumQuestion, mu: Sequence[float], max_rows: int, roster: Roster, domain: Domain
    ) -> SharedNoise:
        """For answers that cost ``mu``, a cost for each part, where a unit has up to ``max_rows`` records.

        Raises:
            QuestionError: the question cannot be asked of ``domain``, or at these costs.
            TooMuchNoise, FederationError: whole numbers do not hold the noise or its shares.
        """
        question.check(domain)
        sizes = question.sizes(domain)
        if all(map(math.isinf, mu)):
            return cls(question, sizes, ())
        if isinstance(question, FeatureSum | Scatter):
            weights = question.weights()
            weight = 1.0 if weights is None else float(weights.max())
            sensitivity = question.scale.sensitivity * max_rows
            parts = tuple(VectorNoise.of_multiplier(1 / m, roster, sensitivity, weight) for m in mu)
        else:
            assert isinstance(question, Count | Marginals | Distances)
            moved = question.moved_by(max_rows) if isinstance(question, Distances) else max_rows
            of_cost = {m: CountNoise.of_cost(m, roster, moved) for m in set(mu)}
            parts = tuple(of_cost[m] for m in mu)
        estimated = question.furthest(0, domain) if isinstance(question, Distances) else 0
        return cls(question, sizes, parts, estimated)

    @property
    def events(self) -> tuple[Event, ...]:
        """What is charged for the answer."""
        if not self.parts:
            return ()
        return tuple(
            part.event(size) if isinstance(part, VectorNoise) else part.event()
            for part, size in zip(self.parts, self.sizes, strict=True)
        )

    def check(self, plan: FederationPlan) -> None:
        """FederationError for more numbers than an answer may have by the plan, or a sum that its ring may not hold."""
        if sum(self.sizes) > plan.longest:
            raise FederationError(f"an answer of more numbers than the {plan.longest:,} of the plan: ask for less")
        for part in self.parts:
            counts = isinstance(part, CountNoise)
            multiple = part.multiple if counts else 1
            each = multiple if counts else part.sensitivity / plan.max_rows
            if not plan.holds(self._most(plan) * each, part.deviation(MOST_SITES) * multiple):
                raise FederationError(
                    f"an answer that {plan.room} does not hold: ask at a smaller cost, or declare a smaller capacity"
                )

    def _most(self, plan: FederationPlan) -> int:
        """What a number is at most, of counts in records and of distances in units."""
        if not isinstance(self.question, Distances) or plan.split is None:
            return plan.most_rows
        return self.question.moved_by(plan.split.number) + self.estimated

    def add(self, whole: np.ndarray, entropy: Entropy) -> np.ndarray:
        """A site's exact sums (values,) with its share of the noise, in the units in which they are opened; int64."""
        if not self.parts:
            return whole
        weights = self.question.weights()
        parts = zip(self.parts, self._split(whole), strict=True)
        return np.concatenate([_noised(part, numbers, weights, entropy) for part, numbers in parts])

    def answer(self, question: SumQuestion[Answer], opened: np.ndarray, sites: int, domain: Domain) -> Answer:
        """What the model, which asked ``question``, is told of the opened numbers; they hold the noise of ``sites``."""
        if not self.parts:
            return question.answer(opened, Price((0.0,) * len(self.sizes), ()), domain)
        scales = tuple(part.deviation(sites) for part in self.parts)
        return question.answer(self._in_counts(opened), Price(scales, self.events), domain)

    def _in_counts(self, opened: np.ndarray) -> np.ndarray:
        """Counts in counts again, not in the parts of one that they were opened in."""
        multiples = [part.multiple if isinstance(part, CountNoise) else 1 for part in self.parts]
        if set(multiples) == {1}:
            return opened
        return np.concatenate([n / m for n, m in zip(self._split(opened), multiples, strict=True)])

    def _split(self, whole: np.ndarray) -> list[np.ndarray]:
        return np.split(whole, np.cumsum(self.sizes)[:-1])


def _noised(
    noise: CountNoise | VectorNoise, numbers: np.ndarray, weights: np.ndarray | None, entropy: Entropy
) -> np.ndarray:
    """A part, whose coordinates may have weights where it is a vector, with a share of the noise."""
    if isinstance(noise, CountNoise):
        return noise.add(numbers, entropy)
    return by_weight(numbers, weights, lambda of_weight, weight: noise.add(of_weight, entropy, weight))
