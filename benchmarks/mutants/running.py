"""Run the tests that mutants name: on a copy of the package with the mistake in it, and on the package as it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal

from benchmarks.mutants.mutant import PACKAGE, ROOT, Mutant, StaleMutant

LONGEST = 300.0
"""Seconds after which a test that goes on and on has found nothing."""
AT_A_TIME = 2
_DOES_NOT_RUN = ("SyntaxError", "IndentationError", "NameError", "UnboundLocalError", "ImportError", "AttributeError")
"""A test that fails by one of these has met code that cannot run, and no mistake that one could ship."""

Outcome = Literal["caught", "survived", "broken", "stale"]


@dataclass(frozen=True)
class Verdict:
    """What became of one mutant.

    Attributes:
        outcome: ``caught`` (its test failed), ``survived`` (it passed), ``broken`` (the code does not run, or the test
            is not there), ``stale`` (the code has changed, and the list has not).
        shown: the first line of the failure, or what is wrong with the mutant.
    """

    mutant: Mutant
    outcome: Outcome
    shown: str
    seconds: float


def judged(mutants: Sequence[Mutant]) -> Iterator[Verdict]:
    """A verdict on each mutant, in the order in which they are done."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for task in [pool.submit(judge, mutant) for mutant in mutants]:
            yield task.result()


def judge(mutant: Mutant) -> Verdict:
    """Plant one mutant in a copy of the package, and run its tests on that."""
    began = perf_counter()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "sfumato"
        shutil.copytree(PACKAGE, copy)
        try:
            mutant.plant(copy)
        except StaleMutant as stale:
            return Verdict(mutant, "stale", str(stale), perf_counter() - began)
        code, failures = _tested(mutant.test.split(), Path(folder))
    return Verdict(mutant, *_outcome(code, failures), perf_counter() - began)


def accused(mutants: Iterable[Mutant]) -> tuple[str, ...]:
    """The tests of ``mutants`` that fail on the package as it is: there should be none."""
    tests = sorted({test for mutant in mutants for test in mutant.test.split()})
    code, failures = _tested(tests, PACKAGE.parent)
    return failures if code in (0, 1) else (*failures, f"the tests did not run: pytest ended with {code}")


def _outcome(code: int, failures: tuple[str, ...]) -> tuple[Outcome, str]:
    if code == 0:
        return "survived", "its test passed"
    if code != 1 or not failures:
        return "broken", failures[0] if failures else f"pytest ended with {code}: no such test, or it took too long"
    if failures[0].partition(": ")[2].startswith(_DOES_NOT_RUN):
        return "broken", failures[0]
    return "caught", failures[0]


def _tested(tests: Sequence[str], source: Path) -> tuple[int, tuple[str, ...]]:
    """How pytest ended over the package in ``source`` (-1: it took too long), and a line for each failure."""
    with tempfile.TemporaryDirectory(prefix="mutant-report-") as folder:
        report = Path(folder) / "report.xml"
        command = [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"),
            *([] if source == PACKAGE.parent else ["-x"]),
            *tests,
        ]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(source)},
                capture_output=True,
                timeout=LONGEST if len(tests) < 5 else None,
            )
        except subprocess.TimeoutExpired:
            return -1, ()
        return done.returncode, tuple(_failures(report))


def _failures(report: Path) -> Iterator[str]:
    """``test: first line of what it said``, of each test that failed or could not be set up."""
    if not report.exists():
        return
    for case in ElementTree.parse(report).iter("testcase"):
        for found in (*case.iter("failure"), *case.iter("error")):
            said = (found.get("message") or "no word").splitlines()
            yield f"{case.get('name')}: {said[0][:160]}"


def check_that_copies_run() -> None:
    """RuntimeError where tests would not import the copy of the package that they are given, but another one."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        shutil.copytree(PACKAGE, Path(folder) / "sfumato")
        done = subprocess.run(
            [sys.executable, "-c", "import sfumato; print(sfumato.__file__)"],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": folder},
            capture_output=True,
            text=True,
            check=True,
        )
        if Path(folder) not in Path(done.stdout.strip()).parents:
            raise RuntimeError(f"tests import {done.stdout.strip()}, and not the copy with the mistake in it")
