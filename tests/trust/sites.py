"""A second setting: rows lie at several sites, each answers with its own sums and its own share of the noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.privacy.dp_sgd import DpSgd
from sfumato.privacy.events import DiscreteGaussian
from sfumato.privacy.mechanisms import lattice
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.progress import Progress
from sfumato.trust import summing
from sfumato.trust.budget import Budget
from sfumato.trust.records import Records
from sfumato.trust.setting import Candidate, GroupedFeature, Measurement, Query, Setting


class Site:
    """Rows that stay here; what leaves is a sum of them plus noise."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def counts(self, query: Query | None, share: float) -> np.ndarray:
        """A table (None: the number of rows), plus integer noise of scale ``share``."""
        exact = np.array([len(self.records)]) if query is None else self.records.table(query)
        return add_discrete_gaussian(exact, share) if share else exact

    def features(
        self, feature: Callable[[np.ndarray], np.ndarray], dimension: int, bound: float, share: float
    ) -> np.ndarray:
        """Sum of clipped features in whole numbers, plus integer noise of scale ``share``."""
        total = summing.feature_sum(feature, self.records.matrix(), dimension, bound)
        return add_discrete_gaussian(total, share) if share else total

    def scatter(self, feature: GroupedFeature, dimension: int, groups: int, bound: float, share: float) -> np.ndarray:
        """Triangles of sums of outer products in whole numbers, plus integer noise: ``share`` on the diagonal."""
        total = summing.scatter_sum(feature, self.records.matrix(), dimension, groups, bound)
        on = summing.diagonal(dimension)
        if share:
            total[:, on] = add_discrete_gaussian(total[:, on], share)
            total[:, ~on] = add_discrete_gaussian(total[:, ~on], share / math.sqrt(2))
        return total


class Sites:
    """Sums over sites, each noised at home by a k-th part of the variance; one budget. It adds, so it compares nothing.

    *Formal guarantee.* Every answer is charged as one noise of scale sigma before any site is asked. k discrete
    Gaussians of scale s = sigma / sqrt(k) add up to a discrete Gaussian of scale sigma up to a factor within about 10 k
    exp(-pi^2 s^2) of one (Kairouz, Liu, Steinke 2021, Theorem 5): 1e-3 from s = 1.1 on, 1e-15 from s = 2 on. A unit's
    rows lie at one site, and no site shows its answer to any other.

    Args:
        sites: where the rows lie.
        budget: what may be spent, for all sites together.
        silent: sites that leave out their noise: 0, but for the planted bug.
    """

    compares = False

    def __init__(self, sites: Sequence[Site], budget: Budget, silent: int = 0) -> None:
        self._sites, self._budget, self._silent = list(sites), budget, silent

    @classmethod
    def of(cls, codes: np.ndarray, domain: Domain, budget: Budget, k: int, silent: int = 0) -> Sites:
        """Rows dealt out unevenly: the first site has half of them, the next half of the rest, the last the rest."""
        cuts = [len(codes) - (len(codes) >> i) for i in range(1, k)]
        return cls([Site(Records.of(part, domain)) for part in np.split(codes, cuts)], budget, silent)

    @property
    def domain(self) -> Domain:
        return self._sites[0].records.domain

    def mu(self, share: float) -> float:
        return self._budget.mu(share)

    @property
    def remaining(self) -> float:
        return self._budget.remaining

    def count(self, mu: float) -> float:
        return float(self._counts([None], [mu])[0][0][0])

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        answers = self._counts(queries, mu)
        return [Measurement(q, t.astype(np.float64), s) for q, (t, s) in zip(queries, answers, strict=True)]

    def feature_sum(
        self, feature: Callable[[np.ndarray], np.ndarray], dimension: int, bound: float, mu: float
    ) -> np.ndarray:
        scale = lattice.feature_scale(dimension, bound)
        sigma = self._paid(mu, scale, dimension)
        answers = [site.features(feature, dimension, bound, s) for site, s in self._shares(sigma)]
        return np.sum(answers, axis=0) * scale.step

    def scatter(self, feature: GroupedFeature, dimension: int, groups: int, bound: float, mu: float) -> np.ndarray:
        scale = lattice.scatter_scale(dimension, bound)
        sigma = self._paid(mu, scale, groups * dimension * (dimension + 1) // 2, math.sqrt(2))
        answers = [site.scatter(feature, dimension, groups, bound, s) for site, s in self._shares(sigma)]
        return summing.unpacked(np.sum(answers, axis=0) * scale.step, dimension)

    def _paid(self, mu: float, scale: lattice.Scale, numbers: int, weight: float = 1.0) -> float:
        """Scale of the noise in steps, charged; 0 without a guarantee."""
        if not self._budget.sigma(mu, scale.sensitivity):
            return 0.0
        sigma = lattice.scale(1 / mu, scale.sensitivity, weight)
        self._budget.charge([lattice.event(sigma, scale.sensitivity, numbers, weight)])
        return sigma

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        raise TypeError("sites add, they do not compare")

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        raise TypeError("sites add, they do not compare")

    def dp_sgd(self, training: DpSgd, share: float, progress: Progress) -> Any:
        raise TypeError("these sites count, they do not train")

    def coarsened(self, recode: Sequence[np.ndarray]) -> Setting:
        return Sites([Site(s.records.coarsened(recode)) for s in self._sites], self._budget, self._silent)

    def _counts(self, queries: Sequence[Query | None], mu: Sequence[float]) -> list[tuple[np.ndarray, float]]:
        """(summed answer, scale of its noise) per query."""
        sigmas = [self._budget.integer_sigma(m, 1) for m in mu]
        if self._budget.private:
            self._budget.charge([DiscreteGaussian(s) for s in sigmas])
        return [
            (np.sum([site.counts(q, s) for site, s in self._shares(sigma)], axis=0), sigma)
            for q, sigma in zip(queries, sigmas, strict=True)
        ]

    def _shares(self, sigma: float) -> list[tuple[Site, float]]:
        share = sigma / math.sqrt(len(self._sites))
        return [(site, 0.0 if i < self._silent else share) for i, site in enumerate(self._sites)]
