"""What all questions have in common: bytes, a digest, words, a check, a price, and what is made of the sum."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Generic, Self, TypeVar

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError
from sfumato.privacy.events import Event
from sfumato.results.plain import Json
from sfumato.trust.questions.packing import PublicArrays, Unpacked, packed

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Price:
    """What an answer costs.

    Attributes:
        scales: of the integer noise of each part, in whole steps, before weights; 0 without a guarantee.
        events: what a curator who adds that noise charges.
    """

    scales: tuple[float, ...]
    events: tuple[Event, ...]


class Question(ABC):
    """A value that can be written, read, compared, hashed and printed; nothing in it can be called.

    Two questions are equal where their bytes are.
    """

    kind: ClassVar[str]

    @abstractmethod
    def contents(self) -> tuple[dict[str, Json], PublicArrays]:
        """(fields, arrays): all that the question is."""

    @classmethod
    @abstractmethod
    def of(cls, found: Unpacked) -> Self:
        """The inverse of :meth:`contents`; QuestionError."""

    @abstractmethod
    def words(self, names: Sequence[str] | None = None) -> str:
        """The question in plain words; with the columns' ``names``, or else their positions."""

    @abstractmethod
    def check(self, domain: Domain) -> None:
        """QuestionError unless it can be asked of records of ``domain``; no record is needed to tell."""

    def to_bytes(self) -> bytes:
        """The question as bytes; equal questions give equal ones."""
        return packed(self.kind, *self.contents())

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal digits."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Question) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        return self.words()


class SumQuestion(Question, Generic[Answer]):
    """A sum over records, in whole numbers: what an exact sum, noise and opening make an answer of.

    A question has one or more *parts*, each noised by itself at a cost of its own. One record moves the numbers of a
    part, each times its weight, by a bounded length.
    """

    step: float = 1.0
    """What a whole number stands for."""

    @abstractmethod
    def sizes(self, domain: Domain) -> tuple[int, ...]:
        """Numbers of each part."""

    def values(self, domain: Domain) -> int:
        """Numbers in all."""
        return sum(self.sizes(domain))

    def weights(self) -> np.ndarray | None:
        """(values,) weights: the noise of a number is the part's over its weight; None where all are 1."""
        return None

    @abstractmethod
    def price(self, mu: Sequence[float], max_rows: int) -> Price:
        """What it costs to answer each part at GDP cost ``mu`` where a unit has up to ``max_rows`` records.

        Raises:
            QuestionError: there are not as many costs as parts, or one is not positive.
            TooMuchNoise: whole numbers do not hold the noise.
        """

    def events(self, mu: Sequence[float], max_rows: int) -> tuple[Event, ...]:
        """What a curator charges for the answer, from the question alone."""
        return self.price(mu, max_rows).events

    @abstractmethod
    def answer(self, whole: np.ndarray, price: Price, domain: Domain) -> Answer:
        """What the opened numbers (values,) say, noised or not."""


def checked_costs(mu: Sequence[float], parts: int) -> None:
    """QuestionError unless there is a positive cost for each part; infinite is without a guarantee."""
    if len(mu) != parts:
        raise QuestionError(f"a question of {parts} parts has {parts} costs, not {len(mu)}")
    for cost in mu:
        if not cost > 0:  # NaN compares as false
            raise QuestionError(f"the cost of an answer is a positive number, got {cost!r}")
