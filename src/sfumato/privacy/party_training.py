"""DP-SGD of parties who know which rows are in a batch: how often anybody is drawn, and what that costs toward them.

A batch is drawn by coins of all parties, which none of them chose and whoever gets the model never learns. Toward the
latter it is a Poisson sample of DP-SGD. A party knows the coins: sampling hides nothing from it, and what it is to be
kept from is which cells a person has, who is on the list anyway. So a person's gradient, replaced, moves each sum that
the person is in by up to two clips; and nobody is in more sums than :attr:`PartyTraining.most`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from sfumato.privacy import gdp
from sfumato.privacy.accounting import ROUNDING, mu_for, poisson_noise_multiplier, toward_who_knows_the_others
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.spending import DELTA_SHARE, TAIL_SHARE

_MOST_STEPS = 96
"""Each is a secure sum, of which a plan has room for a few hundred."""
_LEFT_OUT = 2.0**-70
"""Chance that a person would have been drawn more often than counts."""
LEFT_OUT = _LEFT_OUT * 2.0**30
"""What that costs in delta, for any epsilon up to 20: a run in which it happens is another in total variation."""


@dataclass(frozen=True)
class PartyTraining:
    """What the plan of three parties fixes of a training.

    Attributes:
        share: of the squared budget.
        steps: how many there are.
        rate: chance of a person to be in a batch, a multiple of 2^-32.

    ValueError for numbers that no training has.
    """

    share: float
    steps: int
    rate: float

    def __post_init__(self) -> None:
        real = isinstance(self.share, float) and isinstance(self.rate, float)
        if not (real and 0 < self.share <= 1 and 2.0**-32 <= self.rate <= 1):
            raise ValueError("the share of a training and the rate of its batches lie above 0, and at most at 1")
        if type(self.steps) is not int or not 1 <= self.steps <= _MOST_STEPS:
            raise ValueError(f"a training of parties has 1 to {_MOST_STEPS} steps, not {self.steps!r}")

    @property
    def most(self) -> int:
        """Steps that a person takes part in at most: drawn more often, which is no chance to speak of, they are not."""
        return most_drawn(self.steps, self.rate)

    def words(self) -> str:
        """What each party reads before it signs."""
        return (
            f"A network is trained in {self.steps} steps on secret shares, by the engine of each party. Coins of all"
            f" parties draw every person into a batch with a chance of {self.rate:.3g}: the parties know who is in it,"
            " and whoever gets the model does not."
        )

    def noise_multiplier(self, promise: Guarantee) -> float:
        """Of the noise, in what one record can change: it keeps its share of ``promise``, toward who knows no coins."""
        mu = math.sqrt(self.share) * mu_for(promise)
        return poisson_noise_multiplier(self.rate, self.steps, mu, self.share * TAIL_SHARE * promise.delta)


def most_drawn(steps: int, rate: float) -> int:
    """The least m for which more than m of so many draws succeed with a chance below 2^-70.

    >>> most_drawn(96, 0.05), most_drawn(3, 1.0)
    (35, 3)
    """
    if rate == 1:
        return steps
    beyond = 0.0
    for m in range(steps, 0, -1):
        ways = math.lgamma(steps + 1) - math.lgamma(m + 1) - math.lgamma(steps - m + 1)
        beyond += math.exp(ways + m * math.log(rate) + (steps - m) * math.log1p(-rate))
        if beyond >= _LEFT_OUT:
            return m
    return 0


def toward_a_party(promise: Guarantee, training: PartyTraining | None) -> Guarantee:
    """What keeps ``promise`` toward whoever gets the model also keeps toward a party, of what a person's cells say.

    A table costs twice its square (two cells); of the training, ``most`` sums each cost four times what one would cost
    without a sample (two clips).
    """
    if training is None or not promise.private:
        return toward_who_knows_the_others(promise)
    tables = 2 * (1 - training.share) * mu_for(promise) ** 2
    steps = 4 * training.most / training.noise_multiplier(promise) ** 2
    delta = promise.delta * (1 - DELTA_SHARE)
    return replace(promise, epsilon=gdp.epsilon(math.sqrt(tables + steps), delta) / (1 - ROUNDING))
