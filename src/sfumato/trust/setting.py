"""The protocol of a trust setting: the few questions a model may ask about rows it never sees.

What is asked for sums is a value (``trust.questions``), which a setting may send on, count by SQL, or refuse.

Privacy is spent in units of *Gaussian differential privacy* (GDP; Dong, Roth, Su 2022): a release that costs ``mu`` is
as hard to attack as telling N(0, 1) from N(mu, 1), and costs compose as the root of the sum of squares. A run has a
total ``mu``; a model asks for shares of its square: ``setting.mu(0.25)`` is a quarter of the budget. With no guarantee
(epsilon = inf) ``mu`` is infinite and answers carry no noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from sfumato.encoding.domain import Clique as Clique
from sfumato.encoding.domain import Domain
from sfumato.progress import Progress
from sfumato.trust.questions import FeatureSum, Scatter
from sfumato.trust.questions import Measurement as Measurement
from sfumato.trust.questions import Query as Query

if TYPE_CHECKING:
    from sfumato.privacy.dp_sgd import Carry, DpSgd, Parameters


@dataclass(frozen=True)
class Candidate:
    """A table that may be worth asking for, and what is publicly believed about it.

    Its score is ``weight * (|| true - estimate ||_1 - bias)``; one record moves it by at most ``weight``.

    Attributes:
        query: the table.
        estimate: public guess of the counts, of the query's shape.
        weight: positive.
        bias: public penalty, in counts (what noise alone would give).
    """

    query: Query
    estimate: np.ndarray
    weight: float = 1.0
    bias: float = 0.0


@runtime_checkable
class Setting(Protocol):
    """Noised, already charged answers about private records.

    Every question charges the ledger *before* the answer is made, and raises ``Overdraft`` when the run's guarantee or
    the data set's cap would be exceeded; then nothing is released.
    """

    @property
    def domain(self) -> Domain:
        """The encoded columns; public."""
        ...

    def mu(self, share: float) -> float:
        """The GDP cost that uses ``share`` (0..1) of the run's whole squared budget; inf without a guarantee."""
        ...

    def sigma(self, mu: float) -> float:
        """Standard deviation, about, of the noise of a count that is asked for at cost ``mu``; 0 without a guarantee.

        What models plan by: it is wider than one curator's where some shares of the noise are not relied on.
        """
        ...

    @property
    def remaining(self) -> float:
        """The share (0..1) of the squared budget not yet charged; 1 without a guarantee."""
        ...

    def count(self, mu: float) -> float:
        """Noisy number of records."""
        ...

    def marginals(self, queries: Sequence[Query], mu: Sequence[float]) -> list[Measurement]:
        """Noisy contingency tables, one per query, the i-th at cost ``mu[i]``; integer noise."""
        ...

    @property
    def compares(self) -> bool:
        """Whether :meth:`select` and :meth:`distances` are answered.

        They are no sums over records, so settings that only add cannot; a model then takes its one-shot path.
        """
        ...

    def select(self, candidates: Sequence[Candidate], epsilon: float) -> int:
        """Index of a candidate with a nearly largest score (exponential mechanism, ``epsilon``-bounded range)."""
        ...

    def distances(self, candidates: Sequence[Candidate], mu: float) -> np.ndarray:
        """Noisy scores of all candidates at once, (k,) integers as float64, at total cost ``mu``."""
        ...

    def feature_sum(self, question: FeatureSum, mu: float) -> np.ndarray:
        """Noisy sum over records of a vector that installed code makes of each, (dimension,)."""
        ...

    def scatter(self, question: Scatter, mu: float) -> np.ndarray:
        """Noisy sums of z z^T over the records of each group, (groups, dimension, dimension), symmetric.

        A ``feature_sum`` of z z^T, whose norm is |z|^2, that needs no vector of dimension^2 per record: noise of
        standard deviation bound^2 / mu on the diagonal, and of that over sqrt(2) beside it. A constant within z makes
        counts, sums and second moments one joint release.
        """
        ...

    def dp_sgd(self, training: DpSgd[Carry, Parameters], share: float, progress: Progress) -> Carry:
        """Noised sums of clipped gradients of Poisson batches, one after the other (DP-SGD): the final carry.

        Costs ``share`` of the run's squared budget. See ``privacy.dp_sgd.DpSgd``.
        """
        ...

    def coarsened(self, recode: Sequence[np.ndarray]) -> Setting:
        """The same records seen through public maps code -> coarser code, one integer array per column."""
        ...
