"""An attempt by the command line, as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
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

COMPARING = 30
"""Seconds of computing after which a command hangs that trains learners or draws charts, also of right inputs."""
_EXITS = (0, 1, 2)
_RESIDENT = frozenset({"evaluate", "audit", "report"})
"""Commands whose libraries reserve more address space than they use: their resident memory is limited."""


_LIMITED = """
import resource, runpy, sys
memory, seconds, *arguments = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
if int(memory):
    resource.setrlimit(resource.RLIMIT_AS, (int(memory), int(memory)))
sys.argv[1:] = arguments
runpy.run_module("sfumato.cli", run_name="__main__")
"""
"""It limits itself: a function that runs between fork and exec is not safe beside the threads of JAX."""


def run(arguments: Sequence[str], folder: Path) -> Outcome:
    """What became of ``sfumato ARGUMENTS`` in ``folder``."""
    limited = arguments[0] not in _RESIDENT
    seconds = SECONDS if limited else COMPARING

    process = subprocess.Popen(
        [sys.executable, "-c", _LIMITED, str(MEMORY if limited else 0), str(seconds), *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    resident, watch = 0, Watch(process.pid, PATIENCE)
    while True:
        try:
            err = process.communicate(timeout=LOOKED)[1].decode("utf-8", "replace")
            return judged(process.returncode, err, resident)
        except subprocess.TimeoutExpired:
            resident = max(resident, _most_resident(process.pid))
        if watch.waits():
            process.kill()
            process.communicate()
            return Outcome(HANG, f"waited for {PATIENCE:g} s")


def _most_resident(pid: int) -> int:
    """Bytes of memory that a process has had at most; what the system counts for children holds their parent's too."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has just ended
        return 0
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    return int(found[1]) << 10 if found else 0


def judged(code: int, err: str, resident: int = 0) -> Outcome:
    """What an exit code and the words on stderr say."""
    last = err.strip().splitlines()[-1:] or [""]
    if code == -signal.SIGXCPU:
        return Outcome(HANG, "went on computing", resident=resident)
    if code < 0:
        return Outcome(KILL, f"ended by {signal.Signals(-code).name}: {last[0]}", resident=resident)
    if "Traceback" in err or "a defect in sfumato" in err or code not in _EXITS:
        return Outcome(CRASH, err[-2000:], resident=resident)
    if "not enough memory" in err or resident > MEMORY:
        return Outcome(MEMORY_FAULT, last[0], resident=resident)
    refusal = [line for line in err.splitlines() if line.startswith("sfumato: ")]
    if code == 2 and (len(refusal) != 1 or not one_line(refusal[0]) or any(ord(c) < 32 for c in refusal[0])):
        return Outcome(CRASH, err[-2000:] or "refused without a word", resident=resident)
    return Outcome("", last[0], code == 2, resident)
