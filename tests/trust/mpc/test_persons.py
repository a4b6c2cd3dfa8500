"""The list of persons, and a party's table in its order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.trust.parties import HELD, SCHEMA

from sfumato.errors import FederationError, SchemaError, TableError
from sfumato.progress import Silent
from sfumato.tables import Rows
from sfumato.trust.mpc import persons
from sfumato.trust.mpc.party_records import PartyRecords, party_records
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import VerticalSplit
from sfumato.trust.questions import Query

PERSONS = Persons.of(["7", "anna", "07", "Zoë", "bert"])
SPLIT = VerticalSplit("who", HELD, PERSONS.digest, len(PERSONS))


def records(**columns: list[object]) -> PartyRecords:
    return party_records(Rows.open(pa.table(columns)), SCHEMA, SPLIT, 0, PERSONS, Silent())


def test_the_order_and_the_hash_hang_on_no_order_of_what_is_given() -> None:
    assert PERSONS.keys.to_pylist() == ["07", "7", "Zoë", "anna", "bert"]
    assert Persons.of(reversed(PERSONS.keys.to_pylist())).digest == PERSONS.digest
    assert Persons.of(["07", "7", "Zoë", "anna", "ber", "t"]).digest != PERSONS.digest
    assert repr(PERSONS) == "<list of 5 persons>"


def test_a_file_has_a_key_on_each_line(tmp_path: Path) -> None:
    path = tmp_path / "persons.txt"
    path.write_bytes("\ufeffbert\r\n7\r\nZoë\nanna\n07\n\n".encode())
    assert Persons.load(path).digest == PERSONS.digest


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a\na\n", "each key once"),
        (b"", "1 to"),
        (b"\xff", "not UTF-8"),
        (None, "No such file"),
    ],
    ids=["twice", "empty", "bytes", "missing"],
)
def test_a_file_that_is_no_list_is_refused_with_its_name(tmp_path: Path, data: bytes | None, says: str) -> None:
    path = tmp_path / "persons.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(FederationError, match=rf"persons\.txt: .*{says}"):
        Persons.load(path)


def test_rows_stand_where_their_persons_do() -> None:
    found = records(who=["bert", "7", "nobody", None, "anna"], a=[3, 1, 5, 6, 4], b=["x", "z", "x", "x", "unknown"])
    assert found.codes.present.tolist() == [False, True, False, False, True]  # a refused cell makes no record
    assert found.codes.columns[0].tolist() == [0, 1, 0, 0, 3]
    assert found.outside == 1
    assert len(found) == 2
    assert found.table(Query((0, 1))).sum() == 2


def test_numbers_are_keys_as_they_are_written() -> None:
    found = records(who=[7, 8], a=[1, 1], b=["x", "x"])
    assert np.flatnonzero(found.codes.present).tolist() == [1]


def test_a_person_with_two_rows_is_absent_and_counted_outside() -> None:
    """None of the rows is known to be right, and an error would tell everybody that there is a second one."""
    found = records(who=["7", "anna", "7"], a=[1, 3, 2], b=["x", "x", "x"])
    assert found.codes.present.tolist() == [False, False, False, True, False]
    assert found.codes.columns[0].tolist() == [0, 0, 0, 3, 0]
    assert (found.outside, found.repeated) == (1, True)


def test_rows_of_a_person_in_two_batches_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = Rows.cells

    def one_by_one(self: Rows) -> Iterator[pa.RecordBatch]:
        for batch in cells(self):
            yield from (batch.slice(i, 1) for i in range(batch.num_rows))

    monkeypatch.setattr(Rows, "cells", one_by_one)
    found = records(who=["7", "anna", "7"], a=[1, 3, 2], b=["x", "x", "x"])
    assert found.codes.present.tolist() == [False, False, False, True, False]
    assert found.outside == 1


def test_keys_that_are_no_text_are_refused() -> None:
    for keys in ([7, 8], ["\ud800"], ["a", None]):
        with pytest.raises(FederationError, match="texts that UTF-8 can write"):
            Persons.of(keys)  # type: ignore[arg-type]


def test_two_rows_of_somebody_else_are_nobodys_matter() -> None:
    assert len(records(who=["7", "nobody", "nobody"], a=[1, 2, 2], b=["x", "x", "x"])) == 1


def test_a_table_of_nobody_on_the_list_is_refused() -> None:
    with pytest.raises(TableError, match="are both written alike"):
        records(who=["Anna"], a=[1], b=["x"])


def test_a_table_of_other_columns_is_refused() -> None:
    with pytest.raises(SchemaError, match="lacks the column 'b'"):
        records(who=["7"], a=[1])


def test_a_device_without_an_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it has no bytes at all."""
    monkeypatch.setattr(persons, "_MOST_BYTES", 1 << 16)
    with pytest.raises(FederationError, match="larger than any list of persons"):
        Persons.load("/dev/zero")
