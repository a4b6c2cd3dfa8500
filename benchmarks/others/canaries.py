"""What one planted person leaves behind: a label nobody else has, a number far beyond all others; and reused noise.

A label that stands in one row alone cannot come out of a run that never saw that row. Under (epsilon, delta) it may
therefore come out of a run that did with a probability of at most delta: to see it once in a few runs refutes the
claim for neighbouring tables whose categories are not declared. The number is compared with runs without the row.
"""

from __future__ import annotations

import csv
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.others.peers import HERE, Peer

LABEL, NUMBER, NEAR = "ZEBRA", 999, 500
"""The planted label and hours per week; beyond ``NEAR`` a made value is taken for the planted one's doing."""

Rows = Sequence[dict[str, str]]


class Failed(Exception):  # noqa: N818 - an outcome of a generator, not an error of this program
    """A generator ended without rows."""


def write(path: Path, rows: Rows) -> Path:
    """Rows as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def run(peer: Peer, rows: Path, made: Path, count: int, limit: float = 1800) -> float:
    """Let the generator make ``count`` rows; returns CPU seconds, of imports too. Raises ``Failed``."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(peer.python), str(HERE / "generators" / peer.script), str(rows), str(made), str(count)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=limit, cwd=made.parent)
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        raise Failed(lines[-1] if lines else f"ended with {error.returncode}") from None
    except subprocess.TimeoutExpired:
        raise Failed(f"not done after {limit:g} s") from None
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def planted(rows: Rows) -> list[dict[str, str]]:
    """The rows and one person more."""
    return [*rows, {**rows[0], "workclass": LABEL, "hours-per-week": str(NUMBER)}]


def leavings(peer: Peer, rows: Rows, folder: Path, repeats: int) -> dict[str, Any]:
    """In how many of ``repeats`` runs the planted person shows, and whether two runs on the same rows are the same."""
    found: dict[str, Any] = dict.fromkeys(("label in rows", "label in files", "number", "number without the row"), 0)
    inputs = write(folder / "without.csv", rows), write(folder / "with.csv", planted(rows))
    outputs: list[bytes] = []
    for turn in range(repeats):
        for source in inputs:
            place = folder / f"{source.stem}{turn}"
            place.mkdir()
            made = place / "made.csv"
            run(peer, source, made, len(rows))
            largest = _largest(made)
            if source is inputs[0]:
                outputs.append(made.read_bytes())
                found["number without the row"] += largest > NEAR
                continue
            found["number"] += largest > NEAR
            found["label in rows"] += LABEL.encode() in made.read_bytes()
            found["label in files"] += any(LABEL.encode() in p.read_bytes() for p in _saved(place, made))
    return {**found, "runs": repeats, "same output twice": len(set(outputs)) < len(outputs)}


def _saved(folder: Path, made: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and p != made]


def _largest(made: Path) -> float:
    with made.open(newline="", encoding="utf-8") as file:
        values = [row["hours-per-week"] for row in csv.DictReader(file)]
    return max(float(v) for v in values if v)
