"""Steps of trainings that a site has paid for and not taken yet, in memory, and in a file that a restart reads."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

from sfumato.atomic import atomic_write
from sfumato.outputs import PREPAID
from sfumato.privacy.events import DistributedGaussian, Event, PoissonSampledGaussian, from_json, to_json
from sfumato.privacy.ledger import Run

Training = DistributedGaussian | PoissonSampledGaussian
"""What steps of a training are charged as."""


def prepaid_file(ledger: Path | None, run: Run) -> Path | None:
    """Where the steps that ``run`` has prepaid are kept, beside its ledger; None in memory."""
    return None if ledger is None else ledger.with_name(f"{ledger.name}.prepaid-{run.id}")


class PrepaidSteps:
    """How many steps of each kind are left; a kind is the event of all that one number of the plan is used for.

    That is one step, or as many as a site takes by itself before it is asked again: the ``count`` of the event.

    *Formal guarantee.* Never more than were paid for and not taken. The file is written before the step that it counts
    is answered. What it says counts only as far as the ledger bears it out: of steps that the run was charged for, and
    less one for every number that the run has used since, for each of these may have been such a step. So an older copy
    of the file, or of the ledger, loses steps that were paid for, and gains none.

    Args:
        run: of the site's ledger.
        file: where to keep them; None: nowhere, so that a restart forgets them.
    """

    def __init__(self, run: Run, file: Path | None = None) -> None:
        self._run, self._file = run, file
        self._left = self._read() if file is not None and file.exists() else Counter[Training]()

    def left(self, step: Training) -> int:
        """Steps of this kind that may be taken."""
        return self._left[step]

    def add(self, step: Training, steps: int) -> None:
        """That so many were paid for."""
        self._left[step] += steps
        self._write()

    def take(self, step: Event) -> bool:
        """Take one; False where none is left."""
        if not isinstance(step, Training) or self._left[step] < 1:
            return False
        self._left[step] -= 1
        self._write()
        return True

    def _write(self) -> None:
        if self._file is None:
            return
        left = [[to_json(step), steps] for step, steps in self._left.items() if steps]
        known = {
            "sfumato": "prepaid",
            "ledger": self._run.ledger,
            "run": self._run.id,
            "numbers": self._run.steps,
            "left": left,
        }
        with atomic_write(self._file, PREPAID) as file:
            file.write(json.dumps(known).encode())

    def _read(self) -> Counter[Training]:
        """What the file says, as far as the ledger bears it out; none of a file that cannot be read, or of another."""
        assert self._file is not None
        found: Counter[Training] = Counter()
        try:
            known = json.loads(self._file.read_bytes())
            used = self._run.steps - known["numbers"]
            if (known["ledger"], known["run"]) != (self._run.ledger, self._run.id) or used < 0:
                return found
            listed = [(from_json(step), int(steps)) for step, steps in known["left"]]
        except (OSError, ValueError, KeyError, TypeError):
            return found
        paid = self._paid()
        for step, steps in listed:
            if isinstance(step, Training):
                borne_out = paid[replace(step, count=1)] // step.count
                found[step] = max(0, min(steps, borne_out) - used)
        return found

    def _paid(self) -> Counter[Training]:
        """How many single steps of each kind the run was charged for."""
        paid: Counter[Training] = Counter()
        for event in self._run.events:
            if isinstance(event, Training):
                paid[replace(event, count=1)] += event.count
        return paid
