"""Questions of DP-SGD: a descent, which fixes what all of its steps are, and one step of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.privacy.events import MOST
from sfumato.results.plain import Json
from sfumato.trust.questions.installed import OBJECTIVES
from sfumato.trust.questions.packing import PublicArrays, Unpacked, frozen
from sfumato.trust.questions.question import Question

KEY_BYTES = 32
"""Of what makes one step differ from another."""
_LEAST_RATE = 2.0**-32
"""The chance of one random word of 32 bits."""
_CLIPS = (1e-6, 1e6)
"""Bounds of a gradient for which clipping is tested."""
_MOST_NOISE = 1e9
"""In sensitivities: far beyond what a grid of 32 bits holds, and what can be learnt from."""
_MOST_GROUPS, _MOST_DRAWN = 1 << 16, 1 << 20
"""Of records, and drawn from one: no message asks for a step that takes more memory than there is."""
_DIGITS = frozenset("0123456789abcdef")


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 in hexadecimal digits."""
    return type(text) is str and len(text) == 64 and _DIGITS.issuperset(text)


@dataclass(frozen=True, eq=False)
class Descent(Question):
    """What all steps of a DP-SGD have in common; each is then a ``GradientStep``.

    Attributes:
        recipe: name of the code that makes the loss, in ``installed.OBJECTIVES``.
        steps: how many there are at most.
        rate: chance of a record to be in a batch, each time anew.
        clip: l2 bound of a record's gradient.
        noise_multiplier: what the noise of a sum is worth at least, in sensitivities; 0 without a guarantee.
        groups, capacity: what is drawn from a group of records at most, and how many such draws a sum holds, wherever
            the records lie: the grid follows on which gradients are added. With more groups than that a sum may leave
            its 32 bits, which makes it wrong, and tells no more.
        arrays: public arrays that the code is given.

    *Formal guarantee.* ``trust.steps.Planned`` makes of it, and of the columns alone, the grid, the noise and the event
    that a step is charged as.
    """

    recipe: str
    steps: int
    rate: float
    clip: float
    noise_multiplier: float
    groups: int
    capacity: int
    arrays: PublicArrays = field(default_factory=dict)

    kind = "descent"

    def __post_init__(self) -> None:
        for what, number, most in (
            ("steps", self.steps, MOST),
            ("groups", self.groups, _MOST_GROUPS),
            ("records drawn from a group", self.capacity, _MOST_DRAWN),
        ):
            if type(number) is not int or not 1 <= number <= most:
                raise QuestionError(f"the number of {what} lies between 1 and {most}, not at {number!r}")
        for what, real, least, most in (
            ("rate of sampling", self.rate, _LEAST_RATE, 1.0),
            ("bound of a gradient", self.clip, *_CLIPS),
            ("noise multiplier", self.noise_multiplier, 0.0, _MOST_NOISE),
        ):
            if not isinstance(real, float) or not least <= real <= most:  # NaN compares as false
                raise QuestionError(f"the {what} lies between {least:g} and {most:g}, not at {real!r}")
        object.__setattr__(self, "arrays", frozen(self.arrays))

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        names = ("recipe", "steps", "rate", "clip", "noise_multiplier", "groups", "capacity")
        return {name: getattr(self, name) for name in names}, self.arrays

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        rate, clip, noise = (found.real(name) for name in ("rate", "clip", "noise_multiplier"))
        groups, capacity = found.whole("groups"), found.whole("capacity")
        return cls(found.text("recipe"), found.whole("steps"), rate, clip, noise, groups, capacity, found.arrays)

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        return (
            f"at most {self.steps} steps of DP-SGD: each draws every record with a chance of {self.rate:.4g}, and adds"
            f" the gradients that the installed recipe {self.recipe!r} makes of them, each clipped to length"
            f" {self.clip:g}, and noise of {self.noise_multiplier:.4g} times what one record can change"
        )

    def check(self, domain: Domain) -> None:
        """See ``Question``."""
        OBJECTIVES.make(self.recipe, domain, self.arrays)


@dataclass(frozen=True, eq=False)
class GradientStep(Question):
    """The sum of clipped gradients of one Poisson batch, at parameters that are public.

    Attributes:
        descent: digest of the ``Descent`` that it is a step of; whoever does not know it refuses.
        step: its number, from 0 on.
        parameters: (numbers,) float32, in the order of ``Objective.flat``.
        key: fresh for each step, so that no two are asked in the same bytes. Which records are drawn, the noise, and
            what the recipe itself draws come from whoever holds the records, and from no message.
    """

    descent: str
    step: int
    parameters: np.ndarray
    key: bytes

    kind = "gradient step"

    def __post_init__(self) -> None:
        if not is_digest(self.descent):
            raise QuestionError("a step names its descent by 64 hexadecimal digits")
        if type(self.step) is not int or not 0 <= self.step < MOST:
            raise QuestionError(f"the number of a step lies between 0 and {MOST - 1}, not at {self.step!r}")
        if len(self.key) != KEY_BYTES:
            raise QuestionError(f"the key of a step has {KEY_BYTES} bytes, not {len(self.key)}")
        parameters = frozen({"parameters": self.parameters})["parameters"]
        if parameters.dtype.str != "<f4" or parameters.ndim != 1:
            raise QuestionError("the parameters of a step are one row of single-precision numbers")
        object.__setattr__(self, "parameters", parameters)

    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """See ``Question``."""
        return {"descent": self.descent, "step": self.step, "key": self.key.hex()}, {"parameters": self.parameters}

    @classmethod
    def of(cls, found: Unpacked) -> Self:
        """See ``Question``."""
        key = found.text("key")
        if not _DIGITS.issuperset(key) or len(key) != 2 * KEY_BYTES:
            raise QuestionError(f"the key of a step is {2 * KEY_BYTES} hexadecimal digits")
        parameters = found.array("parameters", "<f4")
        return cls(found.text("descent"), found.whole("step"), parameters, bytes.fromhex(key))

    def words(self, names: Sequence[str] | None = None) -> str:
        """See ``Question``."""
        return (
            f"step {self.step + 1} of the descent {self.descent[:12]}: the sum of clipped gradients of a fresh batch at"
            f" {len(self.parameters)} given parameters"
        )

    def check(self, domain: Domain) -> None:
        """Whether it fits is told by its descent, see ``trust.steps.Planned.check``."""
