"""A warm start on what is cheap to know privately: rows sampled from a model over noisy marginals, or noisy moments.

Training on noisy marginals instead of on rows: GEM (Liu, Vietri, Wu 2021), MargNet (2025, arXiv 2511.13893). Sampling
from the fitted marginal model is post-processing; networks may be trained on such rows at any length for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.images.class_mixture import ClassMixture
from sfumato.models.marginals.loglinear import LogLinear
from sfumato.models.model import FittedModel, Model
from sfumato.progress import Progress
from sfumato.schema.columns import Content
from sfumato.trust.questions import FeatureSum, Scatter
from sfumato.trust.setting import Candidate, Measurement, Query, Setting

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters


@dataclass(frozen=True)
class Reserving:
    """A setting of whose budget a share is kept back for later; it answers as the setting itself does."""

    setting: Setting
    reserved: float

    @property
    def domain(self) -> Domain:
        """The encoded columns."""
        return self.setting.domain

    def mu(self, share: float) -> float:
        """As the setting's."""
        return self.setting.mu(share)

    def sigma(self, mu: float) -> float:
        """As the setting's."""
        return self.setting.sigma(mu)

    @property
    def remaining(self) -> float:
        """What is left besides the reserve."""
        return max(0.0, self.setting.remaining - self.reserved)

    @property
    def compares(self) -> bool:
        """As the setting's."""
        return self.setting.compares

    def count(self, mu: float) -> float:
        """As the setting's."""
        return self.setting.count(mu)

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """As the setting's."""
        return self.setting.marginals(queries, mu)

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """As the setting's."""
        return self.setting.select(candidates, epsilon)

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """As the setting's."""
        return self.setting.distances(candidates, mu)

    def feature_sum(self, question: FeatureSum, mu: float) -> np.ndarray:
        """As the setting's."""
        return self.setting.feature_sum(question, mu)

    def scatter(self, question: Scatter, mu: float) -> np.ndarray:
        """As the setting's."""
        return self.setting.scatter(question, mu)

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """As the setting's."""
        return self.setting.dp_sgd(training, share, progress)

    def coarsened(self, recode: Sequence[np.ndarray]) -> Setting:
        """As the setting's, with the same reserve."""
        return Reserving(self.setting.coarsened(recode), self.reserved)


_FIRST: dict[Content, Model] = {"table": LogLinear(), "images": ClassMixture()}
"""What the budget that is not kept back is spent on."""


def warm_start(setting: Setting, reserved: float, target: int | None, progress: Progress) -> FittedModel:
    """A model over marginals, or for images over moments, fitted with all that is left of the budget but ``reserved``.

    *Formal guarantee.* All questions go to ``setting``, which charges each.
    """
    return _FIRST[setting.domain.content].fit(Reserving(setting, reserved), target=target, progress=progress)


def rows_of(model: FittedModel, n: int) -> np.ndarray:
    """``n`` public rows (n, d); the same for the same model, so that training can be repeated."""
    return model.sample(n, np.random.default_rng(0))
