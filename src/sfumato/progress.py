"""Progress as a stream of public facts: stage, step of how many, epsilon spent. Never a statistic of the rows."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives progress; the command line draws a bar, a library user may pass nothing."""

    def stage(self, name: str, total: int | None = None) -> None:
        """A new stage begins, of ``total`` steps if known."""
        ...

    def step(self, n: int = 1) -> None:
        """``n`` more steps of the current stage are done."""
        ...

    def spent(self, epsilon: float) -> None:
        """The charges of this run so far cost ``epsilon``, at the delta of its guarantee."""
        ...


class Silent:
    """Progress that goes nowhere."""

    def stage(self, name: str, total: int | None = None) -> None:
        """Ignore."""

    def step(self, n: int = 1) -> None:
        """Ignore."""

    def spent(self, epsilon: float) -> None:
        """Ignore."""
