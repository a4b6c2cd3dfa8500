"""What a split must be: each column at one party, with all that it hangs together with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.trust.parties import HELD, SCHEMA
from tests.trust.secure_sum.simulated import identities, roster_of

import sfumato as sf
from sfumato.errors import FederationError
from sfumato.schema.constraints import Inequality
from sfumato.trust.federated.plan import FederationPlan
from sfumato.trust.federated.site_facts import first_codec
from sfumato.trust.mpc.dealing import through
from sfumato.trust.mpc.split import VerticalSplit, layout
from sfumato.trust.secure_sum.roster import Roster

SPLIT = VerticalSplit("who", HELD, "a" * 64, 10)
ROSTER = roster_of(identities(3))


def plan(split: VerticalSplit = SPLIT, schema: sf.Schema = SCHEMA, roster: Roster = ROSTER) -> FederationPlan:
    return FederationPlan(schema, "aim", sf.Guarantee(1, 1e-6), roster, ("count", "marginals"), split=split)


def test_a_plan_with_a_split_is_read_as_it_was_written() -> None:
    assert FederationPlan.from_dict(plan().to_dict()) == plan()
    assert plan().digest != replace(plan(), split=replace(SPLIT, number=11)).digest


def test_a_plan_says_who_holds_what_and_whom_it_withstands() -> None:
    said = "\n".join(plan().words())
    for text in (
        "holds a, b.",
        "ANY TWO PARTIES TOGETHER",
        "the 10 of a list",
        "a" * 64,
        "Promise toward another party",
    ):
        assert text in said
    assert "has rows at several sites" not in said


def test_where_the_columns_lie() -> None:
    owners = SPLIT.owners(first_codec(SCHEMA))
    assert owners == ((0, 0), (0, 1), (1, 0), (2, 0), (2, 1))
    made = layout(owners, (7, 4, 2, 5, 6))
    assert made.sizes == ((7, 4), (2,), (5, 6))
    assert made.span(2, 1) == slice(5, 11)


def test_a_party_has_its_own_part_of_the_schema() -> None:
    assert SPLIT.schema_of(SCHEMA, 2).names == ("who", "d", "e")


ORDERED = SCHEMA.with_constraints((Inequality(low="a", high="e"),))


@pytest.mark.parametrize(
    ("split", "says"),
    [
        (replace(SPLIT, columns=(("a", "b"), ("c", "a"), ("d", "e"))), "'a' lies at two parties"),
        (replace(SPLIT, columns=(("a", "b"), ("c", "who"), ("d", "e"))), "'who' lies at two parties"),
        (replace(SPLIT, columns=(("a",), ("c",), ("d", "e"))), "'b' lies at no party"),
        (replace(SPLIT, columns=(("a", "b"), ("c", "f"), ("d", "e"))), "'f' is no column"),
        (replace(SPLIT, columns=(("a", "b", "c"), (), ("d", "e"))), "holds no column that is learnt"),
        (replace(SPLIT, columns=HELD[:2]), "columns of each of its parties"),
        (replace(SPLIT, persons="A" * 64), "hash of the persons"),
        (replace(SPLIT, number=0), "1 to"),
        (replace(SPLIT, key="a"), "describe it as 'kind: identifier'"),
    ],
    ids=["two", "key", "none", "unknown", "nothing", "parties", "hash", "number", "kind"],
)
def test_a_split_that_cannot_be_is_refused(split: VerticalSplit, says: str) -> None:
    with pytest.raises(FederationError, match=says):
        plan(split)


def changed(old: str, new: str) -> sf.Schema:
    """The schema with another text in it."""
    assert old in SCHEMA.dump()
    return sf.Schema.parse(SCHEMA.dump().replace(old, new))


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        (ORDERED, "inequality on a, e is between columns of two parties"),
        (changed("unit: row", "unit: {column: who, max_rows: 2}"), "has one row"),
        (changed("bounds: [0, 6], source: public", "source: {bounds: measured, rest: public}"), "left to be"),
    ],
    ids=["rule", "rows", "measured"],
)
def test_a_schema_that_parties_cannot_see_to_is_refused(schema: sf.Schema, says: str) -> None:
    with pytest.raises(FederationError, match=says):
        plan(schema=schema)


def test_as_many_parties_as_shares() -> None:
    with pytest.raises(FederationError, match="among 3 parties"):
        plan(roster=roster_of(identities(4)))
    with pytest.raises(FederationError, match="1 may be curious"):
        plan(roster=replace(ROSTER, curious=0))


def test_groups_of_dealt_codes() -> None:
    dealt = np.array([0, 0, 1, 3])
    assert through(np.array([1, 1, 0, 1]), dealt).tolist() == [1, 0, 0, 1]
    with pytest.raises(FederationError, match="deal anew"):
        through(np.array([1, 0, 0, 1]), dealt)
