"""Progress is shown where it is asked for: stages that end, on standard error, and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.journeys.conftest import environment

import sfumato as sf


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
