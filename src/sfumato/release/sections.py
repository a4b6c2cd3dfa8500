"""The sections of a certificate, as immutable facts that are read from untrusted JSON or refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SkipValidation

from sfumato.privacy.events import Event, from_json
from sfumato.privacy.guarantee import Guarantee
from sfumato.release.ledger_statement import LedgerStatement
from sfumato.results.plain import Json


class Section(BaseModel):
    """A part of a certificate: immutable; what it holds beyond its fields is for ``verify`` to refuse."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False, arbitrary_types_allowed=True)

    def to_dict(self) -> dict[str, Json]:
        """Its fields as JSON values, in the order in which they are stored."""
        return self.model_dump(mode="json")


class StatedReview(Section):
    """A person's word for facts that were read off the rows."""

    by: str
    on: str
    reason: str

    def in_words(self) -> str:
        """One line for people."""
        return f"reviewed by {self.by} on {self.on}: {self.reason}"


class StatedReviewOfFacts(Section):
    """The same, with the facts of a column that it speaks of."""

    facts: tuple[str, ...]
    by: str
    on: str
    reason: str

    def in_words(self) -> str:
        """One line for people."""
        return f"{', '.join(self.facts)}: reviewed by {self.by} on {self.on}: {self.reason}"


class ColumnFacts(Section):
    """What is said of one column.

    Attributes:
        name, kind: of the column.
        sources: by fact: public, measured or reviewed (or unreviewed, unstated, which are open).
        reviews: who settled the reviewed facts, on which day, and why.
        refuses: which cells it refuses: their rows are left out.
    """

    name: str
    kind: str
    sources: Mapping[str, str]
    reviews: tuple[StatedReviewOfFacts, ...] = ()
    refuses: tuple[str, ...] = ()


class TableFact(Section):
    """A fact of the whole table or a constraint, where it comes from, and who reviewed it."""

    fact: str
    source: str
    review: StatedReview | None


class DataDomain(Section):
    """The public facts: of each column, of the whole table, and the Arrow types that the rows were stored in."""

    columns: tuple[ColumnFacts, ...]
    table: tuple[TableFact, ...] = ()
    types: Mapping[str, str] = {}


class Product(Section):
    """What is released, by whom and what for."""

    kind: str
    curator: str
    purpose: str


class Promise(Section):
    """What is promised, to whom, and in words for readers who know no epsilon."""

    flavour: str
    epsilon: float
    delta: float
    unit: str
    max_rows_per_unit: int
    neighbours: str
    in_words: str

    @property
    def guarantee(self) -> Guarantee:
        """The figures alone; ValueError where they promise nothing."""
        return Guarantee(self.epsilon, self.delta, self.unit, self.neighbours)  # type: ignore[arg-type]


class Algorithm(Section):
    """Which model was fitted, why that one, by which settings of its recipe, and what its other steps cost.

    ``settings`` is None where the model was saved before they were kept.
    """

    model: str
    why: str
    settings: Mapping[str, int | float | str] | None = None
    post_processing: str


class ReleasedBlock(Section):
    """One block of the pyramid of NIST SP 800-226."""

    block: str
    status: str
    text: str


def _event(fields: object) -> Event:
    if not isinstance(fields, Mapping):
        raise ValueError("an event is no object")
    return from_json(dict(fields))


def _ledger(fields: object) -> LedgerStatement | None:
    if fields is None:
        return None
    if not isinstance(fields, Mapping):
        raise ValueError("the ledger is no object")
    return LedgerStatement.from_json(fields)


class Composition(Section):
    """What the charges cost together.

    Attributes:
        epsilon_spent: as a filter counts; ``epsilon_composed``: by privacy loss distributions, had all charges been
            chosen beforehand (None in the first kind); ``epsilon_by_renyi``: another bound, found independently.
        events: the charges, in order.
        ledger: where the ledger stood; None in the first kind, which does not name its ledger.
    """

    accountant: str
    epsilon_spent: float
    epsilon_composed: float | None = None
    epsilon_by_renyi: float
    events: tuple[Annotated[SkipValidation[Event], BeforeValidator(_event)], ...]
    ledger: Annotated[SkipValidation[LedgerStatement] | None, BeforeValidator(_ledger)]


class Signature(Section):
    """An Ed25519 signature over all other fields."""

    algorithm: str
    public_key: str
    value: str
