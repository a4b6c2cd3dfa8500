"""One reading of real, holdout and synthetic rows: under a schema, a draft, or a model's codec."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.encoding.codec import Codec
from sfumato.errors import RefusedValue, TableError
from sfumato.evaluation.data import EvaluationData
from sfumato.evaluation.refused_rows import RefusedRows

SCHEMA = sf.Schema.parse("""\
sfumato: schema/1
columns:
  key: {kind: identifier, source: public}
  age: {kind: integer, bounds: [0, 9], source: public}
  job: {kind: category, categories: [a, b], source: public}
""")


def rows(job: str = "b", n: int = 40) -> pa.Table:
    return pa.table({"key": range(n), "age": [i % 10 for i in range(n)], "job": ["a", job] * (n // 2)})


def test_rows_of_another_generator_are_read_though_they_break_the_schema():
    data = EvaluationData.of_schema(SCHEMA, rows(), rows(), rows("c"))
    job = data.domain.axes[data.codec.position("job")]
    assert (data.synthetic[:, data.codec.position("job")] == job.missing).sum() == 20
    assert (data.real[:, data.codec.position("job")] == job.missing).sum() == 0
    assert data.violations().rows.synthetic == 0.5


def test_all_three_tables_have_one_code_for_one_value():
    data = EvaluationData.of_schema(SCHEMA, rows(), rows(), rows("c"))
    strict = EvaluationData.of_schema(SCHEMA, rows(), rows(), rows())
    assert np.array_equal(data.real, data.holdout)
    assert np.array_equal(strict.real, strict.synthetic)
    assert strict.domain != data.domain


@pytest.mark.parametrize("made", ["b", "c"])
@pytest.mark.parametrize(("broken", "left_out"), [(0, RefusedRows(20, 0)), (1, RefusedRows(0, 20))])
def test_real_and_holdout_rows_that_the_schema_refuses_are_left_out_as_a_fit_leaves_them_out(broken, left_out, made):
    tables = [rows(), rows(), rows(made)]
    tables[broken] = rows("c")
    data = EvaluationData.of_schema(SCHEMA, *tables)
    assert data.left_out == left_out
    assert (len(data.real), len(data.holdout)) == (40 - left_out.real, 40 - left_out.holdout)
    kept = (data.real, data.holdout)[broken]
    assert set(kept[:, data.codec.position("job")]) == {0}  # the label "a" alone
    assert data.violations().rows.holdout == (0.5 if left_out.holdout else 0)


@pytest.mark.parametrize("broken", [0, 1])
def test_a_table_whose_rows_are_all_refused_is_named(broken):
    tables = [rows(), rows(), rows()]
    tables[broken] = rows().set_column(2, "job", pa.array(["z"] * 40))
    with pytest.raises(TableError, match=f"each row of the {('real', 'holdout')[broken]} table"):
        EvaluationData.of_schema(SCHEMA, *tables)


def test_by_a_model_rows_that_it_refuses_are_left_out_but_synthetic_ones_must_be_its_own():
    codec = Codec.from_schema(SCHEMA)
    data = EvaluationData.of_model(codec, rows("c"), rows(), rows())
    assert data.left_out == RefusedRows(20, 0)
    assert len(data.real) == 20
    with pytest.raises(RefusedValue):
        EvaluationData.of_model(codec, rows(), rows(), rows("c"))


def test_open_facts_are_settled_exactly_off_the_real_rows():
    schema = sf.Schema.parse("""\
sfumato: schema/1
columns:
  age: {kind: integer, source: {bounds: measured, rest: public}}
  job: {kind: category, outside: other, source: {categories: measured, rest: public}}
""")
    table = rows().drop_columns(["key"])
    data = EvaluationData.of_schema(schema, table, table, table)
    assert data.schema.column("job").categories == ("a", "b")
    low, high = data.schema.column("age").bounds
    assert low <= 0
    assert high >= 9


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_table_that_lacks_a_learnt_column_is_named(lacking):
    tables = [rows(), rows(), rows()]
    tables[lacking] = rows().drop_columns(["age"])
    with pytest.raises(TableError, match="lacks the column 'age'"):
        EvaluationData.of_schema(SCHEMA, *tables)


def test_an_identifier_may_be_lacking_and_further_columns_are_left_aside():
    other = rows().drop_columns(["key"]).append_column("more", pa.array(["x"] * 40))
    data = EvaluationData.of_schema(SCHEMA, rows(), other, other)
    assert data.domain.names == ("age", "job")


def test_without_a_schema_the_shared_columns_are_compared():
    other = rows("c").append_column("more", pa.array(["x"] * 40))
    data = EvaluationData.drafted(rows(), rows(), other)
    assert set(data.domain.names) <= {"key", "age", "job"}
    assert len(data.real) == len(data.synthetic) == 40
    with pytest.raises(TableError, match="share no column"):
        EvaluationData.drafted(rows(), rows(), pa.table({"else": [1, 2]}))


def test_codes_drawn_from_a_model_are_taken_as_they_are():
    codec = Codec.from_schema(SCHEMA)
    codes = codec.encode(rows())
    data = EvaluationData.of_model(codec, rows(), rows(), codes)
    assert data.tables.synthetic is None
    assert data.synthetic is codes
    assert data.violations().rows.synthetic == 0
