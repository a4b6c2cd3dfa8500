"""The notebooks in ``examples/`` run from the first cell to the last, each in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.journeys.conftest import environment

FOLDER = Path(__file__).resolve().parent.parent / "examples"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def cells(name: str, kind: str) -> list[dict]:
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def script(name: str) -> str:
    """The cells as a program that shows the last expression of each, as a notebook does."""
    sources = ["".join(cell["source"]) for cell in cells(name, "code")]
    return f"""
import ast
for source in {sources!r}:
    *steps, last = ast.parse(source).body
    exec(compile(ast.Module(steps, []), "cell", "exec"))
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "cell", "eval"))
        print(repr(value))
        getattr(value, "_repr_html_", str)()
    else:
        exec(compile(ast.Module([last], []), "cell", "exec"))
"""


def run(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_there_are_three():
    assert NOTEBOOKS == ["audit_somebody_elses_data", "first_synthetic_table", "review_and_certificate"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_they_are_stored_without_outputs(name):
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(name, "code"))
    assert cells(name, "markdown")[0]["source"][0].startswith("# ")


SAYS = {
    "audit_somebody_elses_data": ("no evidence of a leak", "VIOLATION"),
    "first_synthetic_table": ("32,561 rows", "Verification("),
    "review_and_certificate": ("CERTIFICATE", "A. Jansen"),
}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_each_runs_and_shows_what_it_tells_of(name, tmp_path):
    done = run(script(name), tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    for words in SAYS[name]:
        assert words in done.stdout


def test_a_cell_that_fails_is_seen(tmp_path):
    assert run(
        script("first_synthetic_table").replace("sf.examples.adult()", "sf.examples.moon()"), tmp_path
    ).returncode
