"""The schema's block ``file``: declared, drafted with a source, and obeyed by all that reads and writes."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import sfumato as sf
from sfumato.cli.main import app
from sfumato.errors import SchemaError, TableError
from sfumato.tables import Rows

WESTERN = "Name;Größe\nJosé;1.234,5\nZoë;7,25\n"
SCHEMA = """sfumato: schema/1
unit: row
file: {charset: cp1252, delimiter: ";", source: public}
columns:
  Name: {kind: category, categories: [José, Zoë], source: public}
  Größe: {kind: real, bounds: [0, 2000], step: 0.25, decimal: ",", thousands: ".", source: public}
"""


def cells(path: Path, schema: sf.Schema) -> dict[str, list[str]]:
    return pa.Table.from_batches(Rows.open(path, schema.dialect).batches()).to_pydict()


def test_what_is_not_said_is_the_default() -> None:
    schema = sf.Schema.parse("sfumato: schema/1\ncolumns:\n  a: {kind: text}\n")
    assert (schema.dialect.codec, schema.dialect.delimiter, schema.dialect.quote) == ("utf-8", ",", '"')
    assert schema.dialect.header
    assert schema.file is None


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("{charset: klingon}", "file: charset 'klingon' is not read"),
        ('{delimiter: ""}', "file: delimiter is one character"),
        ("{separator: x}", "file.separator: no such key"),
        ("{header: maybe}", "file.header"),
    ],
)
def test_a_block_that_says_nothing_readable_is_refused_by_its_line(block: str, said: str) -> None:
    with pytest.raises(SchemaError, match=r"schema.yaml:2:\d+: ") as caught:
        sf.Schema.parse(f"sfumato: schema/1\nfile: {block}\ncolumns:\n  a: {{kind: text}}\n")
    assert said in str(caught.value)


def test_a_draft_says_how_the_file_is_written_and_calls_it_unreviewed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(WESTERN.encode("cp1252"))
    draft = sf.sketch(path)
    said = r'file: {charset: %s, delimiter: "%s", quote: "\"", header: true, source: unreviewed}'
    assert said % ("cp1252", ";") in draft.dump()
    assert any("file" in fact for fact in draft.unreviewed())
    assert sf.Schema.parse(draft.dump()) == draft
    assert cells(path, draft) == {"Name": ["José", "Zoë"], "Größe": ["1.234,5", "7,25"]}
    path.write_bytes(b"a,b\n1,2\n")
    assert said % ("utf-8", ",") in sf.sketch(path).dump()
    assert sf.sketch(pa.table({"a": [1]})).file is None
    path.write_bytes(b"a\tb\n1\t2\n")
    assert said % ("utf-8", r"\t") in sf.sketch(path).dump()


def test_what_is_said_to_sketch_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("1:'x:y'\n2:é\n".encode("latin-1"))
    draft = sf.sketch(path, charset="latin-1", delimiter=":", quote="'", header=False)
    assert draft.names == ("column_1", "column_2")
    assert cells(path, draft) == {"column_1": ["1", "2"], "column_2": ["x:y", "é"]}
    for wrong in ({"charset": "utf-9"}, {"delimiter": "ab"}):
        with pytest.raises(TableError):
            sf.sketch(path, **wrong)  # type: ignore[arg-type]
    with pytest.raises(TableError, match="delimiter can be said of delimited text alone"):
        sf.sketch(pa.table({"a": [1]}), delimiter=";")


def test_the_command_has_the_same_names(tmp_path: Path) -> None:
    path, out = tmp_path / "t.txt", tmp_path / "s.yaml"
    path.write_bytes("1\t'x\ty'\n2\té\n".encode("latin-1"))
    options = ["--charset", "latin-1", "--delimiter", "\\t", "--quote", "'", "--no-header"]
    done = CliRunner().invoke(app, ["sketch", str(path), "-o", str(out), *options])
    assert done.exit_code == 0, done.output
    assert cells(path, sf.Schema.load(out))["column_2"] == ["x\ty", "é"]


def test_rows_go_in_and_come_out_in_the_declared_form(tmp_path: Path) -> None:
    schema = sf.Schema.parse(SCHEMA)
    assert sf.Schema.parse(schema.dump()) == schema
    real, made = tmp_path / "real.csv", tmp_path / "made.csv"
    real.write_bytes((WESTERN + "José;1.000\nZoë;12,50\n" * 200).encode("cp1252"))
    guarantee = sf.Guarantee(epsilon=20, delta=1e-6)
    with sf.Ledger.open(None) as ledger:
        fitted = sf.Synthesizer(schema, model="independent", guarantee=guarantee, ledger=ledger).fit(real)
    fitted.sample_to(made, 400, seed=0)
    assert made.read_bytes().decode("cp1252").startswith("Name;Größe\n")
    sizes = cells(made, schema)["Größe"]
    assert any("." in size for size in sizes)
    assert any("," in size for size in sizes)
    assert all("." not in size.partition(",")[2] for size in sizes)
    assert set(cells(made, schema)["Name"]) <= {"José", "Zoë"}
    for text in ("1.000..1.500", "1000..", 1000.0):
        given = fitted.sample(5, given={"Größe": text}, seed=0).to_pandas()["Größe"]
        assert all(size.startswith("1.") for size in given)
    found = sf.evaluate(real, real, made, schema, quick=True)
    assert found.violations


def test_the_default_dialect_reads_another_file_wrongly_but_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(WESTERN.encode("cp1252"))
    schema = sf.Schema.parse(SCHEMA.replace('file: {charset: cp1252, delimiter: ";", source: public}\n', ""))
    with pytest.raises(TableError, match=r'write in the schema: file: \{delimiter: ";"\}'):
        Rows.open(path, schema.dialect)
