"""One party's columns of the persons of a list, or of its own, as codes in their order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sfumato.encoding.codec import Codec
from sfumato.encoding.domain import Domain
from sfumato.errors import QuestionError, TableError
from sfumato.progress import Progress
from sfumato.schema import Schema
from sfumato.tables import Rows
from sfumato.trust.mpc.counting import Codes
from sfumato.trust.mpc.keys import keys_of
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.questions import Query
from sfumato.trust.records import ExactRecords, Records


@dataclass(frozen=True, repr=False)
class PartyRecords:
    """The private records of one party; who is on the list and has none here is absent.

    Attributes:
        domain: the encoded columns of all parties; public.
        positions: where its own stand among them.
        codes: of its own, (persons,) each, and who is present.
        outside_facts: (persons,) who has some cell that the schema's facts did not allow, or several rows.
        repeated: whether some person has several rows; for the people of the party alone.
    """

    domain: Domain
    positions: tuple[int, ...]
    codes: Codes
    outside_facts: np.ndarray
    repeated: bool = False

    def __len__(self) -> int:
        return int(np.count_nonzero(self.codes.present))

    @property
    def outside(self) -> int:
        """Persons on the list who have some cell that the schema's facts did not allow, or several rows."""
        return int(np.count_nonzero(self.outside_facts))

    def __repr__(self) -> str:
        return f"<private records of a party: {len(self.positions)} columns>"

    def table(self, query: Query) -> np.ndarray:
        """Exact counts, int64, of columns that are all this party's own."""
        return self._own.table(Query(tuple(self.positions.index(i) for i in query.clique), query.groups))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over all codes and who is present: for this party alone, it says whether two tables are the same."""
        running = hashlib.sha256(b"sfumato codes 1" + bytes(str(self.positions), "ascii"))
        for column in (self.codes.present, *self.codes.columns):
            running.update(np.ascontiguousarray(column, "<i8").data)
        return running.digest()

    @cached_property
    def _own(self) -> Records:
        """Its records, without those who are absent."""
        axes = tuple(self.domain.axes[i] for i in self.positions)
        return Records([c[self.codes.present] for c in self.codes.columns], Domain(axes))

    def at(self, places: np.ndarray) -> PartyRecords:
        """The same records in another order: of each position (n,) the number of a person here, and -1 of nobody."""
        there = places >= 0
        columns = tuple(np.where(there, column[places], column.dtype.type(0)) for column in self.codes.columns)
        codes = Codes(columns, there & self.codes.present[places])
        return replace(self, codes=codes, outside_facts=there & self.outside_facts[places])

    def matrix(self) -> np.ndarray:
        """Refused: no party has all columns."""
        raise QuestionError("parties answer counts and tables alone: no one has a whole record")

    def coarsened(self, recode: Sequence[np.ndarray]) -> ExactRecords:
        """Refused: tables are asked through groups."""
        raise QuestionError("parties answer tables through groups")


def party_records(
    rows: Rows, schema: Schema, split: VerticalSplit, place: int, persons: Persons, progress: Progress
) -> PartyRecords:
    """Encode the rows of the party at ``place``, each at the place of its person; rows of nobody on the list are left.

    A person with several rows is absent and counted outside: none of the rows is known to be the right one.

    Raises:
        SchemaError: the table's columns are not those of the party.
        TableError: the table is malformed, or no row of it is of anybody on the list.

    *Formal guarantee.* Each row is encoded by itself, by public facts, to one record or to none, which is the person's
    alone. A row more or less, or a person with all of their rows, so changes one record at most, no other person's, and
    ``outside`` by one; a second row of a person takes their record away, and stops nothing.
    """
    own, whole = Codec.from_schema(split.schema_of(schema, place)), Codec.from_schema(schema)
    own.check_columns(rows.columns)
    columns = [np.zeros(len(persons), np.min_scalar_type(axis.size - 1)) for axis in own.domain.axes]
    seen, several, present, outside = (np.zeros(len(persons), bool) for _ in range(4))
    progress.stage("reading rows")
    for batch in rows.cells():
        at = persons.places(keys_of(batch, schema, split))
        listed = at >= 0
        places = at[listed]
        each, rows_of_each = np.unique(places, return_counts=True)
        several[each] |= seen[each] | (rows_of_each > 1)
        seen[each] = True
        encoded = own.encode_rows(batch)
        outside[places] |= encoded.outside[listed]
        present[places] = ~encoded.refused[listed]
        for column, codes in zip(columns, encoded.codes.T, strict=True):
            column[places] = codes[listed]
    if not seen.any():
        raise TableError(f"no row has a key in {split.key!r} that is on the list of persons: are both written alike?")
    present &= ~several
    for column in columns:
        column[~present] = 0
    positions = tuple(whole.domain.index(name) for name in own.domain.names)
    return PartyRecords(whole.domain, positions, Codes(tuple(columns), present), outside | several, bool(several.any()))
