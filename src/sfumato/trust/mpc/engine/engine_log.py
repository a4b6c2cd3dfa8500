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


def capture(path: Path, opened: Callable[[], None]) -> int:
    """Send what this process and its native code print to ``path``; returns a descriptor of the old stderr.

    Args:
        path: of the log, made for its owner alone.
        opened: called when the engine says that it opened a secret.
    """
    stderr = os.dup(2)
    reading, writing = os.pipe()
    for stream in (1, 2):
        os.dup2(writing, stream)
    os.close(writing)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    threading.Thread(target=_follow, args=(reading, log, opened), daemon=True).start()
    return stderr


def _follow(reading: int, log: int, opened: Callable[[], None]) -> None:
    kept, line = 0, b""
    while piece := os.read(reading, 1 << 16):
        if kept < _KEPT:
            kept += os.write(log, piece)
        line = line[-len(OPENED) :] + piece
        if OPENED in line:
            opened()
