"""The members of a demonstration, each a process of its own on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

PATIENCE = 120.0
"""Seconds to wait for the members, and for them to end."""


@contextmanager
def running(work: Path, kind: str, commands: Mapping[str, Sequence[object]]) -> Iterator[None]:
    """A process of ``sfumato`` for each member of a ``kind``, by name, while the block lasts; they end by themselves.

    What they print goes to ``NAME.log`` in ``work``. SfumatoError where one fails, with the last line that it printed.
    """
    import sfumato as sf

    started: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, words in commands.items():
            command = [sys.executable, "-m", "sfumato.cli", *map(str, words)]
            with (work / f"{name}.log").open("wb") as log:
                started[name] = subprocess.Popen(command, stdout=log, stderr=log)
        yield
        for name, process in started.items():
            if process.wait(PATIENCE):
                last = (work / f"{name}.log").read_text(errors="replace").strip().splitlines()[-1:]
                raise sf.SfumatoError(f"{kind} {name} ended with code {process.returncode}: {' '.join(last)}")
    finally:
        for process in started.values():
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE)
