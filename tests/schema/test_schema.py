"""A schema is read strictly, says where it is wrong, and comes back from its own text."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sfumato.errors import SchemaError
from sfumato.schema import (
    BooleanColumn,
    CategoryColumn,
    DateColumn,
    DatetimeColumn,
    FixedCombinations,
    IdentifierColumn,
    IdUnit,
    ImageColumn,
    Inequality,
    IntegerColumn,
    NonNull,
    RealColumn,
    Review,
    RowCount,
    Schema,
    TextColumn,
    TimeColumn,
    Unique,
)
from sfumato.schema.answers import Answers
from sfumato.schema.columns import LABEL_LIMIT
from sfumato.schema.reading import MOST_BYTES, MOST_VALUES

HEAD = "sfumato: schema/1\ncolumns:\n"
REVIEW = Review(by="A. Jansen", on=dt.date(2026, 1, 2), reason="code book, page 3")
OPEN = {"age", "portrait", "from", "until", "seen", "woke", "town", "level", "grade", "notes"} | {
    "fixed_combinations on level, grade",
    "inequality on from, until",
    "unique on id",
    "non_null on age",
}

TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs",)).filter(lambda c: c not in "\r\n\x85\u2028\u2029\ufeff"),
    min_size=1,
    max_size=12,
)


def everything() -> Schema:
    """A schema with every kind of column, unit and constraint."""
    return Schema(
        unit=IdUnit(column="id", max_rows=3, source="public"),
        target="income",
        rows=RowCount(number=1000, reviewed=REVIEW),
        nulls=("", "?"),
        columns=(
            IdentifierColumn(name="id", pattern="P-####", source="public"),
            IntegerColumn(
                name="age", bounds=(0, 120), unit="years", source={"nullable": "unreviewed", "rest": "public"}
            ),
            RealColumn(name="weight", bounds=(0.5, 300.0), step=0.1, nullable=True, nulls=("N",), reviewed=REVIEW),
            ImageColumn(name="portrait", height=28, width=20, channels=3, source={"kind": "public"}),
            BooleanColumn(
                name="smokes",
                labels=("no", "yes"),
                source={"kind": "public"},
                reviewed=(REVIEW, Review(by="B", on=dt.date(2026, 1, 3), reason="true", facts=("labels",))),
            ),
            DateColumn(name="from", bounds=(dt.date(2000, 1, 1), dt.date(2020, 12, 31)), format="%d/%m/%Y"),
            DateColumn(name="until", bounds=(dt.date(2000, 1, 1), dt.date(2020, 12, 31))),
            DatetimeColumn(
                name="seen", bounds=(dt.datetime(2020, 1, 1), dt.datetime(2021, 1, 1, 12)), tz="Europe/Amsterdam"
            ),
            TimeColumn(name="woke", resolution="minute"),
            CategoryColumn(
                name="town", categories=("no", "007", "1.0", "a, b", 'say "hi"', "true", "é"), outside="other"
            ),
            CategoryColumn(name="income", source={"categories": "measured", "rest": "public"}, outside="other"),
            CategoryColumn(name="level", categories=("low", "high"), ordered=True),
            IntegerColumn(name="grade", bounds=(1, 2)),
            TextColumn(name="notes", description="free text"),
        ),
        constraints=(
            FixedCombinations(columns=("level", "grade"), combinations=(("low", "1"), ("high", "2"))),
            Inequality(low="from", high="until"),
            Unique(columns=("id",)),
            NonNull(columns=("age",)),
        ),
    )


def test_every_kind_comes_back_from_its_text() -> None:
    schema = everything()
    assert Schema.parse(schema.dump()) == schema


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(TEXT, min_size=2, max_size=4, unique=True), labels=st.lists(TEXT, min_size=1, unique=True), null=TEXT
)
def test_any_names_and_labels_come_back(names: list[str], labels: list[str], null: str) -> None:
    first, *rest = names
    schema = Schema(
        target=first,
        nulls=(null,),
        columns=(
            CategoryColumn(name=first, categories=tuple(labels), other="".join(labels) + "x", outside="other"),
            *(IntegerColumn(name=n, bounds=(-3, 3), nulls=(null,), nullable=True) for n in rest),
        ),
    )
    assert Schema.parse(schema.dump()) == schema


@settings(max_examples=60, deadline=None)
@given(by=TEXT.map("A{}".format), reason=TEXT.map("{}x".format), facts=st.sets(st.sampled_from(["kind", "step"])))
def test_any_review_comes_back(by: str, reason: str, facts: set[str]) -> None:
    review = Review(by=by, on=dt.date(2026, 1, 2), reason=reason, facts=tuple(sorted(facts)))
    statement = Review(by=by, on=dt.date(2026, 1, 2), reason=reason)
    for said in (review, (review, statement)):
        schema = Schema(
            rows=RowCount(number=3, reviewed=statement),
            columns=(IntegerColumn(name="on", bounds=(0, 1), reviewed=said),),
        )
        assert Schema.parse(schema.dump()) == schema


def test_null_markers_that_no_column_takes_have_no_source() -> None:
    text = HEAD + "  a: {kind: boolean, nulls: [x], source: public}\n"
    assert Schema.parse(text).unreviewed() == []
    assert Schema.parse("nulls: [y]\n" + text).unreviewed() == ["nulls"]
    taken = "nulls: [y]\n" + text + "  b: {kind: boolean, source: {nulls: unreviewed, rest: public}}\n"
    assert Schema.parse(taken).unreviewed() == ["b: nulls"]


def test_an_ordinary_yaml_reader_can_read_the_text() -> None:
    plain = yaml.safe_load(everything().dump())
    assert plain["columns"]["weight"]["bounds"] == [0.5, 300.0]
    assert plain["columns"]["town"]["categories"][3:5] == ["a, b", 'say "hi"']


def test_a_file_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(everything().dump(), encoding="utf-8")
    assert Schema.load(path) == everything()
    with pytest.raises(SchemaError, match=r"gone\.yaml.*sfumato sketch"):
        Schema.load(tmp_path / "gone.yaml")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SchemaError, match=r"my\.yaml: not UTF-8"):
        Schema.load(path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("sfumato: [", "2:1|1:11"),
        ("columns: {a: {kind: text}}", "write that line first"),
        ("sfumato: schema/9\ncolumns: {a: {kind: text}}", "1:10.*this version reads"),
        (HEAD + "  age: 7", "3:8.*write its facts like"),
        (HEAD + "  age: {bounds: [0, 9]}", "3:3: column 'age': kind is missing"),
        (HEAD + "  age: {kind: intger}", "3:3: column 'age': no such kind"),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], bound: 3}", "3:47: column 'age': bound: no such key"),
        (HEAD + "  age: {kind: integer, bounds: [9, 0]}", "wrong way round"),
        (HEAD + "  age: {kind: integer, bounds: [0, old]}", "3:36: column 'age': bounds: .*integer"),
        (
            HEAD + "  age: {kind: integer}",
            "bounds are missing; declare them, or say 'source: {bounds: measured, rest: ",
        ),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], source: measured}", "declared and said to be measured"),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], source: known}", "source"),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], source: {labels: public}}", "no fact 'labels'"),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], source: {step: measured}}", "step is declared, not measured"),
        (HEAD + "  a: {kind: text, reviewed: {by: A, on: 2026-01-02, reason: ' '}}", "reviewed.*reason: is empty"),
        (HEAD + "  a: {kind: text, reviewed: {by: '', on: 2026-01-02, reason: x}}", "by: is empty"),
        (HEAD + "  a: {kind: text, reviewed: {by: A, on: 2026-02-30, reason: x}}", "on: .*date"),
        (HEAD + "  a: {kind: text, reviewed: {by: A, on: 9999-01-01, reason: x}}", "on: 9999-01-01 lies in the future"),
        (HEAD + "  a: {kind: text, reviewed: {by: A, on: 2026-01-02}}", "reason: .*required"),
        (
            HEAD + "  a: {kind: text, reviewed: [{by: A, on: 2026-01-02, reason: x, facts: [bounds]}]}",
            "no fact 'bounds'",
        ),
        ("file: {source: measured}\n" + HEAD + "  a: {kind: text}", "file.source: this is declared, not measured"),
        (
            "unit: {column: a, max_rows: 2, reviewed: {by: A, on: 2026-01-02, reason: x, facts: [unit]}}\n"
            + HEAD
            + "  a: {kind: text}",
            "one fact; leave out 'facts'",
        ),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], outside: missing}", "needs 'nullable: true'"),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], step: 2}", "multiples of the step"),
        (HEAD + "  age: {kind: real, bounds: [0, 1e400]}", "finite"),
        (HEAD + "  age: {kind: integer, bounds: [0, 9], type: int33}", "'int33' is no column type"),
        (HEAD + "  a: {kind: category, categories: [x, y, x]}", "'x' is listed twice"),
        (HEAD + "  a: {kind: category, categories: []}", "at least 1"),
        (HEAD + "  a: {kind: category, categories: [N, Y], nulls: [N]}", "category and a null marker"),
        (HEAD + "  a: {kind: category, source: measured}", "say 'outside: other'"),
        (HEAD + "  a: {kind: category, categories: [OTHER], outside: other}", "name it otherwise"),
        (HEAD + "  t: {kind: datetime, bounds: [2020-01-01, 2021-01-01], tz: Mars/Base}", "no time zone"),
        (HEAD + "  t: {kind: datetime, bounds: [2020-01-01T00:00Z, 2021-01-01T00:00Z]}", "without an offset"),
        (HEAD + "  i: {kind: identifier, pattern: ABC}", "'#'"),
        (HEAD + "  a: {kind: text}\n  a: {kind: text}", "4:3: 'a' is given twice"),
        ("target: b\n" + HEAD + "  a: {kind: integer, bounds: [0, 1]}", "target names the column 'b'"),
        ("target: a\n" + HEAD + "  a: {kind: text}", "not learnt"),
        ("unit: {column: p, max_rows: 2}\n" + HEAD + "  a: {kind: text}", "unit names the column 'p'"),
        ("unit: {column: a, max_rows: 0}\n" + HEAD + "  a: {kind: text}", "unit.max_rows"),
        (HEAD + "  a: {kind: text}\nconstraints: [{kind: unique, columns: [a]}]", "needs a column of kind identifier"),
        (
            HEAD
            + "  a: {kind: integer, bounds: [0, 1], nullable: true}\nconstraints: [{kind: non_null, columns: [a]}]",
            "keep one of the two",
        ),
        (
            HEAD
            + "  a: {kind: integer, bounds: [0, 1]}\n  b: {kind: time}\n"
            + "constraints: [{kind: inequality, low: a, high: b}]",
            "cannot compare integer with time",
        ),
        (
            HEAD
            + "  a: {kind: integer, bounds: [0, 1]}\n  b: {kind: integer, bounds: [0, 1]}\n"
            + "constraints: [{kind: fixed_combinations, columns: [a, b], combinations: [[1]]}]",
            "1 values for 2 columns",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_mend(text: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says) as caught:
        Schema.parse(text, "my.yaml")
    assert str(caught.value).startswith("my.yaml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x [1]\nb: *x",
        "!!python/object/apply:os.system [ls]",
        "sfumato: !!python/name:os.system schema/1",
        "[" * 5000,
        "a: " + "{a: " * 40,
        "? [a]\n: b",
        "a: 1\n---\nb: 2",
        "\x00",
        HEAD + "  a: {kind: integer, bounds: [0, " + "9" * 5000 + "]}",
    ],
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(SchemaError):
        Schema.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "{kind: integer, bounds: [0, 9], nullable: !!bool yes}",
        "{kind: integer, bounds: [0, !!int abc]}",
        "{kind: real, bounds: [0, !!float abc]}",
        "{kind: integer, bounds: [0, ! 9]}",
        "{kind: category, categories: [!!str 1, 2]}",
        "!!map {kind: integer, bounds: [0, 9]}",
        "{kind: integer, bounds: [0, 9], source: &s public}",
        "&c {kind: integer, bounds: [0, 9]}",
    ],
)
def test_a_value_is_what_its_own_text_says(text: str) -> None:
    """`!!bool yes` was read as false, `!!int abc` was a bare ValueError, an anchor let one line speak for others."""
    with pytest.raises(SchemaError, match=r"my.yaml:3:\d+: tags, anchors and directives have no place"):
        Schema.parse(f"sfumato: schema/1\ncolumns:\n  a: {text}\n", "my.yaml")


def test_marks_of_tags_and_anchors_in_text_are_text() -> None:
    schema = Schema.parse(
        "sfumato: schema/1\ncolumns:\n  a: {kind: category, categories: [a&b, '*', '!x', 5%], source: public}\n"
    )
    assert schema.columns[0].value_of("categories") == ["a&b", "*", "!x", "5%"]


def test_facts_that_nobody_declared_are_listed() -> None:
    schema = everything()
    assert {phrase.partition(":")[0] for phrase in schema.unreviewed()} == OPEN
    assert "age: nullable" in schema.unreviewed()
    assert "portrait: size" in schema.unreviewed()
    assert schema.measured() == ("income",)


def test_a_target_can_be_declared_later() -> None:
    schema = everything()
    assert schema.with_target("age").target == "age"
    with pytest.raises(SchemaError, match="'ages'"):
        schema.with_target("ages")


def test_labels_are_read_as_written() -> None:
    schema = Schema.parse(HEAD + "  a: {kind: category, categories: [no, 007, 1.0, true, 2020-01-01, ~]}")
    column = schema.columns[0]
    assert isinstance(column, CategoryColumn)
    assert column.categories == ("no", "007", "1.0", "true", "2020-01-01", "~")


def test_a_column_may_bear_the_name_of_a_key() -> None:
    text = HEAD + "  nulls: {kind: integer, bounds: [0, 1]}\n  name: {kind: integer, bounds: [0, 1]}"
    assert Schema.parse(text).names == ("nulls", "name")


def test_many_columns_and_categories() -> None:
    labels = tuple(f"label {i}" for i in range(5000))
    columns = (CategoryColumn(name="big", categories=labels), *(BooleanColumn(name=f"c{i}") for i in range(299)))
    schema = Schema(columns=columns)
    assert Schema.parse(schema.dump()) == schema


def test_the_format_has_a_json_schema() -> None:
    described = Schema.json_schema()
    assert described["required"] == ["sfumato", "columns"]
    kinds = described["properties"]["columns"]["additionalProperties"]["discriminator"]["mapping"]
    assert set(kinds) == {c.kind for c in everything().columns}
    integer = described["$defs"]["IntegerColumn"]
    assert "name" not in integer["properties"]
    assert "kind" in integer["required"]
    assert integer["additionalProperties"] is False
    assert json.loads(json.dumps(described)) == described


def test_a_combination_with_a_missing_value_is_read_as_written() -> None:
    text = HEAD + "  a: {kind: category, categories: [x, y], nullable: true}\n"
    text += "  b: {kind: category, categories: [p, 'null'], nullable: true}\n"
    text += "constraints:\n  - {kind: fixed_combinations, columns: [a, b], combinations: [[x, null], [y, 'null']]}"
    schema = Schema.parse(text)
    assert schema.constraints[0].combinations == (("x", None), ("y", "null"))
    assert Schema.parse(schema.dump()) == schema


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 50_000, "nested more than 12 deep"),
        ("{a: " * 50_000, "nested more than 12 deep"),
        ("- " * 50_000, "nested more than 12 deep"),
        ("? " * 50_000, "a key must be plain text"),
        ("a: &x [1]\nb: [*x, *x]", "tags, anchors and directives"),
        ("a: 1\n---\nb: 1", "second document"),
        ("a: [" + "1," * (MOST_VALUES + 1) + "]", "more than 1,048,576 values"),
        ("#" + " " * MOST_BYTES, "larger than 32 MiB"),
    ],
    ids=["lists", "mappings", "dashes", "keys", "aliases", "documents", "values", "bytes"],
)
def test_hostile_yaml_is_refused_before_it_is_made_into_values(text: str, says: str) -> None:
    with pytest.raises(SchemaError, match=says):
        Schema.parse(text)


def test_a_device_that_never_ends_is_no_schema() -> None:
    for read in (Schema.load, Answers.read):
        with pytest.raises(SchemaError, match="/dev/zero: larger than 32 MiB"):
            read("/dev/zero")


def test_a_repeated_label_is_found_in_one_pass() -> None:
    labels = [str(i) for i in range(LABEL_LIMIT - 1)]
    with pytest.raises(ValueError, match="category '65534' is listed twice"):
        CategoryColumn(name="a", categories=(*labels, labels[-1]))
