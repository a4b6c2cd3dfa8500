"""A party's keys: written alike, each once, and what its people are told of them without one being shown."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.trust.parties import HELD, SCHEMA

from sfumato.errors import FederationError, TableError
from sfumato.progress import Silent
from sfumato.tables import Rows
from sfumato.trust.mpc.key_notes import key_notes, list_notes
from sfumato.trust.mpc.keys import OwnKeys, alike, own_keys
from sfumato.trust.mpc.party_records import party_records
from sfumato.trust.mpc.persons import Persons
from sfumato.trust.mpc.split import VerticalSplit

SPLIT = VerticalSplit("who", HELD, None, 10)


def keys(who: list[object]) -> OwnKeys:
    return own_keys(Rows.open(table(who)), SCHEMA, SPLIT, Silent())


def table(who: list[object]) -> pa.Table:
    return pa.table({"who": who, "a": [1] * len(who), "b": ["x"] * len(who)})


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (" anna", "anna", True),
        ("anna\u00a0\t", "anna", True),
        ("Zo\u00eb", "Zoe\u0308", True),
        ("\uff17", "7", True),
        ("anna", "Anna", False),
        ("07", "7", False),
        ("7.0", "7", False),
        ("an na", "anna", False),
    ],
    ids=["space", "other spaces", "letter and mark", "full width", "capital", "zero", "point", "inside"],
)
def test_what_nobody_sees_in_a_table_makes_no_difference(one: str, other: str, same: bool) -> None:
    assert (alike(pa.array([one])) == alike(pa.array([other]))) is same


def test_numbers_are_keys_as_they_are_written_without_a_point() -> None:
    assert keys([7.0, 8.0]).persons.keys.to_pylist() == ["7", "8"]


def test_each_key_is_brought_once_and_none_of_nobody() -> None:
    found = keys(["b", " b", "a", None, "", "  "])
    assert found.persons.keys.to_pylist() == ["a", "b"]
    assert repr(found) == "<private keys of a party>"


@pytest.mark.parametrize("marker", ["none", "none ", "  none"])
def test_a_null_marker_is_nobody_with_spaces_around_it_too(marker: str) -> None:
    """Else the rows without a key of all parties would be one person, whom all have in common."""
    schema = SCHEMA.model_copy(update={"nulls": ("none",)})
    rows = Rows.open(table(["a", marker]))
    assert own_keys(rows, schema, SPLIT, Silent()).persons.keys.to_pylist() == ["a"]
    assert len(party_records(rows, schema, SPLIT, 0, Persons.of(["a", "none"]), Silent())) == 1


def test_rows_of_one_person_under_two_spellings_are_several() -> None:
    rows = Rows.open(table(["b", " b", "a"]))
    found = party_records(rows, SCHEMA, SPLIT, 0, keys(["b", " b", "a"]).persons, Silent())
    assert found.codes.present.tolist() == [True, False]
    assert found.repeated


def test_a_table_without_a_key_is_refused() -> None:
    with pytest.raises(TableError, match="no row has a key in 'who'"):
        keys([None, " "])


def test_more_persons_than_the_plan_allows_are_refused() -> None:
    keys([str(i) for i in range(10)])
    with pytest.raises(FederationError, match="more persons than the 10 that the plan lets a party bring"):
        keys([str(i) for i in range(11)])


MANY = [f"{i:06d}-QX-{i:09d}" for i in range(40)]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([None, ""], "2 rows have no key"),
        ([" qv-1", "qv-2 "], "2 keys have spaces around them"),
        (["Zoe\u0308-qv"], "1 keys have spaces around them, or another Unicode form"),
        (["qv-1", "QV-1"], "2 keys differ from another one in nothing but capital letters"),
        (["0071", "71", "071"], "3 keys differ from another one in nothing but zeros in front"),
        (["71", "71.0"], "2 keys differ from another one in nothing but an ending .0"),
        (["q v1", "qv-1", "qv1"], "3 keys differ from another one in nothing but spaces, dots, hyphens"),
        (["0071", "12345"], "numbers with zeros in front, and of several lengths"),
        (["71.0"], "numbers that end in .0"),
    ],
    ids=["missing", "spaces", "form", "capital", "zeros", "point", "signs", "lengths", "ending"],
)
def test_what_others_may_write_otherwise_is_said_and_no_key_is_quoted(more: list[str | None], says: str) -> None:
    said = "\n".join(key_notes(pa.chunked_array([pa.array([*MANY, *more], pa.string())])))
    assert says in said
    assert not [key for key in (*MANY, *more) if key and key.strip() in said]


def test_keys_that_are_all_alike_and_long_are_only_described() -> None:
    (said,) = key_notes(pa.chunked_array([pa.array(MANY, pa.string())]))
    assert said.startswith("most keys look like 000000-AA-000000000 ")


@pytest.mark.parametrize(
    "known",
    [
        [f"19{i:02d}-01-0{i % 9 + 1}" for i in range(50)],
        [f"{i % 28 + 1:02d}.03.19{i:02d}" for i in range(50)],
        [str(100_000 + i) for i in range(50)],
        [f"ab{i}" for i in range(50)],
    ],
    ids=["date", "written date", "number", "word"],
)
def test_keys_that_can_be_guessed_are_warned_about(known: list[str]) -> None:
    assert any("CAN BE GUESSED" in note for note in key_notes(pa.chunked_array([pa.array(known, pa.string())])))


def test_a_form_that_few_keys_have_is_not_shown() -> None:
    said = "\n".join(key_notes(pa.chunked_array([pa.array([*MANY, "#!#!#"], pa.string())])))
    assert "#" not in said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ([None], ["1 rows have no key"]),
        (["qv-9"], ["1 rows have a key that is not on the list"]),
        ([" qv-1"], ["not on the list", "on the list but for spaces around it"]),
        (["QV-1"], ["not on the list", "on the list but for capital letters"]),
        (["71"], ["not on the list", "on the list but for zeros in front"]),
        (["0071.0"], ["not on the list", "on the list but for an ending .0"]),
        (["qv1"], ["not on the list", "on the list but for spaces, dots"]),
        (["qv-1", "0071"], []),
    ],
    ids=["missing", "stranger", "spaces", "capital", "zeros", "ending", "signs", "right"],
)
def test_who_is_on_a_list_but_for_how_the_key_is_written_is_counted(more: list[str | None], says: list[str]) -> None:
    notes = list_notes(pa.chunked_array([pa.array(more, pa.string())]), Persons.of(["qv-1", "0071"]))
    assert len(notes) == len(says)
    assert all(text in note for text, note in zip(says, notes, strict=True)), notes
    assert not [key for key in more if key and key.strip() in "\n".join(notes)]
