"""Which sites were missing from a round, and whether they were back: what the coordinator of a run sees anyway."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

RoundStage = Literal["vector", "consent", "unmasking", "change"]
"""What a site sends in a round: its masked vector, its consent, what takes the masks off; or a change in the clear."""
_FIRST = frozenset({"vector", "change"})
"""By which a site that was missing is there again."""


@dataclass(frozen=True)
class Absence:
    """That a site was missing.

    Attributes:
        place: of the site.
        times: how often, each until it was there again.
        round: of the first time, from 1.
        stage: of that round, from which it was missing.
        returned: round in which it was there again for the last time; None while it is missing.
    """

    place: int
    times: int
    round: int
    stage: RoundStage
    returned: int | None = None


class Attendance:
    """Who was there, round by round."""

    def __init__(self) -> None:
        self._absences: dict[int, Absence] = {}

    @property
    def absences(self) -> tuple[Absence, ...]:
        """One of each site that was ever missing, by place."""
        return tuple(self._absences[place] for place in sorted(self._absences))

    def saw(self, round_: int, stage: RoundStage, asked: Collection[int], there: Collection[int]) -> None:
        """Note which of the sites that were ``asked`` gave what the protocol says at this stage of a round."""
        for place in asked:
            before = self._absences.get(place)
            if place not in there:
                if before is None:
                    self._absences[place] = Absence(place, 1, round_, stage)
                elif before.returned is not None:
                    self._absences[place] = replace(before, times=before.times + 1, returned=None)
            elif before is not None and before.returned is None and stage in _FIRST:
                self._absences[place] = replace(before, returned=round_)
