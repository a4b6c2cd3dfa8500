"""A site's own file: read strictly, held against the schema before a row is read, drafted without a look at rows."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

import sfumato as sf
from sfumato.errors import SchemaError, TableError
from sfumato.schema.site_draft import draft_mapping, proposals
from sfumato.schema.site_mapping import SiteMapping

SCHEMA = sf.Schema.parse("""\
sfumato: schema/1
unit: {column: who, max_rows: 2, source: public}
columns:
  who: {kind: identifier, source: public}
  height: {kind: integer, bounds: [50, 250], unit: cm, source: public}
  sex: {kind: category, categories: [F, M], source: public}
  ill: {kind: boolean, source: public}
  born: {kind: date, bounds: [1900-01-01, 2020-12-31], source: public}
  remark: {kind: text, source: public}
""")
GOOD = {"who": "{from: P}", "height": "{from: H}", "sex": "{from: S}", "ill": "{from: I}", "born": "{from: B}"}


def parsed(top: str = "", **lines: str | None) -> SiteMapping:
    columns = {k: v for k, v in (GOOD | lines).items() if v is not None}
    text = f"sfumato: site/1\n{top}columns:\n" + "".join(f"  {k}: {v}\n" for k, v in columns.items())
    return SiteMapping.parse(text, SCHEMA)


def test_labels_names_and_marks_stay_as_they_are_written() -> None:
    read = parsed("nulls: [-9, 007]\n", sex="{from: 2019, labels: {1: M, null: F, 1.0: F, no: M}, nulls: [1.50]}")
    assert read.columns["sex"].source == "2019"
    assert dict(read.columns["sex"].labels) == {"1": "M", "null": "F", "1.0": "F", "no": "M"}
    assert (read.marks("ill"), read.marks("sex")) == (("-9", "007"), ("1.50",))
    assert parsed("nulls: ['?']\n", sex="{from: S, labels: {'?': F}}").marks("sex") == ()


def test_a_schema_with_columns_named_like_the_keys_is_read_as_before() -> None:
    """The reader takes labels literally by where they stand."""
    facts = "{kind: integer, bounds: [0, 9], source: public}"
    lines = "".join(f"  {name}: {facts}\n" for name in ("labels", "from", "times", "plus", "nulls"))
    assert sf.Schema.parse(f"sfumato: schema/1\ncolumns:\n{lines}").column("labels").bounds == (0, 9)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"height": "{from: H, scale: 100}"},
            "4:28: column 'height': scale: no such key; .* a column has from, labels",
        ),
        ({"top": "columns_of: 3\n"}, "2:13: columns_of: no such key; the file has sfumato, file, nulls, columns"),
        ({"heigth": "{from: H2}"}, "8:3: the schema has no column 'heigth'; it has 'who', 'height'"),
        ({"born": "{from: H}"}, "7:3: 'height' and 'born' are both from 'H'; each needs a column of its own"),
        ({"who": None}, "column 'who' has no line; write: who: {from: NAME OF YOUR COLUMN}"),
        ({"born": "{from: }", "sex": ""}, "5:7: open: 'sex', 'born'; write behind 'from:' which column it is"),
        ({"sex": "{from: S, labels: {w: female}}"}, "'w' stands for 'female', which the schema lacks; it has 'F', 'M'"),
        ({"ill": "{from: I, labels: {j: ja}}"}, "'j' stands for 'ja', which the schema lacks; it has 'false', 'true'"),
        (
            {"height": "{from: H, labels: {a: 3}}"},
            "labels: are for categories and booleans, and the schema says integer",
        ),
        ({"sex": "{from: S, labels: {w: F}, nulls: [w]}"}, "column 'sex': 'w' is a label and a null mark; keep one"),
        ({"sex": "{from: S, unit: {times: 2}}"}, "unit: is for numbers, and the schema says category; leave it out"),
        ({"height": '{from: H, format: "%d"}'}, "format: is for dates and times, and the schema says integer"),
        ({"height": "{from: H, unit: {times: 0}}"}, "times 0 makes all numbers alike"),
        ({"height": "{from: H, unit: {times: 1e2}}"}, "times: is no decimal number like 100 or 0.45359237"),
        ({"height": "{from: H, unit: {plus: inf}}"}, "plus: is no decimal number"),
        ({"height": '{from: H, thousands: "."}'}, "decimal and thousands are both '.'"),
        ({"height": "H"}, "4:11: column 'height': write {from: NAME OF YOUR COLUMN}"),
        ({"top": "file: {delimiter: x}\n"}, "2:1: file: delimiter is one character of ASCII"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_said_with_its_place(change: dict[str, str], says: str) -> None:
    with pytest.raises(SchemaError, match=rf"^site\.yaml:.*{says}") as told:
        parsed(**change)
    assert "\n" not in str(told.value)


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match="begins with 'sfumato: site/1'; write that line first"):
        SiteMapping.parse("sfumato: schema/1\n", SCHEMA)
    with pytest.raises(SchemaError, match=r"none\.yaml: No such file"):
        SiteMapping.load(tmp_path / "none.yaml", SCHEMA)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return tmp_path / "site.csv"


ZEBRA = "ZEBRA-1;ZEBRA;3,80;ZEBRA\n" * 3


def test_a_draft_names_what_is_alike_and_leaves_the_rest_open(table: Path) -> None:
    table.write_bytes("Sex;Height_cm;Größe;DoB\n".encode("cp1252") + ZEBRA.encode())
    draft = draft_mapping(SCHEMA, table)
    assert "ZEBRA" not in draft
    assert "3,80" not in draft
    assert 'file: {charset: cp1252, delimiter: ";"}' in draft
    assert "  # category: F, M\n  sex: {from: Sex}\n" in draft
    assert "  # integer in cm\n  height: {from: Height_cm}\n" in draft
    assert "  who: {from: }  # ?\n" in draft
    assert "  # remark: not needed\n" in draft
    assert '# Not used: "Größe", DoB' in draft
    with pytest.raises(SchemaError, match="open: 'who', 'ill', 'born'"):
        SiteMapping.parse(draft, SCHEMA)
    filled = draft.replace("who: {from: }", "who: {from: W}").replace("ill: {from: }", "ill: {from: I}")
    assert (
        SiteMapping.parse(filled.replace("born: {from: }", "born: {from: DoB}"), SCHEMA).columns["sex"].source == "Sex"
    )


def test_a_first_line_that_is_a_row_is_not_shown(table: Path) -> None:
    table.write_text(ZEBRA.replace("3,80", "heights"))
    draft = draft_mapping(SCHEMA, table)
    assert not {"ZEBRA", "heights"} & set(draft.replace("-", " ").split())
    assert "write `file: {header: false}`" in draft


def test_a_draft_of_a_table_of_the_schema_needs_nothing(table: Path) -> None:
    frame = pa.table({name: ["ZEBRA"] for name in SCHEMA.names})
    sf.Table(frame).write(table)
    drafts = [draft_mapping(SCHEMA, source) for source in (frame, table)]
    assert drafts[0] == drafts[1]
    assert "file:" not in drafts[0].split("sfumato: site/1")[1]
    assert all(own.source == name for name, own in SiteMapping.parse(drafts[0], SCHEMA).columns.items())


def test_a_draft_says_what_cannot_be_read(table: Path) -> None:
    with pytest.raises(TableError, match="there is no such file"):
        draft_mapping(SCHEMA, table)
    table.write_text("\n")
    with pytest.raises(TableError, match="is empty"):
        draft_mapping(SCHEMA, table)


def test_two_that_are_as_near_are_left_open() -> None:
    found = proposals(["sex", "height", "date-of-birth"], ["SEX", "height_1", "height_2", "DateOfBirth"])
    assert found == {"sex": "SEX", "date-of-birth": "DateOfBirth"}
    assert proposals(["sex", "a-b", "a_b"], ["sex", "AB"]) == {"sex": "sex"}
