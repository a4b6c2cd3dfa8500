"""What an internal report of Adult costs by the command line: CPU seconds beside their limits, size, height.

``python -m benchmarks.report_cost [--only full|quick]``. A model is fitted and a report written with
``sfumato report --real --holdout``, each in a process of its own, whose CPU seconds (of all threads) the system counts.
The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import sfumato as sf

LIMITS = {"full": 60.0, "quick": 15.0}
"""CPU seconds."""


def run(folder: Path, *words: str) -> tuple[float, float]:
    """CPU and wall seconds of ``sfumato``'s command in a process of its own."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "sfumato.cli", *words], cwd=folder, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"sfumato {' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return used.ru_utime + used.ru_stime, time.perf_counter() - began


def measured(folder: Path, suite: str) -> dict[str, Any]:
    """One report."""
    words = ("report", "adult.sfm", "-o", f"{suite}.html", "--real", "real.parquet", "--holdout", "holdout.parquet")
    cpu, wall = run(folder, *words, *(("--quick",) if suite == "quick" else ()))
    return {
        "suite": suite,
        "cpu_seconds": round(cpu, 1),
        "limit": LIMITS[suite],
        "share": round(cpu / LIMITS[suite], 3),
        "seconds": round(wall, 1),
        "bytes": (folder / f"{suite}.html").stat().st_size,
    }


def main() -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=tuple(LIMITS))
    chosen = parser.parse_args().only
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sf.examples.adult().write(folder / "real.parquet")
        sf.examples.adult_test().write(folder / "holdout.parquet")
        fitted = sf.Synthesizer(sf.examples.adult_schema(), guarantee=sf.Guarantee(1, 1e-9), target="income")
        fitted.fit(sf.examples.adult()).save(folder / "adult.sfm")
        found = [measured(folder, suite) for suite in LIMITS if chosen in (None, suite)]
    print(json.dumps({"reports": found}))


if __name__ == "__main__":
    main()
