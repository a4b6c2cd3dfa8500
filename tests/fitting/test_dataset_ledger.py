"""One data set has one ledger, and it is known which before a row is read."""

import hashlib
import os
import shutil
import stat
from contextlib import nullcontext

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

import sfumato as sf
from sfumato.cli.main import app
from sfumato.errors import LedgerError
from sfumato.fitting.dataset_ledger import ledger_of
from sfumato.fitting.fit import learn
from sfumato.tables import Rows, examples
from sfumato.tables.image_folder import ImageFolder


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


def test_the_examples_are_public_and_nothing_else_is(data):
    assert ledger_of(examples.adult(), None, True).public_example
    assert ledger_of(str(examples.adult_test()), None, True).public_example
    digits = examples.digits("digits.npz")
    assert ledger_of(digits, None, True).public_example
    folder = examples.digits("digits")
    assert ledger_of(folder, None, True).public_example
    assert not ledger_of("digits.npz", None, True).public_example  # a name is no mark
    digits.write_bytes((digits.read_bytes()) + b"!")
    assert not ledger_of(digits, None, True).public_example
    (folder / "7" / "mine.png").write_bytes(b"private")
    assert not ledger_of(folder, None, True).public_example
    shutil.copy(examples.adult(), "adult.parquet")
    assert not ledger_of("adult.parquet", None, True).public_example


@pytest.mark.parametrize("at", ["zz", "7x.png", "7", "."])
def test_a_link_in_an_example_is_no_part_of_it(data, at):
    """What a link leads to is read, so a folder behind one could hold anybody's images."""
    folder = examples.digits("digits")
    before = len(ImageFolder.open(str(folder)).files)
    target = data / "private"
    if at in ("zz", "7x.png"):
        shutil.copytree(folder / "3", target)
        os.symlink(target if at == "zz" else target / sorted(os.listdir(target))[0], folder / at)
        picture = sf.Schema.load(sf.examples.digits_schema()).picture
        assert len(ImageFolder.open(str(folder), None, picture).files) > before  # they would be read
    else:  # the same bytes, but they could be others when they are read
        shutil.move(folder / at if at == "7" else folder, target)
        os.symlink(target, folder / at if at == "7" else folder)
    assert not ledger_of(folder, None, True).public_example


def test_a_link_into_the_package_is_not_public(data):
    os.symlink(examples.adult(), "adult.parquet")
    assert not ledger_of("adult.parquet", None, True).public_example


def test_what_was_written_is_fixed(data):
    given = examples.digits("digits.npz")
    with pytest.raises(AttributeError, match="fixed"):
        given.written = None
    assert ledger_of(given, None, True).public_example


@pytest.mark.parametrize("checked", [True, False])
def test_an_example_that_changes_while_it_is_fitted_is_not_released(data, monkeypatch, checked):
    """Other rows are read, the right ones are back before the certificate; planted bug: bytes alone are compared."""
    monkeypatch.setattr(examples, "_DATA", data)
    path, right, wrong = data / "a.parquet", pa.table({"a": [0, 1] * 50}), pa.table({"a": [1, 1] * 50})
    pq.write_table(right, path)
    monkeypatch.setitem(examples._PUBLISHED, "a.parquet", hashlib.sha256(path.read_bytes()).hexdigest())
    if not checked:
        monkeypatch.setattr(examples, "_changes", lambda _: "")
    schema = sf.Schema.parse("sfumato: schema/1\ncolumns:\n  a: {kind: boolean, source: public}\n")

    def swapped(plan, rows, *rest):
        pq.write_table(wrong, path)
        learnt = learn(plan, Rows.open(path), *rest)
        pq.write_table(right, path)
        return learnt

    def fit():
        return sf.Synthesizer(schema, "independent", no_certificate=True).fit(path)

    fit()
    monkeypatch.setattr("sfumato.synthesizer.learn", swapped)
    with pytest.raises(sf.SfumatoError, match="was changed while it was fitted") if checked else nullcontext():
        fit()


def test_rows_in_the_place_of_an_example_are_private(data, monkeypatch):
    """Planted bug: a file told by its place alone."""
    monkeypatch.setattr(examples, "_DATA", data)
    (data / "adult.parquet").write_bytes(b"rows of somebody else")
    assert not ledger_of(data / "adult.parquet", None, True).public_example
    monkeypatch.setattr(examples, "_digest", lambda _: examples._PUBLISHED["adult.parquet"])
    assert ledger_of(data / "adult.parquet", None, True).public_example


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
