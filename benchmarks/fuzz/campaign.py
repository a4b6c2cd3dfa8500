"""Many attempts one after another, each from its own seed, and what is kept of those that failed."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from benchmarks.fuzz import forked, processes
from benchmarks.fuzz.kind import Kind, Valid, write
from benchmarks.fuzz.outcome import LOST, Outcome, lost, state


@dataclass
class Tally:
    """What was tried, by way, and what failed.

    Attributes:
        tried: number of inputs.
        refused: how many of them were refused.
        faults: how many by fault.
        kinds: how many by kind of input.
        said: a line for each failure.
    """

    tried: int = 0
    refused: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)


class Campaign:
    """Attempts on inputs made from ``valid``; failing ones are kept in ``kept``.

    Args:
        valid: right inputs.
        kinds: of input.
        kept: folder of the failing inputs, with the command to repeat each.
        seed: of all inputs.
    """

    def __init__(self, valid: Valid, kinds: Sequence[Kind], kept: Path, seed: int) -> None:
        self.valid, self.kinds, self.kept, self.seed = valid, kinds, kept, seed
        self._weights = [kind.weight for kind in kinds]

    def run(self, by_command: bool, number: int, until: float, first: int = 0) -> Tally:
        """Up to ``number`` attempts, until the clock says ``until``; from input ``first`` on."""
        tally = Tally()
        for i in range(first, first + number):
            if monotonic() >= until:
                break
            rng = random.Random(f"{self.seed}:{by_command}:{i}")
            kind = rng.choices(self.kinds, self._weights)[0]
            if by_command:  # every command in turn, whatever its kind's weight
                every = [(k, c) for k in self.kinds for c in k.commands]
                kind, command = every[i % len(every)]
            else:
                command = ()
            outcome, folder = self._once(kind, command, rng)
            tally.tried += 1
            tally.kinds[kind.name] += 1
            tally.refused += outcome.refused
            if outcome.fault:
                tally.faults[outcome.fault] += 1
                tally.said.append(self._keep(kind, i, command, outcome, folder))
            shutil.rmtree(folder)
        return tally

    def _once(self, kind: Kind, command: Sequence[str], rng: random.Random) -> tuple[Outcome, Path]:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        made = kind.make(self.valid, rng)
        if command:
            write({**self.valid.files, **made}, folder)
        else:
            write(made, folder)
            beside = {
                n: d
                for n, d in self.valid.files.items()
                if n in ("schema.yaml", "draft.yaml", "key.pub.pem", "key.pem")
            }
            write({n: d for n, d in beside.items() if n not in made}, folder)
        before = state(folder)
        outcome = processes.run(command, folder) if command else forked.attempted(kind.attempt, folder)
        spent = frozenset(n for n in before if n.endswith(".ledger")) if command[:1] == ("fit",) else frozenset()
        gone = lost(before, state(folder), spent)
        if gone and not outcome.fault:
            outcome = Outcome(LOST, f"changed: {', '.join(gone)}", resident=outcome.resident)
        return outcome, folder

    def _keep(self, kind: Kind, number: int, command: Sequence[str], outcome: Outcome, folder: Path) -> str:
        place = self.kept / f"{kind.name}-{'command' if command else 'forked'}-{number}"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(folder, place)
        way = "--commands" if command else "--forked"
        repeat = f"python -m benchmarks.fuzz --seed {self.seed} {way} --only {number}"
        shown = f"{outcome.fault}: {kind.name} {' '.join(command)}\n{outcome.said}\nrepeat: {repeat}\n"
        (place / "FAULT.txt").write_text(shown, encoding="utf-8", errors="backslashreplace")
        return shown
