"""One party's process of a session: ``main`` is started in the engine's environment, and is told all on its stdin.

It answers on the old stdout, in frames. Where it is refused, another party is gone, or who started it is, it ends with
status 3 and one line on stderr.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from sfumato.errors import SfumatoError
from sfumato.trust.mpc.engine import spu_engine
from sfumato.trust.mpc.engine.engine_log import EngineLog
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.frames import FrameError, FrameKind, FrameWriter, PipeEnd, read_frame
from sfumato.trust.mpc.engine.liveness import ENDED, Longest, live, watch
from sfumato.trust.mpc.engine.mesh import PartyKeys, connect
from sfumato.trust.mpc.engine.run_order import RunOrder, gives

LONGEST = 1 << 27
"""Bytes of one frame between a process and who started it: a program, or the largest array."""
_LEAST = 1 << 16
"""Bytes that a message between parties may have in any case."""
_PARTING = 5.0
"""Seconds for the others to say that they need nothing more, once this party said so."""
OPENED = (
    "the engine opened a secret that nobody asked it to open: this run is void, and what was opened is known to all"
    " three parties"
)
"""What is said where it happens: it is no warning, it has happened."""


def main() -> None:
    """Do what comes on stdin until it says that it is done, and end the process."""
    reading, writer = PipeEnd(os.dup(0)), FrameWriter(PipeEnd(os.dup(1)))
    _, _, content = read_frame(reading, LONGEST)
    said = json.loads(content)
    logs: list[EngineLog] = []

    def ended(line: str) -> None:
        with suppress(OSError):  # where who reads it is gone too
            os.write(logs[0].stderr if logs else 2, f"{line}\n".encode("utf-8", "replace"))
        os._exit(ENDED)

    logs.append(EngineLog(Path(said["log"]), lambda: ended(OPENED)))
    try:
        _Session(said, reading, writer, logs[0], ended).serve()
    except SfumatoError as error:
        ended(str(error))
        raise
    except Exception as error:  # what native code says could quote a number
        ended(f"the engine ended with {type(error).__name__}; see {said['log']}")
        raise
    os._exit(0)  # threads that watch the others need not be told


class _Session:
    """The orders of who started this process, one after another."""

    def __init__(
        self,
        said: Mapping[str, Any],
        reading: PipeEnd,
        writer: FrameWriter,
        log: EngineLog,
        ended: Callable[[str], None],
    ) -> None:
        self._writer, self._log, self._ended = writer, log, ended
        self._told: queue.SimpleQueue[tuple[FrameKind, str, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(reading,), daemon=True).start()
        threading.Thread(target=live, args=(writer,), daemon=True).start()
        plan = EnginePlan.from_bytes(said["plan"].encode())
        keys = PartyKeys(said["rank"], Path(said["certificate"]), Path(said["key"]), said["listen"])
        spu = spu_engine.load(Path(said["spu"]))
        self._longest, self._rank, self._number = Longest(_LEAST), keys.rank, 0
        self._peers = connect(plan, keys, said["patience"], self._say)
        self._inboxes = watch(self._peers, self._longest, ended)
        self._engine = spu_engine.SpuEngine(spu, plan, keys.rank, self._peers, self._inboxes, ended)
        self._programs: dict[str, bytes] = {}
        self._code: dict[tuple[str, tuple[bool, ...]], bytes] = {}
        self._say("connected")
        self._answer({})

    def serve(self) -> None:
        """Run orders until there are no more."""
        while True:
            kind, name, content = self._told.get()
            if kind == FrameKind.DONE:
                self._part()
                return
            if kind == FrameKind.PROGRAM:
                self._programs[name] = content
            else:
                self._run(RunOrder.from_bytes(content))

    def _listen(self, reading: PipeEnd) -> None:
        """What is told, also while native code runs; where who tells is gone, so is this party."""
        try:
            while True:
                self._told.put(read_frame(reading, LONGEST))
        except FrameError:
            self._ended("who started the engine is gone")

    def _run(self, order: RunOrder) -> None:
        self._number += 1
        self._longest.allow(order.longest)
        given = {}
        for place, form in enumerate(order.arguments):
            if gives(form, self._rank):
                dtype = "int64" if form.how == "parts" else form.dtype
                given[place] = np.frombuffer(self._told.get()[2], dtype).reshape(form.shape)
        began, cpu, sent = time.perf_counter(), time.process_time(), self._sent()
        code = self._compiled(order)
        self._engine.agree(self._number, order)
        self._engine.share(self._number, order, given)
        self._say("shared")
        self._engine.run(code, order)
        self._log.settle()  # before anything is opened
        for place, array in self._engine.open(self._number, order).items():
            self._writer.write(FrameKind.ARRAY, str(place), array.tobytes())
        figures = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu}
        self._answer({**figures, "bytes_sent": self._sent() - sent})

    def _compiled(self, order: RunOrder) -> bytes:
        """The code of a program, compiled once."""
        key = order.program, tuple(form.how == "public" for form in order.arguments)
        if key not in self._code:
            self._code[key] = self._engine.compiled(self._programs[order.program], order)
        return self._code[key]

    def _part(self) -> None:
        """Say that nothing more is needed, and wait until the others say so: none may take the end for a loss."""
        for peer in self._peers.values():
            with suppress(OSError):  # it ended first
                peer.writer.write(FrameKind.DONE)
        end = time.monotonic() + _PARTING
        for inbox in self._inboxes.values():
            inbox.wait_for_the_end(end - time.monotonic())

    def _sent(self) -> int:
        return sum(peer.writer.sent for peer in self._peers.values())

    def _answer(self, figures: Mapping[str, float]) -> None:
        self._writer.write(FrameKind.FIGURES, content=json.dumps(figures).encode("ascii"))

    def _say(self, line: str) -> None:
        os.write(self._log.stderr, f"{line}\n".encode("utf-8", "replace"))
