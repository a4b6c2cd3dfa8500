"""Mutants of the shipped code: how many were planted and caught, and how often the right build was accused."""

from __future__ import annotations

from typing import Any

from benchmarks.mutants import MUTANTS
from benchmarks.mutants.running import accused, check_that_copies_run, judged

LEAST = 40


def figures(most: int = len(MUTANTS)) -> list[dict[str, Any]]:
    """Of the first ``most`` mutants."""
    check_that_copies_run()
    mutants, caught = MUTANTS[:most], 0
    for verdict in judged(mutants):
        caught += verdict.outcome == "caught"
        print(f"{verdict.outcome:8s} {verdict.mutant.name}: {verdict.shown}", flush=True)
    alarms = len(accused(mutants))
    return [
        _figure("mutants of shipped code planted", len(mutants), LEAST, len(mutants) >= LEAST),
        _figure("mutants of shipped code caught", caught, len(mutants), caught == len(mutants)),
        _figure("mutants: tests that accuse the right build", alarms, 0, alarms == 0),
    ]


def _figure(name: str, value: int, limit: int, met: bool) -> dict[str, Any]:
    return {"name": name, "value": value, "limit": limit, "met": met}
