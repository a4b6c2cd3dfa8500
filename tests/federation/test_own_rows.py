"""What a dry run of a party finds in its table, where nobody else sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from tests.trust.federated.test_setting import run_of
from tests.trust.parties import Parties, people

from sfumato.errors import FederationError, TableError
from sfumato.federation.own_rows import OwnRows
from sfumato.progress import Silent
from sfumato.tables import Rows
from sfumato.trust.budget import Budget
from sfumato.trust.mpc.persons import Persons

KEYS = ["anna", "bert", "carl"]


def rows_of(who: list[str]) -> OwnRows:
    """Of the first party of a plan for three persons."""
    plan = Parties(people(len(KEYS)), Budget(run_of()), rounds=1).plan
    table = Rows.open(pa.table({"who": who, "a": [1] * len(who), "b": ["x"] * len(who)}))
    return OwnRows(plan, 0, table, Persons.of(KEYS), Silent())


def test_a_dry_run_refuses_a_person_with_several_rows_and_a_run_leaves_them_out() -> None:
    twice = rows_of(["anna", "bert", "anna"])
    with pytest.raises(TableError, match="several rows under one key"):
        twice.check()
    assert len(twice.records()) == 1
    records, notes = rows_of(["anna", "bert", " carl", "x", "y"]).check()  # more than there are on the list
    assert len(records) == 2
    assert notes[0].startswith("3 rows have a key that is not on the list")
    assert "but for spaces around it" in notes[1]


def test_another_list_or_none_or_one_too_many_is_refused(tmp_path: Path) -> None:
    plan = Parties(people(len(KEYS)), Budget(run_of()), rounds=1).plan
    table, other = pa.table({"who": KEYS, "a": [1] * 3, "b": ["x"] * 3}), tmp_path / "other.txt"
    other.write_text("anna\nbert\n")
    with pytest.raises(FederationError, match="another list of 2 persons than the 3 of the plan"):
        OwnRows.of(plan, 0, table, None, other, Silent())
    with pytest.raises(FederationError, match="parties with a list of persons: give it"):
        OwnRows.of(plan, 0, table, None, None, Silent())
    assert plan.split is not None
    found = replace(plan, split=replace(plan.split, persons=None))
    with pytest.raises(FederationError, match="with no list of persons: leave --persons out"):
        OwnRows.of(found, 0, table, None, other, Silent())
    assert OwnRows.of(found, 0, table, None, None, Silent()).persons is None
