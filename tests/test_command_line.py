"""The program as a stranger meets it: help, completion, standard output."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.journeys.conftest import environment
from typer.main import get_command

import sfumato as sf
from sfumato.cli.main import app, main
from sfumato.models import names


def program(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sfumato.cli", *words],
        env={**environment(), "COLUMNS": "200", **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("model") / "adult.sfm"
    sf.Synthesizer(sf.examples.adult_schema(), "independent", sf.Guarantee(1, 1e-9)).fit(sf.examples.adult()).save(path)
    return path


def test_alone_it_prints_the_help_and_nothing_else():
    done = program()
    assert done.stdout.strip() == program("--help").stdout.strip()
    assert "Usage: sfumato" in done.stdout
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize("words", [("--help",), ("fit", "--help")])
def test_the_help_names_every_model(words):
    said = " ".join(program(*words).stdout.replace("│", " ").split())
    assert [name for name in ("auto", *names()) if name not in said] == []


def test_each_command_and_each_option_says_what_it_is_for():
    commands = get_command(app).commands
    assert [name for name, command in commands.items() if not command.help] == []
    silent = [(name, p.name) for name, command in commands.items() for p in command.params if not p.help]
    assert silent == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("fit", "x.csv", "--schema", "y.yaml", "--epsilon", "abc"), "--epsilon"),
        (("sample", "x.sfm", "-n", "0", "-o", "y.csv"), "'-n' / '--rows'"),
        (("report",), "MODEL.SFM"),
    ],
)
def test_a_wrong_option_is_one_sentence_that_leads_to_the_help_of_its_command(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    message = capsys.readouterr().err
    assert ended.value.code == 2
    assert message.startswith("sfumato: ")
    assert message.endswith(f". See `sfumato {words[0]} --help`.\n")
    assert said in message


def test_a_command_that_there_is_not_leads_to_all_commands(capsys):
    with pytest.raises(SystemExit):
        main(["conjure"])
    assert capsys.readouterr().err == "sfumato: No such command 'conjure'. See `sfumato --help`.\n"


def test_rows_go_to_standard_output(model):
    done = program("sample", str(model), "-n", "7", "-o", "-", "--seed", "1")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert (len(rows), tuple(rows[0])) == (7, sf.load(model).schema.names)
    assert done.stderr == "7 rows\n"
    assert program("sample", str(model), "-o", "-", "--json").returncode == 2


def test_who_reads_the_first_rows_and_goes_ends_it_in_silence(model):
    words = [sys.executable, "-m", "sfumato.cli", "sample", str(model), "-n", "300000", "-o", "-"]
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is always full")
def test_a_full_standard_output_is_one_line(model):
    with open("/dev/full", "wb") as full:
        words = [sys.executable, "-m", "sfumato.cli", "sample", str(model), "-n", "5", "-o", "-"]
        done = subprocess.run(words, env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "cannot write to standard output: No space left" in done.stderr


def test_the_shell_completes_commands_and_options():
    shell = {"_SFUMATO_COMPLETE": "complete_bash", "COMP_CWORD": "1"}
    assert program(COMP_WORDS="sfumato ver", **shell).stdout.split() == ["verify"]
    shell["COMP_CWORD"] = "2"
    assert "--public-key" in program(COMP_WORDS="sfumato verify --pu", **shell).stdout
    asked = f"{sys.executable} -m sfumato.cli --show-completion; true"  # typer asks which shell began the program
    shown = subprocess.run(["bash", "-c", asked], env=environment(), capture_output=True, text=True, check=True)
    assert "_sfumato_completion" in shown.stdout
