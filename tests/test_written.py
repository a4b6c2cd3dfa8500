"""A table is replaced without a word only where sfumato wrote it and nobody changed it, or worked with it, since."""

from __future__ import annotations

import os
import shutil
import sys

import pyarrow as pa
import pytest

import sfumato as sf
from sfumato import outputs, written
from sfumato.errors import OutputError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files bear no attributes that Python can read")

ROWS = sf.Table(pa.table({"a": [1, 2, 3, 4] * 12, "b": ["x", "y", "y", "x"] * 12}))
OTHER = sf.Table(pa.table({"a": [5], "b": ["x"]}))
SCHEMA = sf.Schema.parse(
    "sfumato: schema/1\ncolumns:\n  a: {kind: integer, bounds: [0, 9], source: public}\n"
    "  b: {kind: category, categories: [x, y], source: public}\n"
)
NAMES = ("t.csv", "t.tsv", "t.csv.gz", "t.parquet", "t.arrow")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    try:
        os.setxattr(tmp_path, "user.sfumato.tried", b"")
    except OSError:
        pytest.skip("the file system of temporary files keeps no attributes")
    return tmp_path


@pytest.mark.parametrize("name", NAMES)
def test_the_same_command_twice_replaces_its_own_table(folder, name):
    ROWS.write(name)
    OTHER.write(name)
    assert len(sf.Table.read(name)) == 1


def test_pictures_and_archives_too(folder):
    digits = sf.Table(sf.examples.digits().arrow.slice(0, 30))
    for name in ("d.npz", "d.png"):
        digits.write(name)
        digits.write(name)
        shutil.copyfile(name, f"theirs{name}")
        with pytest.raises(OutputError, match="--overwrite"):
            digits.write(f"theirs{name}")


def edited(name):
    with open(name, "r+b") as file:
        first = file.read(1)
        file.seek(0)
        file.write(first)


CHANGED = {
    "a byte was written": edited,
    "a copy of another file": lambda name: shutil.copyfile("real", name),
    "another file, with its times": lambda name: shutil.copy2("real", name),
    "another file, moved": lambda name: os.replace("real", name),
    "it is a link to another": lambda name: (os.remove(name), os.link("real", name)),
    "it was sketched": sf.sketch,
    "it is what others are compared with": lambda name: sf.evaluate(name, OTHER_FILE, ROWS, SCHEMA, quick=True),
    "it is held out": lambda name: sf.evaluate(OTHER_FILE, name, ROWS, SCHEMA, quick=True),
    "it was audited": lambda name: sf.audit(name, OTHER_FILE, ROWS, SCHEMA),
    "it was fitted": lambda name: sf.Synthesizer(SCHEMA, "independent", PROMISE, ledger="elsewhere").fit(name),
}
OTHER_FILE = "other.parquet"
PROMISE = sf.Guarantee(1, 1e-6)


@pytest.mark.parametrize("how", CHANGED)
def test_what_was_changed_or_used_as_data_stays(folder, how):
    ROWS.write("t.parquet")
    ROWS.write(OTHER_FILE)
    shutil.copyfile("t.parquet", "real")
    os.utime("real", ns=(1, 10**18))
    CHANGED[how]("t.parquet")
    before = (folder / "t.parquet").read_bytes()
    with pytest.raises(OutputError, match="take --overwrite"):
        ROWS.write("t.parquet")
    assert (folder / "t.parquet").read_bytes() == before
    ROWS.write("t.parquet", overwrite=True)
    ROWS.write("t.parquet")


def test_only_looking_leaves_the_mark(folder):
    ROWS.write("t.parquet")
    sf.Table.read("t.parquet")
    ROWS.write(OTHER_FILE)
    sf.evaluate(OTHER_FILE, OTHER_FILE, "t.parquet", SCHEMA, quick=True)
    ROWS.write("t.parquet")
    shutil.copy2("t.parquet", "copy.parquet")  # keeps attributes and times: as synthetic as what it copies
    ROWS.write("copy.parquet")


def test_a_data_set_with_its_ledger_stays_whatever_is_said(folder):
    ROWS.write("t.csv")
    sf.Ledger.open("t.csv.ledger").close()
    for word in (True, False):
        with pytest.raises(OutputError, match="a data set"):
            OTHER.write("t.csv", overwrite=word)


def test_a_word_does_not_make_a_table_of_another_kind(folder):
    (folder / "t.csv").write_text("<html>mine</html>")
    with pytest.raises(OutputError, match="is no table"):
        ROWS.write("t.csv", overwrite=True)


def test_where_no_attributes_are_kept_a_word_is_needed(folder, monkeypatch):
    def refused(*_):
        raise OSError(95, "not supported")

    for name in ("setxattr", "getxattr", "removexattr"):
        monkeypatch.setattr(os, name, refused)
    ROWS.write("t.csv")
    written.claim("t.csv")
    with pytest.raises(OutputError, match="take --overwrite"):
        OTHER.write("t.csv")
    OTHER.write("t.csv", overwrite=True)
    assert len(sf.Table.read("t.csv")) == 1


def test_a_mark_without_the_state_of_the_file_would_be_caught(folder, monkeypatch):
    """Planted bug: the mark says only that sfumato wrote the file once."""
    monkeypatch.setattr(outputs, "is_marked", lambda path: b" " in os.getxattr(path, written._MARK))
    ROWS.write("t.parquet")
    shutil.copyfile("t.parquet", "real")
    CHANGED["a copy of another file"]("t.parquet")
    ROWS.write("t.parquet")  # what the test above refuses
