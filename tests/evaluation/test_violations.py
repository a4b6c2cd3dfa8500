"""Rows that break the schema are counted rule by rule, in typed tables and in text."""

from __future__ import annotations

import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.evaluation.violations import Rule, Shares, broken, violations
from sfumato.schema import Schema

SCHEMA = Schema.parse("""\
sfumato: schema/1
nulls: ["", "?"]
columns:
  key: {kind: identifier, source: public}
  low: {kind: integer, bounds: [0, 9], source: public}
  high: {kind: integer, bounds: [0, 9], nullable: true, source: public}
  job: {kind: category, categories: [a, b], source: public}
  pay: {kind: category, categories: [x, y], outside: other, source: public}
constraints:
  - {kind: inequality, low: low, high: high}
  - {kind: fixed_combinations, columns: [job, pay], combinations: [[a, x], [b, y]]}
  - {kind: unique, columns: [key]}
""")
GOOD = {"key": [1, 2], "low": [3, 4], "high": [5, None], "job": ["a", "b"], "pay": ["x", "y"]}
RULES = {
    "facts of low": ("low", [3, 10]),
    "facts of high": ("high", [5, -1]),
    "facts of job": ("job", ["a", "c"]),
    "inequality: low, high": ("high", [5, 2]),
    "fixed combinations: job, pay": ("pay", ["x", "x"]),
    "unique: key": ("key", [1, 1]),
}


def text(rows: dict) -> pa.Table:
    return pa.table({name: ["?" if v is None else str(v) for v in column] for name, column in rows.items()})


@pytest.mark.parametrize("form", [pa.table, text])
@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_its_row(form, rule):
    column, values = RULES[rule]
    masks = broken(form({**GOOD, column: values}), SCHEMA)
    assert masks[rule].tolist() == ([True, True] if rule == "unique: key" else [False, True])
    others = [name for name in masks if name != rule and column not in name]
    assert not any(masks[name].any() for name in others)


@pytest.mark.parametrize("form", [pa.table, text])
def test_good_rows_break_nothing(form):
    masks = broken(form(GOOD), SCHEMA)
    assert set(masks) == {*RULES, "facts of pay"}
    assert not any(mask.any() for mask in masks.values())


def test_a_gap_where_none_can_be():
    assert broken(pa.table({**GOOD, "low": [3, None]}), SCHEMA)["facts of low"].tolist() == [False, True]


def test_shares_stand_between_two_anchors():
    real = pa.table({"key": range(400), "low": [i % 5 for i in range(400)], "high": [i % 5 + 2 for i in range(400)]})
    real = real.append_column("job", pa.array(["a", "b"] * 200)).append_column("pay", pa.array(["x", "y"] * 200))
    bad = real.set_column(1, "low", pa.array([9] * 400))
    found = violations(real, real, bad, SCHEMA)
    assert found.rows.holdout == 0
    assert found.rows.synthetic == 1
    assert 0.4 < found.rows.independent < 0.9
    assert found.rules[0] == Rule(1, 0, pytest.approx(0.2, abs=0.1), "inequality: low, high")


def test_rows_that_the_schema_refuses_are_evaluated_all_the_same():
    real = pa.table({"low": [i % 5 for i in range(60)], "job": ["a", "b"] * 30})
    schema = Schema(columns=tuple(SCHEMA.column(n) for n in ("low", "job")))
    strange = real.set_column(1, "job", pa.array(["a", "c"] * 30))
    found = sf.evaluate(real, real, strange, schema, quick=True)
    assert found.violations.rows == Shares(0.5, 0, 0)
    assert found.measures["tvd1"].value == pytest.approx(0.25)
    assert sf.evaluate(real, strange, real, schema, quick=True).rows.holdout == 30
