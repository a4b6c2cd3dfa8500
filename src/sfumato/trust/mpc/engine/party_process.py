"""One party's process of a run on shares: ``main`` is started in the engine's environment, with a file that says all.

It writes each result that this party gets as ``output_PLACE.npy``, then one JSON object with its figures on the old
standard output. Where it is refused, or another party is gone, it ends with status 3 and one line on stderr.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.errors import SfumatoError
from sfumato.trust.mpc.engine import spu_engine
from sfumato.trust.mpc.engine.engine_log import capture
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.frames import FrameKind
from sfumato.trust.mpc.engine.liveness import ENDED, Inbox, watch
from sfumato.trust.mpc.engine.mesh import PartyKeys, Peer, connect

LOG = "engine.log"
"""Beside the results: what the engine printed."""


def main(path: str) -> None:
    """Run what the file at ``path`` says (``local_parties.PartyFiles``), and end the process."""
    said = json.loads(Path(path).read_bytes())
    results = Path(said["results"])
    stdout = os.dup(1)
    voices: list[int] = []

    def ended(line: str) -> None:
        os.write(voices[0] if voices else 2, f"{line}\n".encode("utf-8", "replace"))
        os._exit(ENDED)

    voices.append(capture(results / LOG, lambda: ended(OPENED)))
    try:
        figures = _run(said, results, voices[0], ended)
    except SfumatoError as error:
        ended(str(error))
        raise
    except Exception as error:  # what native code says could quote a number
        ended(f"the engine ended with {type(error).__name__}; see {results / LOG}")
        raise
    os.write(stdout, json.dumps(figures).encode("ascii") + b"\n")
    os._exit(0)  # threads that watch the others need not be told


OPENED = (
    "the engine opened a secret that nobody asked it to open: this run is void, and what was opened is known to all"
    " three parties"
)
"""What is said where it happens: it is no warning, it has happened."""


def _run(said: Mapping[str, Any], results: Path, stderr: int, ended: Any) -> dict[str, float]:
    plan = EnginePlan.from_bytes(Path(said["plan"]).read_bytes())
    keys = PartyKeys(said["rank"], Path(said["certificate"]), Path(said["key"]), said["listen"])
    given = {int(place): np.load(file, allow_pickle=False) for place, file in said["inputs"].items()}
    spu = spu_engine.load(Path(said["spu"]))
    peers = connect(plan, keys, said["patience"], lambda line: _say(stderr, line))
    inboxes = watch(peers, plan.longest, ended)
    _say(stderr, "connected")
    began, cpu = time.perf_counter(), time.process_time()
    engine = spu_engine.SpuEngine(spu, plan, keys.rank, peers, inboxes, ended)
    engine.share(given)
    _say(stderr, "shared")
    engine.run()
    for place, array in engine.open().items():
        np.save(results / f"output_{place}.npy", array, allow_pickle=False)
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    _part(peers, inboxes)
    sent = sum(peer.writer.sent for peer in peers.values())
    return {"bytes_sent": sent, "cpu_seconds": cpu, "seconds": seconds}


def _part(peers: Mapping[int, Peer], inboxes: Mapping[int, Inbox]) -> None:
    """Say that nothing more is needed, and wait until the others say so: none may take the end for a loss."""
    for peer in peers.values():
        peer.writer.write(FrameKind.DONE)
    for inbox in inboxes.values():
        inbox.take(FrameKind.DONE, "")


def _say(stderr: int, line: str) -> None:
    os.write(stderr, f"{line}\n".encode("utf-8", "replace"))
