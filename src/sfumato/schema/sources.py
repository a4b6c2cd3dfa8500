"""Where a fact comes from, and who said that one which was read off the rows may be known."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Source = Literal["public", "measured", "unreviewed"]
"""What a schema may say of a fact."""

Standing = Literal["public", "measured", "reviewed", "unreviewed", "unstated"]
"""What follows for a fact; the last two are open: no certificate rests on them."""

SETTLED = frozenset({"public", "measured", "reviewed"})
REST = "rest"
"""In place of a fact's name: all facts that are not named."""

MEASURABLE = frozenset({"bounds", "categories", "nullable"})
"""What can be found from the rows with noise."""


class Strict(BaseModel):
    """Base of all parts of a schema: immutable, and no key that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_max_length=1 << 16, allow_inf_nan=False)


class Review(Strict):
    """A person's word that facts which were read off the rows may be known.

    Attributes:
        by: who says so; on: the day; reason: how it is known without the rows.
        facts: which facts; none for all that are open.
    """

    by: str
    on: dt.date
    reason: str
    facts: tuple[str, ...] = Field(default=(), max_length=64)

    @field_validator("by", "reason")
    @classmethod
    def _said(cls, text: str) -> str:
        if not text.strip():
            raise ValueError("is empty; write who reviewed the facts, and how they are known without the rows")
        return text

    @field_validator("on")
    @classmethod
    def _past(cls, day: dt.date) -> dt.date:
        if day > dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1):  # east of Greenwich it is tomorrow already
            raise ValueError(f"{day} lies in the future; write the day of the review")
        return day


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

    @model_validator(mode="after")
    def _whole(self) -> Statement:
        if self.reviewed is not None and self.reviewed.facts:
            raise ValueError("reviewed: this is one fact; leave out 'facts'")
        return self


def standing(source: Source | None, review: Review | None) -> Standing:
    """What follows for one fact from its source and its review."""
    if source in ("public", "measured"):
        return source
    return "reviewed" if review is not None else source or "unstated"


def source_of(fact: str, source: Source | Mapping[str, Source] | None) -> Source | None:
    """What ``source`` says of one fact: one word for all, or a mapping by name; None where it says nothing.

    A bare ``measured`` speaks for what can be measured and for nothing else.
    """
    if isinstance(source, Mapping):
        return source[fact] if fact in source else source_of(fact, source.get(REST))
    return None if source == "measured" and fact not in MEASURABLE else source


def review_of(fact: str, reviews: tuple[Review, ...]) -> Review | None:
    """The review that speaks for one fact: one that names it, else one that names none."""
    named = (r for r in reviews if fact in r.facts)
    return next(named, next((r for r in reviews if not r.facts), None))
