"""Which process this is, and whether one named earlier still runs: public facts for the ledger."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any


def here() -> dict[str, Any]:
    """Host, process id and the moment the process started (a reused id starts later)."""
    return {"host": platform.node(), "pid": os.getpid(), "started": _started(os.getpid())}


def alive(facts: dict[str, Any]) -> bool:
    """Whether the process :func:`here` described still runs; False for another host, which cannot be seen."""
    if facts.get("host") != platform.node():
        return False
    pid = int(facts["pid"])
    if pid == os.getpid():
        return facts.get("started") == _started(pid)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it runs, under another user
    return facts.get("started") == _started(pid)


def _started(pid: int) -> str:
    """Start of a process: boot id and clock ticks since boot where /proc tells, else empty."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"  # a zombie runs no more
