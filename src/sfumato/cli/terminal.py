"""What a command says: one JSON object on stdout for machines, text and a progress bar for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from sfumato.errors import SfumatoError
from sfumato.progress import Progress, Silent

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from sfumato import Guarantee

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def answer(result: Mapping[str, object], text: str, as_json: bool) -> None:
    """Print the result of a command: as JSON for machines, else the text."""
    print(json.dumps(result, ensure_ascii=False, allow_nan=False) if as_json else text.rstrip("\n"))


def note(text: str) -> None:
    """Tell people something on stderr."""
    print(text, file=sys.stderr)


@contextmanager
def progress() -> Iterator[Progress]:
    """A bar on stderr: stage, steps, epsilon spent, time taken and time left; nothing where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield Silent()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[spent]:<10}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=False) as bar:
        yield _Bar(bar)


class _Bar:
    """One line per stage; a stage ends when the next begins."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._spent = ""

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage of ``total`` steps."""
        self._finish()
        self._task = self._bar.add_task(name, total=total, spent=self._spent)

    def step(self, n: int = 1) -> None:
        """Advance the current stage."""
        if self._task is not None:
            self._bar.advance(self._task, n)

    def spent(self, epsilon: float) -> None:
        """Show what was spent up to now, from this stage on."""
        self._spent = f"ε {epsilon:.3f}"
        if self._task is not None:
            self._bar.update(self._task, spent=self._spent)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._bar.tasks[self._task]
            self._bar.update(self._task, total=task.completed or 1, completed=task.completed or 1)


def guarantee(epsilon: float, delta: float, unit: str = "row") -> Guarantee:
    """The guarantee of two options; SfumatoError where they are out of range."""
    import sfumato as sf

    try:
        return sf.Guarantee(epsilon, delta, unit)
    except ValueError as e:
        raise sf.SfumatoError(f"--epsilon/--delta: {e}") from None


def conditions(given: Sequence[str]) -> dict[str, str]:
    """``COL=VALUE`` options as a mapping; SfumatoError where one has no ``=`` or names a column twice."""
    found: dict[str, str] = {}
    for text in given:
        column, equals, value = text.partition("=")
        if not equals or not column:
            raise SfumatoError(f"--given {text!r}: write COL=VALUE, for instance --given income='>50K'")
        if column in found:
            raise SfumatoError(f"--given names column {column!r} twice; give one value per column")
        found[column] = value
    return found
