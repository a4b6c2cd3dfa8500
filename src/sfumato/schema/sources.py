"""Where a fact comes from, and who said that one which was read off the rows may be known."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from sfumato.results.plain import Json

Source = Literal["public", "measured", "unreviewed"]
"""What a schema may say of a fact."""

Standing = Literal["public", "measured", "reviewed", "unreviewed", "unstated"]
"""What follows for a fact; the last two are open: no certificate rests on them."""

SETTLED = frozenset({"public", "measured", "reviewed"})
REST = "rest"
"""In place of a fact's name: all facts that are not named."""

MEASURABLE = frozenset({"bounds", "categories", "nullable"})
"""What can be found from the rows with noise."""


_FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that show nothing: fillers of Hangul, and Braille without a dot."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


TEXT_LIMIT = 1 << 16
"""Characters of a text in a schema: a label, a name, a reason."""


class Strict(BaseModel):
    """Base of all parts of a schema: immutable, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=TEXT_LIMIT, allow_inf_nan=False)


def _seen(character: str) -> bool:
    """Whether it leaves ink: no space, control, format or unassigned character, no filler, no mark without a letter."""
    return unicodedata.category(character)[0] in "LNPS" and character not in _FILLERS


def _filled(text: str) -> str:
    if not any(map(_seen, text)):
        raise ValueError("is empty; write who reviewed the facts, and how they are known without the rows")
    return text


def _day(day: object) -> object:
    if isinstance(day, str) and not _DAY.fullmatch(day):  # a lone number would be seconds since 1970
        raise ValueError("is no date; write the day of the review as 2026-01-31")
    return day


def _past(day: dt.date) -> dt.date:
    if day > dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1):  # east of Greenwich it is tomorrow already
        raise ValueError(f"{day} lies in the future; write the day of the review")
    return day


Filled = Annotated[str, AfterValidator(_filled)]
"""Text that says something."""


class Reviewer(Strict):
    """Who reviews, and on which day."""

    by: Filled
    on: Annotated[dt.date, BeforeValidator(_day), AfterValidator(_past)]


class Review(Reviewer):
    """A person's word that facts which were read off the rows may be known.

    Attributes:
        by, on: who says so, and on which day.
        reason: how they are known without the rows.
        facts: which facts; none for all that are open.
    """

    reason: Filled
    facts: tuple[str, ...] = Field(default=(), max_length=64)


class Statement(Strict):
    """A part of a schema that is one fact: the unit, the number of rows, the file's dialect, a constraint.

    Attributes:
        source: public, or unreviewed where it was read off the rows; None where nothing is said.
        reviewed: who settled it, where it is not public.
    """

    source: Literal["public", "unreviewed"] | None = None
    reviewed: Review | None = None

    @property
    def standing(self) -> Standing:
        """Whether it is settled, and how."""
        return standing(self.source, self.reviewed)

    def stated(self) -> dict[str, Json]:
        """What it says, without where that comes from: plain values by field."""
        return self.model_dump(mode="json", exclude={"kind", "source", "reviewed"})

    @field_validator("source", mode="before")
    @classmethod
    def _declared(cls, word: object) -> object:
        if word == "measured":
            raise ValueError("this is declared, not measured; write 'source: public'")
        return word

    @model_validator(mode="after")
    def _whole(self) -> Statement:
        if self.reviewed is not None and self.reviewed.facts:
            raise ValueError("reviewed: this is one fact; leave out 'facts'")
        return self


class Sourced(Strict):
    """A part of a schema that states several facts: a column.

    Attributes:
        source: where the facts come from: one word for all of them, or fact by fact (``rest``: those not named). A
            fact without a source is open: a model that rests on it gets no certificate.
        reviewed: who settled the facts that are open, on which day, and why they may be known.
    """

    source: Source | dict[str, Source] | None = None
    reviewed: Review | tuple[Review, ...] | None = None

    def facts(self) -> tuple[str, ...]:
        """The names of its facts."""
        raise NotImplementedError

    def source_of(self, fact: str) -> Source | None:
        """Where ``source`` says that one fact comes from; None where it says nothing.

        A bare ``measured`` speaks for what can be measured and for nothing else.
        """
        word = (self.source.get(fact) or self.source.get(REST)) if isinstance(self.source, dict) else self.source
        return None if word == "measured" and fact not in MEASURABLE else word

    @property
    def reviews(self) -> tuple[Review, ...]:
        """All that was reviewed."""
        return (self.reviewed,) if isinstance(self.reviewed, Review) else self.reviewed or ()

    def review_of(self, fact: str) -> Review | None:
        """Who settled one fact: a review that names it, else one that names none; None where its source settles it."""
        if self.source_of(fact) in SETTLED:
            return None
        named = (r for r in self.reviews if fact in r.facts)
        return next(named, next((r for r in self.reviews if not r.facts), None))

    def standing(self, fact: str) -> Standing:
        """Whether one fact is settled, and how."""
        return standing(self.source_of(fact), self.review_of(fact))

    @model_validator(mode="after")
    def _known_facts(self) -> Sourced:
        words = self.source if isinstance(self.source, dict) else {}
        for fact in (*(f for f in words if f != REST), *(f for r in self.reviews for f in r.facts)):
            if fact not in self.facts():
                raise ValueError(f"no fact {fact!r}; a column of this kind has {', '.join(self.facts())}")
        for fact, word in words.items():
            if word == "measured" and fact != REST and fact not in MEASURABLE:
                raise ValueError(f"{fact} is declared, not measured; write 'source: public'")
        return self


@dataclass(frozen=True)
class Fact:
    """One fact of a schema.

    Attributes:
        part: ``column``, ``unit``, ``rows``, ``file`` or ``constraint``.
        name: of the column, or what the constraint is about; empty for the others.
        fact: its name.
        value: what the schema says, in plain values.
        standing: whether it is settled, and how.
        review: who settled it, where a person did.
    """

    part: str
    name: str
    fact: str
    value: Json
    standing: Standing
    review: Review | None = None

    @property
    def settled(self) -> bool:
        """Whether a certificate may rest on it."""
        return self.standing in SETTLED

    def to_dict(self) -> dict[str, Json]:
        """In plain values, for machines."""
        said = self.review
        return {
            "part": self.part,
            "name": self.name,
            "fact": self.fact,
            "value": self.value,
            "standing": self.standing,
            "review": None if said is None else {"by": said.by, "on": said.on.isoformat(), "reason": said.reason},
        }

    @property
    def line(self) -> str:
        """Where it stands: ``age``, ``unit``, ``inequality on from, to``."""
        return self.name or self.part

    def __str__(self) -> str:
        """``age: bounds``, ``unit``, ``inequality on from, to``."""
        return f"{self.name}: {self.fact}" if self.part == "column" else self.line


def standing(source: Source | None, review: Review | None) -> Standing:
    """What follows for one fact from its source and its review."""
    if source in ("public", "measured"):
        return source
    return "reviewed" if review is not None else source or "unstated"
