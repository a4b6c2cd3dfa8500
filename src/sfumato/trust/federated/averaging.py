"""Training by averages (FedAvg, McMahan et al. 2017; FedProx, Li et al. 2020): how, and what it promises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from sfumato.errors import FederationError
from sfumato.privacy.guarantee import Guarantee

AveragingLevel = Literal["none", "record", "site"]
"""What averages promise; there is no other.

``none``: local steps without noise, and no promise. ``record``: every local step carries noise of full strength, so
that whatever leaves a site is private for each of its records, opened or not. ``site``: the change of a site is clipped
whole, and the sites share the noise of the sum; the unit is all rows of a site.
"""
SITE_UNIT = "site"
"""Of a promise that protects all rows of a site together."""
MOST_LOCAL_STEPS = 10_000
"""Of a site between two averages: more is a training of its own."""
MOST_PROXIMAL = 1e6
"""Far beyond what still lets a site move."""


@dataclass(frozen=True)
class Averaging:
    """That networks are trained by averages: some steps at each site, then the mean of the sites' parameters.

    Attributes:
        local_steps: at each site between two averages.
        proximal: mu of FedProx: each local step also pulls back to the last average, by so much times the way from it;
            0 is FedAvg.
        secure: whether sites send their changes under masks, so that only the sum is opened.
        level: see ``AveragingLevel``.

    Raises:
        FederationError: a number out of range, or an update in the clear whose noise is only part of what is promised.
    """

    local_steps: int
    proximal: float = 0.0
    secure: bool = True
    level: AveragingLevel = "record"

    def __post_init__(self) -> None:
        if type(self.local_steps) is not int or not 1 <= self.local_steps <= MOST_LOCAL_STEPS:
            raise FederationError(
                f"local_steps: {self.local_steps!r}; write a whole number from 1 to {MOST_LOCAL_STEPS:,}"
            )
        if not (math.isfinite(self.proximal) and 0 <= self.proximal <= MOST_PROXIMAL):
            raise FederationError(
                f"proximal: {self.proximal!r}; write 0 for FedAvg, or a weight up to {MOST_PROXIMAL:g}"
            )
        if self.level not in get_args(AveragingLevel) or type(self.secure) is not bool:
            raise FederationError(f"averages at level {self.level!r}: there are {', '.join(get_args(AveragingLevel))}")
        if self.level == "site" and not self.secure:
            raise FederationError("a site's change in the clear has a share of the noise alone: take a secure sum")

    def check(self, promise: Guarantee) -> None:
        """FederationError unless ``promise`` is what this way of training keeps."""
        if (self.level == "none") == promise.private:
            raise FederationError(
                f"averages at level {self.level!r} promise"
                f" {'nothing' if self.level == 'none' else 'something'}, and the plan the opposite"
            )
        if self.level == "site" and promise.unit != SITE_UNIT:
            raise FederationError(f"averages at level 'site' protect a site, and the plan promises per {promise.unit}")

    def words(self) -> str:
        """What a site reads before it signs."""
        method = "FedAvg" if self.proximal == 0 else f"FedProx, mu {self.proximal:g}"
        sent = "a secure sum" if self.secure else "your site's change IN THE CLEAR"
        return (
            f"Networks are trained by averages ({method}): {self.local_steps} steps at your site, then {sent}. "
            + {
                "none": "NO PROMISE: nothing is noised.",
                "record": "Each local step carries noise of full strength: it protects each row, whoever sees it.",
                "site": "Your site's change is clipped, and all sites share the noise: it protects a site as a whole.",
            }[self.level]
        )


def averaging_of(local_steps: int | None, proximal: float, secure: bool) -> Averaging | None:
    """What these options ask for; None: no averages. FederationError for options of averages without local steps."""
    if local_steps is not None:
        return Averaging(local_steps, float(proximal), secure)
    if proximal or not secure:
        raise FederationError("proximal and secure are of training by averages: give local_steps with them")
    return None
