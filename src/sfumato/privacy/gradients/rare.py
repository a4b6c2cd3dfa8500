"""The few draws of a step that do not come from the alias table: how many, which ones, and what they are.

Each draw is one of these with probability rho, by itself: their number is binomial, and given it, all sets of so many
draws are equally likely. Their values are independent draws of R (see ``alias``).
"""

from __future__ import annotations

from bisect import bisect_right
from decimal import Context, Decimal
from functools import lru_cache

import numpy as np

from sfumato.privacy.gradients.alias import RARE, REST_BITS, rest_table

MOST_NUMBERS = 1 << 30
"""Numbers of a step that the proof is for."""
NOWHERE = np.iinfo(np.int32).max
"""The place of a slot that is not taken."""
_DIGITS = 80  # of the binomial law: 2**-128 has 39


def slots(numbers: int) -> int:
    """The most rare draws among so many; there are more with probability below 2**-127."""
    return len(_counts(numbers)) if numbers else 0


def words_needed(numbers: int) -> tuple[int, int]:
    """Shape of the uniform 32-bit words that :func:`rare_draws` takes, four for each uniform number of 128 bits."""
    return 1 + 2 * slots(numbers), REST_BITS // 32


def rare_draws(words: np.ndarray, numbers: int, where: np.ndarray, column: np.ndarray) -> None:
    """Fill ``where`` and ``column``, (slots,) int32, with the places of rare draws among ``numbers``, and their values.

    *Formal guarantee.* For uniform ``words``, places and values together are, in total variation, within
    (slots + 2) 2**-128 for their number, slots numbers 2**-128 for the places and rho numbers 2**-112 for the values of
    what independent choices of probability rho and independent draws of R would give. A uniform number u of 128 bits
    gives a whole number below n as floor(u n / 2**128), which is within n 2**-128 of uniform; Floyd's algorithm
    (Bentley and Floyd 1987) makes a set of such numbers, each set equally likely.
    """
    where.fill(NOWHERE)
    column.fill(0)
    if not numbers:
        return
    count = bisect_right(_counts(numbers), _uniform(words[0]))
    taken: set[int] = set()
    for i in range(count):
        last = numbers - count + i
        chosen = (_uniform(words[1 + 2 * i]) * (last + 1)) >> REST_BITS
        chosen = last if chosen in taken else chosen
        taken.add(chosen)
        where[i], column[i] = chosen, bisect_right(rest_table(), _uniform(words[2 + 2 * i]))


def _uniform(words: np.ndarray) -> int:
    return int.from_bytes(words.tobytes(), "little")


@lru_cache(maxsize=16)
def _counts(numbers: int) -> tuple[int, ...]:
    """Cumulative binomial probabilities of 0, 1, ... rare draws in multiples of 2**-128, until all is reached."""
    if not 0 < numbers <= MOST_NUMBERS:
        raise ValueError(f"noise is for 1 to {MOST_NUMBERS} numbers, got {numbers}")
    context, whole, found = Context(prec=_DIGITS), 1 << 32, []
    odds = context.divide(Decimal(RARE), Decimal(whole - RARE))
    chance = context.power(context.divide(Decimal(whole - RARE), Decimal(whole)), numbers)
    total = chance
    while (below := int(context.multiply(total, Decimal(1 << REST_BITS)))) < (1 << REST_BITS) - 1:
        found.append(below)
        ways = context.divide(Decimal(numbers - len(found) + 1), Decimal(len(found)))
        chance = context.multiply(chance, context.multiply(ways, odds))
        total = context.add(total, chance)
    return tuple(found)
