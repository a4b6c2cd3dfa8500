"""Progress is shown where it is asked for: stages that end, on standard error, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import nullcontext

import pytest
from tests.journeys.conftest import environment

import sfumato as sf
from sfumato.cli import terminal
from sfumato.cli.main import app, main


class Seen:
    """Stages with how many steps were announced and done."""

    def __init__(self) -> None:
        self.stages: list[list] = []

    def stage(self, name, total=None):
        self.stages.append([name, total, 0])

    def step(self, n=1):
        self.stages[-1][2] += n

    def spent(self, epsilon):
        assert epsilon > 0


@pytest.fixture(scope="module")
def tables():
    rows = sf.examples.adult().arrow
    return tuple(sf.Table(rows.slice(start, 400)) for start in (0, 400, 800))


def test_an_evaluation_and_an_audit_tell_their_stages_to_the_end(tables):
    schema = sf.examples.adult_schema()
    seen = Seen()
    sf.evaluate(*tables, schema, quick=True, progress=seen)
    names = [name for name, *_ in seen.stages]
    assert names == ["reading the tables", "marginals, queries", "prediction", "rules of the schema"]
    seen = Seen()
    sf.audit(*tables, schema, progress=seen)
    counted = [stage for stage in seen.stages if stage[1] is not None]
    assert [name for name, *_ in counted] == ["membership attacks", "self-test"]
    assert all(total == done for _, total, done in counted)


PROGRAM = """
import sfumato as sf
rows = sf.examples.adult().arrow
tables = [sf.Table(rows.slice(start, 400)) for start in (0, 400, 800)]
sf.evaluate(*tables, sf.examples.adult_schema(), quick=True, verbose={})
"""


@pytest.mark.parametrize("verbose", [True, False])
def test_bars_are_drawn_where_they_are_asked_for(verbose, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(verbose)],
        env=environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == ""
    assert ("marginals, queries" in done.stderr) == verbose
    assert done.stderr.count("1/1") == 4 * verbose  # every stage is shown as completed


def test_rows_that_are_sampled_are_counted(tables, tmp_path):
    fitted = sf.Synthesizer(
        sf.examples.adult_schema(), "independent", sf.Guarantee(1, 1e-9), ledger=sf.Ledger.open(None)
    )
    fitted.fit(tables[0])
    seen = Seen()
    assert fitted.sample_to(tmp_path / "made.csv", 900, progress=seen) == 900
    assert seen.stages == [["sampling rows", 900, 900]]


LINES = {
    "sketch": "sketch real.csv -o draft.yaml",
    "fit": "fit real.csv --schema schema.yaml --model independent -o model.sfm",
    "verify": "verify model.sfm",
    "sample": "sample model.sfm -n 300 -o made.csv",
    "evaluate": "evaluate --real real.csv --holdout holdout.csv --synthetic made.csv --schema schema.yaml --quick",
    "audit": "audit --real real.csv --holdout holdout.csv --synthetic made.csv --schema schema.yaml",
    "report": "report model.sfm -o report.html",
}
"""Commands that may take more than two seconds, in an order in which each has what it reads."""
AT_ONCE = {"review", "ledger", "keygen"}
"""Commands that read one small file; ``demo`` is made of the others, and looked at by its own test."""


def test_no_command_that_may_take_long_is_silent(tables, tmp_path, monkeypatch):
    """Each opens a stage, and with it a bar, before it calls what works."""
    monkeypatch.chdir(tmp_path)
    for table, name in zip(tables, ("real.csv", "holdout.csv", "other.csv"), strict=True):
        table.write(name)
    shutil.copy(sf.examples.adult_schema(), "schema.yaml")
    for line in LINES.values():
        seen = Seen()
        monkeypatch.setattr(terminal, "progress", lambda quiet=False, seen=seen: nullcontext(seen))
        with pytest.raises(SystemExit) as ended:
            main(line.split())
        assert ended.value.code == 0, line
        assert seen.stages, line
    known = {command.name for command in app.registered_commands}
    assert known == {*LINES, *AT_ONCE, "demo"}
