"""A line more in the file of one party changes one record, whatever stands in it, and ends no fit.

Each hostile line is put at the beginning, in the middle and at the end of a party's file, and taken away again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.trust.parties import HELD, SCHEMA

from sfumato.progress import Silent
from sfumato.tables import Rows
from sfumato.trust.mpc.keys import own_keys
from sfumato.trust.mpc.party_records import PartyRecords, party_records
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import VerticalSplit

PERSONS = Persons.of([f"p{i}" for i in range(20)])
SPLIT = VerticalSplit("who", HELD, PERSONS.digest, len(PERSONS))
UNLISTED = VerticalSplit("who", HELD, None, 40)
"""Of parties who find whom they have in common."""
HELD_HERE = [f"p{i},{i % 7},{'xyz'[i % 3]}" for i in range(0, 20, 2)]
TWICE = [*HELD_HERE, "p4,1,y"]
"""Files to add a line to; in one of them somebody has two rows."""
LINES = {
    "new": "p1,3,x",
    "second": "p4,6,z",
    "third, or first": "p5,6,z",
    "same": "p4,4,y",
    "stranger": "nobody,1,x",
    "no key": ",1,x",
    "null key": '"",1,x',
    "refused": "p3,1,unknown",
    "refused second": "p4,1,unknown",
    "beyond": "p3,99999999999999999999,x",
    "text": "p3,zebra,x",
    "empty": "p3,,",
    "long key": "p" * 5000 + ",1,x",
    "long cell": "p3,1," + "x" * 5000,
    "quoted": '"p3",1,"x"',
    "a line in a cell": '"p3\np5",1,x',
    "spaces": " p3,1,x",
}


def read(lines: list[str], path: Path) -> PartyRecords:
    path.write_text("\n".join(("who,a,b", *lines, "")))
    return party_records(Rows.open(path), SCHEMA, SPLIT, 0, PERSONS, Silent())


def records(of: PartyRecords) -> np.ndarray:
    """(persons, 3): who is present, and the codes."""
    return np.stack([of.codes.present, *of.codes.columns], axis=1).astype(int)


@pytest.mark.parametrize("own", [HELD_HERE, TWICE], ids=["one row each", "one with two"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_line_more_changes_one_record(own: list[str], line: str, tmp_path: Path) -> None:
    less = read(own, tmp_path / "less.csv")
    for place in (0, 4, len(own)):
        more = read([*own[:place], line, *own[place:]], tmp_path / "more.csv")
        changed = np.flatnonzero((records(more) != records(less)).any(axis=1))
        assert len(changed) <= 1
        assert len(changed) == 0 or records(more)[changed[0], 0] + records(less)[changed[0], 0] == 1  # it comes or goes
        assert abs(more.outside - less.outside) <= 1


def common(lines: list[str], path: Path) -> tuple[np.ndarray, int]:
    """Of each person whom both others have, whether the record is common and present, and its codes; who is outside.

    Positions are drawn anew for a run, so records are told apart by their persons.
    """
    path.write_text("\n".join(("who,a,b", *lines, "")))
    rows = Rows.open(path)
    own = own_keys(rows, SCHEMA, UNLISTED, Silent()).persons
    there = own.places(PERSONS.keys)
    aligned = party_records(rows, SCHEMA, UNLISTED, 0, own, Silent()).at(there)
    return records(aligned), aligned.outside


@pytest.mark.parametrize("own", [HELD_HERE, TWICE], ids=["one row each", "one with two"])
@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_a_line_more_changes_one_record_of_the_common_persons(own: list[str], line: str, tmp_path: Path) -> None:
    """Also where it makes somebody common, which the parties see, and whoever gets the model does not."""
    less, outside = common(own, tmp_path / "less.csv")
    for place in (0, 4, len(own)):
        more, beyond = common([*own[:place], line, *own[place:]], tmp_path / "more.csv")
        changed = np.flatnonzero((more != less).any(axis=1))
        assert len(changed) <= 1
        assert len(changed) == 0 or more[changed[0], 0] + less[changed[0], 0] == 1
        assert abs(beyond - outside) <= 1


def test_a_person_with_all_of_their_lines_is_one_record(tmp_path: Path) -> None:
    less = read(HELD_HERE, tmp_path / "less.csv")
    for lines in (["p1,1,x"], ["p1,1,x", "p1,2,y"], ["p1,1,unknown"] * 3):
        more = read([*HELD_HERE, *lines], tmp_path / "more.csv")
        assert (records(more) != records(less)).any(axis=1).sum() <= 1
        assert more.outside - less.outside == (lines[0] != "p1,1,x" or len(lines) > 1)
