"""A training by averages, as the sites of a plan are asked for it."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass, replace
from functools import cached_property

from sfumato.errors import FederationError, QuestionError
from sfumato.trust.questions import Descent, from_bytes

_HEAD = struct.Struct("<8sIIdddd")
_MAGIC = b"sfuavrg2"
SPARE_RUNS = 2
"""Local runs that each site pays for beside those that are planned: an average that fails is made again."""
_RATES = (1e-9, 1e3)
"""Learning rates that are of use."""


@dataclass(frozen=True)
class AveragedDescent:
    """A training of which each local run is a part.

    Attributes:
        descent: what a local step is; its steps are those of all planned runs.
        spare: runs that are paid for beside them.
        tail: delta taken for the tail of the loss of all steps.
        batch: records that a step draws at a site of average size; public, and nothing follows from it but the scale of
            a step.
        rate: learning rate of Adam.
        shared_noise: noise of the sum of clipped changes, in sensitivities; 0 where that is no part of the promise.
        done: runs that a coordinator which goes on needs no more.
    """

    descent: Descent
    spare: int
    tail: float
    batch: float
    rate: float
    shared_noise: float = 0.0
    done: int = 0

    def to_bytes(self) -> bytes:
        """As a site is sent it."""
        numbers = self.tail, self.batch, self.rate, self.shared_noise
        return _HEAD.pack(_MAGIC, self.spare, self.done, *numbers) + self.descent.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> AveragedDescent:
        """The inverse; FederationError where it is none."""
        try:
            magic, spare, done, tail, batch, rate, shared = _HEAD.unpack_from(data)
            asked = from_bytes(data[_HEAD.size :])
        except struct.error:
            raise FederationError("a request for a training that is none") from None
        except QuestionError as error:
            raise FederationError(str(error)) from None
        right = 0 <= tail < 1 and 0 < batch < 2**53 and _RATES[0] <= rate <= _RATES[1]
        if magic != _MAGIC or not isinstance(asked, Descent) or not (right and 0 <= shared < math.inf):
            raise FederationError("a request for a training that is none")
        return cls(asked, spare, tail, batch, rate, shared, done)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of it: what each of its runs names, wherever a coordinator goes on."""
        return hashlib.sha256(replace(self, done=0).to_bytes()).hexdigest()
