"""A process that ends with whoever started it, and all of its descendants with it: ``python -m`` this, then a command.

NVFlare starts the process of each job in a session of its own, which outlives a parent that is killed. This one
adopts them (PR_SET_CHILD_SUBREAPER, Linux), and kills all when its standard input closes: whoever holds the other end
is gone then, however it ended.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
"""Of ``prctl`` (Linux 3.4): orphans among the descendants become children of this process."""
_NEEDED = frozenset(
    ("PATH", "HOME", "LANG", "TMPDIR", "TZ", "USER", "LOGNAME", "VIRTUAL_ENV", "PYTHONPATH", "OMP_NUM_THREADS")
)
"""Environment variables that say where things lie, and nothing secret."""
_SAFE = {"PYTHONSAFEPATH": "1"}
"""No module is taken from the folder that a process runs in: that of a job holds what a server sent."""
_PATIENCE = 30.0
"""Seconds for the end of a process whose input was closed; it takes none but under heavy load."""


@contextmanager
def attended(command: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` while the block lasts, its output in ``log``; it ends with the block, or with this process."""
    watched = [sys.executable, "-m", "sfumato.federation.nvflare.attended", *command]
    with log.open("ab") as written:
        process = subprocess.Popen(
            watched,
            stdin=subprocess.PIPE,
            stdout=written,
            stderr=written,
            env={**_kept(), **_SAFE, **environment},
            start_new_session=True,  # Ctrl-C is for the process that shows the run: it ends this one in its own time
        )
    try:
        yield process
    finally:
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(_PATIENCE)


def _kept() -> dict[str, str]:
    """What the processes need of this one's environment: a password in it is none of theirs."""
    return {name: value for name, value in os.environ.items() if name in _NEEDED or name.startswith("LC_")}


def main(command: Sequence[str]) -> int:
    """Run ``command`` until it ends, or until standard input does; then nothing that it started is left."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, args=(sys.stdin.fileno(),), daemon=True).start()
    code = child.wait()
    _end_all()
    return code


def _watch(held: int) -> None:
    while os.read(held, 1):
        pass
    _end_all()
    os._exit(0)


def _end_all() -> None:
    """Kill all descendants, and whatever they started in the meantime."""
    while found := _descendants():
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, _PATIENCE)


def _descendants() -> list[psutil.Process]:
    """Processes below this one that have not ended."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
