"""How far a run is, for those who look: kept in the coordinator's folder while it goes on. Public facts alone."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sfumato.progress import Progress
from sfumato.release.issuing import ISSUED
from sfumato.results.plain import Json

_EVERY = 1.0
"""Seconds between writes, but for a new stage."""


class KeptProgress:
    """Passes progress on, and keeps it as a status.

    Args:
        inner: who else receives it.
        keep: takes a status.
        plan: SHA-256 of the plan.
        epsilon: of the promise.
    """

    def __init__(self, inner: Progress, keep: Callable[[Mapping[str, Json]], None], plan: str, epsilon: float) -> None:
        self._inner, self._keep, self._plan, self._promised = inner, keep, plan, epsilon
        self._name, self._total, self._done, self._epsilon = "beginning", None, 0, 0.0
        self._missing: tuple[str, ...] = ()
        self._lost: tuple[str, ...] = ()
        self._silent: tuple[str, ...] = ()
        self._certified: tuple[str, ...] = ()
        self._begun = self._written = 0.0

    def stage(self, name: str, total: int | None = None) -> None:
        """See ``Progress``."""
        self._inner.stage(name, total)
        self._name, self._total, self._done, self._begun = name, total, 0, time.monotonic()
        self._write()

    def step(self, n: int = 1) -> None:
        """See ``Progress``."""
        self._inner.step(n)
        self._done += n
        if time.monotonic() - self._written > _EVERY:
            self._write()

    def spent(self, epsilon: float) -> None:
        """See ``Progress``."""
        self._inner.spent(epsilon)
        self._epsilon = epsilon

    def missing(self, names: set[str]) -> None:
        """Which sites are waited for."""
        self._missing = tuple(sorted(names))
        self._write()

    def lost(self, names: set[str]) -> None:
        """Which sites did not answer some call."""
        self.silent(set())
        self._lost = tuple(sorted(names))
        self._write()

    def silent(self, names: set[str]) -> None:
        """Which sites show no life while an answer is waited for: they are named in place of the stage."""
        before, self._silent = self._silent, tuple(sorted(names))
        if self._silent == before:
            return
        self._lost = self._silent
        if self._silent:
            self._inner.stage(f"no sign of life: {', '.join(self._silent)}")
        else:
            self._inner.stage(self._name, self._total)
            self._inner.step(self._done)
        self._write()

    def certified(self, names: tuple[str, ...]) -> None:
        """Which sites signed the certificate."""
        self._certified = names

    def ended(self, how: str) -> None:
        """The run is over."""
        self._name, self._total, self._done = how, None, 0
        self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        passed = self._written - self._begun
        left = passed / self._done * (self._total - self._done) if self._total and self._done else None
        self._keep(
            {
                "stage": self._name,
                "step": self._done,
                "steps": self._total,
                "seconds_left": None if left is None else round(left, 1),
                "epsilon_spent": self._epsilon,
                "epsilon": self._promised if math.isfinite(self._promised) else None,
                "sites_missing": list(self._missing),
                "sites_lost": list(self._lost),
                "sites_certified": list(self._certified),
                "plan": self._plan,
                "process": os.getpid(),
                "written": datetime.now(UTC).strftime(ISSUED),
            }
        )
