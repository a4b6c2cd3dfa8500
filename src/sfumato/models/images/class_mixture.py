"""Several Gaussians per class: a class-Gaussian first, then private k-means within each class, then their moments.

Clusters start from those of points drawn from the class-Gaussian, which costs nothing, and are moved by noisy moments
(Blum, Dwork, McSherry, Nissim 2005). How many there are follows from the noisy number of records and the
budget alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import MOST_CLASSES, ImageLayout
from sfumato.models.images.mixture import FittedMixture
from sfumato.models.images.moments import Clusters, Moments, moments
from sfumato.models.images.projection import mean_image, principal
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.settings import count, factor, share
from sfumato.progress import Progress
from sfumato.trust.setting import Setting

_POINTS = 1000
"""Drawn per class to place clusters before any is asked about."""
_LLOYD = 10
"""Rounds of k-means on those points."""
_FEWEST = 50
"""Records of a cluster, on average, below which a class gets no second one."""
_NO_RECORDS = 1e-9
"""In place of none, to divide by."""
_DOUBT = 3.0
"""Weight of a cluster's old place, in standard deviations of the noise of its count."""


def placed(start: FittedMixture, clusters: int) -> Clusters:
    """k-means (Lloyd) on points drawn from each Gaussian of ``start``; public, and the same for the same start."""
    rng, everyone = np.random.default_rng(0), np.arange(len(start.weights))
    drawn = [start.coordinates(_POINTS, rng, everyone == c)[0] for c in everyone]
    found = Clusters(np.stack([points[:clusters] for points in drawn]))
    points, classes = np.concatenate(drawn), np.repeat(everyone, _POINTS)
    for _ in range(_LLOYD):
        groups = found.assign(points, classes)
        members = (groups == np.arange(found.number)[:, None]).astype(np.float32)
        sizes, old = members.sum(axis=1, keepdims=True), found.places.reshape(found.number, -1)
        places = np.where(sizes > 0, members @ points / np.maximum(sizes, 1), old)
        found = Clusters(places.reshape(found.places.shape))
    return found


def moved(clusters: Clusters, found: Moments) -> Clusters:
    """Each moved towards the noisy mean of its records, as far as its noisy count is clear of the noise."""
    counts = np.maximum(found.counts, 0.0)[:, None]
    trust = counts / np.maximum(counts + _DOUBT * found.sigma_count, _NO_RECORDS)
    old = clusters.places.reshape(found.means.shape)
    return Clusters((old + trust * (found.means - old)).reshape(clusters.places.shape))


@dataclass(frozen=True)
class ClassMixture:
    """The recipe: shares of the budget, the rest being for the moments of the clusters.

    Attributes:
        centre: share for the mean image.
        directions: share for the scatter of all images.
        start: share for the class-Gaussian that clusters start from.
        moves: share for moving the clusters, in ``rounds``.
        rounds: of moving them.
        price: records of a class, times the GDP cost of the whole budget, for each cluster.
        most: clusters of a class.
        rank: most directions.
    """

    centre: float = share(0.02)
    directions: float = share(0.25)
    start: float = share(0.15)
    moves: float = share(0.1)
    rounds: int = count(2)
    price: float = factor(1000.0)
    most: int = count(16)
    rank: int = count(100)

    name = "class-mixture"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedMixture:
        """Mean image, directions, a class-Gaussian; then, where more than one cluster is paid for, clusters."""
        layout, left = ImageLayout(setting.domain), setting.remaining
        progress.stage("moments of images", 4 + self.rounds)
        total, centre = mean_image(setting, layout, setting.mu(self.centre * left))
        progress.step()
        projection = principal(setting, layout, centre, self.rank, setting.mu(self.directions * left))
        progress.step()
        each = self._clusters(layout.classes, total, setting.mu(left))
        rest = 1 - self.centre - self.directions
        first = rest if each == 1 else self.start
        classes = np.arange(layout.classes)
        found = moments(setting, layout, projection, None, setting.mu(first * left))
        fitted = FittedMixture.of(layout, total, projection, found, classes)
        progress.step()
        if each == 1:
            return fitted
        clusters = placed(fitted, each)
        for _ in range(self.rounds):
            step = setting.mu(self.moves / self.rounds * left)
            clusters = moved(clusters, moments(setting, layout, projection, clusters, step))
            progress.step()
        last = setting.mu((rest - self.start - self.moves) * left)
        found = moments(setting, layout, projection, clusters, last)
        progress.step()
        return FittedMixture.of(layout, total, projection, found, np.repeat(classes, each))

    def _clusters(self, classes: int, total: float, mu: float) -> int:
        """Of each class, by public facts: classes, the noisy number of records, the budget."""
        records = total / classes
        return max(1, int(min(records * mu / self.price, records / _FEWEST, self.most, MOST_CLASSES / classes)))

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedMixture:
        """From a saved state."""
        return FittedMixture.restored(domain, facts, arrays)

    def overfitting(self) -> ClassMixture:
        """The recipe itself: without noise its moments are those of the records."""
        return self
