"""AIM where each question is a sum over sites: all pairs are asked at once, and those chosen from the answers at once.

A question for each chosen pair would be a secure sum for each. Two do, after that of the columns: every pair with the
target, as finely as it is learnt, and with them all others, coarsely; then those of the others that the coarse tables
show to be worth it. Choosing follows AIM's rounds with the coarse tables in place of new ones: the pair that the belief
gets most wrong is taken into the belief before the next is looked for, so that what follows from pairs chosen already
is not chosen. How many are chosen depends on the noise that so many tables will have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sfumato.models.marginals.association import WORTH, clear_of_noise, pairs_of
from sfumato.models.marginals.measured import Measured
from sfumato.models.marginals.projection import expected_noise
from sfumato.progress import Progress
from sfumato.trust.setting import Clique, Measurement, Setting


@dataclass(frozen=True)
class Batches:
    """Two batches of tables.

    Attributes:
        with_target: share of the budget for every pair with the target; without one it goes to ``chosen``.
        choice: share for all other pairs together.
        chosen: share for those of them that are worth measuring. Where none is, those with the target are measured
            again, or else all; where there are no others, what is left goes to those with the target at once.
        most: number of pairs that are chosen at most.
        every: chosen pairs after which the belief is fitted anew.
    """

    with_target: float
    choice: float
    chosen: float
    most: int
    every: int

    def measure(self, setting: Setting, measured: Measured, progress: Progress) -> None:
        """Ask ``setting`` for both, into ``measured``."""
        pairs = pairs_of(measured.columns)
        with_target = [c for c in pairs if measured.target in c]
        others = [c for c in pairs if measured.target not in c]
        progress.stage("pairs", 2)
        first = self.with_target if others else self.with_target + self.choice + self.chosen
        shares = _evenly(with_target, first) | _evenly(others, self.choice)
        answers = dict(zip(shares, _asked(setting, measured, shares), strict=True))
        progress.step()
        measured.tables += [answers[c] for c in with_target]
        if others:
            left = self.chosen if with_target else self.chosen + self.with_target
            self._measure_chosen(setting, measured, {c: answers[c] for c in others}, left)
        progress.step()

    def _measure_chosen(
        self, setting: Setting, measured: Measured, coarse: Mapping[Clique, Measurement], share: float
    ) -> None:
        """The second batch, and of the first what noise does not explain: it was paid for, and says more than nothing.

        Without a guarantee the first has told all there is to learn.
        """
        chosen = self._chosen(setting, measured, coarse, share)
        if math.isinf(setting.mu(1.0)):
            measured.tables += [coarse[c] for c in chosen]
            return
        again = [table.query.clique for table in measured.tables] or list(coarse)
        measured.tables += _asked(setting, measured, _evenly(chosen or again, share))
        rest = [table for c, table in coarse.items() if c not in chosen]
        measured.tables += [coarse[c] for c in clear_of_noise(rest, measured.believed())]

    def _chosen(
        self, setting: Setting, measured: Measured, coarse: Mapping[Clique, Measurement], share: float
    ) -> list[Clique]:
        """The pairs that are worth measuring."""
        belief = measured.believed()
        chosen: list[Clique] = []
        while len(chosen) < min(self.most, len(coarse)):
            sigma = setting.sigma(setting.mu(share / (len(chosen) + 1)))

            def noise(clique: Clique, sigma: float = sigma) -> float:
                return WORTH * expected_noise(sigma, measured.resolution.query(clique, sigma).cells(setting.domain))

            far = clear_of_noise([table for c, table in coarse.items() if c not in chosen], belief)
            best = _best(far, noise)
            if best is None:
                break
            chosen.append(best)
            belief.scale(coarse[best])
            if len(chosen) % self.every == 0:
                belief = measured.believed([coarse[c] for c in chosen])
        return chosen


def _evenly(cliques: list[Clique], share: float) -> dict[Clique, float]:
    return dict.fromkeys(cliques, share / max(1, len(cliques)))


def _asked(setting: Setting, measured: Measured, shares: Mapping[Clique, float]) -> list[Measurement]:
    """Tables at these shares of the budget, in one question."""
    costs = [setting.mu(share) for share in shares.values()]
    queries = [measured.resolution.query(c, setting.sigma(mu)) for c, mu in zip(shares, costs, strict=True)]
    return setting.marginals(queries, costs)


def _best(far: Mapping[Clique, float], noise: Callable[[Clique], float]) -> Clique | None:
    """The pair that is furthest beyond its noise, if any is; noise is asked for where it can matter alone."""
    best, gain = None, 0.0
    for clique in sorted(far, key=lambda c: -far[c]):
        if far[clique] <= gain:
            break
        beyond = far[clique] - noise(clique)
        if beyond > gain:
            best, gain = clique, beyond
    return best
