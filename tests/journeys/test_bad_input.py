"""Whatever is wrong with the input: exit code 2 and one clear line that quotes no value of the rows."""

import struct
import zipfile
from pathlib import Path

import pytest
from tests.journeys.conftest import CANARY, HEADER, SCHEMA, people, write_csv


def text_file(content):
    def write(path):
        path.write_text(content)

    return write


def table(header, rows):
    return lambda path: write_csv(path, header, rows)


def changed(column, value, row=5):
    def write(path):
        rows = people()
        rows[row][HEADER.index(column)] = value
        write_csv(path, HEADER, rows)

    return write


def without_column(path):
    write_csv(path, HEADER[:-1], [r[:-1] for r in people()])


def with_column(path):
    write_csv(path, [*HEADER, "secret"], [[*r, CANARY] for r in people()])


def ragged(path):
    lines = [",".join(map(str, r)) for r in people()]
    lines[40] += f",{CANARY}"
    path.write_text("\n".join([",".join(HEADER), *lines]) + "\n")


def wrong_delimiter(path):
    path.write_text("\n".join(":".join(map(str, r)) for r in [HEADER, *people()]) + "\n")


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda path: None, "no such file"),
        (text_file(""), "empty"),
        (text_file(",".join(HEADER) + "\n"), "no rows"),
        (wrong_delimiter, "delimiter"),
        (ragged, "line 42"),
        (without_column, "income"),
        (with_column, "secret"),
        (table(["age", "sex", "town", "wage", "age"], people()), "same name"),
    ],
    ids=["missing", "empty", "header-only", "delimiter", "ragged", "lacking", "surplus", "twice"],
)
def test_tables_that_do_not_fit(run, schema, tmp_path, write, says):
    write(tmp_path / "people.csv")
    line = run("fit", "people.csv", "--schema", schema, "-o", "model.sfm").refused(says)
    assert CANARY not in line
    assert not (tmp_path / "model.sfm").exists()


@pytest.mark.parametrize(
    ("write", "schema_change"),
    [
        (changed("age", 999), ("", "")),
        (changed("wage", "inf"), ("", "")),
        (changed("wage", "-1e400"), ("", "")),
        (changed("sex", CANARY), ("", "")),
        (changed("age", CANARY), ("", "")),
        (changed("age", 31337), ("[0, 120],", "[0, 120], outside: refuse,")),
        (table(HEADER, [["", *r[1:]] for r in people()]), ("", "")),
        (table(HEADER, [[*r[:3], "", r[4]] for r in people()]), ("", "")),
        (table(HEADER, people()[:1]), ("", "")),
    ],
    ids=[
        *("outside-clipped", "infinity", "overflow", "label-refused", "no-number-refused", "outside-refused"),
        *("all-refused", "all-null", "one-row"),
    ],
)
def test_odd_tables_that_the_schema_allows(run, tmp_path, write, schema_change):
    (tmp_path / "schema.yaml").write_text(SCHEMA.replace(*schema_change))
    write(tmp_path / "people.csv")
    fitted = run("fit", "people.csv", "--schema", "schema.yaml", "-o", "model.sfm").fine()
    assert CANARY not in fitted.out + fitted.err
    run("verify", "model.sfm").fine()
    run("sample", "model.sfm", "-n", 20, "-o", "out.csv").fine()


def test_left_out_rows_are_told_by_their_noisy_number_alone(run, schema, tmp_path):
    """A label that the schema does not list, in every other row: half the rows make no record."""
    rows = people()
    for row in rows[::2]:
        row[HEADER.index("sex")] = CANARY
    write_csv(tmp_path / "people.csv", HEADER, rows)
    fitted = run("fit", "people.csv", "--schema", schema, "-o", "model.sfm", "--model", "independent", "--epsilon", 9)
    assert "rows lie outside the declared facts, those that the schema refuses being left out" in fitted.fine().out
    assert CANARY not in fitted.out
    run("verify", "model.sfm").fine()


def test_five_thousand_categories(run, tmp_path):
    labels = [f"c{i}" for i in range(5000)]
    (tmp_path / "schema.yaml").write_text(SCHEMA.replace("[Delft, Ede, Goes]", f"[{', '.join(labels)}]"))
    table(HEADER, [[*r[:2], labels[i % 5000], *r[3:]] for i, r in enumerate(people())])(tmp_path / "people.csv")
    run("fit", "people.csv", "--schema", "schema.yaml", "-o", "model.sfm").fine()
    run("sample", "model.sfm", "-n", 20, "-o", "out.csv").fine()


def test_three_hundred_columns(run, tmp_path):
    names = [f"x{i}" for i in range(300)]
    columns = "\n".join(f"  {n}: {{kind: category, categories: [a, b, c], source: public}}" for n in names)
    (tmp_path / "schema.yaml").write_text(f"sfumato: schema/1\ncolumns:\n{columns}\n")
    write_csv(tmp_path / "wide.csv", names, [["abc"[(i * j) % 3] for j in range(300)] for i in range(200)])
    run("fit", "wide.csv", "--schema", "schema.yaml", "-o", "model.sfm").fine()
    assert run("sample", "model.sfm", "-n", 20, "-o", "out.csv", "--json").fine().json["rows"] == 20


@pytest.mark.parametrize("output", ["no/such/folder/model.sfm", ".", "/dev/full", "/proc/model.sfm"])
def test_places_that_cannot_be_written(run, data, schema, output):
    ledger = ("--ledger", "people.ledger")
    run("fit", data, "--schema", schema, "--model", "independent", "-o", output, *ledger).refused("cannot write")
    if output != "/dev/full":  # which says so only when it is written to
        assert not Path("people.ledger").exists(), "a model that cannot be kept was paid for"


def test_samples_to_places_that_cannot_be_written(run, data, schema):
    run("fit", data, "--schema", schema, "-o", "model.sfm").fine()
    run("sample", "model.sfm", "-n", 10, "-o", "no/out.csv").refused("cannot write")
    run("sample", "model.sfm", "-n", 10, "-o", "out.docx").refused("out.docx")
    run("sample", "model.sfm", "-n", 0, "-o", "out.csv").refused("-n")


def zip_of(**members):
    def write(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
            for name, content in members.items():
                z.writestr(name.replace("__", "/"), content)

    return write


def bomb(path):
    names = ("manifest.json", "schema.yaml", "codec.json", "model.json", "weights.safetensors", "certificate.json")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name in names:
            z.writestr(name, b"\0" * 20_000_000)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: None,
        text_file(""),
        text_file("not a model"),
        bomb,
        zip_of(**{"..__..__etc__passwd": b"x"}),
        zip_of(**{"weights.safetensors": struct.pack("<Q", 1 << 62)}),
        zip_of(**{"model.pkl": b"cos\nsystem\n(S'touch owned'\ntR."}),
    ],
    ids=["missing", "empty", "text", "bomb", "traversal", "header", "pickle"],
)
def test_hostile_artifacts(run, tmp_path, write):
    write(tmp_path / "model.sfm")
    for command in (("verify", "model.sfm"), ("sample", "model.sfm", "-o", "out.csv")):
        run(*command).refused("model.sfm")
    assert not (tmp_path / "out.csv").exists()
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--epsilon", "0"), "epsilon"),
        (("--epsilon", "nan"), "epsilon"),
        (("--epsilon", "much"), "epsilon"),
        (("--delta", "1"), "delta"),
        (("--model", "magic"), "magic"),
        (("--target", "moon"), "moon"),
        (("--key", "none.pem"), "none.pem"),
        (("--ledger", "no/such/folder/ledger"), "ledger"),
        (("--epsilon", "50"), "cap"),
        (("--frobnicate",), "frobnicate"),
    ],
)
def test_options_out_of_range(run, data, schema, arguments, says):
    run("fit", data, "--schema", schema, "-o", "model.sfm", *arguments).refused(says)


def test_other_files_in_their_place(run, data, schema):
    run("fit", data, "--schema", data).refused("people.csv")
    run("fit", data, "--schema", "none.yaml").refused("none.yaml")
    run("fit", data).refused("--schema")
    run("ledger", "none.ledger").refused("none.ledger")
    run("ledger", data).refused("people.csv")
    run("verify", data).refused("people.csv")
    run("sketch", "none.csv", "-o", "draft.yaml").refused("none.csv")
    run("sketch", data).refused("schema.yaml", "no schema whose facts nobody has settled yet")
    run("sketch", data, "-o", "no/such/schema.yaml").refused("cannot write")
    run("evaluate", "--real", data, "--holdout", data, "--synthetic", "none.csv", "--schema", schema).refused(
        "none.csv"
    )
