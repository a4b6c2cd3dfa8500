"""Private records dealt out to groups by chance, so that one more record concerns one group alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jax import Array

from sfumato.privacy.gradients.contractions import BLOCK
from sfumato.privacy.randomness import Entropy, words
from sfumato.privacy.sampling import most_chosen

MOST_DRAWN = 1024
"""Records of a group at a step: 512 take up to a sixth longer, 4096 more memory and no less time."""
_SHARE, _MORE = 1.1, 500
"""How many records there is room for, for each that the public estimate knows of, and besides: its noise is smaller."""


@dataclass(frozen=True)
class Rooms:
    """How many groups there are and what they hold: shapes of arrays, and so of compiled code, from public numbers.

    Attributes:
        groups: how many.
        length: records that one may hold.
        capacity: records that are drawn from one at a step, at most; a multiple of ``BLOCK``.
    """

    groups: int
    length: int
    capacity: int


def rooms(rate: float, total: float, at_least: int = 0) -> Rooms:
    """Rooms for about ``total`` records of which each step draws a share of ``rate``: as few groups as will do.

    Args:
        rate: chance of a record to be drawn at a step.
        total: public estimate of the number of records.
        at_least: records that there must be room for; not for private ones, whose number it would tell.

    *Formal guarantee.* A public function of public numbers. Up to 1.1 ``total`` + 500 records have room, but for a
    chance of 2^-100 a group and step, which is counted in delta. Where noise made the estimate smaller than that, which
    takes noise of half a thousand records, the last records are left out; one record more may then take the place of
    another, and moves a sum twice as far.
    """
    return rooms_for(rate, max(at_least, math.ceil(_SHARE * max(total, 1.0) + _MORE)))


def rooms_for(rate: float, most: int) -> Rooms:
    """Rooms for up to ``most`` records, a declared number, of which each step draws a share of ``rate``.

    *Formal guarantee.* A public function of public numbers. All of up to ``most`` records have room, but for a chance
    of 2^-100 a group and step, which is counted in delta.
    """
    groups = max(1, math.ceil(rate * most / MOST_DRAWN))
    while min(most, most_chosen(rate * most / groups)) > MOST_DRAWN:
        groups += 1
    length = most if groups == 1 else min(most, most_chosen(most / groups))
    drawn = min(length, most_chosen(rate * most / groups))
    return Rooms(groups, length, -(-drawn // BLOCK) * BLOCK)


class Groups(NamedTuple):
    """Records in groups of one length, padded.

    Attributes:
        codes: (k, n, d).
        records: (k,) how many of the n are real, at the beginning.
    """

    codes: Array
    records: Array


def deal(codes: np.ndarray, into: Rooms, entropy: Entropy) -> Groups:
    """Records (n, d), each to a group of its own random choice; what a group has no room for is left out.

    *Formal guarantee.* The choice of a record depends on nothing but fresh entropy, so given the choices of the others,
    one record more changes one group. Shapes follow from ``into``, not from the records.
    """
    choice = words(len(codes), entropy) % np.uint64(into.groups)
    dealt = np.zeros((into.groups, into.length, codes.shape[1]), codes.dtype)
    records = np.zeros(into.groups, np.int32)
    for group in range(into.groups):
        chosen = codes[choice == group][: into.length]
        dealt[group, : len(chosen)] = chosen
        records[group] = len(chosen)
    return Groups(jax.device_put(dealt), jax.device_put(records))
