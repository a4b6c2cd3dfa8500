"""What a party needs of its session with the engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from sfumato.trust.mpc.engine.lowering import Program
from sfumato.trust.mpc.engine.run_order import Argument, Result


class Session(Protocol):
    """What a party needs of its session with the engine; see ``EngineSession``."""

    def connect(self) -> None:
        """Wait until all three are there."""
        ...

    def run(
        self, program: Program, arguments: Sequence[Argument], results: Sequence[Result], subject: bytes
    ) -> list[np.ndarray | None]:
        """Run a program with the two others, who were asked the same ``subject``."""
        ...

    def kill(self) -> None:
        """End it now."""
        ...
