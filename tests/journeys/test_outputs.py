"""No output of any command eats an input, a ledger, a key, or a file of another kind: real files, byte for byte."""

from __future__ import annotations

import contextlib
import inspect
import os
import shutil
import stat
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
from tests.journeys.conftest import HEADER, SCHEMA, people, write_csv

import sfumato as sf
from sfumato.cli.main import app, main
from sfumato.errors import OutputError

WRITES = {
    ("audit", "strips"),
    ("demo", "output"),
    ("fit", "output"),
    ("keygen", "output"),
    ("report", "output"),
    ("review", "output"),
    ("review", "template"),
    ("sample", "output"),
    ("sketch", "output"),
}
ADDS_TO = {("fit", "ledger"), ("fit", "checkpoint"), ("ledger", "path")}
READS = {
    *(("audit", name) for name in ("real", "holdout", "synthetic", "model", "schema")),
    *(("evaluate", name) for name in ("real", "holdout", "synthetic", "schema")),
    *(("fit", name) for name in ("data", "schema", "key")),
    *(("report", name) for name in ("models", "real", "holdout", "ledger")),
    *(("review", name) for name in ("schema", "answers")),
    ("sample", "model"),
    ("sketch", "data"),
    *(("verify", name) for name in ("model", "public_key")),
}
NO_PATHS = {
    ("fit", "model"), ("fit", "target"), ("fit", "curator"), ("fit", "purpose"), ("evaluate", "target"),
    ("sample", "given"), ("sketch", "charset"), ("sketch", "delimiter"), ("sketch", "quote"), ("ledger", "unit"),
    ("verify", "site"),
}  # fmt: skip


def _texts(annotation: Any) -> bool:
    """Whether a parameter holds text or a path, perhaps among others."""
    if get_origin(annotation) is not None:
        return any(map(_texts, get_args(annotation)))
    return annotation in (str, Path)


def parameters() -> set[tuple[str, str]]:
    found = set()
    for command in app.registered_commands:
        assert command.callback is not None
        for name, parameter in inspect.signature(command.callback, eval_str=True).parameters.items():
            if _texts(get_args(parameter.annotation)[0]):
                found.add((command.name or "", name))
    return found


def test_every_option_that_names_a_file_is_known_to_these_tests() -> None:
    assert parameters() == WRITES | ADDS_TO | READS | NO_PATHS


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """A folder with one file of each kind."""
    folder = tmp_path_factory.mktemp("made")
    write_csv(folder / "people.csv", HEADER, people())
    write_csv(folder / "holdout.csv", HEADER, people(300, seed=1))
    write_csv(folder / "kept_elsewhere.csv", HEADER, people(300, seed=2))
    (folder / "schema.yaml").write_text(SCHEMA)
    fit = ("--schema", "schema.yaml", "--model", "independent", "-o", "model.sfm")
    with contextlib.chdir(folder):
        for line in (
            ("keygen", "-o", "key.pem"),
            ("fit", "kept_elsewhere.csv", *fit, "--ledger", "spent"),
            ("fit", "people.csv", *fit),
            ("sample", "model.sfm", "-n", "9", "-o", "made.csv"),
            ("report", "model.sfm", "-o", "report.html"),
            ("sketch", "people.csv", "-o", "draft.yaml"),
            ("review", "draft.yaml", "--template", "answers.yaml"),
        ):
            with pytest.raises(SystemExit, match="0"):
                main(list(line))
    (folder / "thesis.txt").write_text("all of it\n")
    (folder / "raw.key").write_bytes(bytes(range(200, 232)))
    shutil.copy(folder / "raw.key", folder / "raw.csv")
    (folder / "program.csv").write_bytes(b"\x7fELF\0\0\1")
    return folder


@pytest.fixture
def world(made, tmp_path) -> Path:
    """A copy of that folder, in which the ledger has other names."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    os.link(tmp_path / "spent", tmp_path / "hard")
    os.symlink("spent", tmp_path / "soft")
    return tmp_path


COMMANDS = {
    (
        "audit",
        "strips",
    ): "audit --real people.csv --holdout holdout.csv --synthetic people.csv --schema schema.yaml --strips",
    ("fit", "output"): "fit people.csv --schema schema.yaml --model independent --ledger spent --key key.pem -o",
    ("keygen", "output"): "keygen -o",
    ("report", "output"): "report model.sfm -o",
    ("review", "output"): "review draft.yaml --answers answers.yaml -o",
    ("review", "template"): "review draft.yaml --template",
    ("sample", "output"): "sample model.sfm -n 5 -o",
    ("sketch", "output"): "sketch people.csv -o",
}
MAY = {
    ("fit", "output"): {"model.sfm"},
    ("report", "output"): {"report.html"},
    ("review", "output"): {"schema.yaml"},
    ("sample", "output"): {"made.csv"},
    ("sketch", "output"): {"draft.yaml"},
}
"""What a command may replace: its own kind, where that is none of its inputs."""


def state(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("option", sorted(COMMANDS), ids="-".join)
def test_a_file_of_another_kind_stays_as_it_is(run, world, option) -> None:
    before = state(world)
    for name in sorted(before.keys() - MAY.get(option, set())):
        run(*COMMANDS[option].split(), name).refused(name)
        assert state(world) == before, name


def test_every_output_but_a_folder_was_tried() -> None:
    assert set(COMMANDS) == WRITES - {("demo", "output")}


def test_a_name_of_its_own_is_given_again(run, world) -> None:
    for option, names in MAY.items():
        if option != ("review", "output"):  # its answers are yet to be filled in
            for name in names:
                run(*COMMANDS[option].split(), name).fine()


def test_what_is_added_to_is_a_ledger(run, world) -> None:
    before = state(world)
    for name in sorted(before.keys() - {"spent", "hard", "soft", "people.csv.ledger"}):
        fit = ("fit", "people.csv", "--schema", "schema.yaml", "--model", "independent", "-o", "new.sfm")
        run(*fit, "--ledger", name).refused(name)
        run("ledger", name, "--cap-epsilon", 3).refused(name)
        run(*fit, "--checkpoint", name).refused(name)
        assert state(world) == before, name


def test_a_report_makes_no_ledger(run, world) -> None:
    before = state(world)
    rows = ("--real", "people.csv", "--holdout", "holdout.csv")
    run("report", "model.sfm", *rows, "--ledger", "none", "-o", "r.html").refused("no ledger at none")
    assert state(world) == before


def test_a_demo_leaves_what_it_did_not_write(run, tmp_path) -> None:
    (tmp_path / "file").write_text("mine")
    for place in ("file", "file/demo", "/dev/null"):
        run("demo", "-o", place).refused(f"-o {place}")
    (tmp_path / "demo").mkdir()
    for name in ("synthetic.csv", "model.sfm", "certificate.txt", "report.html"):
        (tmp_path / "demo" / name).write_text("<html>mine</html>\n")
        run("demo").refused(name)
        assert (tmp_path / "demo" / name).read_text() == "<html>mine</html>\n"
        (tmp_path / "demo" / name).unlink()


@pytest.mark.parametrize("end", ["-journal", "-wal", "-shm"])
def test_no_output_takes_a_name_that_sqlite_deletes(run, data, schema, tmp_path, end) -> None:
    """The ledger's journal: a model saved under its name was gone with the next charge, exit code 0."""
    fit = ("fit", data, "--schema", schema, "--model", "independent")
    run(*fit, "--ledger", "new", "-o", f"new{end}").refused(f"new{end}", "would delete it")
    assert not (tmp_path / "new").exists()
    run(*fit, "-o", "model.sfm").fine()
    run("sketch", data, "-o", f"people.csv.ledger{end}").refused("would delete it")
    run(*fit, "-o", f"people.csv{end}").fine()
    assert (tmp_path / f"people.csv{end}").exists()


def test_python_is_held_to_the_same(world) -> None:
    before = state(world)
    model = sf.load(world / "model.sfm")
    table = model.sample(5)
    for name in ("people.csv", "spent", "hard", "soft", "key.pem", "thesis.txt"):
        writers = [model.save, lambda p: sf.report(world / "model.sfm", p), model.schema.save]
        if name != "thesis.txt":  # whose suffix is none of a table
            writers += [table.write, model.sample_to]
        for write in writers:
            with pytest.raises(OutputError, match=name):
                write(world / name)
    for suffix in (".parquet", ".arrow", ".npz", ".csv.gz", ".tsv"):
        (world / f"x{suffix}").write_bytes(b"<mine>")
        with pytest.raises(OutputError, match="exists, and is no table"):
            table.write(world / f"x{suffix}")
        (world / f"x{suffix}").unlink()
    with pytest.raises(OutputError, match="no file that may be replaced"):
        sf.generate_key(world / "new.pem", world / "key.pub.pem")
    assert state(world) == before


def test_a_neighbours_public_key_stays(run, tmp_path) -> None:
    (tmp_path / "team.pub.pem").write_text("theirs")
    run("keygen", "-o", "team.pem").refused("team.pub.pem")
    assert state(tmp_path) == {"team.pub.pem": b"theirs"}
    run("keygen", "-o", "team.ours").fine()
    assert stat.S_IMODE((tmp_path / "team.ours").stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["team.ours", "team.ours.pub.pem", "team.pub.pem"]


def test_outputs_in_a_folder_that_is_read(run, data, schema, tmp_path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    run("report", "model.sfm", "--real", images, "--holdout", data, "-o", "images/r.html").refused("images/r.html")


def test_a_renamed_or_linked_data_set_gets_no_second_cap(spawn, run, made, tmp_path) -> None:
    """Either began a ledger of its own, with a whole cap, and said nothing."""
    for name in ("people.csv", "people.csv.ledger", "schema.yaml"):
        shutil.copy(made / name, tmp_path / name)
    fit = ("--schema", "schema.yaml", "--model", "independent", "-o", "new.sfm")
    os.link(tmp_path / "people.csv", tmp_path / "again.csv")
    spawn("fit", "again.csv", *fit).refused("2 names", "--ledger")
    (tmp_path / "people.csv").unlink()
    spawn("fit", "again.csv", *fit).refused("people.csv.ledger is the ledger of people.csv, which is gone", "--ledger")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.csv", "people.csv.ledger", "schema.yaml"]
    run("fit", "again.csv", *fit, "--ledger", "people.csv.ledger").fine()
    assert len(run("ledger", "people.csv.ledger", "--json").fine().json["runs"]) == 2


def test_data_whose_ledger_lies_elsewhere_stay(spawn, run, world) -> None:
    """Real rows that a fit read, and the same command of a script run twice."""
    before = state(world)
    sample = ("sample", "model.sfm", "-n", 5, "-o")
    spawn(*sample, "kept_elsewhere.csv").refused("kept_elsewhere.csv", "--overwrite")
    run(*sample, "holdout.csv").refused("holdout.csv", "--overwrite")
    run(*sample, "people.csv", "--overwrite").refused("a data set")
    assert state(world) == before
    for _ in range(2):
        run(*sample, "made.csv").fine()
    run(*sample, "holdout.csv", "--overwrite").fine()
    assert len((world / "holdout.csv").read_text().splitlines()) == 6


LEDGER = "people.csv.ledger"
KEPT_NAMES = ("answers.safetensors", "training.safetensors", ".sfumato.lock")
FOREIGN = b'\x40\0\0\0\0\0\0\0{"__metadata__":{"format":"pt"}}'
"""How weights of other programs begin, in the format of a log of answers."""
LOSSES = {
    "a file where SQLite keeps its journal": {f"{LEDGER}-journal": b"mine"},
    "a file where SQLite keeps its log": {f"{LEDGER}-wal": b"mine"},
    "a file where a new ledger's journal goes": {"new-journal": b"mine"},
    **{f"a file {name} in a checkpoint's folder": {f"kept/{name}": FOREIGN} for name in KEPT_NAMES},
    "files in the folder of answers": {f"{LEDGER}.answers/run-2/{name}": FOREIGN for name in KEPT_NAMES[:2]},
    "other files in both": {"kept/mine": b"x", f"{LEDGER}.answers/mine": b"x"},
    "a schema in a checkpoint's folder": {"kept/training.safetensors": SCHEMA.encode()},
}
"""Files of a user under names that a fit takes for its own; each was deleted or written over, exit code 0."""


@pytest.mark.parametrize("how", LOSSES)
def test_a_fit_takes_no_file_of_others_for_its_own(run, world, how) -> None:
    for name, content in LOSSES[how].items():
        (world / name).parent.mkdir(parents=True, exist_ok=True)
        (world / name).write_bytes(content)
    schema = "kept/training.safetensors" if "schema" in how else "schema.yaml"
    fit = ("fit", "people.csv", "--schema", schema, "--model", "independent", "-o", "new.sfm")
    for more in (("--checkpoint", "kept"), ("--ledger", "new"), ()):
        assert run(*fit, *more).code in (0, 2)
    run("ledger", LEDGER)
    assert {name: (world / name).read_bytes() for name in LOSSES[how]} == LOSSES[how]


def test_no_ledger_is_begun_where_one_was(run, world) -> None:
    """Its answers are left, or its journal, or a link to it (on a disk that is not mounted): each began a cap anew."""
    fit = ("fit", "people.csv", "--schema", "schema.yaml", "--model", "independent", "-o", "new.sfm")
    (world / LEDGER).rename(world / "moved")
    (world / f"{LEDGER}.answers" / "run-1").mkdir(parents=True)
    run(*fit).refused(f"{LEDGER} is gone", "restore the ledger")
    shutil.rmtree(world / f"{LEDGER}.answers")
    (world / f"{LEDGER}-journal").write_bytes(bytes.fromhex("d9d505f920a163d7") + bytes(504))
    run(*fit).refused("there is no ledger at", "restore the ledger")
    (world / f"{LEDGER}-journal").unlink()
    os.symlink("unmounted", world / LEDGER)
    run(*fit).refused("is a link to", "mount or restore it")
    run("ledger", LEDGER, "--cap-epsilon", 3).refused("is a link to")
    assert not (world / "unmounted").exists()
    (world / LEDGER).unlink()
    (world / "moved").rename(world / LEDGER)
    run(*fit).fine()
