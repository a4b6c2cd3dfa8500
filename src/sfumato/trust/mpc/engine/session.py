"""A session with the engine: one process per party, in which programs run one after another and secrets stay."""

from __future__ import annotations

import hashlib
import json
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.allowed import check_program
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.frames import FrameError, FrameKind, FrameWriter, PipeEnd, read_frame
from sfumato.trust.mpc.engine.identities import check_keys
from sfumato.trust.mpc.engine.installing import package_of, python_of
from sfumato.trust.mpc.engine.liveness import ENDED
from sfumato.trust.mpc.engine.lowering import Program
from sfumato.trust.mpc.engine.mesh import SILENCE, PartyKeys
from sfumato.trust.mpc.engine.run_order import (
    Argument,
    OwnSecret,
    Parts,
    PublicInput,
    Result,
    RunOrder,
    argument_form,
    check_alike,
    result_form,
)
from sfumato.trust.mpc.engine.session_process import LONGEST

PATIENCE = 60.0
"""Seconds for the three processes to find each other: most take one."""
LOG = "engine.log"
"""In the session's folder: what the engine printed."""
_REMEMBERED = 100
"""Lines of a process that are kept."""
_MOMENT = 1.0
"""Seconds from the end of a pipe to that of the process which held its other end."""
_ENDING = 10.0
"""Seconds that a process has to end once it was told to; then it is killed."""
_START = """\
import importlib.util as u, sys
package, = sys.argv[1:]
spec = u.spec_from_file_location("sfumato", package + "/__init__.py", submodule_search_locations=[package])
sys.modules["sfumato"] = module = u.module_from_spec(spec)
spec.loader.exec_module(module)
from sfumato.trust.mpc.engine.session_process import main
main()
"""
"""This package alone becomes importable in the engine's environment, nothing that lies beside it."""
_PACKAGE = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class RunFigures:
    """What a run took at this party.

    Attributes:
        bytes_sent: to the two others.
        cpu_seconds: of the engine's process.
        seconds: from the order to the last result.
    """

    bytes_sent: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0


class EngineSession:
    """One party's side of a session; made by :meth:`start`, and a context manager that ends it.

    All three parties call :meth:`run` in the same order with the same programs; what differs is found before anything
    of that run is shared. Where a party is gone, or opens what it should not, the session ends at all of them.

    Attributes:
        rank: of this party.
        figures: of the last run.
        said: the last lines that the process has said: how far it is, who was refused, why it ended.
    """

    def __init__(self, rank: int, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.rank, self.figures, self.said = rank, RunFigures(), deque[str](maxlen=_REMEMBERED)
        self._process, self._known, self._connected, self._over = process, set[str](), False, ""
        self._writer = FrameWriter(PipeEnd(process.stdin.fileno()))
        self._reading = PipeEnd(process.stdout.fileno(), SILENCE)
        self._lock = threading.Lock()
        self._hearing = threading.Thread(target=self._hear, daemon=True)
        self._hearing.start()

    @classmethod
    def start(
        cls, engine: Path, folder: Path, plan: EnginePlan, keys: PartyKeys, patience: float = PATIENCE
    ) -> EngineSession:
        """Start the process of a party, which looks for the others; nobody is waited for.

        Args:
            engine: folder of the engine.
            folder: of this party alone, for the engine's log.
            plan: that all three have.
            keys: of this party.
            patience: seconds for the processes to find each other.

        Raises:
            EngineError: there is no engine, or two parties of the plan are one.
        """
        check_keys(plan)
        command = [str(python_of(engine)), "-I", "-c", _START, str(_PACKAGE)]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        session = cls(keys.rank, process)
        said = {
            "plan": plan.to_bytes().decode(),
            "rank": keys.rank,
            "certificate": str(keys.certificate),
            "key": str(keys.key),
            "listen": keys.listen,
            "log": str(folder / LOG),
            "spu": str(package_of(engine)),
            "patience": patience,
        }
        with suppress(OSError):  # whoever asks something is told why it ended
            session._writer.write(FrameKind.START, content=json.dumps(said).encode())
        return session

    def connect(self) -> None:
        """Wait until all three are there; EngineError where one is not in time, or is refused."""
        with self._lock:
            self._connect()

    def run(
        self, program: Program, arguments: Sequence[Argument], results: Sequence[Result], subject: bytes = b""
    ) -> list[np.ndarray | None]:
        """Run a program with the two others.

        Args:
            program: of ``lower``.
            arguments: where each of its arguments comes from.
            results: who gets each of its results.
            subject: hash of what the parties were asked, which must be the same.

        Returns:
            In the order of its results, what this party gets: numbers of the program's type, of ``Additive`` uint64;
            None for what it does not get.

        Raises:
            EngineError: the program may not run on shares, an argument does not fit it, the parties differ, one is
                gone, or the engine opened a secret. Nothing more can be run then.
        """
        order = replace(self._order(program, arguments, results), subject=subject.hex())
        shapes = {str(place): (form.shape, form.dtype, form.how) for place, form in enumerate(order.results)}
        with self._lock:
            self._connect()
            with self._told_why():
                if order.program not in self._known:
                    self._writer.write(FrameKind.PROGRAM, order.program, program.text.encode())
                    self._known.add(order.program)
                self._writer.write(FrameKind.ORDER, content=order.to_bytes())
                for argument in arguments:
                    if isinstance(argument, OwnSecret | PublicInput | Parts):
                        self._writer.write(FrameKind.ARRAY, content=np.ascontiguousarray(argument.array).tobytes())
            found: dict[int, np.ndarray] = {}
            self._read_figures(shapes, found)
        return [found.get(place) for place in range(len(results))]

    def close(self) -> None:
        """End the session, once the other parties end it or a moment later."""
        if not self._over:
            with suppress(OSError):
                self._writer.write(FrameKind.DONE)
        self._end(_ENDING)

    def kill(self) -> None:
        """End the process now; the other parties are told that this one is gone."""
        if not self._over:
            self._process.kill()
        self._end(_ENDING)

    def __enter__(self) -> EngineSession:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.close() if kind is None else self.kill()

    def _connect(self) -> None:
        if not self._connected:
            self._read_figures({}, {})
            self._connected = True

    def _order(self, program: Program, arguments: Sequence[Argument], results: Sequence[Result]) -> RunOrder:
        check_program(program.text, program.public)
        public = {place for place, argument in enumerate(arguments) if isinstance(argument, PublicInput)}
        if public != program.public:
            raise EngineError(f"this program takes {sorted(program.public)} as public, and is given {sorted(public)}")
        if (len(arguments), len(results)) != (len(program.inputs), len(program.outputs)):
            raise EngineError("a program is given one source for each argument, and one receiver for each result")
        given = (argument_form(one, *form, self.rank) for one, form in zip(arguments, program.inputs, strict=True))
        gotten = tuple(result_form(one, *form) for one, form in zip(results, program.outputs, strict=True))
        check_alike(gotten)
        digest = hashlib.sha256(program.text.encode()).hexdigest()
        return RunOrder(digest, program.longest, tuple(given), gotten)

    def _read_figures(self, shapes: dict[str, tuple[tuple[int, ...], str, str]], found: dict[int, np.ndarray]) -> None:
        """Read results of these shapes into ``found``, until the figures come."""
        with self._told_why():
            kind, name, content = read_frame(self._reading, LONGEST)
            while kind != FrameKind.FIGURES:
                if kind == FrameKind.ARRAY:
                    shape, dtype, how = shapes[name]
                    numbers = np.frombuffer(content, np.uint64 if how == "additive" else dtype)
                    found[int(name)] = numbers.reshape(shape).copy()
                kind, name, content = read_frame(self._reading, LONGEST)
        self.figures = RunFigures(**json.loads(content))

    @contextmanager
    def _told_why(self) -> Iterator[None]:
        """Makes of a pipe that ended the reason that the process gave, now and whenever something is asked later."""
        if self._over:
            raise EngineError(self._over)
        try:
            yield
        except (OSError, FrameError):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_MOMENT)
            alive = self._process.poll() is None
            self._process.kill()
            self._end(_ENDING)
            why = "gave no sign of life" if alive else f"ended with status {self._process.returncode}"
            told = self._process.returncode == ENDED and self.said
            self._over = self.said[-1] if told else f"the process of this party's engine {why}"
            raise EngineError(self._over) from None

    def _end(self, patience: float) -> None:
        """Wait for the process to end, or end it; nothing can be asked of it any more."""
        if self._over:
            return
        self._over = "this session with the engine was ended"
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._hearing.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()

    def _hear(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said.append(line.decode("utf-8", "replace").strip())
