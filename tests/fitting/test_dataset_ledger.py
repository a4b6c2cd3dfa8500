"""One data set has one ledger, and it is known which before a row is read."""

import copy
import os
import stat
from contextlib import nullcontext
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import sfumato as sf
from sfumato.cli.main import app
from sfumato.errors import LedgerError
from sfumato.fitting.dataset_ledger import ledger_of
from sfumato.tables import Rows, examples


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "people.csv").write_text("a\n1\n0\n1\n")
    (folder / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    return folder


def path_of(source):
    return ledger_of(source, None, True).path


def test_every_spelling_of_a_path_leads_to_one_ledger(data):
    os.symlink(data / "people.csv", "link.csv")
    os.symlink(data, "elsewhere")
    right = data / "people.csv.ledger"
    for spelling in (
        "data/people.csv",
        "./data/../data/people.csv",
        "link.csv",
        "elsewhere/people.csv",
        data / "people.csv",
    ):
        assert path_of(spelling) == right
    for spelling in ("data/photos", "data/photos/", "elsewhere/photos//"):
        assert path_of(spelling) == data / "photos.ledger"


def test_a_ledger_beside_a_link_is_not_forgotten(data):
    os.symlink(data / "people.csv", "link.csv")
    sf.Ledger.open("link.csv.ledger").close()
    with pytest.raises(LedgerError, match=r"link\.csv\.ledger holds charges of the same rows"):
        path_of("link.csv")
    assert ledger_of("link.csv", "link.csv.ledger", True).path is not None


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (pa.table({"a": [1]}), "rows in memory"),
        ("postgresql://user@host/database?table=people", "database"),
        ("/dev/null", "a pipe or a device"),
    ],
)
def test_where_there_is_no_place_beside_the_rows_one_must_be_named(data, monkeypatch, source, says):
    monkeypatch.setattr(Rows, "open", lambda _: pytest.fail("the rows were opened first"))
    with pytest.raises(LedgerError, match=says) as caught:
        sf.Synthesizer(sf.Schema.parse("sfumato: schema/1\ncolumns:\n  a: {kind: boolean, source: public}\n")).fit(
            source
        )
    assert "ledger=FILE" in str(caught.value)
    assert "--ledger FILE" in str(caught.value)
    assert ledger_of(source, "a.ledger", True).path is not None
    assert ledger_of(source, None, private=False).path is None


def test_a_folder_without_write_permission_needs_a_named_one(data, monkeypatch):
    data.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # for root all folders can be written to
    with pytest.raises(LedgerError, match="no write permission"):
        path_of(data / "people.csv")


def test_the_examples_are_public_and_need_no_ledger(data):
    for table in (examples.adult(), examples.adult_test(), examples.digits()):
        assert ledger_of(table, None, True).public_example
        assert ledger_of(table, sf.Ledger.open(None), True).public_example
        assert not ledger_of(table, "named.ledger", True).public_example  # what is named is used


DERIVED = {
    "the same rows in another table": lambda given: sf.Table(given.arrow),
    "its Arrow rows": lambda given: given.arrow,
    "some of its rows": lambda given: type(given)(given.arrow.slice(0, 10)),
    "other rows under its name": lambda given: replace(given, arrow=pa.table({"a": [1]})),
    "a deep copy": copy.deepcopy,
    "a frame": lambda given: given.to_pandas(),
}


@pytest.mark.parametrize("how", DERIVED)
def test_what_is_made_of_an_example_is_private(data, how):
    with pytest.raises(LedgerError, match="rows in memory"):
        ledger_of(DERIVED[how](examples.adult()), None, True)


def test_a_file_of_an_example_is_private(data):
    for name in ("adult.parquet", "adult.csv"):
        examples.adult().write(name)
        assert path_of(name) == data.parent / f"{name}.ledger"
    assert not ledger_of(str(examples._DATA / "adult.parquet"), "own.ledger", True).public_example


@pytest.mark.parametrize(("mark", "seen"), [(examples.is_public, True), (lambda s: type(s) is examples.Example, False)])
def test_the_mark_is_of_the_rows(data, monkeypatch, mark, seen):
    """Planted bug: the class alone is the mark, which `dataclasses.replace` keeps while the rows are others."""
    monkeypatch.setattr(examples, "is_public", mark)
    forged = replace(examples.adult(), arrow=pa.table({"a": [1, 0]}))
    with pytest.raises(LedgerError) if seen else nullcontext():
        ledger_of(forged, None, True)


def test_an_example_that_was_edited_in_the_package_is_refused(data, monkeypatch):
    monkeypatch.setattr(examples, "_DATA", data)
    pq.write_table(pa.table({"a": [1, 0]}), data / "adult.parquet")
    with pytest.raises(sf.SfumatoError, match="is not the example that was published"):
        examples._adult.__wrapped__("adult.parquet")


def test_the_cap_of_a_ledger_has_the_unit_of_its_runs(data):
    (data / "schema.yaml").write_text(
        "sfumato: schema/1\nunit: {column: who, max_rows: 1, source: public}\nrows: unknown\ncolumns:\n"
        "  who: {kind: identifier, source: public}\n  a: {kind: boolean, source: public}\n"
    )
    (data / "people.csv").write_text("who,a\n1,1\n1,0\n2,1\n")
    command = CliRunner().invoke
    for name, options in (("rows", ()), ("people", ("--unit", "who"))):
        assert command(app, ["ledger", name, "--cap-epsilon", "3", *options]).exit_code == 0

    def fit(ledger):
        return sf.Synthesizer(data / "schema.yaml", "independent", sf.Guarantee(1, 1e-6), ledger=ledger).fit(
            "data/people.csv"
        )

    with pytest.raises(LedgerError, match=r"protects each row; .*: name another ledger.*--cap-epsilon E --unit who"):
        fit("rows")
    fit("people").save("m.sfm")
    fit(None).save("m.sfm")  # the default has the unit of its first run
    assert "of the cap 3 at delta 1e-05 per who" in command(app, ["ledger", "people"]).output
    with sf.Ledger.open(data / "people.csv.ledger") as ledger:
        assert ledger.cap.unit == "who"


def test_python_and_the_command_line_share_the_default_cap(data):
    (data / "schema.yaml").write_text("sfumato: schema/1\ncolumns:\n  a: {kind: boolean, source: public}\n")
    fitted = sf.Synthesizer(data / "schema.yaml", guarantee=sf.Guarantee(9, 1e-6)).fit(data / "people.csv")
    fitted.save("m.sfm")
    assert fitted.ledger_path == data / "people.csv.ledger"
    with sf.Ledger.open(data / "people.csv.ledger") as ledger:
        assert (ledger.cap.epsilon, ledger.cap.delta) == (10, 1e-5)
    with pytest.raises(sf.Overdraft):
        sf.Synthesizer(data / "schema.yaml", guarantee=sf.Guarantee(9, 1e-6)).fit("data/people.csv")


def test_a_file_with_other_names_begins_no_ledger(data):
    os.link("data/people.csv", "other.csv")
    for name in ("data/people.csv", "other.csv"):
        with pytest.raises(LedgerError, match=r"has 2 names \(hard links\).*--ledger"):
            path_of(name)
    assert ledger_of("other.csv", "data/people.csv.ledger", True).path is not None
    sf.Ledger.open("data/people.csv.ledger").close()
    assert path_of("data/people.csv") == data / "people.csv.ledger"  # a copy that was made of links since
    with pytest.raises(LedgerError, match="2 names"):
        path_of("other.csv")


RENAMED = {
    "a file": ("people.csv", "patients.csv", True),
    "a file of another suffix": ("people.csv", "people.txt", True),
    "a file without": ("people.csv", "people", True),
    "a folder": ("photos", "pictures", True),
    "a file whose ledger somebody named": ("people", "people.csv", False),
    "a folder beside the ledger of a file": ("people.csv", "photos", False),
}


@pytest.mark.parametrize("how", RENAMED)
def test_a_ledger_whose_data_are_gone_may_be_that_of_a_renamed_file(data, how):
    was, now, refused = RENAMED[how]
    sf.Ledger.open(f"data/{was}.ledger").close()
    if (data / was).exists() and not (data / now).exists():
        (data / was).rename(data / now)
    elif was == "people.csv":
        (data / was).unlink()
    with pytest.raises(LedgerError, match="rename the ledger to") if refused else nullcontext() as caught:
        path_of(data / now)
    if refused:
        assert f"{was}.ledger is the ledger of {was}, which is gone" in str(caught.value)
        (data / f"{was}.ledger").rename(data / f"{now}.ledger")
        assert path_of(data / now) == data / f"{now}.ledger"


def test_other_data_beside_a_ledger_without_data_needs_a_word_once(data):
    sf.Ledger.open("data/last_year.csv.ledger").close()
    with pytest.raises(LedgerError, match=r"if it holds other people's, name .*people\.csv\.ledger"):
        path_of("data/people.csv")
    sf.Ledger.open(ledger_of("data/people.csv", "data/people.csv.ledger", True).path).close()
    assert path_of("data/people.csv") == data / "people.csv.ledger"


def test_a_file_that_is_named_like_a_ledger_and_is_none_says_nothing(data):
    (data / "books.csv.ledger").write_text("2024-01-01 opening balance\n")
    (data / "last_year.csv").write_text("a\n1\n")
    sf.Ledger.open("data/last_year.csv.ledger").close()
    assert path_of("data/people.csv") == data / "people.csv.ledger"
