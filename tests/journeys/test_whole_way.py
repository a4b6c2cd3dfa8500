"""From rows to certified synthetic rows and back to doubt, as scripts call it."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.journeys.conftest import CANARY, HEADER, environment, people, write_csv


def fit(data, schema, *more):
    return ("fit", data, "--schema", schema, "--model", "auto", "--epsilon", 1, "--delta", 1e-6, *more)


def test_sketch_fit_sample_evaluate_without_a_certificate(spawn, data, tmp_path):
    draft = spawn("sketch", data, "-o", "draft.yaml", "--json").fine().json
    assert draft["unreviewed"] > 0
    refused = spawn(*fit(data, "draft.yaml", "-o", "no.sfm")).refused("unreviewed", "--no-certificate")
    assert CANARY not in refused
    fitted = spawn(*fit(data, "draft.yaml", "-o", "model.sfm", "--no-certificate", "--json")).fine().json
    assert (fitted["certified"], fitted["epsilon_spent"]) == (False, None)
    assert "read off the rows" in fitted["reason"]
    spawn("verify", "model.sfm").refused("no certificate")
    spawn("sample", "model.sfm", "-n", 300, "-o", "out.csv", "--seed", 1).fine()
    write_csv(tmp_path / "test.csv", HEADER, people(seed=1))
    found = spawn(
        *("evaluate", "--real", data, "--holdout", "test.csv", "--synthetic", "out.csv"),
        *("--schema", "draft.yaml", "--target", "income", "--json"),
    ).fine()
    assert {"tvd1", "tvd2", "tvd3", "query3"} <= set(found.json["measures"])
    assert CANARY not in found.out + found.err


def test_fit_verify_sample_with_a_certificate(run, data, schema, tmp_path):
    done = run(*fit(data, schema, "--ledger", "data.ledger", "-o", "model.sfm", "--target", "income", "--json")).fine()
    fitted = done.json
    assert fitted["certified"]
    assert 0.9 < fitted["epsilon_spent"] <= 1
    found = run("verify", "model.sfm", "--json").fine().json
    assert found["valid"]
    assert found["epsilon_recomputed"] == pytest.approx(fitted["epsilon_spent"])
    text = run("verify", "model.sfm").fine().out
    assert "VALID" in text
    assert "epsilon 1, delta 1e-06" in text

    run("sample", "model.sfm", "-n", 500, "-o", "a.csv", "--seed", 1).fine()
    run("sample", "model.sfm", "-n", 500, "-o", "b.csv", "--seed", 1).fine()
    run("sample", "model.sfm", "-n", 500, "-o", "c.csv").fine()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() != (tmp_path / "c.csv").read_bytes()
    with (tmp_path / "a.csv").open() as f:
        rows = list(csv.DictReader(f))
    assert len(rows) == 500
    assert all(0 <= int(r["age"]) <= 120 and r["sex"] in "FM" for r in rows)
    given = run("sample", "model.sfm", "-n", 50, "-o", "g.csv", "--given", "income=high", "--given", "sex=F", "--json")
    assert given.fine().json["rows"] == 50
    with (tmp_path / "g.csv").open() as f:
        assert {(r["income"], r["sex"]) for r in csv.DictReader(f)} == {("high", "F")}
    run("sample", "model.sfm", "-o", "d.csv", "--given", "income=huge").refused("income")
    run("sample", "model.sfm", "-o", "d.csv", "--given", "town").refused("COL=VALUE")
    run("sample", "model.sfm", "-o", "d.csv", "--given", "moon=1").refused("moon")
    assert not (tmp_path / "d.csv").exists()


def all_that_leaves(run, data, schema, folder):
    """Every output of every command, and every file they wrote, as text."""
    outputs = [
        run(*fit(data, schema, "--ledger", "data.ledger", "-o", "model.sfm", "--json")),
        run("verify", "model.sfm", "--json"),
        run("sample", "model.sfm", "-o", "out.csv"),
        run("ledger", "data.ledger", "--json"),
        run("ledger", "data.ledger"),
    ]
    assert all(o.code == 0 for o in outputs), outputs
    written = [p for p in folder.iterdir() if p not in (data, schema)]
    assert len(written) == 3
    return [o.out + o.err for o in outputs] + [p.read_bytes().decode("latin-1") for p in written]


def test_on_a_terminal_progress_shows_stages_and_what_was_spent(data, schema, tmp_path):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "sfumato.cli", *map(str, fit(data, schema, "-o", "model.sfm"))]
    try:
        wide = {**environment(), "COLUMNS": "120", "TERM": "xterm"}
        with subprocess.Popen(command, cwd=tmp_path, env=wide, stdout=subprocess.DEVNULL, stderr=theirs) as process:
            os.close(theirs)
            shown = b"".join(_read_until_closed(ours)).decode()
        assert process.returncode == 0, shown
    finally:
        os.close(ours)
    assert "reading rows" in shown
    spent = [float(number) for number in re.findall(r"ε (\d\.\d+)", shown)]
    assert 0.99 < max(spent) <= 1


def _read_until_closed(terminal):
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end of a terminal is gone
            return
        yield part


def test_nothing_that_leaves_holds_the_canary(run, data, schema, tmp_path):
    assert CANARY in data.read_text()
    assert not any(CANARY in text for text in all_that_leaves(run, data, schema, tmp_path))


def test_a_canary_in_the_model_file_would_be_found(run, data, schema, tmp_path):
    """The planted bug: categories taken from the rows."""
    schema.write_text(schema.read_text().replace("Goes]", f"Goes, {CANARY}]"))
    assert any(CANARY in text for text in all_that_leaves(run, data, schema, tmp_path))


def test_a_flipped_byte_is_refused(run, data, schema, tmp_path):
    run(*fit(data, schema, "-o", "model.sfm")).fine()
    content = (tmp_path / "model.sfm").read_bytes()
    for place in (0, len(content) // 3, len(content) // 2, len(content) - 1):
        edited = bytearray(content)
        edited[place] ^= 1
        (tmp_path / "edited.sfm").write_bytes(edited)
        for command in (("verify", "edited.sfm"), ("sample", "edited.sfm", "-o", "x.csv")):
            run(*command).refused("edited.sfm")
    (tmp_path / "cut.sfm").write_bytes(content[: len(content) // 2])
    assert "error" in run("verify", "cut.sfm", "--json").json


def test_signed_by_a_key(run, data, schema):
    run("keygen", "-o", "key.pem").fine()
    run("keygen", "-o", "other.pem").fine()
    run(*fit(data, schema, "-o", "model.sfm", "--key", "key.pem", "--curator", "Town hall")).fine()
    found = run("verify", "model.sfm", "--public-key", "key.pub.pem", "--json").fine().json
    assert found["signature_trusted"]
    assert found["certificate"]["product"]["curator"] == "Town hall"
    run("verify", "model.sfm", "--public-key", "other.pub.pem").refused("another key")


def test_the_ledger_adds_up_and_refuses(run, data, schema, tmp_path):
    run("ledger", "data.ledger", "--cap-epsilon", 1.2, "--cap-delta", 1e-6).fine()
    options = ("--ledger", "data.ledger", "-o", "model.sfm", "--json")
    run(*fit(data, schema, *options)).fine()
    before = run("ledger", "data.ledger", "--json").fine().json
    assert 0.9 < before["epsilon_spent"] <= 1
    assert [r["state"] for r in before["runs"]] == ["closed"]
    (tmp_path / "model.sfm").unlink()
    run(*fit(data, schema, "--ledger", "data.ledger", "-o", "model.sfm")).refused("cap")
    assert not (tmp_path / "model.sfm").exists()
    assert run("ledger", "data.ledger", "--json").json == before


def test_infinite_epsilon_gives_no_certificate(run, data, schema):
    fitted = run("fit", data, "--schema", schema, "--epsilon", "inf", "-o", "model.sfm", "--json").fine().json
    assert (fitted["certified"], fitted["epsilon"]) == (False, None)
    run("verify", "model.sfm").refused("no certificate", "epsilon is infinite")
    run("sample", "model.sfm", "-n", 10, "-o", "out.csv").fine()
    run("fit", data, "--schema", schema, "--epsilon", "inf", "--ledger", "l", "-o", "x.sfm").refused("cap")


HALTED = """
import signal, sys
from sfumato.cli.main import main
from sfumato.trust.central import Central
def halt(*_):
    print("halted", file=sys.stderr, flush=True)
    signal.pause()
Central.marginals = halt
main(sys.argv[1:])
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_fit_leaves_no_file_and_its_answers_for_the_next(run, data, schema, tmp_path, number):
    """The fit halts where its first answer is paid for and the next is asked, and is interrupted there."""
    again = fit(data, schema, "--ledger", "l", "-o", "m.sfm")
    command = [sys.executable, "-c", HALTED, *map(str, again)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == "halted\n"
        process.send_signal(number)
        out, err = process.stdout.read(), process.stderr.read()
    assert not (tmp_path / "m.sfm").exists()
    assert not [p for p in os.listdir(tmp_path) if p.startswith(".m.sfm")]
    (stopped,) = run("ledger", "l", "--json").fine().json["runs"]
    assert (stopped["state"], len(stopped["events"])) == ("dead", 1)
    if number == signal.SIGINT:
        assert (process.returncode, out) == (130, "")
        assert re.fullmatch(r"sfumato: interrupted[^\n]*\n", err)
    assert run(*again, "--json").fine().json["charges_resumed"] == 1
    (only,) = run("ledger", "l", "--json").fine().json["runs"]
    assert only["events"][:1] == stopped["events"]
    assert not (tmp_path / "l.answers").exists()


def test_python_in_five_lines(data, schema, tmp_path):
    import pyarrow.csv

    import sfumato as sf

    guarantee = sf.Guarantee(epsilon=1, delta=1e-6)
    synthesizer = sf.Synthesizer(schema, model="auto", guarantee=guarantee, ledger=tmp_path / "people.ledger")
    synthesizer.fit(pyarrow.csv.read_csv(data))
    table = synthesizer.sample(100, given={"income": "high"}, seed=3)
    synthesizer.save(tmp_path / "model.sfm")
    again = sf.load(tmp_path / "model.sfm")
    assert len(table) == 100
    assert again.sample(100, given={"income": "high"}, seed=3).arrow.equals(table.arrow)
    assert again.certificate == synthesizer.certificate
    again.save(tmp_path / "again.sfm")
    assert (tmp_path / "again.sfm").read_bytes() == (tmp_path / "model.sfm").read_bytes()


def test_help_is_quick():
    best = min(_seconds("--help") for _ in range(3))
    assert best < 0.5, best


def _seconds(option: str) -> float:
    """CPU seconds of one call, which other work on the machine does not change."""
    code = (
        "import resource, subprocess, sys;"
        f"subprocess.run([sys.executable, '-m', 'sfumato.cli', {option!r}], check=True, stdout=subprocess.DEVNULL);"
        "u = resource.getrusage(resource.RUSAGE_CHILDREN); print(u.ru_utime + u.ru_stime)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def test_every_command_has_help(run):
    for command in ("sketch", "fit", "sample", "verify", "evaluate", "audit", "ledger", "keygen", "demo"):
        assert f"Usage: sfumato {command}" in run(command, "--help").fine().out


def test_answers_are_json(run, data, tmp_path):
    done = run("sketch", data, "-o", "s.yaml", "--json").fine()
    assert json.loads(done.out)["schema"] == "s.yaml"
    assert Path(tmp_path / "s.yaml").exists()
