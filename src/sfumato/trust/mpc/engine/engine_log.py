"""The engine's own log: kept in a file, and read for the one line that must never stand there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

OPENED = b"eveal"
"""Of "Reveal" and "reveal": the engine says so, and nothing else, where it opens a secret that nobody asked it to."""
_KEPT = 1 << 20
"""Bytes of the log that are kept; what follows is read, not written."""
_MARK = b"\0"
"""Written by ours behind a run: what the engine said before it was read when this is."""


class EngineLog:
    """What this process and its native code print, from now on.

    Args:
        path: of the log, made for its owner alone.
        opened: called when the engine says that it opened a secret.

    Attributes:
        stderr: descriptor of the old stderr.
    """

    def __init__(self, path: Path, opened: Callable[[], None]) -> None:
        self.stderr = os.dup(2)
        self._opened, self._marked = opened, threading.Semaphore(0)
        self._reading, writing = os.pipe()
        for stream in (1, 2):
            os.dup2(writing, stream)
        os.close(writing)
        self._log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        threading.Thread(target=self._follow, daemon=True).start()

    def settle(self) -> None:
        """Wait until all that was printed before this is read."""
        os.write(2, _MARK)
        self._marked.acquire()

    def _follow(self) -> None:
        kept, line = 0, b""
        while piece := os.read(self._reading, 1 << 16):
            marks, piece = piece.count(_MARK), piece.replace(_MARK, b"")
            if kept < _KEPT:
                kept += os.write(self._log, piece)
            line = line[-len(OPENED) :] + piece
            if OPENED in line:
                self._opened()
            for _ in range(marks):
                self._marked.release()
