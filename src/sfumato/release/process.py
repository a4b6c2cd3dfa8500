"""What a fit did, in public facts only: what its certificate restates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from sfumato.models.choose import Choice
from sfumato.privacy.events import Event
from sfumato.privacy.guarantee import Guarantee
from sfumato.release.federation import FederationStatement
from sfumato.release.ledger_statement import LedgerStatement
from sfumato.release.sections import ColumnFacts, StatedReview, StatedReviewOfFacts, TableFact

if TYPE_CHECKING:
    from sfumato.schema import Column, Schema
    from sfumato.schema.sources import Review

Record = Literal["row", "image"]


@dataclass(frozen=True)
class Process:
    """What a fit did, in public facts only.

    Attributes:
        guarantee: what was promised.
        events: what was charged, in order.
        columns: what :func:`declared` says of the schema.
        choice: which model, why, from public facts, and its settings.
        max_rows: rows one unit may contribute; more are dropped before anything is counted.
        setting: who sees rows, by the name of the trust setting.
        ledger: where the ledger stood.
        records: noisy number of records; None where it is not known.
        table: what :func:`declared_of_the_table` says of the schema.
        types: by name of a column, the Arrow type that the rows were stored in; none for delimited text and pandas.
        about: free statements of the curator (curator, purpose, ...).
        federation: who took part, in the setting of that name; None in others.
    """

    guarantee: Guarantee
    events: Sequence[Event]
    columns: Sequence[ColumnFacts]
    choice: Choice
    max_rows: int = 1
    setting: str = "central"
    ledger: LedgerStatement = field(default_factory=LedgerStatement)
    records: int | None = None
    table: Sequence[TableFact] = ()
    types: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    federation: FederationStatement | None = None

    @property
    def record(self) -> Record:
        """What a row is to people."""
        return "image" if any(c.kind == "image" for c in self.columns) else "row"


def declared(schema: Schema) -> tuple[ColumnFacts, ...]:
    """What a certificate says of each column of ``schema``."""
    return tuple(
        ColumnFacts(
            name=c.name,
            kind=c.kind,
            sources={f: c.standing(f) for f in c.facts()},
            reviews=_reviews(c),
            refuses=_refused(c),
        )
        for c in schema.columns
    )


def declared_of_the_table(schema: Schema) -> tuple[TableFact, ...]:
    """Each fact of the whole table and each constraint."""
    return tuple(
        TableFact(
            fact=str(f), source=f.standing, review=None if f.review is None else StatedReview(**_review(f.review))
        )
        for f in schema.facts()
        if f.part != "column"
    )


def _reviews(column: Column) -> tuple[StatedReviewOfFacts, ...]:
    grouped: dict[Review, list[str]] = {}
    for fact in column.facts():
        review = column.review_of(fact)
        if review is not None:
            grouped.setdefault(review, []).append(fact)
    return tuple(StatedReviewOfFacts(facts=tuple(facts), **_review(review)) for review, facts in grouped.items())


def _review(review: Review) -> dict[str, str]:
    return {"by": review.by, "on": review.on.isoformat(), "reason": review.reason}


def _refused(column: Column) -> tuple[str, ...]:
    """Cells whose rows are left out."""
    if not column.modelled:
        return ()
    found = () if column.may_be_missing else ("missing or unreadable",)
    return (*found, "outside the facts") if getattr(column, "outside", None) == "refuse" else found
