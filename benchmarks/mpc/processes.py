"""The same tables over three real processes of the command line, with NVFlare's beside them, over mutual TLS."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil

import sfumato as sf
from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.people import COLUMNS, HELD, KEY, PARTY_NAMES, PROMISE, SCHEMA, people
from benchmarks.mpc.simulated import MEGABYTE, ask
from benchmarks.real_sites import cpu, free_port
from sfumato.federation.coordinator_folder import CoordinatorFolder
from sfumato.federation.documents import Invitation
from sfumato.federation.reached import ReachedSites
from sfumato.federation.run_status import KeptProgress
from sfumato.progress import Silent
from sfumato.trust.federated.rounds import SecureRounds

_PATIENCE = 120.0


def _alone(process: psutil.Process) -> float:
    """CPU seconds of one process, without those below it."""
    spent = process.cpu_times()
    return spent.user + spent.system


def _tables(folder: Path, persons: int) -> None:
    codes, rng = people(persons), np.random.default_rng(1)
    keys = [f"{i:07d}" for i in range(persons)]
    (folder / "persons.txt").write_text("\n".join(keys))
    for name, held in zip(PARTY_NAMES, HELD, strict=True):
        own = [int(column[1:]) for column in held]
        with (folder / f"{name}.csv").open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow([KEY, *held])
            writer.writerows([keys[i], *codes[i, own].tolist()] for i in rng.permutation(persons))


def _started(folder: Path, persons: int) -> tuple[Path, list[subprocess.Popen[bytes]]]:
    """The plan, and the processes of all parties."""
    _tables(folder, persons)
    federation = sf.Federation.make(
        folder / "co",
        SCHEMA,
        list(PARTY_NAMES),
        PROMISE,
        model="mst",
        address=f"localhost:{free_port()}",
        columns=dict(zip(PARTY_NAMES, HELD, strict=True)),
        key=KEY,
        persons=folder / "persons.txt",
    )
    made = {name: sf.Site.make(folder / name, name) for name in PARTY_NAMES}
    plan = federation.invite([request for _, request in made.values()])
    told = {name: site.fingerprint for name, (site, _) in made.items()}
    processes = []
    for name, (site, _) in made.items():
        site.confirm({other: known for other, known in told.items() if other != name})
        words = ["party", "run", plan, folder / f"{name}.csv", "--persons", folder / "persons.txt"]
        command = [sys.executable, "-m", "sfumato.cli", *map(str, words), "--party", str(folder / name)]
        with (folder / f"{name}.log").open("wb") as log:
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
    return plan, processes


def measure(folder: Path, persons: int) -> dict[str, float]:
    """Of the party that takes most: CPU seconds, alone and with NVFlare's processes, and bytes sent; wall seconds."""
    plan, processes = _started(folder, persons)
    invited = Invitation.load(plan)
    kept = KeptProgress(Silent(), lambda status: None, "", 1.0)
    try:
        with ReachedSites(CoordinatorFolder(folder / "co"), invited, _PATIENCE, kept) as reached:
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
            most = max(last - first for last, first in zip(transport.sent, sent, strict=True))
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    return {"alone": alone, "together": together, "bytes": most, "seconds": took}


def _spent(own: Sequence[psutil.Process]) -> tuple[list[float], list[float]]:
    """CPU seconds of each alone, and with all below it."""
    return [_alone(one) for one in own], [cpu(one) for one in own]


def rows(persons: int, most: tuple[float, float]) -> Iterator[Row]:
    """Figures for so many persons: ``most`` CPU seconds and MB."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), persons)
    name = f"all two-way tables of {persons:,} persons x {COLUMNS} columns, three real processes, mutual TLS"
    yield figure(f"CPU seconds of a party's process: {name}", found["alone"], most[0])
    yield figure(f"the same, with NVFlare's processes of that party: {name}", found["together"])
    yield figure(f"MB sent by the largest party: {name}", found["bytes"] / MEGABYTE, most[1])
    yield figure(f"seconds: {name}", found["seconds"])
