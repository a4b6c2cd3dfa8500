"""The first question of every marginal model: all columns alone. Its answers also set the resolution of the rest."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sfumato.encoding.domain import Axis, Domain
from sfumato.models.marginals.binning import merge
from sfumato.models.marginals.projection import project
from sfumato.models.marginals.smoothing import smooth
from sfumato.progress import Progress
from sfumato.trust.setting import Clique, Query, Setting

MOST_GROUPS = 64
"""Groups a column is cut into at most: finer detail inside a group follows the column's own distribution."""
CLEAR = 3.0
"""A group's mass stands at least this many noise scales above zero."""
KAPPA = 2.0
"""Noise scales of expected mass per cell that a table of two columns is cut for."""
_FLOOR = 0.01
"""Records, or part of an even share of them, that every declared code is given."""
_COARSER = 1.25
"""By which groups grow until they are few enough."""


@dataclass(frozen=True)
class Columns:
    """What is known of each column alone: public, since made of noised answers.

    Attributes:
        domain: the full domain.
        fine: per column, (size,) positive masses over all codes, sum ``total``.
        maps: per column, code -> group.
        total: noisy number of records, at least 1.
    """

    domain: Domain
    fine: tuple[np.ndarray, ...]
    maps: tuple[np.ndarray, ...]
    total: float

    @cached_property
    def grouped(self) -> Domain:
        """The domain of groups, over which dependence is learnt."""
        return Domain(
            tuple(
                Axis(a.name, int(m.max()) + 1, a.ordered, None if a.missing is None else int(m[a.missing]))
                for a, m in zip(self.domain.axes, self.maps, strict=True)
            )
        )

    @cached_property
    def masses(self) -> tuple[np.ndarray, ...]:
        """Per column, mass of each group."""
        return tuple(np.bincount(m, weights=f) for m, f in zip(self.maps, self.fine, strict=True))


def measure_columns(setting: Setting, share: float, progress: Progress) -> Columns:
    """Ask for every column alone, at ``share`` of the budget, and choose groups from the answers.

    Where there is no pair to ask for later, the whole budget goes here.
    """
    progress.stage("columns", 1)
    domain = setting.domain
    share = share if len(domain) > 1 else setting.remaining
    if not len(domain):
        total = max(1.0, setting.count(setting.mu(share)))
        progress.step()
        return Columns(domain, (), (), total)
    queries = [Query((i,)) for i in range(len(domain))]
    answers = setting.marginals(queries, [setting.mu(share / len(domain))] * len(domain))
    sums = np.array([a.values.sum() for a in answers])
    total = max(1.0, float(np.average(sums, weights=1 / np.array(domain.sizes))))
    sigma = answers[0].sigma
    smoothed = (smooth(a.values, axis, sigma) for a, axis in zip(answers, domain.axes, strict=True))
    fine = tuple(_positive(project(values, total), total) for values in smoothed)
    maps = tuple(_groups(f, axis, CLEAR * sigma) for f, axis in zip(fine, domain.axes, strict=True))
    progress.step()
    return Columns(domain, fine, maps, total)


def _groups(mass: np.ndarray, axis: Axis, least: float) -> np.ndarray:
    """Groups of at least ``least`` mass, as fine as ``MOST_GROUPS`` of them can be."""
    groups = merge(mass, axis, least)
    while groups.max() >= MOST_GROUPS:
        least = max(_COARSER * least, mass.sum() / mass.size)
        groups = merge(mass, axis, least)
    return groups


def _positive(mass: np.ndarray, total: float) -> np.ndarray:
    """A trace of mass on every declared code, so that a condition on a rare value can be met."""
    mass = mass + _FLOOR * min(1.0, total / mass.size)
    return mass * (total / mass.sum())


class Resolution:
    """How finely a pair of columns is asked at a given noise: cells are expected to hold ``KAPPA`` noise scales.

    With bins of mass p and q of n records, a cell holds n p q; the finest useful p is KAPPA sigma / (n q), and q is
    either what the other column's codes give (all but its commonest: of a rare class the rare cells tell) or, for two
    long columns, the same as p.
    """

    def __init__(self, columns: Columns) -> None:
        self._domain, self._masses, self._total = columns.grouped, columns.masses, columns.total
        self._asked: dict[tuple[Clique, float], Query] = {}

    def query(self, clique: Clique, sigma: float) -> Query:
        """The pair ``clique`` at the resolution that noise of scale ``sigma`` allows."""
        if sigma == 0:
            return Query(clique)
        if (clique, sigma) not in self._asked:
            a, b = clique
            self._asked[clique, sigma] = Query(clique, (self._groups(a, b, sigma), self._groups(b, a, sigma)))
        return self._asked[clique, sigma]

    def _groups(self, column: int, other: int, sigma: float) -> np.ndarray:
        mass = self._masses[other]
        even = (self._total - mass.max()) / max(1, mass.size - 1)
        square = np.sqrt(KAPPA * sigma * self._total)
        least = KAPPA * sigma * self._total / max(even, square)
        return merge(self._masses[column], self._domain.axes[column], min(least, self._total / 2))

    def independent(self, query: Query) -> np.ndarray:
        """The table ``query`` would have if its columns were independent."""
        groups = query.groups or tuple(np.arange(self._domain.axes[i].size) for i in query.clique)
        a, b = (np.bincount(g, weights=self._masses[i]) for g, i in zip(groups, query.clique, strict=True))
        return np.outer(a, b) / self._total
