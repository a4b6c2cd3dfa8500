"""Mutants: mistakes that a good engineer could make in the shipped code, each with the test that must turn red by it.

``python -m benchmarks.mutants`` (or ``make mutants``) plants each in a copy of the package and runs its test there. All
must be caught, and none of the tests may fail on the package as it is. The lists lie by area, one file each.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence

from benchmarks.mutants import (
    accounting,
    drafts,
    encoding,
    encrypted,
    encrypted_sum,
    engine,
    facts,
    federated,
    gradients,
    intersections,
    ledger,
    mechanisms,
    outsourced,
    parties,
    processes,
    reading,
    release,
    secure_sum,
    settings,
    signatures,
    sites,
)
from benchmarks.mutants.mutant import ROOT, Mutant

AREAS: dict[str, tuple[Mutant, ...]] = {
    "reading": reading.MUTANTS,
    "encoding": encoding.MUTANTS,
    "facts": facts.MUTANTS,
    "drafts": drafts.MUTANTS,
    "settings": settings.MUTANTS,
    "mechanisms": mechanisms.MUTANTS,
    "gradients": gradients.MUTANTS,
    "accounting": accounting.MUTANTS,
    "ledger": ledger.MUTANTS,
    "release": release.MUTANTS,
    "secure_sum": secure_sum.MUTANTS,
    "encrypted_sum": encrypted_sum.MUTANTS,
    "federated": federated.MUTANTS,
    "sites": sites.MUTANTS,
    "parties": parties.MUTANTS,
    "intersections": intersections.MUTANTS,
    "outsourced": outsourced.MUTANTS,
    "processes": processes.MUTANTS,
    "engine": engine.MUTANTS,
    "encrypted": encrypted.MUTANTS,
    "signatures": signatures.MUTANTS,
}
MUTANTS: tuple[Mutant, ...] = tuple(mutant for area in AREAS.values() for mutant in area)


def tenth(mutants: Sequence[Mutant], commit: str) -> tuple[Mutant, ...]:
    """A tenth of ``mutants``, rounded up, chosen by the hash of the commit: another for each, the same for all who ask.

    >>> len(tenth(MUTANTS, "a")) == -(-len(MUTANTS) // 10)
    True
    """
    order = sorted(mutants, key=lambda mutant: hashlib.sha256(f"{commit}\0{mutant.name}".encode()).digest())
    return tuple(order[: -(-len(mutants) // 10)])


def commit() -> str:
    """The hash of the commit that is checked out; empty where there is no repository."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return asked.stdout.strip()
