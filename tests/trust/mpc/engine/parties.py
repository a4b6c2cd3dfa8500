"""Keys, a plan and connections of three parties, without an engine."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.engine_plan import EnginePlan
from sfumato.trust.mpc.engine.local_parties import HERE, NAMES, local_plan
from sfumato.trust.mpc.engine.mesh import PartyKeys, Peer, connect

PATIENCE = 20.0
"""Seconds for what takes a fraction of one."""


def made_plan(folder: Path) -> EnginePlan:
    return local_plan(folder / "parties")


def keys_of(folder: Path, rank: int, claimed: int | None = None) -> PartyKeys:
    """The keys of a party, which claims a rank: its own, if none is given."""
    own = folder / "parties" / NAMES[rank]
    return PartyKeys(rank if claimed is None else claimed, own / "certificate.pem", own / "key.pem", HERE)


class Caller(threading.Thread):
    """A party that connects, in a thread: what came of it."""

    def __init__(self, plan: EnginePlan, keys: PartyKeys, patience: float = PATIENCE) -> None:
        super().__init__(daemon=True)
        self.peers: dict[int, Peer] = {}
        self.error: EngineError | None = None
        self.said: list[str] = []
        self._connect: Callable[[], dict[int, Peer]] = lambda: connect(plan, keys, patience, self.said.append)
        self.start()

    def run(self) -> None:
        try:
            self.peers = self._connect()
        except EngineError as error:
            self.error = error

    def ended(self) -> Caller:
        self.join(PATIENCE)
        assert not self.is_alive()
        return self


def connected(plan: EnginePlan, folder: Path) -> list[dict[int, Peer]]:
    """All three."""
    callers = [Caller(plan, keys_of(folder, rank)) for rank in range(3)]
    assert [caller.ended().error for caller in callers] == [None] * 3
    return [caller.peers for caller in callers]


def close(peers: list[dict[int, Peer]]) -> None:
    for peer in (p for one in peers for p in one.values()):
        for connection in (peer.connection, peer.writer._connection):
            with_shutdown(connection)


def with_shutdown(connection: socket.socket) -> None:
    """End a connection, also where a thread waits for it."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
