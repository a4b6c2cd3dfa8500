"""The grid on which gradients are added and noised, and how far one record can move a sum on it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sfumato.errors import TooMuchNoise
from sfumato.privacy.gradients.alias import SCALE
from sfumato.privacy.gradients.contractions import BLOCK, SPREAD
from sfumato.privacy.gradients.noise import STRIDES
from sfumato.privacy.mechanisms.lattice import INEXACT, SMOOTH

_UNIT = 2.0**-24  # of single precision: a result is off by at most this part of itself
_WORD = 30  # sums of a batch stay below two to this; the rest of 32 bits is for noise
_FEWEST = 8  # steps of a clip are at least two to this


@dataclass(frozen=True)
class Needs:
    """What a network asks of a grid.

    Attributes:
        numbers: how many parameters.
        terms: the most numbers that are added up for one squared norm.
        rounding: how far rounding to whole steps moves the sum at most, in l2 norm and steps.
        positions: the most parts of a record's gradient that a layer adds up by themselves.
    """

    numbers: int
    terms: int
    rounding: float
    positions: int = 1


@dataclass(frozen=True)
class GradientGrid:
    """Steps of ``clip / 2^exponent`` in which the gradients of a group of records are added, in 32-bit whole numbers.

    Attributes:
        clip: l2 bound of a record's gradient.
        exponent: see above.
        stride: of the noise x1 + stride x2.
        capacity: records of a group; one record belongs to one group, whatever other records there are.
        needs: of the network.

    *Formal guarantee.* Neighbours differ in one group, for groups are dealt out by random numbers of each record's own.
    There one record more moves the whole sum by at most :attr:`sensitivity` steps in l2 norm:

    - its own gradient, weighted, is at most ``clip (1 + terms 2^-25)`` long: a sum of n squares, in any order, falls
      below its true value by a factor (1 - 2^-24)^n at most, a root halves that, and the weight is computed for a bound
      that is smaller than ``clip`` by 2^-16, 250 roundings of it;
    - other records may move to other places, which changes the order of sums. A product of ``BLOCK`` = b records is
      added up in single precision, in some order. An amount that goes through k additions is off by at most k 2^-24 of
      itself, and in no order do the depths of b amounts add up to more than b (b + 1) / 2. No amount of a record is
      longer than ``clip``, so a block is off by at most ``b (b + 3) / 2`` roundings of a clip (with one for each
      product); J blocks of a group add ``b J (J + 1) / 2``. Both neighbours may be off: ``b J (b + J + 4)`` in all.
      Where T parts of a record are added up by themselves, they are together at most ``SPREAD`` clips long. Each
      position has a sum of its own, of which the same holds with that length, and T - 1 additions join them: all is
      ``SPREAD T`` times ``b J (b + J + 2 T + 2)``;
    - rounding to whole steps moves each number by half a step, in one or both of the neighbours: ``needs.rounding``.

    What is added after that is whole numbers: exact, in any order and number of groups. Wrapping at 2^32 is
    post-processing. One assumption is no proof but tested: a record's gradient is computed alike wherever it stands
    within a group.
    """

    clip: float
    exponent: int
    stride: int
    capacity: int
    needs: Needs

    @property
    def step(self) -> float:
        """The length of a step."""
        return self.clip * 2.0**-self.exponent

    @property
    def steps_per_unit(self) -> float:
        """Its inverse."""
        return 2.0**self.exponent / self.clip

    @property
    def slack(self) -> float:
        """Share of the clip that rounding in single precision may add to what one record moves."""
        blocks, parts = -(-self.capacity // BLOCK), self.needs.positions
        moved = BLOCK * blocks * (BLOCK + blocks + 2 * parts + 2) * (1.0 if parts == 1 else SPREAD * parts)
        return _UNIT * ((self.needs.terms + 16) / 2 + moved) * (1 + 2.0**-10)

    @property
    def sensitivity(self) -> float:
        """How far one record moves a sum at most, in l2 norm and steps."""
        return 2.0**self.exponent * (1 + self.slack) + self.needs.rounding

    @property
    def scale(self) -> float:
        """Of the discrete Gaussian noise, in steps."""
        return SCALE * math.sqrt(1 + self.stride**2)

    @property
    def noise_multiplier(self) -> float:
        """What the noise is worth: that of real Gaussian noise (``mechanisms.lattice.event``) over the sensitivity."""
        return math.sqrt(self.scale**2 - SMOOTH**2) / self.sensitivity

    @property
    def delta(self) -> float:
        """What the noise of one sum adds to delta, for any epsilon up to 20."""
        return self.needs.numbers * INEXACT


def plan(noise_multiplier: float, clip: float, groups: int, capacity: int, needs: Needs) -> GradientGrid:
    """The finest grid for ``groups`` of ``capacity`` with noise worth at least ``noise_multiplier``, from public facts.

    Sums of a batch cannot wrap around, even if all its records pull at one number. TooMuchNoise for noise beyond what
    32 bits hold.
    """
    for exponent in range(_WORD - math.ceil(math.log2(groups * capacity)), _FEWEST - 1, -1):
        bare = GradientGrid(clip, exponent, 1, capacity, needs)
        wanted = math.hypot(noise_multiplier * bare.sensitivity, SMOOTH) / SCALE
        stride = max(1, math.ceil(math.sqrt(max(wanted**2 - 1, 0.0))))
        if stride <= STRIDES:
            return GradientGrid(clip, exponent, stride, capacity, needs)
    raise TooMuchNoise(
        f"noise of {noise_multiplier:.3g} times a gradient is more than 32 bits hold, and nothing could be learnt: take"
        " a larger epsilon or delta, or a model over marginals"
    )
