"""What a call costs in a process of its own: CPU seconds of all its threads, wall seconds, peak memory."""

from __future__ import annotations

import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.encoding.domain import Domain
from sfumato.models import MODELS
from sfumato.privacy.guarantee import Guarantee
from sfumato.privacy.ledger import Ledger
from sfumato.progress import Silent
from sfumato.trust.budget import Budget
from sfumato.trust.central import Central
from sfumato.trust.records import Records


@dataclass(frozen=True)
class Cost:
    """What a call took.

    Attributes:
        cpu_seconds: of all threads, imports excluded.
        seconds: wall time, imports excluded.
        peak_mb: largest resident memory of the process, imports included.
    """

    cpu_seconds: float
    seconds: float
    peak_mb: float


def measured(call: Callable[..., Any], *arguments: Any) -> tuple[Any, Cost]:
    """Run ``call`` of a module (not a closure) in a fresh process; its result and its cost."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_timed, call, arguments).result()


def _timed(call: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, Cost]:
    _import_all()
    cpu, wall = time.process_time(), time.perf_counter()
    result = call(*arguments)
    return result, Cost(time.process_time() - cpu, time.perf_counter() - wall, peak_mb())


def _import_all() -> None:
    """Fit eight rows at another budget than any benchmark's, so that every module is loaded."""
    domain = Domain.of(("a", "b"), (2, 2))
    run = Ledger.open().begin(Guarantee(2.0, 1e-6), "imports")
    setting = Central(Records.of(np.zeros((8, 2), np.uint8), domain), Budget(run))
    MODELS["independent", "table"].recipe().fit(setting, target=None, progress=Silent()).sample(
        1, np.random.default_rng(0)
    )


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB (Linux: of its own image, not of the one that forked)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(text for text in status.read_text().splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)
