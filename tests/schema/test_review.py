"""A review settles every open fact of a draft by name, or nothing at all."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from sfumato.errors import SchemaError
from sfumato.schema import Schema
from sfumato.schema.sketch import sketch

N = 2000
DRAFT = sketch(
    pa.table(
        {
            "sex": ["F", "M"] * (N // 2),
            "income": ["NA" if i % 7 == 0 else str(1000 + i % 500) for i in range(N)],
            "day": [f"2020-01-{1 + i % 28:02}" for i in range(N)],
            "note": [f"so said patient {i}" for i in range(N)],
            "grade": [str(i % 20) for i in range(N)],
            "level": [f"L{i % 20}" for i in range(N)],
        }
    )
)
PAIR = "fixed_combinations on grade, level"
WHO = {"by": "A. Jansen", "on": "2026-01-02"}
COLUMNS: dict[str, Any] = {
    "sex": {"public": "form F2"},
    "income": {
        "bounds": {"replace": [0, 9000], "reason": "top code"},
        "nullable": "measure",
        "rest": {"public": "form F2"},
    },
    "day": {"bounds": "measure", "rest": {"public": "form F2"}},
    "note": {"drop": "free text"},
    "grade": {"public": "school law"},
    "level": {"public": "school law"},
}
ANSWERS = {**WHO, "columns": COLUMNS, "constraints": {PAIR: {"public": "school law"}}}
BLANK = (
    " ",
    "\u200b",
    "\ufeff",
    "\u00ad\u2060",
    "\u2800",
    "\u3164",
    "\u115f",
    "\ue000",
    "\t\u00a0\u2028",
    "\u202e",
    "\u0301",
)
"""What shows nothing, or nothing by itself."""


def test_all_answers_settle_all_facts() -> None:
    schema = DRAFT.review(ANSWERS)
    assert schema.open_facts() == []
    income: Any = schema.column("income")
    assert (income.bounds, income.standing("bounds"), income.standing("nullable")) == (
        (0, 9000),
        "reviewed",
        "measured",
    )
    assert [r.reason for r in map(income.review_of, ("bounds", "nulls")) if r] == ["top code", "form F2"]
    assert income.review_of("nullable") is None
    assert schema.column("day").measured
    assert schema.column("note").kind == "text"
    assert schema.column("note").description is None
    (said,) = schema.column("sex").reviews
    assert (said.by, said.on, said.reason, said.facts) == ("A. Jansen", dt.date(2026, 1, 2), "form F2", ())
    assert schema.constraints[0].standing == "reviewed"
    assert Schema.parse(schema.dump()) == schema


def test_a_draft_is_settled_by_one_line_a_column() -> None:
    line = "reviewed: {by: A. Jansen, on: 2026-01-02, reason: code book}"
    schema = Schema.parse(DRAFT.dump().replace("source: unreviewed", line))
    assert schema.open_facts() == []
    assert {f.standing for f in schema.facts()} == {"reviewed"}


@pytest.mark.parametrize("gone", [*COLUMNS, PAIR])
def test_a_missing_answer_is_named(gone: str) -> None:
    less = {**ANSWERS, "columns": {n: a for n, a in COLUMNS.items() if n != gone}}
    less["constraints"] = {n: a for n, a in ANSWERS["constraints"].items() if n != gone}
    with pytest.raises(SchemaError, match=f"{gone}: no answer for"):
        DRAFT.review(less)


def test_all_that_does_not_fit_is_told_at_once() -> None:
    wrong = {
        **COLUMNS,
        "sexe": COLUMNS["sex"],
        "income": {"bounds": {"replace": [9, 0], "reason": "x"}, "rest": {"public": "x"}},
        "day": {"step": {"public": "x"}, "rest": {"public": "x"}},
        "grade": {"kind": "measure", "rest": {"public": "x"}},
    }
    del wrong["sex"]
    with pytest.raises(SchemaError) as caught:
        DRAFT.review({**ANSWERS, "columns": wrong, "constraints": {}, "rows": {"public": "x"}})
    message = str(caught.value)
    assert "\n" not in message
    for part in (
        "sexe: the schema has no such line",
        "sex: no answer for kind",
        "income: bounds are the wrong way round",
        "day: no fact 'step'",
        "grade: kind is declared, not measured",
        "rows: the schema has no such line",
        f"{PAIR}: no answer",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        *(({"by": blank}, "by: is empty") for blank in BLANK),
        ({"columns": {"sex": {"public": "\u200b"}}}, "no answer for sex; write"),
        ({"on": "9999-01-01"}, "on: 9999-01-01 lies in the future"),
        ({"on": "2026-02-30"}, "on: "),
        ({"on": "0"}, "on: is no date"),
        ({"on": ""}, "on: is no date"),
        ({"hurry": "yes"}, "no such key: hurry"),
        ({"public": "all of it"}, "no such key: public"),
        ({"columns": {"sex": "public"}}, "no answer for sex; write"),
        ({"columns": {"sex": {"public": ""}}}, "no answer for sex; write"),
        ({"columns": {"sex": {"rest": {"replace": ["x"]}}}}, "no answer for sex: rest; write"),
        ({"columns": {"sex": {"rest": {"replace": ["x"], "reason": "x"}}}}, "rest cannot be replaced"),
        ({"columns": {"sex": {"source": {"replace": "public", "reason": "x"}}}}, "source cannot be replaced"),
        ({"columns": {"sex": {"name": {"replace": "y", "reason": "x"}}}}, "name cannot be replaced"),
        ({"columns": "public"}, "columns: "),
        ({"constraints": {PAIR: {"replace": {}, "reason": "x"}}}, f"no answer for {PAIR}"),
    ],
)
def test_there_is_no_yes_to_all_and_no_answer_without_a_reason(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        DRAFT.review({**ANSWERS, **change})


def test_what_is_settled_is_not_answered_again() -> None:
    schema = DRAFT.review(ANSWERS)
    with pytest.raises(SchemaError, match="sex: kind is settled already"):
        schema.review({**WHO, "columns": {"sex": {"kind": {"public": "x"}}}})


def test_a_kind_is_replaced_with_its_facts_and_a_choice_with_them() -> None:
    label = {
        "kind": {"replace": "category", "reason": "a code"},
        "categories": {"replace": ["0", "1"], "reason": "code book"},
        "outside": {"replace": "other", "reason": "rare"},
        "rest": {"public": "code book"},
    }
    answers = {**WHO, "columns": {**COLUMNS, "grade": label}, "constraints": {PAIR: {"drop": "by chance"}}}
    schema = DRAFT.review(answers)
    grade: Any = schema.column("grade")
    assert (grade.kind, grade.categories, grade.outside) == ("category", ("0", "1"), "other")
    assert schema.constraints == ()
    assert [r.reason for r in map(grade.review_of, ("kind", "categories", "ordered")) if r] == [
        "a code",
        "code book",
        "code book",
    ]


def test_measured_categories_get_a_place_for_the_rare() -> None:
    levels = {"categories": "measure", "rest": {"public": "x"}}
    answers = {**WHO, "columns": {**COLUMNS, "level": levels}, "constraints": {PAIR: {"drop": "x"}}}
    level: Any = DRAFT.review(answers).column("level")
    assert (level.measured, level.outside) == (True, "other")


def test_the_parts_of_the_table_are_answered_too() -> None:
    text = "sfumato: schema/1\nunit: {column: p, max_rows: 3}\nrows: 70\n"
    draft = Schema.parse(text + "columns:\n  p: {kind: identifier, source: public}\n")
    assert [str(f) for f in draft.open_facts()] == ["unit", "rows"]
    settled = draft.review(
        {**WHO, "unit": {"public": "protocol"}, "rows": {"replace": {"number": 80}, "reason": "law"}}
    )
    assert settled.open_facts() == []
    assert settled.rows is not None
    assert settled.rows.number == 80
    assert {f.part: f.standing for f in settled.facts() if f.part != "column"} == dict.fromkeys(
        ("unit", "rows"), "reviewed"
    )
    with pytest.raises(SchemaError, match="rows: replace one or more of number"):
        draft.review({**WHO, "unit": {"public": "protocol"}, "rows": {"replace": 80, "reason": "law"}})


def test_the_template_names_every_line_and_is_refused_until_it_is_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(DRAFT.review_template())
    with pytest.raises(SchemaError, match="by: is empty") as caught:
        DRAFT.review(path)
    for line in (*DRAFT.names, PAIR):
        assert line in str(caught.value)
    filled = DRAFT.review_template().replace('public: ""', "public: form F2").replace('by: ""', "by: A")
    path.write_text(filled.replace('on: ""', "on: 2026-01-02"))
    assert DRAFT.review(path).open_facts() == []


def test_labels_in_answers_stay_as_written(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text(
        "by: A\non: 2026-01-02\ncolumns:\n"
        "  a: {categories: {replace: [007, 1.0, yes], reason: 2020}, rest: {public: x}}\n"
    )
    schema = Schema.parse("sfumato: schema/1\ncolumns:\n  a: {kind: category, categories: [b]}\n").review(path)
    labelled: Any = schema.column("a")
    assert labelled.categories == ("007", "1.0", "yes")
    with pytest.raises(SchemaError, match=r"gone\.yaml.*--template"):
        schema.review(tmp_path / "gone.yaml")


def test_the_size_of_an_image_is_answered_whole() -> None:
    draft = Schema.parse("sfumato: schema/1\ncolumns:\n  x: {kind: image, height: 8, width: 8}\n")

    def answered(value: Any) -> Any:
        size = {"size": {"replace": value, "reason": "the scanner"}, "kind": {"public": "the scanner"}}
        return draft.review({**WHO, "columns": {"x": size}}).column("x")

    assert answered([9, 7, 3]).shape == (9, 7, 3)
    for wrong in (8, [8, 8], "8x8", [8, 8, 2], {"height": 8}):
        with pytest.raises(SchemaError, match="x: "):
            answered(wrong)


def test_an_answer_speaks_for_one_constraint() -> None:
    """Names with commas gave two constraints one name, and one answer settled both."""
    labels = "kind: category, categories: [x, y], source: public"
    names = ("a", "b, c", "a, b", "c", 'a" b')
    columns = "".join(f"  {name!r}: {{{labels}}}\n" for name in names)
    rule = "kind: fixed_combinations, combinations: [[x, x], [y, y]], source: unreviewed"
    rules = f"constraints:\n  - {{{rule}, columns: [a, 'b, c']}}\n  - {{{rule}, columns: ['a, b', c]}}\n"
    schema = Schema.parse(f"sfumato: schema/1\ncolumns:\n{columns}{rules}")
    one, other = (fact.line for fact in schema.open_facts())
    assert one != other
    settled = schema.review({**WHO, "constraints": {one: {"public": "law"}, other: {"drop": "by chance"}}})
    assert [rule.columns for rule in settled.constraints] == [("a", "b, c")]
    with pytest.raises(SchemaError, match="no answer for"):
        schema.review({**WHO, "constraints": {one: {"public": "law"}}})


@pytest.mark.parametrize(
    ("line", "replace", "silent"),
    [
        ("file", {"delimiter": ","}, "charset, header"),
        ("file", {"delimiter": ",", "charset": "utf-8"}, "header"),
        ("unit", {"max_rows": 4}, "column"),
    ],
)
def test_a_replacement_names_all_that_the_draft_says_of_its_line(line: str, replace: Any, silent: str) -> None:
    """What it does not name was read off the rows, and would be settled by a word about something else."""
    schema = Schema.parse(
        'sfumato: schema/1\nfile: {charset: cp1252, delimiter: ";", header: false, source: unreviewed}\n'
        "unit: {column: id, max_rows: 3, source: unreviewed}\ncolumns:\n  id: {kind: identifier, source: public}\n"
    )
    whole = {
        "file": {"replace": {"charset": "utf-8", "delimiter": ",", "header": False}, "reason": "x"},
        "unit": {"replace": {"column": "id", "max_rows": 4}, "reason": "x"},
    }
    assert schema.review({**WHO, **whole}).open_facts() == []
    with pytest.raises(SchemaError, match=f"{line}: says nothing of {silent};"):
        schema.review({**WHO, **whole, line: {"replace": replace, "reason": "x"}})
