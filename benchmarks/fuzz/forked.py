"""An attempt in a forked child of this warm process: 2 GiB of address space, ten seconds, no shared state."""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.fuzz.outcome import (
    CRASH,
    HANG,
    KILL,
    LOOKED,
    MEMORY,
    MEMORY_FAULT,
    PATIENCE,
    SECONDS,
    Outcome,
    Watch,
    one_line,
)

_FINE, _REFUSED, _BROKEN, _NO_MEMORY = range(4)


def attempted(
    attempt: Callable[[Path], None],
    folder: Path,
    seconds: int = SECONDS,
    memory: int = MEMORY,
    patience: float = PATIENCE,
) -> Outcome:
    """What became of ``attempt(folder)`` in a child; the parent imports nothing more and keeps running."""
    read, write = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(read)
        _child(attempt, folder, write, seconds, memory)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        watch = Watch(child, patience)
        while not select.select([pipe], [], [], LOOKED)[0]:
            if watch.waits():
                os.kill(child, signal.SIGALRM)
        said = pipe.read().decode("utf-8", "replace")
    _, status, used = os.wait4(child, 0)
    return _outcome(status, said, used.ru_maxrss << 10)


def _outcome(status: int, said: str, resident: int) -> Outcome:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        fault = HANG if number in (signal.SIGALRM, signal.SIGXCPU) else KILL
        return Outcome(fault, f"{said} ended by {signal.Signals(number).name}".strip(), resident=resident)
    code = os.WEXITSTATUS(status)
    if code == _REFUSED:
        return Outcome(CRASH if not one_line(said) else "", said, True, resident)
    return Outcome({_FINE: "", _NO_MEMORY: MEMORY_FAULT}.get(code, CRASH), said, resident=resident)


def _child(attempt: Callable[[Path], None], folder: Path, write: int, seconds: int, memory: int) -> None:
    """Never returns: what comes behind a fork belongs to the parent."""
    code = _BROKEN
    said = ""
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        code, said = _tried(attempt, folder)
        if "jax" in sys.modules:
            code, said = _BROKEN, "jax was imported"
        os.write(write, said.encode("utf-8", "backslashreplace")[:60_000])
    finally:
        os._exit(code)


def _tried(attempt: Callable[[Path], None], folder: Path) -> tuple[int, str]:
    from sfumato.errors import SfumatoError

    try:
        attempt(folder)
    except SfumatoError as error:
        return _REFUSED, str(error)
    except MemoryError:
        return _NO_MEMORY, traceback.format_exc(limit=-3)
    except BaseException:
        return _BROKEN, traceback.format_exc(limit=-3)
    return _FINE, ""
