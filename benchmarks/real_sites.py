"""A round over real processes: five sites and a coordinator on this machine, over mutual TLS, a vector of 1 MB each.

    python -m benchmarks.real_sites [--rounds 20] [--sites 5]

Each site is a process of the command line, with NVFlare's processes beside it. What is timed is one opened sum of
262,144 counts: three calls of every site, each a message there and back. The last line is one JSON object with the
figures; CPU seconds are of all processes together, the coordinator's included.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil

import sfumato as sf
from sfumato.federation.coordinator_folder import CoordinatorFolder
from sfumato.federation.documents import Invitation
from sfumato.federation.reached import ReachedSites
from sfumato.federation.run_status import KeptProgress
from sfumato.progress import Silent
from sfumato.trust.federated.rounds import SecureRounds
from sfumato.trust.questions import Marginals, Query

SCHEMA = """\
sfumato: schema/1
unit: row
columns:
  a: {kind: integer, bounds: [0, 511], source: public}
  b: {kind: integer, bounds: [0, 511], source: public}
"""
VALUES = 512 * 512
"""Of one vector: 1 MiB in the ring of 32 bits."""
MOST_SECONDS, STRETCH = 0.5, 0.1
"""Of a round of five sites, as wished for."""
MOST_BYTES = 4.05
"""That a site sends for each value: four for the value itself."""
_MU = 1e-3
"""Cost of a round: so little that all of them fit under the promise."""


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu(root: psutil.Process) -> float:
    """CPU seconds of a process and of all below it that still run."""
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        try:
            spent = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += spent.user + spent.system
    return total


def measure(folder: Path, sites: int, rounds: int) -> dict[str, float]:
    """Median seconds and mean CPU seconds of a round, and the bytes that a site sends in one."""
    (folder / "schema.yaml").write_text(SCHEMA)
    names = [f"site-{i}" for i in range(sites)]
    federation = sf.Federation.make(
        folder / "co",
        folder / "schema.yaml",
        names,
        sf.Guarantee(1, 1e-9),
        model="mst",
        address=f"localhost:{free_port()}",
    )
    made = {name: sf.Site.make(folder / name, name) for name in names}
    plan = federation.invite([request for _, request in made.values()])
    told = {name: site.fingerprint for name, (site, _) in made.items()}
    processes = []
    for place, (name, (site, _)) in enumerate(made.items()):
        site.confirm({other: known for other, known in told.items() if other != name})
        rows = "".join(f"{(7 * i + place) % 512},{(11 * i) % 512}\n" for i in range(2000))
        (folder / f"{name}.csv").write_text(f"a,b\n{rows}")
        words = ["site", "run", str(plan), str(folder / f"{name}.csv"), "--site", str(folder / name)]
        with (folder / f"{name}.log").open("wb") as log:
            processes.append(subprocess.Popen([sys.executable, "-m", "sfumato.cli", *words], stdout=log, stderr=log))
    invited = Invitation.load(plan)
    kept = KeptProgress(Silent(), lambda status: None, "", 1.0)
    question = Marginals((Query((0, 1)),))
    try:
        with ReachedSites(CoordinatorFolder(folder / "co"), invited, 120.0, kept) as reached:
            transport = reached.connect(Silent())
            shared = SecureRounds(invited.plan, transport)
            shared.set_up()
            shared.opened(question, (_MU,), VALUES)  # the first makes what is kept
            here, before = psutil.Process(), list(transport.sent)
            used, took = cpu(here), []
            for _ in range(rounds):
                start = time.perf_counter()
                shared.opened(question, (_MU,), VALUES)
                took.append(time.perf_counter() - start)
            used = cpu(here) - used
            sent = max(after - first for after, first in zip(transport.sent, before, strict=True)) / rounds
            reached.finish(b"", 30.0)  # no model is made: the sites sign nothing, and end
    finally:
        for process in processes:
            process.terminate()
            process.wait()
    return {"seconds": median(took), "cpu": used / rounds, "bytes": sent}


def figures(sites: int = 5, rounds: int = 20) -> list[dict[str, object]]:
    """What a round takes, with its limits."""
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), sites, rounds)
    name = f"{sites} real processes, mutual TLS, 262,144 values"
    seconds, each = round(found["seconds"], 4), round(found["bytes"] / VALUES, 4)
    rows = (
        (f"seconds of a round, {name}", seconds, MOST_SECONDS),
        (f"the same, stretch, {name}", seconds, STRETCH),
        (f"CPU seconds of all processes a round, {name}", round(found["cpu"], 3), None),
        (f"bytes up a value and round, {name}", each, MOST_BYTES),
    )
    return [{"name": n, "value": v, "limit": m, "met": None if m is None else v <= m} for n, v, m in rows]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sites", type=int, default=5)
    given = parser.parse_args()
    print(json.dumps({"figures": figures(given.sites, given.rounds)}))


if __name__ == "__main__":
    main()
