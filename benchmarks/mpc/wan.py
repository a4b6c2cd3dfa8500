"""The whole way on the census rows over three real processes: on this machine, and with a delay between them.

The delay is that of a relay between the parties and the coordinator (``benchmarks.mpc.relay``). What is timed goes from
the start of the parties' commands to synthetic rows in a file; calls are those of the coordinator, each one round trip.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import psutil

import sfumato as sf
from benchmarks.federation.census import people
from benchmarks.federation.figure import Row, figure
from benchmarks.mpc.introduced import PERSONS, introduced, running
from benchmarks.mpc.people import KEY, PARTY_NAMES
from benchmarks.mpc.relay import relaying
from benchmarks.mpc.utility import HELD
from benchmarks.real_sites import cpu, free_port
from sfumato.federation.address import Address
from sfumato.federation.nvflare import server as nvflare_server
from sfumato.federation.nvflare.server import ServerTransport
from sfumato.progress import Silent
from sfumato.schema import IdentifierColumn

DELAY = 0.010
"""Seconds one way, between each party and the coordinator."""
PUBLISHED = 24 * 60
"""Seconds of the published distributed vertical AIM on Adult over a WAN; the default model here is AIM too."""
MOST_SECONDS = 180
FIRST = "keys of the sites"
"""The stage with which a fit begins once all parties are there."""


class Stages(Silent):
    """When each stage of a fit began."""

    def __init__(self) -> None:
        self.began: list[tuple[str, float]] = []

    def stage(self, name: str, total: int | None = None) -> None:
        """Note it."""
        self.began.append((name, time.perf_counter()))

    def since(self, name: str) -> float:
        """Seconds since a stage began."""
        return time.perf_counter() - next(at for stage, at in self.began if stage == name)


def _tables(folder: Path) -> sf.Schema:
    """Write the parties' tables and the list of persons; the schema of all columns."""
    rows, rng = sf.examples.adult().arrow, np.random.default_rng(0)
    keys = [f"{i:05d}" for i in range(len(rows))]
    (folder / PERSONS).write_text("\n".join(keys))
    for name, held in zip(PARTY_NAMES, HELD, strict=True):
        own = rows.select(held).add_column(0, KEY, [keys])
        sf.Table(own.take(rng.permutation(len(rows)))).write(folder / f"{name}.csv")
    schema = people()[0]
    return schema.with_columns((IdentifierColumn(name=KEY, source="public"), *schema.columns))


def _spent() -> float:
    """CPU seconds of this process, and of those below it that have ended."""
    kinds = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in kinds)


@contextmanager
def _served_at(port: int) -> Iterator[None]:
    """Have the coordinator's server listen at another port than the plan says, behind the relay."""
    serving = nvflare_server.serving

    def behind(folder: Path, address: Address, *more: Any) -> Any:
        return serving(folder, Address(address.host, port), *more)

    with mock.patch.object(nvflare_server, "serving", behind):
        yield


@contextmanager
def _timed() -> Iterator[dict[str, list[float]]]:
    """Seconds of each call of the parties, by what was called."""
    calls: dict[str, list[float]] = {}
    call = ServerTransport.call

    def timing(self: ServerTransport, method: str, *more: Any) -> Any:
        began = time.perf_counter()
        answer = call(self, method, *more)
        calls.setdefault(method, []).append(time.perf_counter() - began)
        return answer

    with mock.patch.object(ServerTransport, "call", timing):
        yield calls


def whole_way(folder: Path, delay: float | None) -> dict[str, float]:
    """Seconds, CPU seconds of all processes, and calls; ``delay`` None: without a relay."""
    schema, seen = _tables(folder), Stages()
    port, behind = free_port(), free_port()
    federation, plan = introduced(folder, schema, dict(zip(PARTY_NAMES, HELD, strict=True)), KEY, "auto", port)
    with ExitStack() as stack:
        if delay is not None:
            stack.enter_context(_served_at(behind))
        calls = stack.enter_context(_timed())
        began, used = time.perf_counter(), _spent()
        stack.enter_context(running(folder, plan, PARTY_NAMES))
        relay = None if delay is None else stack.enter_context(relaying(port, behind, delay))
        synthesizer = federation.fit(folder / "model.sfm", patience=120, progress=seen)
        fitted = seen.since(FIRST)
        synthesizer.sample_to(folder / "rows.csv", seed=1)
        took = time.perf_counter() - began
        beside = 0.0 if relay is None else cpu(psutil.Process(relay.pid))
    spent = _spent() - used - beside  # of all that has ended, but for the relay
    sf.verify(folder / "model.sfm")
    print(f"{synthesizer.model}, delay {delay}", flush=True)
    for (stage, at), (_, end) in zip(seen.began, [*seen.began[1:], ("", began + took)], strict=True):
        print(f"  {end - at:6.2f} s  {stage}", flush=True)
    for method, each in calls.items():
        print(f"  {len(each):2} x {method}: {', '.join(f'{s:.2f}' for s in each)} s", flush=True)
    every = [one for each in calls.values() for one in each]
    start = calls["agree"][0]  # the first call starts NVFlare's relays
    return {"seconds": took, "fit": fitted, "cpu": spent, "calls": len(every), "in calls": sum(every) - start}


def rows() -> Iterator[Row]:
    """Figures on this machine and with the delay, beside what was published."""
    for name, delay in (("loopback", None), (f"{1000 * DELAY:g} ms added one way", DELAY)):
        with tempfile.TemporaryDirectory() as folder:
            found = whole_way(Path(folder), delay)
        kind = f"census rows over three real processes, {name}"
        yield figure(f"seconds, whole way to synthetic rows: {kind}", found["seconds"], MOST_SECONDS)
        yield figure(f"the same, of {PUBLISHED} s published over a WAN: {kind}", found["seconds"] / PUBLISHED)
        yield figure(f"seconds of the fit once all parties are there: {kind}", found["fit"])
        yield figure(f"CPU seconds of all processes: {kind}", found["cpu"])
        yield figure(f"round trips: {kind}", found["calls"])
        yield figure(f"seconds of round trips, without the first, which starts relays: {kind}", found["in calls"])
