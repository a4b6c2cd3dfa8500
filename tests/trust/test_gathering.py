"""From rows to records: encoded in one pass, each unit's contribution bounded whatever the batches."""

import numpy as np
import pyarrow as pa
import pytest

from sfumato.encoding.codec import Codec
from sfumato.errors import SchemaError
from sfumato.progress import Silent
from sfumato.schema import CategoryColumn, IdentifierColumn, IdUnit, Schema
from sfumato.tables import Rows
from sfumato.trust.gathering import ContributionBound, gather

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
