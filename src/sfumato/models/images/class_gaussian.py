"""One Gaussian per class, in the directions in which all images differ most: three releases, each a sum over records.

The plain line that every model of images has to beat. Sampling: a class by its noisy count, then an image from the
Gaussian of that class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models.images.layout import ImageLayout
from sfumato.models.images.mixture import FittedMixture
from sfumato.models.images.moments import moments
from sfumato.models.images.projection import mean_image, principal
from sfumato.models.model import SavedArrays, SavedFacts
from sfumato.models.settings import count, share
from sfumato.progress import Progress
from sfumato.trust.setting import Setting


@dataclass(frozen=True)
class ClassGaussian:
    """The recipe: shares of the budget for the mean image and the directions, the rest for the moments of classes.

    Attributes:
        centre: share of the budget for the mean image.
        directions: share for the scatter of all images.
        rank: most directions.
    """

    centre: float = share(0.02)
    directions: float = share(0.25)
    rank: int = count(100)

    name = "class-gaussian"

    def fit(self, setting: Setting, *, target: int | None, progress: Progress) -> FittedMixture:
        """Ask for the mean image, for directions, then for the moments of every class along them."""
        layout, left = ImageLayout(setting.domain), setting.remaining
        progress.stage("moments of images", 3)
        total, centre = mean_image(setting, layout, setting.mu(self.centre * left))
        progress.step()
        projection = principal(setting, layout, centre, self.rank, setting.mu(self.directions * left))
        progress.step()

        rest = setting.mu((1 - self.centre - self.directions) * left)
        found = moments(setting, layout, projection, None, rest)
        progress.step()
        return FittedMixture.of(layout, total, projection, found, np.arange(layout.classes))

    def restore(self, domain: Domain, facts: SavedFacts, arrays: SavedArrays) -> FittedMixture:
        """From a saved state."""
        return FittedMixture.restored(domain, facts, arrays)

    def overfitting(self) -> ClassGaussian:
        """The recipe itself: without noise its moments are those of the records."""
        return self
