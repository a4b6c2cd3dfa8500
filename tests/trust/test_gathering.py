"""From rows to records: encoded in one pass, each unit's contribution bounded whatever the batches."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from sfumato.encoding.codec import Codec
from sfumato.errors import SchemaError
from sfumato.progress import Silent
from sfumato.schema import CategoryColumn, IdentifierColumn, IdUnit, Schema
from sfumato.tables import Rows
from sfumato.tables.objects import object_cells
from sfumato.trust.gathering import ContributionBound, gather, identifiers

SCHEMA = Schema(
    columns=(
        IdentifierColumn(name="person", source="public"),
        CategoryColumn(name="x", categories=("a", "b"), source="public"),
    ),
    unit=IdUnit(column="person", max_rows=2, source="public"),
)


def table(people, values):
    return pa.table({"person": people, "x": values})


def codes(rows, schema=SCHEMA):
    return gather(Rows.open(rows), Codec.from_schema(schema), Silent()).matrix()[:, 0].tolist()


def test_at_most_max_rows_of_each_unit_are_kept_the_first_ones():
    assert codes(table([1, 2, 1, 1, 2, 3], list("abbaab"))) == [0, 1, 1, 0, 1]


def test_rows_without_an_identifier_are_one_unit():
    assert codes(table([None, None, None, 7], list("bbba"))) == [1, 1, 0]


def test_no_number_is_no_identifier_whatever_the_batch():
    bound = ContributionBound(SCHEMA.unit)
    nan = [bound.keep(pa.array([float("nan"), None, 1.0])).to_pylist() for _ in range(2)]
    assert nan == [[True, True, True], [False, False, True]]


def test_a_dictionary_that_lists_an_identifier_twice_lets_no_more_through():
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, 1, None]), pa.array(["x", "x"]))
    assert ContributionBound(SCHEMA.unit).keep(twice).to_pylist() == [True, True, False, False, True]


SAME = {
    "7": [pa.array([7]), pa.array([7], pa.uint8()), pa.array([7.0]), pa.array(["7"]), pa.array([Decimal("7.00")])],
    "0": [pa.array([0]), pa.array([-0.0]), pa.array(["0"]), pa.array([Decimal("0.0")])],
    "0.5": [pa.array([0.5]), pa.array([0.5], pa.float32()), pa.array([Decimal("0.50")]), pa.array(["0.5"])],
    "9007199254740993": [pa.array([2**53 + 1]), pa.array(["9007199254740993"])],
    "true": [pa.array([True]), pa.array(["true"])],
    None: [pa.array([None], pa.string()), pa.array([float("nan")]), pa.nulls(1), pa.array(["?"]), pa.array([[1]])],
}
OWN = ["07", "7.0", "7 ", " 7", "a", "A", "é", "e\u0301", "", "nan", "NULL"]


def test_units_are_told_apart_by_their_text_however_they_are_stored() -> None:
    """Counted: cells of 7 spellings of one unit are one, those of 11 texts that only look alike are 11."""
    seen = set()
    for text, columns in SAME.items():
        for cells in [*columns, *(c.dictionary_encode() for c in columns if not pa.types.is_nested(c.type))]:
            assert identifiers(cells, ("?",)).to_pylist() == [text], cells
        objects = object_cells([c[0].as_py() for c in columns if not pa.types.is_nested(c.type)])
        assert set(identifiers(objects, ("?",)).to_pylist()) == {text}
        seen.add(text)
    own = identifiers(pa.array(OWN), ("?",)).to_pylist()
    assert own == OWN
    assert seen.isdisjoint(own)


def test_a_number_is_one_unit_whatever_its_exponent() -> None:
    """As the text of a Decimal has it, 1E+1 and 10 are two, each with ``max_rows``."""
    tens = object_cells([Decimal(t) for t in ("1E+1", "10", "10.0", "1.00E+1")] + [10, 10.0, "10"])
    assert set(identifiers(tens, ()).to_pylist()) == {"10"}
    small = object_cells([Decimal(t) for t in ("1E-7", "1.0E-7", "0.0000001")])
    assert set(identifiers(small, ()).to_pylist()) == {"0.0000001"}
    zeros = object_cells([Decimal(t) for t in ("0", "-0", "0E+9", "0.00")] + [0, -0.0])
    assert set(identifiers(zeros, ()).to_pylist()) == {"0"}


def test_a_unit_counts_its_rows_through_every_spelling() -> None:
    bound = ContributionBound(SCHEMA.unit, ("?",))
    kept = [bound.keep(c).to_pylist()[0] for c in (pa.array([7]), pa.array(["7"]), pa.array([7.0]), pa.array(["07"]))]
    assert kept == [True, True, False, True]
    assert bound.keep(pa.array(["?", None, "?"])).to_pylist() == [True, True, False]


@pytest.mark.parametrize("bound", [1, 3, 50])
def test_removing_a_unit_removes_only_its_records(bound):
    """One person with 50 rows moves the table by at most the bound, and moves no record of anybody else."""
    rng = np.random.default_rng(0)
    people = rng.permutation(np.concatenate([np.full(50, 1), np.repeat(np.arange(2, 40), 5)]))
    values = rng.choice(["a", "b"], len(people))
    schema = SCHEMA.model_copy(update={"unit": IdUnit(column="person", max_rows=bound, source="public")})
    all_codes = codes(table(people, values), schema)
    others = codes(table(people[people != 1], values[people != 1]), schema)
    assert len(all_codes) - len(others) == bound
    assert abs(sum(all_codes) - sum(others)) <= bound


@pytest.mark.parametrize("cuts", [[], [1], [3, 4, 9], list(range(1, 12))])
def test_the_bound_does_not_depend_on_how_rows_arrive(cuts):
    ids = ["x", "y", "x", "x", None, "y", "y", "z", None, None, "x", "z"]
    whole = ContributionBound(SCHEMA.unit).keep(pa.array(ids)).to_pylist()
    bound = ContributionBound(SCHEMA.unit)
    parts = [bound.keep(pa.array(part.tolist(), pa.string())) for part in np.split(np.array(ids, object), cuts)]
    assert [kept for part in parts for kept in part.to_pylist()] == whole


def test_a_bound_that_counts_anew_for_each_batch_is_noticed(monkeypatch):
    """The planted bug: forgetting earlier batches lets a unit through without end."""
    bound = ContributionBound(SCHEMA.unit)
    bound.keep(pa.array(["x", "x"]))
    assert bound.keep(pa.array(["x", "x"])).to_pylist() == [False, False]
    bound._seen.clear()
    assert bound.keep(pa.array(["x", "x"])).to_pylist() == [True, True]


def test_columns_are_checked_before_a_row_is_read():
    with pytest.raises(SchemaError, match="'x'"):
        codes(pa.table({"person": [1]}))


def test_the_first_row_of_a_table_without_header_is_not_quoted():
    with pytest.raises(SchemaError, match="none of the schema's columns") as caught:
        codes(pa.table({"Ada Lovelace": [1], "36": [2]}))
    assert "Ada" not in str(caught.value)
    assert "36" not in str(caught.value)
