"""Three parties as processes of this machine, over the connections that they would have between machines."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import PARTIES, EngineParty, EnginePlan
from sfumato.trust.mpc.engine.identities import CERTIFICATE, KEY, fresh_identity
from sfumato.trust.mpc.engine.lowering import Program
from sfumato.trust.mpc.engine.mesh import PartyKeys
from sfumato.trust.mpc.engine.run_order import Argument, OpenTo, OwnSecret, Parts, PeerSecret, PublicInput
from sfumato.trust.mpc.engine.session import PATIENCE, EngineSession

NAMES = ("north", "east", "west")
"""Of the parties."""
HERE = "127.0.0.1"
"""Where they listen: nobody else reaches them."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class RunOnShares:
    """What came of a program on shares.

    Attributes:
        results: in the order of the program's.
        bytes_sent: by the party that sent most.
        cpu_seconds: of the party that took most.
    """

    results: list[np.ndarray]
    bytes_sent: int
    cpu_seconds: float


def run_locally(
    sessions: Sequence[EngineSession], program: Program, arrays: Sequence[np.ndarray], parts: Sequence[int] = ()
) -> RunOnShares:
    """Run ``program`` on ``arrays``: the parties of ``sessions`` give secrets in turn, the first gets the results.

    Args:
        sessions: of the three parties, by rank.
        program: to be run.
        arrays: its arguments.
        parts: places of those of which no party knows more than a part.

    Raises:
        EngineError: a process ended before its time; it says what the processes said.
    """
    split = {place: _split(arrays[place]) for place in parts}

    def run(session: EngineSession) -> list[np.ndarray | None]:
        def argument(place: int) -> Argument:
            if place in split:
                return Parts(split[place][session.rank])
            if place in program.public:
                return PublicInput(arrays[place])
            owner = place % PARTIES
            return OwnSecret(arrays[place]) if owner == session.rank else PeerSecret(owner)

        return session.run(program, [argument(p) for p in range(len(arrays))], [OpenTo(0)] * len(program.outputs))

    found, *_ = at_once(sessions, run)
    figures = [session.figures for session in sessions]
    results = [array for array in found if array is not None]
    return RunOnShares(results, max(f.bytes_sent for f in figures), max(f.cpu_seconds for f in figures))


def at_once(sessions: Sequence[EngineSession], what: Callable[[EngineSession], _T]) -> list[_T]:
    """What comes of ``what`` for each party, all at the same time.

    EngineError, with what each of them said, where it fails for one.
    """
    with ThreadPoolExecutor(len(sessions)) as pool:
        futures = [pool.submit(what, session) for session in sessions]
    errors = [future.exception() for future in futures]
    for error in errors:
        if error is not None and not isinstance(error, EngineError):
            raise error
    called = [NAMES[session.rank] for session in sessions]
    lines = [f"{name}: {error}" for name, error in zip(called, errors, strict=True) if error is not None]
    if lines:
        raise EngineError("a run on shares ended before its time; " + "; ".join(lines))
    return [future.result() for future in futures]


@contextmanager
def local_sessions(engine: Path, folder: Path, patience: float = PATIENCE) -> Iterator[tuple[EngineSession, ...]]:
    """A session of three processes, which have found each other.

    Args:
        engine: folder of the engine.
        folder: for keys and logs; made anew, for this account alone.
        patience: seconds for the processes to find each other.

    Raises:
        EngineError: there is no engine, or a process ended before its time.
    """
    plan, sessions = local_plan(folder), list[EngineSession]()
    try:
        for rank, name in enumerate(NAMES):
            sessions.append(EngineSession.start(engine, folder / name, plan, local_keys(folder, rank), patience))
        at_once(sessions, EngineSession.connect)
        yield tuple(sessions)
        at_once(sessions, EngineSession.close)
    finally:
        for session in sessions:
            session.kill()


def local_plan(folder: Path) -> EnginePlan:
    """A plan of three parties here, with fresh keys in ``folder``."""
    folder.mkdir(mode=0o700)
    parties = []
    for name, port in zip(NAMES, free_ports(), strict=True):
        (folder / name).mkdir()
        parties.append(EngineParty(name, HERE, port, fresh_identity(folder / name, name)))
    return EnginePlan(tuple(parties))


def local_keys(folder: Path, rank: int) -> PartyKeys:
    """The keys of a party of ``local_plan``."""
    own = folder / NAMES[rank]
    return PartyKeys(rank, own / CERTIFICATE, own / KEY, HERE)


def _split(array: np.ndarray) -> list[np.ndarray]:
    """Three parts of whole numbers, modulo 2^64, of which any two are uniform."""
    one, other = np.frombuffer(secrets.token_bytes(16 * array.size), np.int64).reshape(2, *array.shape)
    return [one, other, array.astype(np.int64) - one - other]


def free_ports() -> list[int]:
    """Ports that nobody listens on now."""
    held = [socket.create_server((HERE, 0)) for _ in range(PARTIES)]
    try:
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
