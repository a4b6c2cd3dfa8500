"""Which process this is, and whether one named earlier still runs: public facts for the ledger."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import NotRequired, TypedDict


class HolderProcess(TypedDict):
    """A process as the ledger writes it; older versions wrote neither its namespace nor its start."""

    host: str
    pid: int
    namespace: NotRequired[str]
    started: NotRequired[str]


def here() -> HolderProcess:
    """Host, process id, its namespace, and the moment the process started (a reused id starts later)."""
    pid = os.getpid()
    return {"host": platform.node(), "namespace": _namespace(), "pid": pid, "started": _started(pid)}


def visible(facts: HolderProcess) -> bool:
    """Whether it can be told from here if the process that :func:`here` described still runs.

    The host, its boot and the namespace of process ids must be ours: two containers, or two machines, may bear one
    name, and a process of one is not seen in the other.
    """
    boot = str(facts.get("started", "")).partition(":")[0]
    ours = _started(os.getpid()).partition(":")[0]
    return (facts.get("host"), facts.get("namespace"), boot) == (platform.node(), _namespace(), ours)


def alive(facts: HolderProcess) -> bool:
    """Whether the process :func:`here` described still runs; False where that cannot be told."""
    if not visible(facts):
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


def _namespace() -> str:
    """Which process ids are meant, where the system has more than one set of them; else empty."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Start of a process: boot id and clock ticks since boot where /proc tells, else empty."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else f"{boot}:{fields[19]}"  # a zombie runs no more
