"""The same tables over three real processes of the command line, with NVFlare's beside them, over mutual TLS."""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.introduced import PERSONS, introduced, running
from benchmarks.mpc.people import COLUMNS, HELD, KEY, PARTY_NAMES, SCHEMA, people
from benchmarks.mpc.simulated import MEGABYTE, ask
from benchmarks.real_sites import cpu, free_port
from sfumato.federation.coordinator_folder import CoordinatorFolder
from sfumato.federation.documents import Invitation
from sfumato.federation.reached import ReachedSites
from sfumato.federation.run_status import KeptProgress
from sfumato.progress import Silent
from sfumato.trust.federated.rounds import SecureRounds

_PATIENCE = 300.0
_KILOBYTE = 1024


@dataclass(frozen=True)
class Cost:
    """Of the party that takes most, but for the last two.

    Attributes:
        alone, together: CPU seconds of its own process, and with NVFlare's.
        sent: bytes.
        memory, all_memory: bytes that its own process, and all with NVFlare's, had at most.
        coordinator: bytes that the coordinator's processes had at most.
        seconds: that passed.
    """

    alone: float
    together: float
    sent: int
    memory: int
    all_memory: int
    coordinator: int
    seconds: float


def _tables(folder: Path, persons: int) -> None:
    codes, rng = people(persons), np.random.default_rng(1)
    keys = [f"{i:07d}" for i in range(persons)]
    (folder / PERSONS).write_text("\n".join(keys))
    for name, held in zip(PARTY_NAMES, HELD, strict=True):
        own = [int(column[1:]) for column in held]
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([KEY, *held])
            writer.writerows([keys[i], *codes[i, own].tolist()] for i in rng.permutation(persons))


def measure(folder: Path, persons: int) -> Cost:
    """What all tables cost, dealing included, once the parties are set up."""
    _tables(folder, persons)
    _, plan = introduced(folder, SCHEMA, dict(zip(PARTY_NAMES, HELD, strict=True)), KEY, "mst", free_port())
    invited = Invitation.load(plan)
    kept = KeptProgress(Silent(), lambda status: None, "", 1.0)
    with (
        running(folder, plan, PARTY_NAMES) as processes,
        ReachedSites(CoordinatorFolder(folder / "co"), invited, _PATIENCE, kept) as reached,
    ):
        transport = reached.connect(Silent())
        shared = SecureRounds(invited.plan, transport)
        shared.set_up()
        own = [psutil.Process(process.pid) for process in processes]
        before, sent, began = _spent(own), list(transport.sent), time.perf_counter()
        ask(shared)
        took = time.perf_counter() - began
        alone, together = (
            max(last - first for last, first in zip(*both, strict=True))
            for both in zip(_spent(own), before, strict=True)
        )
        return Cost(
            alone,
            together,
            max(last - first for last, first in zip(transport.sent, sent, strict=True)),
            max(map(_peak, own)),
            max(sum(map(_peak, _family(one))) for one in own),
            sum(map(_peak, set(_family(psutil.Process())) - {p for one in own for p in _family(one)})),
            took,
        )


def _family(root: psutil.Process) -> list[psutil.Process]:
    """A process and all below it."""
    return [root, *root.children(recursive=True)]


def _peak(process: psutil.Process) -> int:
    """Bytes that a process has had at most, as Linux keeps them."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return _KILOBYTE * next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), 0)


def _alone(process: psutil.Process) -> float:
    """CPU seconds of one process, without those below it."""
    spent = process.cpu_times()
    return spent.user + spent.system


def _spent(own: Sequence[psutil.Process]) -> tuple[list[float], list[float]]:
    """CPU seconds of each alone, and with all below it."""
    return [_alone(one) for one in own], [cpu(one) for one in own]


def rows(persons: int, most: tuple[float, float], most_memory: float | None = None) -> Iterator[Row]:
    """Figures for so many persons: ``most`` CPU seconds and MB, and MB of memory."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), persons)
    name = f"all two-way tables of {persons:,} persons x {COLUMNS} columns, three real processes, mutual TLS"
    yield figure(f"CPU seconds of a party's process: {name}", found.alone, most[0])
    yield figure(f"the same, with NVFlare's processes of that party: {name}", found.together)
    yield figure(f"MB sent by the largest party: {name}", found.sent / MEGABYTE, most[1])
    yield figure(f"seconds: {name}", found.seconds)
    yield figure(f"MB of memory of a party's process: {name}", found.memory / MEGABYTE, most_memory)
    yield figure(f"the same, with NVFlare's processes of that party: {name}", found.all_memory / MEGABYTE)
    yield figure(f"MB of memory of the coordinator's processes: {name}", found.coordinator / MEGABYTE)
