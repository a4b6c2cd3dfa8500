"""Which machines the engine's wheel was built for, and the Python that it needs."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

from sfumato.errors import EngineError

PYTHON = "3.11"
"""The one version of Python that the wheel was built for."""
MACHINES = {("Linux", "x86_64"), ("Linux", "aarch64"), ("Darwin", "arm64")}
"""Systems and processors that the wheel was built for."""
STILL = "counts and the models over marginals need no engine and still work"
"""What every refusal adds."""
_PATIENCE = 30.0
"""Seconds for a Python to say its version."""


def check_machine(system: str | None = None, machine: str | None = None) -> None:
    """EngineError unless a wheel of the engine exists for the ``system`` and ``machine``; default: this one."""
    found = (system or platform.system(), machine or platform.machine())
    if found not in MACHINES:
        known = ", ".join(" ".join(pair) for pair in sorted(MACHINES))
        raise EngineError(f"there is no engine for {' '.join(found)}, only for {known}; {STILL}")


def fitting_python() -> Path:
    """A Python that the engine runs on: this one, or ``python3.11`` of the path; EngineError where there is none."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == PYTHON:
        return Path(sys.executable)
    found = shutil.which(f"python{PYTHON}")
    if found is None or not _is_fitting(found):
        raise EngineError(
            f"the engine needs Python {PYTHON}, which is not on the path (this is {platform.python_version()}): install"
            f" it beside this one; {STILL}"
        )
    return Path(found)


def _is_fitting(python: str) -> bool:
    asked = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run([python, "-I", "-c", asked], capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.stdout.split() == ["cpython", PYTHON]
