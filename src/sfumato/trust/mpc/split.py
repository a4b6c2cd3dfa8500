"""Who holds which columns of the same persons, parties or owners, and how these are found: facts of the signed plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sfumato.encoding.codec import Codec
from sfumato.errors import FederationError
from sfumato.privacy.party_training import PartyTraining
from sfumato.results.plain import Json
from sfumato.schema import Schema
from sfumato.trust.mpc.counting import PARTIES, OneHotLayout
from sfumato.trust.mpc.intersection.steps import MOST_COMMON, MOST_SEARCHES
from sfumato.trust.mpc.outsourced import Outsourced
from sfumato.trust.mpc.persons import MOST_PERSONS
from sfumato.trust.secure_sum.roster import Member, Roster

_HASH = re.compile(r"[0-9a-f]{64}")
CURIOUS, LOST = 1, 0
"""Of three parties one may be curious, and none may be lost: each holds a part of every mask."""


@dataclass(frozen=True)
class VerticalSplit:
    """Three parties, or owners who share to three servers, that hold different columns of the same persons.

    Attributes:
        key: the column of kind identifier by which all of them know a person; every party has it.
        columns: by place, the names of the other columns that the party holds, or the owner.
        persons: SHA-256 of the list of persons, declared public; see ``Persons``. None: the persons are those of whom
            every party has a row, found by private set intersection.
        number: of persons on the list, or the most that a party may bring: in an intersection nothing but the parties'
            own rows hangs on how many are common.
        outsourced: who owns the rows, where the sites are servers that own none; None: the sites are the parties.
        training: on secret shares, what is fixed of it; None: nothing is learnt by gradients.
    """

    key: str
    columns: tuple[tuple[str, ...], ...]
    persons: str | None
    number: int
    outsourced: Outsourced | None = None
    training: PartyTraining | None = None

    @property
    def alignment(self) -> str:
        """How the rows of a person are found at all parties, in two words."""
        return "public list" if self.persons is not None else "private intersection"

    def to_dict(self) -> dict[str, Json]:
        """As JSON values."""
        return {
            "alignment": self.alignment,
            "key": self.key,
            "columns": [list(names) for names in self.columns],
            "persons": self.persons,
            "number": self.number,
            **({} if self.outsourced is None else {"outsourced": self.outsourced.to_dict()}),
            **({} if self.training is None else {"training": asdict(self.training)}),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> VerticalSplit:
        """The inverse of ``to_dict``."""
        columns = tuple(tuple(names) for names in data["columns"])
        outsourced = Outsourced.from_dict(data["outsourced"]) if "outsourced" in data else None
        training = PartyTraining(**data["training"]) if "training" in data else None
        return cls(data["key"], columns, data["persons"], data["number"], outsourced, training)

    def check(self, schema: Schema, roster: Roster) -> None:
        """FederationError unless each column of ``schema`` lies at one of three parties, with those it depends on."""
        if len(roster.members) != PARTIES or (roster.curious, roster.lost) != (CURIOUS, LOST):
            raise FederationError(
                f"columns are split among {PARTIES} parties, of which {CURIOUS} may be curious and none lost: name as"
                " many"
            )
        if self.training is not None and (self.outsourced is not None or self.persons is None):
            raise FederationError("networks are trained by parties themselves, of persons on a list")
        if self.outsourced is not None:
            self.outsourced.check(roster)
            if self.persons is None:
                raise FederationError("owners who do not compute find nobody by intersection: give a list of persons")
        holders = self._holders(roster)
        if len(self.columns) != len(holders) or (self.persons is not None and not _HASH.fullmatch(self.persons)):
            raise FederationError("a split names the columns of each of its parties, and the hash of the persons")
        self._check_number()
        self._check_key(schema)
        self._check_columns(schema, [m.name for m in holders])
        if schema.measured():
            raise FederationError(
                f"column {schema.measured()[0]!r}: its bounds or categories are left to be measured, which parties do"
                " not do: declare them"
            )

    def _check_number(self) -> None:
        most = MOST_PERSONS if self.persons is not None else MOST_COMMON
        if type(self.number) is not int or not 1 <= self.number <= most:
            what = "a list of persons has" if self.persons is not None else "to find who is common, a party brings"
            raise FederationError(f"{what} 1 to {most:,} keys, not {self.number!r}")

    def _holders(self, roster: Roster) -> Sequence[Member]:
        """Who has the columns, in their order."""
        return roster.members if self.outsourced is None else self.outsourced.owners

    def _check_key(self, schema: Schema) -> None:
        if schema.column(self.key).kind != "identifier":
            raise FederationError(
                f"column {self.key!r}, by which the parties know a person, is of kind"
                f" {schema.column(self.key).kind}: describe it as 'kind: identifier'"
            )
        unit = schema.unit
        if unit.kind == "id" and (unit.column != self.key or unit.max_rows != 1):
            raise FederationError(
                f"every person has one row: write 'unit: row', or 'unit: {{column: {self.key}, max_rows: 1}}'"
            )
        if schema.content != "table":
            raise FederationError("parties count columns of a table; images are not split among them")

    def _check_columns(self, schema: Schema, parties: Sequence[str]) -> None:
        given = [name for names in self.columns for name in names]
        twice = sorted({name for name in given if given.count(name) > 1 or name == self.key})
        lacking = [name for name in schema.names if name != self.key and name not in given]
        extra = [name for name in given if name not in schema.names]
        if twice or lacking or extra:
            what = (
                f"{twice[0]!r} lies at two parties"
                if twice
                else f"{lacking[0]!r} lies at no party"
                if lacking
                else f"{extra[0]!r} is no column of the schema"
            )
            raise FederationError(f"each column but the key lies at one party: {what}")
        for party, names in zip(parties, self.columns, strict=True):
            if not any(schema.column(name).modelled for name in names):
                raise FederationError(f"party {party} holds no column that is learnt: leave it out, or split anew")
        owner = {name: place for place, names in enumerate(self.columns) for name in names}
        for rule in schema.constraints:
            at = {owner[name] for name in rule.columns if name != self.key}
            if len(at) > 1:
                raise FederationError(
                    f"the constraint {rule.kind} on {', '.join(rule.columns)} is between columns of two parties, and"
                    " neither can see to it: leave it out, or give one of them all of its columns"
                )

    def schema_of(self, schema: Schema, place: int) -> Schema:
        """The part of ``schema`` that describes the table of the party at ``place``: its columns, and the key."""
        return schema.with_only({self.key, *self.columns[place]})

    def owners(self, codec: Codec) -> tuple[tuple[int, int], ...]:
        """Of each axis of the domain the place of the party that has it, and its number among the axes there."""
        place_of = {codec.position(n): p for p, names in enumerate(self.columns) for n in names if _learnt(codec, n)}
        seen = [0] * len(self.columns)
        owners = []
        for position in range(len(codec.domain)):
            place = place_of[position]
            owners.append((place, seen[place]))
            seen[place] += 1
        return tuple(owners)

    def words(self, roster: Roster, opened: str = "what is opened with noise") -> list[str]:
        """What each party reads before it signs; ``opened``: what one party learns of the columns of others."""
        called = "Party" if self.outsourced is None else "Owner"
        held = zip(self._holders(roster), self.columns, strict=True)
        return [
            *(f"{called} {holder.name} holds {', '.join(names)}." for holder, names in held),
            *(self._of_list() if self.persons is not None else self._of_intersection()),
            *(
                [_together(opened)]
                if self.outsourced is None
                else self.outsourced.words([m.name for m in roster.members])
            ),
        ]

    def _of_list(self) -> list[str]:
        return [
            f"The persons are the {self.number:,} of a list that is declared public (SHA-256 {self.persons}): who is on"
            f" it is hidden from nobody. A party knows them by {self.key}."
        ]

    def _of_intersection(self) -> list[str]:
        return [
            f"The persons are those of whom all three parties have a row, by {self.key}: each party brings up to"
            f" {self.number:,} keys to a private set intersection.",
            "EACH PARTY LEARNS WHO IS COMMON TO ALL THREE, AND SO HOW MANY: exactly, without noise. Who signs agrees to"
            " that. Of other persons a party learns nothing: not whom two others share, and not how many they have.",
            "Whoever gets the model and carries the messages learns neither: it gets the count with noise alone, and"
            f" what is sent is as if each party had {self.number:,} persons.",
            "Who is common is found once for a run. After another run over tables that have changed, each party sees"
            " who has come and gone.",
            f"A party that does not follow the protocol can bring up to {self.number:,} keys of persons whom it has no"
            " row of, and learns which of them both others know; and as many others in each set-up anew, of which there"
            f" are up to {MOST_SEARCHES} each time that you start your command: keys that can be guessed protect nobody"
            " from that.",
        ]


def _together(opened: str) -> str:
    return (
        f"One party by itself learns nothing of the columns of the others but {opened}. ANY TWO PARTIES TOGETHER can"
        " read all columns of everybody. A party that does not follow the protocol can make sums wrong, and learn more"
        " from what is opened than the promise says."
    )


def layout(owners: Sequence[tuple[int, int]], sizes: Sequence[int]) -> OneHotLayout:
    """Where the one-hots of axes of these ``sizes`` lie."""
    by_place: list[list[int]] = [[] for _ in range(1 + max(place for place, _ in owners))]
    for (place, _), size in zip(owners, sizes, strict=True):
        by_place[place].append(size)
    return OneHotLayout(tuple(map(tuple, by_place)))


def _learnt(codec: Codec, name: str) -> bool:
    return codec.schema.column(name).modelled
