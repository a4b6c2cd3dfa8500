"""The promise: epsilon, delta, who is protected, and what counts as neighbouring data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Guarantee:
    """(epsilon, delta)-differential privacy for one unit under one neighbouring relation.

    Attributes:
        epsilon: at least 0; ``inf`` means no guarantee at all (a non-private baseline).
        delta: in [0, 1); must be positive for the Gaussian mechanisms used by the models.
        unit: what is protected: ``"row"``, or the name of the id column all of whose rows are protected together.
        neighbours: ``"add/remove"``: data sets that differ by the presence of one unit.

    >>> Guarantee(epsilon=1, delta=1e-9).private
    True
    """

    epsilon: float
    delta: float = 1e-9
    unit: str = "row"
    neighbours: Literal["add/remove"] = "add/remove"

    def __post_init__(self) -> None:
        if math.isnan(self.epsilon) or self.epsilon <= 0:
            raise ValueError(f"epsilon must be positive (inf for no guarantee), got {self.epsilon!r}")
        if not 0 < self.delta < 1:
            raise ValueError(f"delta must lie strictly between 0 and 1, got {self.delta!r}")
        if self.neighbours != "add/remove":
            raise ValueError(f"neighbours must be 'add/remove', got {self.neighbours!r}")

    @property
    def private(self) -> bool:
        """False for epsilon = inf."""
        return math.isfinite(self.epsilon)
