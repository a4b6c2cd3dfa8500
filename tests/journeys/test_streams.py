"""Processes with streams that are closed, full or in another charset, with odd names, and under signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.journeys.conftest import environment

PROGRAM = (sys.executable, "-m", "sfumato.cli")
FIT = ("fit", "people.csv", "--schema", "schema.yaml", "--model", "independent", "-o", "model.sfm")
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs the device /dev/full")


def shell(folder: Path, line: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """``line`` of a shell, in which "$@" is the command."""
    return subprocess.run(
        ["bash", "-c", line, "sh", *PROGRAM, *arguments],
        cwd=folder, env={**environment(), **more}, capture_output=True, text=True, errors="replace", timeout=120,
        check=False,
    )  # fmt: skip


FORKS = """
import json, os, sys
from pathlib import Path
import sfumato as sf
from sfumato.cli.main import main
import sfumato.privacy.pld, sfumato.privacy.rdp
sf.Synthesizer, sf.verify
for number, words in enumerate(json.loads(sys.argv[2])):
    child = os.fork()
    if child == 0:
        said = os.open(f"{sys.argv[1]}/{number}.said", os.O_CREAT | os.O_WRONLY)
        os.dup2(said, 2)
        os.close(said)
        main([os.fsdecode(word.encode(errors="surrogateescape")) for word in words])
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    Path(f"{sys.argv[1]}/{number}.code").write_text(str(code))
"""
"""Each command in a process of its own that need not import anything; the streams are those of the first process."""


@pytest.fixture
def forked(tmp_path, tmp_path_factory):
    """Exit codes and standard errors of several commands under one line of a shell."""

    def call(line: str, *commands: tuple[str, ...], **more: str) -> list[tuple[int, str]]:
        place = tmp_path_factory.mktemp("said")
        program = (sys.executable, "-c", FORKS, str(place), json.dumps(commands))
        done = subprocess.run(
            ["bash", "-c", line, "sh", *program], cwd=tmp_path, env={**environment(), **more}, timeout=300, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        assert len(list(place.glob("*.code"))) == len(commands), done.stdout
        said = [(place / f"{n}.said").read_bytes().decode(errors="replace") for n in range(len(commands))]
        return [(int((place / f"{n}.code").read_text()), text) for n, text in enumerate(said)]

    return call


def ledger_of(run) -> dict:
    return run("ledger", "people.csv.ledger", "--json").fine().json


@FULL
@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ('"$@" > /dev/full', 0, "all is saved; only the answer could not be printed: No space left"),
        ('"$@" >&-', 0, ""),
        ('"$@" 2>&-', 0, ""),
        ('"$@" <&- >&- 2>&-', 0, ""),
        ('"$@" 2>/dev/full', 0, ""),
        ('"$@" | true; exit ${PIPESTATUS[0]}', 0, ""),
    ],
)
def test_what_was_saved_and_charged_is_not_said_to_have_failed(run, data, schema, tmp_path, line, code, says) -> None:
    done = shell(tmp_path, line, *FIT)
    assert (done.returncode, len(done.stderr.splitlines())) == (code, bool(says)), done.stderr
    assert says in done.stderr
    run("verify", "model.sfm").fine()
    assert [r["state"] for r in ledger_of(run)["runs"]] == ["closed"]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "model.sfm", "people.csv", "people.csv.ledger", "schema.yaml",
    ]  # fmt: skip


@FULL
def test_an_answer_that_is_all_there_is_must_be_printed(run, forked, data, schema, tmp_path) -> None:
    run(*FIT).fine()
    answers = (
        *(("verify", "model.sfm"), ("ledger", "people.csv.ledger"), ("--version",), ("fit", "--help"), ()),
        *(("sample", "model.sfm", "-n", "5", "-o", path) for path in ("-", "/dev/stdout")),
    )
    for line, reason in (('"$@" > /dev/full', "No space left on device"), ('"$@" >&-', "it is closed")):
        assert forked(line, *answers) == [(2, f"sfumato: cannot write to standard output: {reason}\n")] * len(answers)
    piped = forked('"$@" | true', answers[0], answers[3])
    assert {code for code, _ in piped} <= {0, 2, 128 + signal.SIGPIPE}
    assert {text for _, text in piped} == {""}


@pytest.mark.parametrize("line", ['"$@" 2>&-', '"$@" 2>/dev/full', '"$@" >&- 2>&-'])
def test_a_refusal_keeps_its_code_when_nobody_can_be_told(tmp_path, line) -> None:
    assert shell(tmp_path, line, "verify", "none.sfm").returncode == 2


def test_a_plain_charset_and_names_of_any_bytes(forked, data, schema, tmp_path) -> None:
    settings = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    odd = os.fsdecode(b"donn\xe9es \xe2\x82\xac\xcf\x80.csv")
    data.rename(tmp_path / odd)
    (tmp_path / "schema.yaml").write_text(schema.read_text().replace("town", "Straße"), encoding="utf-8")
    table = (tmp_path / odd).read_text().replace("town", "Straße", 1)
    (tmp_path / odd).write_text(table, encoding="utf-8")
    model = odd.replace("csv", "sfm")
    fit = ("fit", odd, "--schema", "schema.yaml", "--model", "independent", "-o", model)
    commands = (
        *(fit, ("verify", model), ("sample", model, "-o", f"s{odd}"), ("report", model, "-o", f"{odd}.html")),
        *(("sketch", odd, "-o", "d.yaml"), ("ledger", f"{odd}.ledger", "--json"), ("verify", f"none{odd}")),
    )
    *fine, missing = forked('"$@" > out', *commands, **settings)
    assert fine == [(0, "")] * 6
    assert json.loads((tmp_path / "out").read_text().splitlines()[-1])["runs"]
    assert missing[0] == 2
    assert len(missing[1].splitlines()) == 1
    assert "a defect" not in missing[1]
    western = shell(tmp_path, '"$@"', "verify", model, PYTHONIOENCODING="cp1252:strict")
    assert (western.returncode, western.stderr) == (0, "")


def test_a_working_folder_that_is_gone(tmp_path) -> None:
    done = shell(tmp_path, 'mkdir gone && cd gone && rmdir ../gone && "$@"', "verify", "model.sfm")
    assert done.returncode == 2
    assert done.stderr == "sfumato: the working folder is not there any more; change to another\n"


def test_pipes_in_and_out(run, data, schema, tmp_path) -> None:
    os.mkfifo(tmp_path / "in")
    os.mkfifo(tmp_path / "out.csv")
    run(*FIT).fine()
    copied = shell(tmp_path, 'cat out.csv > copy.csv & "$@"; wait', "sample", "model.sfm", "-n", "7", "-o", "out.csv")
    assert (copied.returncode, copied.stderr) == (0, "")
    assert len((tmp_path / "copy.csv").read_text().splitlines()) == 8
    assert shell(tmp_path, 'cat model.sfm > in & "$@"; wait', "verify", "in").returncode == 0
    refused = shell(tmp_path, 'cat people.csv > in & "$@"; code=$?; kill %1; exit $code', *FIT[:1], "in", *FIT[2:])
    assert refused.returncode == 2
    assert len(refused.stderr.splitlines()) == 1
    assert "a defect" not in refused.stderr


HEARD = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
"""Also where the tests were begun by nohup, whose children ignore that signal."""

UNTIDY = """
import signal, sys, time
from pathlib import Path
from sfumato.cli import main
def run():
    Path("part").touch()
    try:
        print("writing", file=sys.stderr, flush=True)
        time.sleep(60)
    except BaseException:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.raise_signal(number)
        Path("part").unlink()
        raise
main.app = lambda *_, **__: run()
main.main(["--json"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_second_signal_does_not_disturb_what_the_first_set_off(tmp_path, number) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HEARD + UNTIDY], cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == "writing\n"
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 128 + number, said
    assert len(said.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


SLOW = """
import sys, time
from sfumato.release import artifact
from sfumato.tables import delimited_writing, writing
from sfumato.cli.main import main
write = writing.write_delimited
def slow(blocks, schema, out, *rest):
    out.write(b"some")
    out.flush()
    print("writing", file=sys.stderr, flush=True)
    time.sleep(60)
writing.write_delimited = slow
main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_no_part_of_a_file(run, data, schema, tmp_path, number) -> None:
    run(*FIT).fine()
    before = sorted(p.name for p in tmp_path.iterdir())
    with subprocess.Popen(
        [sys.executable, "-c", HEARD + SLOW, "sample", "model.sfm", "-o", "out.csv"],
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline() == "writing\n"
        assert len(list(tmp_path.iterdir())) == len(before) + 1
        process.send_signal(number)
        said = process.stderr.read()
    assert process.returncode == 128 + number
    assert len(said.splitlines()) == 1
    assert "no file was left half-written" in said
    assert sorted(p.name for p in tmp_path.iterdir()) == before


def test_a_signal_that_is_ignored_stays_ignored(tmp_path) -> None:
    done = shell(tmp_path, 'trap "" HUP; "$@" & sleep 0.01; kill -HUP $!; wait $!', "--version")
    assert (done.returncode, done.stderr) == (0, "")
