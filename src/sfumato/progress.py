"""Progress as a stream of public facts: stage, step of how many, epsilon spent. Never a statistic of the rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


_Block = TypeVar("_Block", bound=Sized)


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


@contextmanager
def shown(progress: Progress | None, verbose: bool) -> Iterator[Progress]:
    """The caller's own progress; without one bars (:func:`bars`) where it is to be ``verbose``, else nothing."""
    if progress is None and verbose:
        with bars() as drawn:
            yield drawn
    else:
        yield progress or Silent()


def counted(blocks: Iterable[_Block], progress: Progress) -> Iterator[_Block]:
    """The same blocks; when the next one is asked for, the rows of the last are done."""
    for block in blocks:
        yield block
        progress.step(len(block))


@contextmanager
def bars(file: IO[str] | None = None) -> Iterator[Progress]:
    """A bar for each stage, on ``file`` (default: standard error) or in a notebook: steps, epsilon spent, times."""
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
    with RichProgress(*columns, console=Console(file=file, stderr=file is None), transient=False) as bar:
        drawn = _Bars(bar)
        yield drawn
        drawn.finish()


class _Bars:
    """One line per stage; a stage ends when the next begins, the last when all is done."""

    def __init__(self, bar: RichProgress) -> None:
        self._bar = bar
        self._task: TaskID | None = None
        self._spent = ""

    def stage(self, name: str, total: int | None = None) -> None:
        """Begin a stage of ``total`` steps."""
        self.finish()
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

    def finish(self) -> None:
        """Show the current stage as completed."""
        if self._task is not None:
            task = self._bar.tasks[self._task]
            self._bar.update(self._task, total=task.completed or 1, completed=task.completed or 1)
