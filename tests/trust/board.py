"""Three parties at one board in place of an engine: what they would share is added up in the clear, in this process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sfumato.errors import EngineError
from sfumato.trust.mpc.engine.domains import run_within
from sfumato.trust.mpc.engine.engine_plan import EngineParty
from sfumato.trust.mpc.engine.identities import identity
from sfumato.trust.mpc.engine.run_order import Additive, Argument, Parts, Result

PATIENCE = 20.0
"""Seconds for the two others, who are in this process."""


@dataclass
class Board:
    """Where the parties of one test meet.

    Attributes:
        given: of each run, by rank, the parts of each argument.
        before: called by each party with its rank, before it runs.
        found: makes of the results what the party of a rank is told.
    """

    given: list[dict[int, list[np.ndarray]]] = field(default_factory=list)
    before: Callable[[int], None] = lambda rank: None
    found: Callable[[int, np.ndarray], np.ndarray] = lambda rank, result: result
    barrier: threading.Barrier = field(default_factory=lambda: threading.Barrier(3))
    subjects: dict[int, bytes] = field(default_factory=dict)

    def parties(self, names: Sequence[str]) -> tuple[EngineParty, ...]:
        return tuple(EngineParty(name, "localhost", 9, identity(name)[1]) for name in names)

    def start(self, rank: int) -> Callable[[], Seat]:
        return lambda: Seat(self, rank)


@dataclass
class Seat:
    """The session of one party; programs are functions of JAX here."""

    board: Board
    rank: int
    calls: int = 0

    def connect(self) -> None:
        self.board.barrier.wait(PATIENCE)

    def kill(self) -> None:
        self.board.barrier.abort()

    def run(
        self, program: Callable, arguments: Sequence[Argument], results: Sequence[Result], subject: bytes
    ) -> list[np.ndarray | None]:
        board = self.board
        board.before(self.rank)
        parts = [argument.array for argument in arguments if isinstance(argument, Parts)]
        assert len(parts) == len(arguments)
        board.subjects[self.rank] = subject
        try:
            if board.barrier.wait(PATIENCE) == 0:
                board.given.append({})
            board.barrier.wait(PATIENCE)
            board.given[-1][self.rank] = parts
            board.barrier.wait(PATIENCE)
        except threading.BrokenBarrierError:
            raise EngineError("another is gone: its connection ended") from None
        if len(set(board.subjects.values())) != 1:
            raise EngineError("another is to run another program")
        every = board.given[-1]
        sums = [np.sum([every[rank][i] for rank in range(3)], axis=0) for i in range(len(parts))]
        (result,) = run_within(program, *sums)
        (kind,) = results
        return [self._part(result) if isinstance(kind, Additive) else board.found(self.rank, result)]

    def _part(self, whole: np.ndarray) -> np.ndarray:
        """This party's of three parts that sum to it modulo 2^64; all draw the same."""
        rng = np.random.default_rng(len(self.board.given))
        drawn = rng.integers(0, 2**63, (2, *whole.shape)).astype(np.uint64)
        return [drawn[0], drawn[1], whole.astype(np.uint64) - drawn[0] - drawn[1]][self.rank]
