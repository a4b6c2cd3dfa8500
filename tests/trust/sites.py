"""A second setting: rows lie at several sites, each answers with its own sums and its own share of the noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax.numpy as jnp
import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.privacy.accounting import poisson_noise_multiplier
from sfumato.privacy.dp_sgd import DpSgd
from sfumato.privacy.groups import Rooms, rooms
from sfumato.privacy.mechanisms.discrete_gaussian import add_discrete_gaussian
from sfumato.privacy.randomness import SYSTEM
from sfumato.privacy.sampling import PoissonSteps
from sfumato.progress import Progress
from sfumato.trust import noising, summing
from sfumato.trust.asking import Asking
from sfumato.trust.budget import Budget
from sfumato.trust.questions import Answer, GradientStep, SumQuestion, from_bytes
from sfumato.trust.records import Records
from sfumato.trust.setting import Candidate, Setting
from sfumato.trust.steps import BatchSums, Planned, descent_of


class Site:
    """Rows that stay here; what leaves is a sum of them plus noise."""

    def __init__(self, records: Records) -> None:
        self.records = records

    def answer(self, question: SumQuestion, scales: Sequence[float]) -> np.ndarray:
        """Whole numbers of a sum, plus noise of this site's ``scales``."""
        return noising.noised(question, summing.exact(question, self.records), scales, self.records.domain)


class Sites(Asking):
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

    def ask(self, question: SumQuestion[Answer], mu: Sequence[float]) -> Answer:
        price = question.price(mu, 1)
        if self._budget.private:
            self._budget.charge(price.events)
        shares = [scale / math.sqrt(len(self._sites)) for scale in price.scales]
        silence = [0.0] * len(shares)
        answers = [s.answer(question, silence if i < self._silent else shares) for i, s in enumerate(self._sites)]
        return question.answer(np.sum(answers, axis=0), price, self.domain)

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        raise TypeError("sites add, they do not compare")

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        raise TypeError("sites add, they do not compare")

    def dp_sgd(self, training: DpSgd, share: float, progress: Progress) -> Any:
        k, rate, tail = len(self._sites), training.rate, self._budget.tail(share)
        probability = PoissonSteps(rate, 0).probability
        noise = poisson_noise_multiplier(probability, training.steps, self._budget.mu(share), tail)
        into = rooms(rate, training.total)  # each site may hold all records
        descent = descent_of(training, noise, rate, Rooms(k * into.groups, into.length, into.capacity))
        planned, carry = Planned(descent, self.domain), training.carry
        self._budget.charge_training(replace(planned.event(), tail=tail), paid=False)
        sums = [BatchSums(planned, site.records, training.total) for site in self._sites]
        update = planned.updates(training)
        assert planned.grid is not None
        for i in range(training.steps):
            parameters = np.asarray(planned.objective.flat(training.parameters(carry)))
            step: Any = from_bytes(GradientStep(descent.digest, i, parameters, SYSTEM.take(32)).to_bytes())
            answers = [add_discrete_gaussian(s.answer(step), planned.grid.scale / math.sqrt(k)) for s in sums]
            key = np.frombuffer(SYSTEM.take(8), np.uint32)
            carry = update(carry, planned.opened(np.sum(answers, axis=0)), jnp.asarray(key))
        return carry

    def coarsened(self, recode: Sequence[np.ndarray]) -> Setting:
        return Sites([Site(s.records.coarsened(recode)) for s in self._sites], self._budget, self._silent)
