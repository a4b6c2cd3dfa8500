"""The command line as a user runs it: real processes, real files, and a table with a secret in it."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sfumato.cli.main import main

CANARY = "ZEBRA"
SCHEMA = """\
sfumato: schema/1
unit: row
target: income
columns:
  age: {kind: integer, bounds: [0, 120], source: public}
  sex: {kind: category, categories: [F, M], source: public}
  town: {kind: category, categories: [Delft, Ede, Goes], outside: other, source: public}
  wage: {kind: real, bounds: [0, 100], nullable: true, source: public}
  income: {kind: category, categories: [low, high], source: public}
"""


@dataclass(frozen=True)
class Done:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        assert len(self.out.strip().splitlines()) == 1, self.out
        return json.loads(self.out)

    def refused(self, *says: str) -> str:
        """The one line on stderr of a refused input; holds every text of ``says``."""
        assert self.code == 2, (self.code, self.out, self.err)
        lines = self.err.strip().splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("sfumato: "), self.err
        assert "Traceback" not in self.err
        assert "a defect in sfumato" not in self.err, self.err
        for text in says:
            assert text in lines[0], (text, lines[0])
        return lines[0]

    def fine(self) -> Done:
        """The same, having checked that all went well."""
        assert self.code == 0, (self.code, self.out, self.err)
        return self


def environment() -> dict[str, str]:
    """One thread per process: the tests run side by side."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"}


@pytest.fixture
def spawn(tmp_path: Path) -> Callable[..., Done]:
    """Run ``sfumato`` with these arguments as a process of its own, in the test's own folder."""

    def call(*arguments: object) -> Done:
        command = [sys.executable, "-m", "sfumato.cli", *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300, check=False
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The same without the price of a new process: what its ``main`` prints and its exit code."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in arguments])
        assert isinstance(ended.value.code, int)
        return Done(ended.value.code, *capfd.readouterr())

    return call


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """A plain CSV file."""
    with path.open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def people(n: int = 600, seed: int = 0) -> list[list[object]]:
    """Made-up people; one lives in a town nobody declared, whose name must never come out."""
    rng = np.random.default_rng(seed)
    age, male = rng.integers(18, 90, n), rng.random(n) < 0.5
    wage = np.round(np.clip(rng.normal(20 + 0.3 * age, 8), 0, 100), 1)
    towns = rng.choice(["Delft", "Ede", "Goes"], n)
    rows = [
        [int(a), "M" if m else "F", t, "" if i % 17 == 0 else float(w), "high" if w > 36 else "low"]
        for i, (a, m, t, w) in enumerate(zip(age, male, towns, wage, strict=True))
    ]
    rows[n // 2][2] = CANARY
    return rows


HEADER = ["age", "sex", "town", "wage", "income"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """people.csv, with the canary."""
    return write_csv(tmp_path / "people.csv", HEADER, people())


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    """A reviewed schema.yaml of it."""
    path = tmp_path / "schema.yaml"
    path.write_text(SCHEMA)
    return path
