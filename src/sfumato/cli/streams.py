"""The standard streams and signals of a process, whatever it was started with: closed, full, in another charset."""

from __future__ import annotations

import errno
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import FrameType
from typing import IO, Any

_PATIENCE = 10.0
"""Seconds in which further signals do not disturb the clearing away that the first one set off."""
BROKEN_PIPE = 128 + 13
"""Exit code of a program whose reader went away, as a shell counts it."""


_CLOSED = "it is closed"


class Stopped(BaseException):
    """A signal that asks the process to end; raised, so that what it had begun to write is taken away.

    Attributes:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise ``Stopped`` for SIGTERM and SIGHUP where they would have ended the process at once; ignored ones stay so.

    Whoever stops a process often sends two signals, and a second one must not end the clearing away: for ten seconds
    only the first of them, or of Ctrl-C, is raised.
    """
    taken: dict[int, signal.Handlers] = {}
    if threading.current_thread() is threading.main_thread():
        usual = {
            signal.SIGTERM: signal.SIG_DFL,
            signal.SIGHUP: signal.SIG_DFL,
            signal.SIGINT: signal.default_int_handler,
        }
        taken = {number: found for number, found in usual.items() if signal.getsignal(number) is found}
    first: list[float] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        if first and monotonic() - first[0] < _PATIENCE:
            return
        first[:] = [monotonic()]
        raise KeyboardInterrupt if number == signal.SIGINT else Stopped(number)

    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, found in taken.items():
            signal.signal(number, found)


def prepare() -> None:
    """Let every text be written whatever the charset, and no file take the number of a stream that was closed.

    A closed standard error takes all that is said to nobody. A closed standard output takes nothing, so that what was
    to be written there is not said to have been.
    """
    for number, way in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, way)  # gets the lowest number that is free: this one
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False))  # noqa: SIM115
        elif isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def write(text: str, stream: IO[str]) -> str | None:
    """Write a line at once; None, or why that cannot be done. What could not be written is given up."""
    try:
        stream.write(f"{text}\n" if text else "")
        stream.flush()
    except OSError as error:
        _give_up(stream)
        return reason_of(error)
    return None


def reason_of(error: OSError) -> str:
    """Why a stream could not be written to."""
    return _CLOSED if error.errno == errno.EBADF else os.strerror(error.errno or 0)


def broken_pipe(reason: str | None) -> bool:
    """Whether it is that nobody reads any more, which is not worth a word."""
    return reason == os.strerror(errno.EPIPE)


def nobody_reads(reason: str | None) -> bool:
    """The same, or that the stream was closed from the start."""
    return broken_pipe(reason) or reason == _CLOSED


def _give_up(stream: IO[str]) -> None:
    """Send to nowhere what the stream still holds, lest it fail again when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


class _Terminal(io.RawIOBase):
    """A terminal that may go away: what cannot be drawn on it is left out, for the work goes on."""

    def __init__(self, number: int) -> None:
        self._number = number

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def fileno(self) -> int:
        """Its number, by which others find out how wide it is."""
        return self._number

    def isatty(self) -> bool:
        """As whoever draws asks first."""
        return os.isatty(self._number)

    def write(self, data: Any) -> int:  # a buffer, which Python 3.11 has no name for
        """All of it is taken, written or not."""
        with suppress(OSError):
            os.write(self._number, data)
        return len(memoryview(data))


def terminal() -> IO[str]:
    """Standard error, to be drawn on."""
    raw = io.BufferedWriter(_Terminal(sys.stderr.fileno()))
    return io.TextIOWrapper(raw, sys.stderr.encoding, "backslashreplace", line_buffering=True)
