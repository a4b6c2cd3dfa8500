"""A federation of real processes: three hospitals and a coordinator, each started by its own command."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil
from tests.journeys.conftest import CANARY, environment

import sfumato as sf

NAMES = ("north", "east", "west")
SCHEMA = """\
sfumato: schema/1
unit: row
columns:
  age: {kind: integer, bounds: [0, 120], source: public}
  sex: {kind: category, categories: [F, M], source: public}
  town: {kind: category, categories: [Delft, Ede, Goes], outside: other, source: public}
"""
PATIENCE = 120
"""Seconds for a process to end; most take a few, and under heavy load some more."""
_PER_SITE = 400


def rows_of(place: int, rows: int = _PER_SITE) -> str:
    """A hospital's table as CSV; one row holds a text that nobody else may ever see."""
    rng = np.random.default_rng(place)
    ages = rng.integers(20 + 10 * place, 60 + 10 * place, rows)
    lines = [f"{age},{rng.choice(['F', 'M'])},{rng.choice(['Delft', 'Ede', 'Goes'])}" for age in ages]
    lines[rows // 2] = f"{ages[rows // 2]},F,{CANARY}"
    return "\n".join(("age,sex,town", *lines, ""))


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Hospitals:
    """Folders of a federation whose plan was made, and the processes that are started over them.

    Attributes:
        folder: with the coordinator's in ``co``, each site's under its name, and ``NAME.csv``.
    """

    def __init__(
        self,
        folder: Path,
        model: str = "mst",
        lost: int = 0,
        names: Sequence[str] = NAMES,
        schema: str = SCHEMA,
        capacity: int | None = None,
        local_steps: int | None = None,
    ) -> None:
        self.folder, self.names = folder, tuple(names)
        (folder / "schema.yaml").write_text(schema)
        self.federation = sf.Federation.make(
            folder / "co",
            folder / "schema.yaml",
            names,
            sf.Guarantee(epsilon=1, delta=1e-6),
            model=model,
            curious=0 if lost else 1,
            lost=lost,
            address=f"localhost:{free_port()}",
            local_steps=local_steps,
        )
        made = {name: sf.Site.make(folder / name, name, capacity) for name in names}
        plan = self.federation.invite([request for _, request in made.values()])
        told = {name: site.fingerprint for name, (site, _) in made.items()}
        for place, (name, (site, _)) in enumerate(made.items()):
            site.confirm({other: known for other, known in told.items() if other != name})
            (folder / name / "plan.json").write_bytes(plan.read_bytes())
            (folder / f"{name}.csv").write_text(rows_of(place))
        self._started: list[subprocess.Popen[str]] = []
        self._of: dict[str, subprocess.Popen[str]] = {}
        self._logs: list[IO[str]] = []

    def start(self, log: str, *arguments: object, program: str | None = None) -> subprocess.Popen[str]:
        """A ``sfumato`` command whose output goes to ``LOG.out``; ``program``: Python text to run in its place."""
        written = (self.folder / f"{log}.out").open("a")
        self._logs.append(written)
        run = ["-m", "sfumato.cli"] if program is None else ["-c", program]
        command = [sys.executable, *run, *map(str, arguments)]
        process = subprocess.Popen(
            command, cwd=self.folder, env=environment(), stdout=written, stderr=written, text=True
        )
        self._started.append(process)
        self._of[log] = process
        return process

    def running(self, log: str) -> bool:
        """Whether the process that was started last with this log has not ended."""
        return self._of[log].poll() is None

    def site(
        self, name: str, *more: object, program: str | None = None, told: Sequence[object] = ()
    ) -> subprocess.Popen[str]:
        """The process of a site; ``told``: what its ``program`` takes off before its arguments."""
        places = (f"{name}/plan.json", f"{name}.csv", "--ledger", f"{name}.ledger")
        return self.start(name, *told, "site", "run", *places, *more, program=program)

    def coordinator(
        self, *more: object, program: str | None = None, told: Sequence[object] = ()
    ) -> subprocess.Popen[str]:
        """The process of the coordinator; ``told`` as for a site."""
        command = ("federation", "run", "co", "-o", "model.sfm", "--wait", 60)
        return self.start("coordinator", *told, *command, *more, program=program)

    def wait_for(self, log: str, text: str, process: subprocess.Popen[str]) -> None:
        """Until a running process has written ``text``."""
        end = time.monotonic() + PATIENCE
        while text not in self.said(log):
            assert process.poll() is None, self.said(log)
            assert time.monotonic() < end, self.said(log)
            time.sleep(0.1)

    def said(self, log: str) -> str:
        """All that a process has written so far."""
        return (self.folder / f"{log}.out").read_text()

    def charged(self, name: str) -> tuple[str, int]:
        """State of the one run in a site's ledger, and how many events were charged to it."""
        with sf.Ledger.open(self.folder / f"{name}.ledger") as ledger:
            (run,) = ledger.summary()["runs"]
            return run["state"], len(run["events"])

    def end(self) -> None:
        """End all processes that were started, and see that none of theirs is left."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self._started:
            process.wait(PATIENCE)
        for log in self._logs:
            log.close()
        _, alive = psutil.wait_procs(self.processes(), timeout=PATIENCE)
        assert not alive, [p.cmdline() for p in alive]

    def processes(self) -> list[psutil.Process]:
        """Everything that runs over these folders, but for the tests themselves."""
        found = []
        for process in psutil.process_iter():
            if process.pid == os.getpid():
                continue
            try:
                told = " ".join(process.cmdline())
                if str(self.folder) in told or process.cwd().startswith(str(self.folder)):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
                continue
        return found


@contextmanager
def hospitals(folder: Path, *planned: Any, **more: Any) -> Iterator[Hospitals]:
    """A federation of real processes, all of which end with the block; see ``Hospitals`` for what it takes."""
    made = Hospitals(folder, *planned, **more)
    try:
        yield made
    finally:
        made.end()


def all_bytes(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()


def json_of(text: str) -> dict[str, object]:
    """The JSON object on the last line."""
    return json.loads(text.strip().splitlines()[-1])
