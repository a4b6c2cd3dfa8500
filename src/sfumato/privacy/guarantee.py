"""The promise: epsilon, delta, who is protected, and what counts as neighbouring data."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from sfumato.errors import SfumatoError
from sfumato.privacy import gdp

MOST_DELTA = 0.01
"""The largest delta of a promise: a larger one would also allow publishing that share of the rows."""

MOST_EPSILON = 20.0
"""The largest epsilon of a promise or a cap.

A total variation distance t between what is drawn and what is accounted adds (1 + e^epsilon) t to delta. What the
events book for the samplers, and what is left away as negligible, is computed for any epsilon up to this one.
"""


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

    def with_noise(self, times: float) -> Guarantee:
        """What noise ``times`` as wide promises, at the same delta: with it one curator is compared with several.

        >>> Guarantee(epsilon=1, delta=1e-9).with_noise(2).epsilon < 0.5
        True
        """
        if not self.private:
            return self
        return replace(self, epsilon=gdp.epsilon(gdp.mu(self.epsilon, self.delta) / times, self.delta))

    def large_delta(self, records: float) -> str | None:
        """What to say where delta is not below one over the (noisy) number of records; None where it is."""
        if not self.private or self.delta * records < 1:
            return None
        return (
            f"delta {self.delta:g} is not below one over the number of records (about {records:,.0f}, a noisy number):"
            " it would also allow publishing one of them at random; take a smaller one"
        )


def check_promise(guarantee: Guarantee) -> None:
    """Refuse a private guarantee, or cap, that promises nothing or more than is accounted: SfumatoError."""
    if guarantee.private and guarantee.epsilon > MOST_EPSILON:
        raise SfumatoError(
            f"epsilon {guarantee.epsilon:g}: a promise, or a cap on all runs, has at most {MOST_EPSILON:g}, for what is"
            " accounted as negligible is not beyond it; take less, or inf for no guarantee"
        )
    if guarantee.private and guarantee.delta > MOST_DELTA:
        raise SfumatoError(
            f"delta {guarantee.delta:g}: more than {MOST_DELTA:g} promises nothing, for it allows publishing that share"
            " of the rows; take less than one over the number of rows"
        )
