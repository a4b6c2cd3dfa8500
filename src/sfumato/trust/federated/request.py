"""What the coordinator asks of each site in a round: a question, what its answer may cost, and the round's number."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sfumato.errors import FederationError, QuestionError
from sfumato.trust.questions import GradientStep, LocalRun, Selection, SumQuestion, from_bytes
from sfumato.trust.secure_sum.terms import RoundNumber

_HEAD = struct.Struct("<8sIII")
_MAGIC = b"sfumask1"
_COST = struct.Struct("<d")
_MOST_PARTS = 1 << 16
"""Parts of a question: tables of a round. All pairs of 360 columns are fewer."""


@dataclass(frozen=True)
class SumRequest:
    """One round's question.

    Attributes:
        number: the round and the attempt at it.
        question: what is asked of the records: a sum, a selection, or a step or local run of a training that was paid
            for.
        mu: what each part of the answer may cost, in GDP units, or the epsilon of a selection; infinite without a
            guarantee; none for a step or a run.
    """

    number: RoundNumber
    question: SumQuestion | Selection | GradientStep | LocalRun
    mu: tuple[float, ...] = ()

    @cached_property
    def data(self) -> bytes:
        """As bytes: a head, the costs, the question."""
        head = _HEAD.pack(_MAGIC, self.number.round, self.number.attempt, len(self.mu))
        return head + b"".join(map(_COST.pack, self.mu)) + self.question.to_bytes()

    def subject(self, codec: bytes) -> bytes:
        """SHA-256 of all of it, and of the ``codec`` (its hash) by which records are encoded, or parties dealt.

        Masks are made for it and every survivor signs it: sites that were asked other things, or by other codes, have
        other masks, and their sum stays closed.
        """
        return hashlib.sha256(codec + self.data).digest()

    @classmethod
    def of(cls, data: bytes) -> SumRequest:
        """The inverse of ``data``; FederationError where it is no request for a sum."""
        try:
            magic, round_, attempt, parts = _HEAD.unpack_from(data)
            start = _HEAD.size + parts * _COST.size
            if magic != _MAGIC or not 0 <= parts <= _MOST_PARTS or len(data) < start:
                raise FederationError("a request that is none; nothing is answered")
            mu = struct.unpack_from(f"<{parts}d", data, _HEAD.size)
            question = from_bytes(data[start:])
        except struct.error:
            raise FederationError("a request that is none; nothing is answered") from None
        except QuestionError as error:
            raise FederationError(str(error)) from None
        if not isinstance(question, SumQuestion | Selection if parts else GradientStep | LocalRun):
            raise FederationError("a request that is for no sum; nothing is answered")
        if isinstance(question, Selection) and parts != 1:
            raise FederationError("a selection has one epsilon; nothing is answered")
        return cls(RoundNumber(round_, attempt), question, _costs(mu))


def _costs(mu: Sequence[float]) -> tuple[float, ...]:
    if any(math.isnan(m) or m <= 0 for m in mu):
        raise FederationError("a request whose costs are not positive; nothing is answered")
    return tuple(mu)
