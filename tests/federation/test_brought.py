"""A plan is run over one set of persons: between two tries of it nobody comes or goes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from tests.trust.mpc.test_aligning_party import plan_of

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.federation.own_rows import OwnRows
from sfumato.federation.site_folder import SiteFolder
from sfumato.progress import Silent
from sfumato.trust.mpc.persons import Persons


@pytest.fixture
def folder(tmp_path: Path) -> SiteFolder:
    sf.Site.make(tmp_path / "north", "north")
    return SiteFolder(tmp_path / "north")


def brought(who: list[str]) -> str:
    table = pa.table({"who": who, "a": [1] * len(who), "b": ["x"] * len(who)})
    found = OwnRows.of(plan_of(10), 0, table, None, None, Silent()).brought
    assert found is not None
    return found


def test_a_plan_that_goes_on_takes_the_persons_that_it_began_with(folder: SiteFolder) -> None:
    folder.keep_persons("plan", brought(["anna", "bert"]))
    folder.keep_persons("plan", brought(["bert", " anna", "bert"]))  # the same two, in other rows
    with pytest.raises(FederationError, match="other persons than when this plan was first run"):
        folder.keep_persons("plan", brought(["anna", "carl"]))
    folder.keep_persons("another plan", brought(["anna", "carl"]))


def test_what_is_kept_of_them_can_be_told_by_nobody_who_lacks_the_key(folder: SiteFolder) -> None:
    folder.keep_persons("plan", brought(["anna"]))
    stored = (folder.path / "persons.json").read_text()
    assert brought(["anna"]) == Persons.of(["anna"]).digest
    assert brought(["anna"]) not in stored
    assert "anna" not in stored
