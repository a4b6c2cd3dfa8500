"""How an attempt ended, and which ends are faults."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MEMORY = 2 << 30
"""Bytes of address space of an attempt, or of resident memory where a library reserves more than it uses."""
SECONDS = 10
"""Seconds of computing after which an attempt hangs."""
PATIENCE = 60.0
"""Seconds without computing after which an attempt waits for what never comes."""
LOOKED = 0.2
"""Seconds between looks at a process."""
CRASH, KILL, HANG, MEMORY_FAULT, LOST = "traceback", "kill", "hang", "memory", "input lost"
FAULTS = (CRASH, KILL, HANG, MEMORY_FAULT, LOST)


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes:
        fault: one of FAULTS; "" for none.
        said: the error in its words, or where it broke.
        refused: the input was refused in one line.
        resident: bytes of memory at most.
    """

    fault: str = ""
    said: str = ""
    refused: bool = False
    resident: int = 0


class Watch:
    """Whether a process waits. One that other work keeps from computing does not: it is ready to run.

    Args:
        pid: of the process.
        patience: seconds.
    """

    def __init__(self, pid: int, patience: float) -> None:
        self._tasks, self._patience = Path(f"/proc/{pid}/task"), patience
        self._ticks, self._since = 0, time.monotonic()

    def waits(self) -> bool:
        """Whether it has neither computed nor been ready to for as long as it is waited for."""
        states, ticks = self._look()
        if ticks != self._ticks or not {"R", "D"}.isdisjoint(states):
            self._ticks, self._since = ticks, time.monotonic()
        return time.monotonic() - self._since > self._patience

    def _look(self) -> tuple[set[str], int]:
        """The states of its threads, and the ticks of the clock in which they have computed."""
        states, ticks = set[str](), 0
        for task in os.listdir(self._tasks) if self._tasks.exists() else ():
            with suppress(OSError):  # it has just ended
                fields = (self._tasks / task / "stat").read_text().rpartition(")")[2].split()
                states.add(fields[0])
                ticks += int(fields[11]) + int(fields[12])
        return states, ticks


def each(*acts: Callable[[], object]) -> None:
    """Do all of them, whichever are refused; then raise the last refusal."""
    from sfumato.errors import SfumatoError

    found: SfumatoError | None = None
    for act in acts:
        try:
            act()
        except SfumatoError as error:
            found = error
    if found is not None:
        raise found


def one_line(text: str) -> bool:
    """Whether a message is one line that a terminal shows as it is."""
    return bool(text) and "\n" not in text


def state(folder: Path) -> Mapping[str, str]:
    """The SHA-256 of each file of a folder, by name."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as stream:
                found[os.path.relpath(path, folder)] = hashlib.sha256(stream.read()).hexdigest()
    return found


def lost(before: Mapping[str, str], after: Mapping[str, str], spent: frozenset[str] = frozenset()) -> list[str]:
    """Names of the inputs that are gone or changed, but for ``spent``, which a command may write to."""
    return [name for name, digest in before.items() if name not in spent and after.get(name) != digest]
