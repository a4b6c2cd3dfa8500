"""A setting that keeps the likelihood ratio of all it answered: the strongest attacker on a whole fit.

Who sees every noisy answer and knows both data sets can do no better than the likelihood ratio of the answers under the
two (Neyman and Pearson). Asked by a model, questions follow from earlier answers, so the ratio is the product over
questions. Audits of whole marginal models: Ganev et al. 2026 (tight auditing of MST and AIM).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.special import log_softmax

from sfumato.encoding.domain import Domain
from sfumato.trust.setting import Candidate, Measurement, Query, Setting


class Witness:
    """Answers as ``noisy`` does and adds up ``log p(answer | with) - log p(answer | without)``.

    Args:
        noisy: the setting that is audited.
        both: settings without noise (epsilon = inf) over the records with the target, and without it.
        ratio: where the sum is kept, one number; views of coarsened records share it.
    """

    compares = True

    def __init__(self, noisy: Setting, both: tuple[Setting, Setting], ratio: np.ndarray | None = None) -> None:
        self._noisy, self._both = noisy, both
        self.ratio = np.zeros(1) if ratio is None else ratio

    @property
    def domain(self) -> Domain:
        """The encoded columns."""
        return self._noisy.domain

    @property
    def remaining(self) -> float:
        """Share of the squared budget that is left."""
        return self._noisy.remaining

    def mu(self, share: float) -> float:
        """The cost of a share of the squared budget."""
        return self._noisy.mu(share)

    def sigma(self, mu: float) -> float:
        """The noise of a count at a cost."""
        return self._noisy.sigma(mu)

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy contingency tables."""
        answers = self._noisy.marginals(queries, mu)
        exact = [setting.marginals(queries, [math.inf] * len(queries)) for setting in self._both]
        for answer, with_target, without in zip(answers, *exact, strict=True):
            self._gaussian(answer.values, with_target.values, without.values, answer.sigma)
        return answers

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """Noisy scores of all candidates."""
        answer = self._noisy.distances(candidates, mu)
        with_target, without = (setting.distances(candidates, math.inf) for setting in self._both)
        self._gaussian(answer, with_target, without, math.sqrt(len(candidates)) / mu)
        return answer

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """Index of a candidate with a nearly largest score."""
        answer = self._noisy.select(candidates, epsilon)
        scale = epsilon / (2 * max(c.weight for c in candidates))
        chances = [log_softmax(scale * _scores(setting, candidates)) for setting in self._both]
        self.ratio += chances[0][answer] - chances[1][answer]
        return answer

    def coarsened(self, recode: Sequence[np.ndarray]) -> Witness:
        """The same records through public maps."""
        with_target, without = (setting.coarsened(recode) for setting in self._both)
        return Witness(self._noisy.coarsened(recode), (with_target, without), self.ratio)

    def _gaussian(self, answer: np.ndarray, with_target: np.ndarray, without: np.ndarray, sigma: float) -> None:
        self.ratio += (((answer - without) ** 2 - (answer - with_target) ** 2) / (2 * sigma**2)).sum()


def _scores(setting: Setting, candidates: Sequence[Candidate]) -> np.ndarray:
    tables = setting.marginals([c.query for c in candidates], [math.inf] * len(candidates))
    return np.array(
        [c.weight * (np.abs(t.values - c.estimate).sum() - c.bias) for c, t in zip(candidates, tables, strict=True)]
    )
